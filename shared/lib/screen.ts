/** What of a terminal is used. */
export type ScreenStream = Readonly<{ isTTY?: boolean; columns?: number; rows?: number; write(text: string): unknown }>

/** A page that rewrites itself. */
export interface Screen {
  draw(lines: readonly string[]): void
  /** Gives the terminal back as it was. May be called twice. */
  close(): void
}

const ESC = '\u001b'
const OPEN = `${ESC}[?1049h${ESC}[?25l`
const CLOSE = `${ESC}[?25h${ESC}[?1049l`
const DEFAULT_COLUMNS = 80
const DEFAULT_ROWS = 24
const STYLES = { good: '32', bad: '31', odd: '33', dim: '2', strong: '1' } as const
export type Style = keyof typeof STYLES

/**
 * Draws over what is there and clears only the ends of lines, in one write, so that nothing flickers. Lines that are too
 * long are cut and those that do not fit are left out with a last line that says so.
 */
export function createScreen(stream: ScreenStream): Screen {
  let isOpen = false
  return {
    draw(lines) {
      const { columns = DEFAULT_COLUMNS, rows = DEFAULT_ROWS } = stream
      const fits =
        lines.length <= rows ? lines : [...lines.slice(0, rows - 1), `… ${lines.length - rows + 1} more lines`]
      const text = fits.map((line) => `${cutTo(line, columns)}${ESC}[0m${ESC}[K`).join('\r\n')
      stream.write(`${isOpen ? '' : OPEN}${ESC}[H${text}${ESC}[J`)
      isOpen = true
    },
    close() {
      if (isOpen) stream.write(CLOSE)
      isOpen = false
    },
  }
}

/** Colour for a terminal that has it; the text says the same without. */
export function styled(stream: ScreenStream, noColor: boolean): (style: Style, text: string) => string {
  if (stream.isTTY !== true || noColor) return (_, text) => text
  return (style, text) => `${ESC}[${STYLES[style]}m${text}${ESC}[0m`
}

/** Cuts by what is seen: sequences that only colour take no room. */
function cutTo(line: string, columns: number): string {
  let seen = 0
  let out = ''
  for (const part of line.split(/(\u001b\[[0-9;]*m)/)) {
    if (part.startsWith(ESC)) {
      out += part
      continue
    }
    const room = Math.max(0, columns - seen)
    out += part.slice(0, room)
    seen += part.length
  }
  return out
}
