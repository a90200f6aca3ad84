import type { Bytes } from '../../shared/units.ts'

/** One line without its end. Of one that is too long, only the beginning is there. */
export type Line = Readonly<{ bytes: Uint8Array; tooLong: boolean }>

/** Cuts a stream of bytes into lines. Keeps at most one line that is not finished yet. */
export interface LineReader {
  /** Lines that end in these bytes, in order; what follows the last one is kept until its end comes. */
  push(chunk: Uint8Array): Line[]
  /** What has no end and never will have one; null when there is nothing. */
  rest(): Line | null
  /** Bytes of the line that is not finished, as they stand in the file. */
  readonly unfinished: Bytes
}

const LF = 0x0a
const CR = 0x0d

export function createLineReader({ bytesMax }: { bytesMax: Bytes }): LineReader {
  let kept: Uint8Array[] = []
  let keptBytes = 0
  let unfinished = 0

  function keep(part: Uint8Array): void {
    unfinished += part.length
    // One byte more than fits is enough to know that it is too long.
    const room = bytesMax + 1 - keptBytes
    if (room <= 0 || part.length === 0) return
    const copy = new Uint8Array(part.subarray(0, room))
    kept.push(copy)
    keptBytes += copy.length
  }

  function finish(): Line {
    const whole = kept.length === 1 ? kept[0]! : new Uint8Array(Buffer.concat(kept))
    kept = []
    keptBytes = 0
    unfinished = 0
    const end = whole.at(-1) === CR ? whole.length - 1 : whole.length
    return { bytes: whole.subarray(0, Math.min(end, bytesMax)), tooLong: end > bytesMax }
  }

  return {
    push(chunk) {
      const lines: Line[] = []
      let from = 0
      for (let end = chunk.indexOf(LF); end >= 0; end = chunk.indexOf(LF, from)) {
        keep(chunk.subarray(from, end))
        lines.push(finish())
        from = end + 1
      }
      keep(chunk.subarray(from))
      return lines
    },
    rest: () => (unfinished === 0 ? null : finish()),
    get unfinished() {
      return unfinished
    },
  }
}
