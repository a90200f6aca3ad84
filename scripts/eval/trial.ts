import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Disguise, disguiseOf } from './disguise.ts'
import { EvaluationError } from './evaluation-error.ts'
import { beginMs, type Part } from './recording.ts'
import { type Session, startSession } from './session.ts'
import {
  baselineArguments,
  configurationFor,
  type Evaluator,
  FILES,
  gateOf,
  type Reply,
  rowLine,
  segmentText,
} from './system-under-test.ts'
import { createVerdicts, NOT_MEASURED, type Verdicts } from './verdicts.ts'

/** Where trials take place: which evaluator, in which folder, with which key, and how long an answer may take. */
export type Bench = Readonly<{ evaluator: Evaluator; folder: string; keyPem: string; answerWithinMs: number }>

/** Rows in which nothing was wrong. `shiftMs` moves them to another time, where they would be behind the watched ones. */
export type Segment = Readonly<{ part: Part; shiftMs: number }>

export type TrialOrder = Readonly<{
  /** What the disguise is drawn from; the evaluator does not see it. */
  id: string
  own: Part
  /** Oldest first. */
  earlier: readonly Segment[]
  permutation?: 0 | 1
}>

/** Rows that are shown one by one; channels as in the recording of the own baseline. */
export type Watched = Readonly<{ timesMs: readonly number[]; rows: readonly Float64Array[] }>

export type WatchOptions = Readonly<{
  /** Also have the evaluator measure itself at the end, which takes a moment. */
  measure?: boolean
  /** Also keep every answer as text, to compare runs to the last bit. */
  keepAnswers?: boolean
  /** Row at which the state is saved; a few rows later the evaluator is killed and another goes on from the saved state. */
  restoreAt?: number
}>

export type Trial =
  | Readonly<{ rejected: readonly string[] }>
  | Readonly<{ rejected: null; watch(watched: Watched, options?: WatchOptions): Promise<Verdicts> }>

/** Rows that a killed evaluator still sees behind its saved state, and that the next one is shown again. */
const ROWS_BEHIND_CHECKPOINT = 7

/** Makes the baseline of a run and hands over what can be watched with it. Everything is removed behind it. */
export async function withBaseline<Result>(
  bench: Bench,
  order: TrialOrder,
  use: (trial: Trial) => Promise<Result>,
): Promise<Result> {
  const folder = mkdtempSync(join(bench.folder, 'trial-'))
  try {
    const { channels } = order.own.recording
    const { id, permutation = 0 } = order
    const disguise = disguiseOf({ id, channels: channels.length, firstMs: beginMs(order.own), permutation })
    const shown = disguise.order.map((channel) => disguise.names[channel]!)
    for (const [name, text] of Object.entries(configurationFor(shown))) writeFileSync(join(folder, name), text)
    writeFileSync(join(folder, FILES.key), bench.keyPem, { mode: 0o600 })
    const segments = [...order.earlier, { part: order.own, shiftMs: 0 }].map((segment, k) => {
      const name = `segment-${String(k).padStart(3, '0')}.csv`
      writeFileSync(join(folder, name), segmentText(shown, disguisedRows(segment, channels, disguise)))
      return name
    })
    const rejected = await createBaseline(bench.evaluator, folder, segments)
    if (rejected !== null) return await use({ rejected })
    const place = { bench, folder, disguise, channels }
    return await use({ rejected: null, watch: (watched, options) => watch(place, watched, options) })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** @returns why the gate rejected it, or null when it did not */
async function createBaseline(evaluator: Evaluator, folder: string, segments: readonly string[]) {
  const args = [...evaluator.before, ...baselineArguments(segments)]
  const { code, out, complaint } = await runToEnd({ ...evaluator, before: args }, folder)
  const gate = gateOf({ out, complaint })
  if (code === 0 && gate?.passed === true) return null
  // A mistake of ours or of the evaluator must not pass for a gate that looked at the data.
  if (gate === null || gate.passed)
    throw new EvaluationError(70, `no baseline could be made, and no gate said why (exit ${code})\n${complaint}${out}`)
  return gate.reasons
}

/** Runs a command of the evaluator to its end. */
export function runToEnd(evaluator: Evaluator, folder: string) {
  return new Promise<{ code: number | null; out: string; complaint: string }>((resolve, reject) => {
    const child = spawn(evaluator.command, evaluator.before, {
      cwd: folder,
      env: { ...process.env, ...evaluator.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let [out, complaint] = ['', '']
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      out += text
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      complaint += text
    })
    child.on('error', (cause) => reject(new EvaluationError(70, `${evaluator.command}: ${cause.message}`, { cause })))
    child.on('close', (code) => resolve({ code, out, complaint }))
  })
}

/** Rows of a segment under the disguise; a channel that its recording does not have is without samples. */
function* disguisedRows({ part, shiftMs }: Segment, channels: readonly string[], { order, offsetMs }: Disguise) {
  const { recording, from, to } = part
  const columns = order.map((channel) => recording.channels.indexOf(channels[channel]!))
  for (let row = from; row < to; row += 1) {
    const values = columns.map((column) => recording.rows[row]![column] ?? Number.NaN)
    yield [recording.timesMs[row]! + shiftMs + offsetMs, values] as const
  }
}

type Place = Readonly<{ bench: Bench; folder: string; disguise: Disguise; channels: readonly string[] }>

async function watch(place: Place, watched: Watched, options: WatchOptions = {}): Promise<Verdicts> {
  const { bench, folder, disguise } = place
  const { restoreAt, keepAnswers = false } = options
  const isRestored = restoreAt !== undefined
  const start = (): Session =>
    startSession(bench.evaluator, { folder, checkpoint: isRestored, answerWithinMs: bench.answerWithinMs })
  const verdicts = createVerdicts(watched.rows.length, disguise.names, keepAnswers)
  let session = start()
  try {
    const show = (row: number): Promise<Reply> => showRow(session, watched, row, disguise)
    for (let row = 0; row < watched.rows.length; row += 1) {
      if (row === restoreAt) session = await killAndRestore(session, { row, last: watched.rows.length, show, start })
      verdicts.take(row, await show(row))
    }
    const stats = options.measure === true ? await session.stats() : NOT_MEASURED
    await session.end()
    rmSync(join(folder, FILES.checkpoint), { force: true })
    return verdicts.finish(stats, session.lateVerdicts())
  } finally {
    await session.kill()
  }
}

function showRow(session: Session, { timesMs, rows }: Watched, row: number, { offsetMs, order, names }: Disguise) {
  const tMs = timesMs[row]! + offsetMs
  const values = order.map((channel) => [names[channel]!, rows[row]![channel]!] as const)
  return session.row(tMs, rowLine(tMs, values))
}

type Restoring = Readonly<{ row: number; last: number; show(row: number): Promise<Reply>; start(): Session }>

/** What the killed evaluator says of the rows behind the saved state is forgotten; only the state may matter. */
async function killAndRestore(session: Session, { row, last, show, start }: Restoring): Promise<Session> {
  const saved = await session.checkpoint()
  if (saved !== row)
    throw new EvaluationError(70, `the evaluator was shown ${row} rows and says its saved state has ${saved}`)
  for (let behind = row; behind < Math.min(last, row + ROWS_BEHIND_CHECKPOINT); behind += 1) await show(behind)
  await session.kill()
  return start()
}
