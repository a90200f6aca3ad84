import { writeFileSync } from 'node:fs'
import { HbError } from '../errors/hb-error.ts'
import type { Micros } from '../units.ts'

/** What a terminal may obey, or shows as something else: controls, marks that turn the direction, other ends of lines. */
const UNPRINTABLE = /[\p{C}\p{Zl}\p{Zp}]/gu

/** Foreign text on one line, without anything that a terminal would obey. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, '·')
}

/** JSON that says the same and holds nothing that a terminal would obey. */
function printableJson(value: unknown): string {
  const escaped = (text: string): string =>
    text
      .split('')
      .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
      .join('')
  return JSON.stringify(value).replace(UNPRINTABLE, escaped)
}

/** A result: as one JSON object with `--json`, else as lines for people, each of which is one whatever stands in it. */
export function printResult(
  json: boolean | undefined,
  result: Readonly<Record<string, unknown>>,
  lines: readonly string[],
): void {
  process.stdout.write(json === true ? `${printableJson(result)}\n` : `${lines.map(printable).join('\n')}\n`)
}

/** UTC to the millisecond. Event times before the first input are −1 and have none. */
export function utc(us: Micros): string {
  return us < 0 ? '-' : new Date(us / 1000).toISOString()
}

const UTC_TIME = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?Z)?$/

/** A time on a command line, as a day or with its `Z`: without it, it would be one of wherever this runs. Null for anything else. */
export function fromUtc(text: string): Micros | null {
  const us = UTC_TIME.test(text) ? Date.parse(text) * 1000 : Number.NaN
  return Number.isSafeInteger(us) ? us : null
}

/** Columns of equal width; numbers are given as text already. Cells may hold foreign text. */
export function table(texts: readonly (readonly string[])[]): string[] {
  const rows = texts.map((row) => row.map(printable))
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)))
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  )
}

/** Progress of long work, on stderr and only for somebody who looks at it. */
export function progress(what: string): (done: number, of: number) => void {
  let shown = -1
  return (done, of) => {
    const percent = of === 0 ? 100 : Math.floor((done * 100) / of)
    if (!process.stderr.isTTY || percent === shown) return
    shown = percent
    process.stderr.write(`\r${what}: ${percent} %${percent >= 100 ? '\n' : ''}`)
  }
}

/** A number given on the command line. @throws HbError USAGE */
export function numberOption(text: string, option: string, { min, max }: { min: number; max: number }): number {
  const value = Number(text)
  if (!(text.trim() !== '' && value >= min && value <= max))
    throw new HbError('USAGE', { option, found: text, expected: `a number from ${min} to ${max}` })
  return value
}

/** Writes a file that is not there yet. @throws HbError USAGE when it is, or cannot be written */
export function writeNew(path: string, content: string | Uint8Array, mode: number): void {
  try {
    writeFileSync(path, content, { flag: 'wx', mode })
  } catch (cause) {
    const { code = 'unknown' } = cause as NodeJS.ErrnoException
    throw new HbError(
      'USAGE',
      { found: path, expected: 'a new file in a folder that can be written', errno: code },
      { cause },
    )
  }
}
