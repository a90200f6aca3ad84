import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { ROOT } from '../sources.ts'
import { EvaluationError } from './evaluation-error.ts'

/**
 * The only place that knows how the evaluator is started, what it is given and what it answers. Everything else sees
 * rows that go in and verdicts that come out.
 */

/** How the evaluator is run: a program, what comes before its own arguments, and what is added to its environment. */
export type Evaluator = Readonly<{ command: string; before: readonly string[]; env?: Readonly<Record<string, string>> }>

/** The same evaluator without a compiler in its engine: every number must come out the same. */
export function withoutJit(evaluator: Evaluator): Evaluator {
  return { ...evaluator, env: { ...evaluator.env, NODE_OPTIONS: '--jitless' } }
}

export const FILES = {
  config: 'runtime.yaml',
  /** The same before there is a baseline. */
  nominal: 'nominal.yaml',
  registry: 'registry.yaml',
  quality: 'baseline_quality_policy.yaml',
  baseline: 'baseline.hbb',
  key: 'sign.pem',
  checkpoint: 'evaluator.state',
} as const

export const lockstepArguments = ({ checkpoint }: { checkpoint: boolean }): string[] => [
  ...['lockstep', '--config', FILES.config],
  ...(checkpoint ? ['--checkpoint', FILES.checkpoint] : []),
]

/**
 * `segments`: files of rows in which nothing was wrong, the oldest first; the last is of the run that is watched. What
 * the gate says is read and obeyed here, so the record is written in any case.
 */
export const baselineArguments = (segments: readonly string[]): string[] => [
  ...['baseline', 'create', '--config', FILES.nominal, '--policy', FILES.quality],
  ...['--csv', ...segments],
  ...['--kind', 'golden', '--draft', '--out', FILES.baseline, '--json'],
]

const templateOf = (name: string): string => readFileSync(join(ROOT, 'scripts', 'eval', name), 'utf8')
const TEMPLATES = ['runtime.template.yaml', 'registry.template.yaml', 'quality.template.yaml'] as const
const CHANNEL = '{{channel}}'

/** The one configuration, with nothing of a run in it but the names of channels. */
export function configurationFor(names: readonly string[]): Readonly<Record<string, string>> {
  const registry = templateOf('registry.template.yaml')
    .split('\n')
    .flatMap((line) => (line.includes(CHANNEL) ? names.map((name) => line.replaceAll(CHANNEL, name)) : [line]))
    .join('\n')
  const runtime = templateOf('runtime.template.yaml')
  const nominal = runtime.replace(/^.*\bbaseline_file:.*\n/m, '')
  const quality = templateOf('quality.template.yaml')
  return { [FILES.config]: runtime, [FILES.nominal]: nominal, [FILES.registry]: registry, [FILES.quality]: quality }
}

/** SHA-256 over the bytes of the configuration and the version of the code: equal for all files, or it is no one configuration. */
export function configHash(codeVersion: string): string {
  const hash = createHash('sha256')
  for (const text of [...TEMPLATES.map(templateOf), codeVersion]) hash.update(`${text.length}\n${text}`)
  return hash.digest('hex')
}

/** What `hb --version` printed, and the digest of the evaluator's sources that the build wrote down beside the program. */
export function codeVersionOf({ before }: Evaluator, printed: string): string {
  const program = before.at(-1)
  const built = program === undefined ? '' : join(dirname(program), 'build.json')
  if (!existsSync(built)) return printed.trim()
  const { evaluator } = JSON.parse(readFileSync(built, 'utf8')) as { evaluator?: string }
  return `${printed.trim()} evaluator ${evaluator ?? 'unknown'}`
}

/** One row, as the evaluator is shown it. */
export const rowLine = (tMs: number, values: readonly (readonly [name: string, value: number])[]): string =>
  JSON.stringify({ t_ms: tMs, ch: Object.fromEntries(values.map(([name, v]) => [name, Number.isNaN(v) ? null : v])) })

export const CHECKPOINT_LINE = JSON.stringify({ checkpoint: true })
export const STATS_LINE = JSON.stringify({ stats: true })

/** Rows as a file for a baseline; an empty cell is no sample. */
export function segmentText(
  names: readonly string[],
  rows: Iterable<readonly [tMs: number, values: readonly number[]]>,
): string {
  const lines = [['t_us', ...names].join(',')]
  for (const [tMs, values] of rows)
    lines.push([tMs * 1000, ...values.map((value) => (Number.isNaN(value) ? '' : value))].join(','))
  return `${lines.join('\n')}\n`
}

export const STATES = ['warming_up', 'nominal', 'alarm'] as const
export type State = (typeof STATES)[number]

/** The answer to a row. */
export type Reply = Readonly<{
  tMs: number
  throughUs: number | null
  state: State
  score: number | null
  drivers: readonly Readonly<{ channel: string; contribution: number }>[]
  confidence: number | null
  verdict: string | null
  streams: Readonly<Record<string, unknown>>
}>

/** @throws EvaluationError 70 when it is not the answer to a row */
export function parseReply(answer: Readonly<Record<string, unknown>>): Reply {
  const { t_ms: tMs, state, score, drivers, confidence, streams } = answer
  const isNumberOrNull = (value: unknown): value is number | null => value === null || typeof value === 'number'
  const wrong =
    typeof tMs !== 'number' ||
    !STATES.some((known) => known === state) ||
    !isNumberOrNull(score) ||
    !isNumberOrNull(confidence ?? null) ||
    !Array.isArray(drivers) ||
    drivers.some((d) => typeof d?.channel !== 'string' || typeof d?.contribution !== 'number')
  if (wrong) throw new EvaluationError(70, `the evaluator answered a row with ${JSON.stringify(answer).slice(0, 300)}`)
  return {
    tMs,
    state: state as State,
    score,
    drivers: drivers as Reply['drivers'],
    throughUs: typeof answer['through_us'] === 'number' ? answer['through_us'] : null,
    confidence: (confidence ?? null) as number | null,
    verdict: typeof answer['verdict'] === 'string' ? answer['verdict'] : null,
    streams: typeof streams === 'object' && streams !== null ? (streams as Record<string, unknown>) : {},
  }
}

/** Whether a companion stream stands in alarm. */
export function isStreamInAlarm(stream: unknown): boolean {
  return typeof stream === 'object' && stream !== null && (stream as { alarm?: unknown }).alarm === true
}

export type Gate = Readonly<{ passed: boolean; reasons: readonly string[] }>

/** Mistakes by which the evaluator says that the rows are no baseline; any other one is no verdict on them. */
const REFUSALS = ['BASELINE_GATE', 'BASELINE_TOO_SHORT']

/** What `hb baseline create --json` says of the rows, as its result or as its error; null when it said nothing of them. */
export function gateOf({ out, complaint }: Readonly<{ out: string; complaint: string }>): Gate | null {
  const { gate } = parsedObject(out) as { gate?: { passed?: unknown; reasons?: unknown } }
  if (typeof gate?.passed === 'boolean')
    return { passed: gate.passed, reasons: Array.isArray(gate.reasons) ? gate.reasons.map(wordsOf) : [] }
  const { error } = parsedObject(complaint) as { error?: { code?: string; found?: unknown } }
  return REFUSALS.includes(error?.code ?? '')
    ? { passed: false, reasons: [wordsOf(error?.found ?? error?.code)] }
    : null
}

function parsedObject(text: string): object {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? value : {}
  } catch {
    // Words for people, or nothing: no object either.
    return {}
  }
}

const wordsOf = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value))
