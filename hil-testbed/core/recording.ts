/** Rows of one recording, samples of all of them, and mistakes of a file that are told. */
export const RECORDING_ROWS_MAX = 4_000_000
const PROBLEMS_MAX = 20
const DELIMITER = ';'
const TIMES = ['t_us', 'taken_us'] as const
/** A number as JavaScript writes it, and the quality of the sample when it is not good. */
const CELL = /^(NaN|-?Infinity|-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)(?:@([12]))?$/

/**
 * What a rig sent, message by message, as `hb decisions slice` takes it out of a journal. Times count from the start of the
 * run. The samples of row `r` are those from `first[r]` to before `first[r + 1]`.
 */
export type Recording = Readonly<{
  channels: readonly string[]
  /** Event time of each row; before the start for what was measured before and came after it. */
  timeUs: Float64Array
  /** When it came; never less than that of the row before. */
  takenUs: Float64Array
  first: Uint32Array
  /** Of each sample: its channel, value and quality (`QUALITY` of the telemetry). */
  channel: Uint16Array
  value: Float64Array
  quality: Uint8Array
}>

export type RecordingProblem = Readonly<{ line: number; found: string; expected: string }>
export type ReadRecording =
  | Readonly<{ ok: true; recording: Recording }>
  | Readonly<{ ok: false; problems: readonly RecordingProblem[] }>

/**
 * Reads `slice.csv`: a header `t_us;taken_us;CHANNEL;…`, then a row for each time of each message. A cell is empty where the
 * message held no sample of the channel; `@1` or `@2` behind a value says that its source called it suspect or bad.
 */
export function readRecording(text: string): ReadRecording {
  const lines = text.split('\n')
  if (lines.at(-1) === '') lines.pop()
  const names = (lines[0] ?? '').replace(/\r$/, '').split(DELIMITER)
  const problems = headerProblems(names)
  if (lines.length - 1 > RECORDING_ROWS_MAX)
    problems.push({ line: 1, found: `${lines.length - 1} rows`, expected: `at most ${RECORDING_ROWS_MAX}` })
  if (problems.length > 0) return { ok: false, problems }
  const rows = new Rows(names.slice(TIMES.length), lines.length - 1)
  for (let k = 1; k < lines.length && rows.problems.length < PROBLEMS_MAX; k += 1) rows.take(lines[k]!, k)
  if (rows.problems.length > 0) return { ok: false, problems: rows.problems }
  if (lines.length < 2) return { ok: false, problems: [{ line: 2, found: 'no row', expected: 'one or more' }] }
  return { ok: true, recording: rows.done() }
}

function headerProblems(names: readonly string[]): RecordingProblem[] {
  const channels = names.slice(TIMES.length)
  const expected = `\`${TIMES.join(DELIMITER)}${DELIMITER}CHANNEL\`, every channel once`
  const isGood =
    TIMES.every((time, k) => names[k] === time) &&
    channels.length > 0 &&
    channels.every((name, k) => name !== '' && channels.indexOf(name) === k)
  return isGood ? [] : [{ line: 1, found: names.join(DELIMITER).slice(0, 80), expected }]
}

class Rows {
  readonly problems: RecordingProblem[] = []
  private readonly channels: readonly string[]
  private readonly timeUs: Float64Array
  private readonly takenUs: Float64Array
  private readonly first: Uint32Array
  private readonly channel: number[] = []
  private readonly value: number[] = []
  private readonly quality: number[] = []

  constructor(channels: readonly string[], rows: number) {
    this.channels = channels
    this.timeUs = new Float64Array(rows)
    this.takenUs = new Float64Array(rows)
    this.first = new Uint32Array(rows + 1)
  }

  /** Takes line `k + 1` of the file, which is row `k − 1`. */
  take(text: string, k: number): void {
    const cells = text.replace(/\r$/, '').split(DELIMITER)
    const row = k - 1
    const [timeUs, takenUs] = cells.slice(0, TIMES.length).map(Number) as [number, number]
    const width = this.channels.length + TIMES.length
    if (cells.length !== width) this.note(k, `${cells.length} cells`, String(width))
    if (!Number.isSafeInteger(timeUs)) this.note(k, `t_us \`${cells[0]}\``, 'whole µs')
    // Stated as what must hold, so that what is no number is a mistake.
    if (!(Number.isSafeInteger(takenUs) && takenUs >= (row === 0 ? 0 : this.takenUs[row - 1]!)))
      this.note(k, `taken_us \`${cells[1]}\``, 'whole µs from 0 on, never less than in the row above')
    this.timeUs[row] = timeUs
    this.takenUs[row] = takenUs
    for (let c = 0; c < this.channels.length; c += 1) this.takeCell(cells[c + TIMES.length] ?? '', c, k)
    this.first[k] = this.channel.length
  }

  done(): Recording {
    return {
      channels: this.channels,
      timeUs: this.timeUs,
      takenUs: this.takenUs,
      first: this.first,
      channel: Uint16Array.from(this.channel),
      value: Float64Array.from(this.value),
      quality: Uint8Array.from(this.quality),
    }
  }

  private takeCell(cell: string, c: number, k: number): void {
    if (cell === '') return
    const [, value, quality] = CELL.exec(cell) ?? []
    if (value === undefined) {
      this.note(
        k,
        `\`${cell.slice(0, 40)}\` for ${this.channels[c]}`,
        'a number, with `@1` or `@2` when it is not good',
      )
      return
    }
    this.channel.push(c)
    this.value.push(Number(value))
    this.quality.push(Number(quality ?? 0))
  }

  private note(k: number, found: string, expected: string): void {
    if (this.problems.length < PROBLEMS_MAX) this.problems.push({ line: k + 1, found, expected })
  }
}
