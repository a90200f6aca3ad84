import { MODES } from '../model/verdict.ts'
import type { CheckedFile, Path } from './document.ts'
import { lockstepProblems } from './lockstep-problems.ts'
import { mqttProblems } from './mqtt-problems.ts'
import { didYouMean, type Problem } from './problems.ts'
import type { RegistryMetric } from './registry.ts'
import type { LineSourceConfig, RigConfig, RuntimeConfig, SourceConfig } from './types.ts'

/** Samples that the widest window of a rig must be able to hold for a metric to be judged at all. */
const SAMPLES_MIN = 5
/** Slides × metrics that a rig may keep; each takes about 150 bytes, so a rig stays below 1.2 GB. */
const CELLS_MAX = 8_000_000
/** Samples of one metric, and of a whole rig, that a second look under `revise` may have to keep: 16 bytes each and their frames. */
const REVISED_SAMPLES_MAX = 65_536
const REVISED_SAMPLES_OF_RIG_MAX = 4_000_000

/** Configuration of an agent that may have holes where something is wrong. */
export type Loose<T> = T extends readonly (infer E)[]
  ? readonly (Loose<E> | undefined)[]
  : T extends object
    ? { [K in keyof T]?: Loose<T[K]> }
    : T

const OTHER_COLUMNS = 'columns without a meaning here'

type Add = (path: Path, found: string, expected: string, hint?: string) => void

/** Mistakes of `runtime.yaml` that no single key shows. Whatever is wrong by itself is passed over. */
export function runtimeProblems(file: CheckedFile): Problem[] {
  const problems: Problem[] = lockstepProblems(file)
  const config = (file.value ?? {}) as Loose<RuntimeConfig>
  const add: Add = (path, found, expected, hint) => {
    problems.push({ ...file.at(path), found, expected, ...(hint === undefined ? {} : { hint }) })
  }
  if (file.has(['collector']) && file.has(['receipts_key_file']))
    add(['receipts_key_file'], 'a second key for receipts', '`collector.collector_key_file` alone')
  const rigs = new Set<string>()
  const endpoints = new Set<string>()
  config.rigs?.forEach((rig, k) => {
    if (rig?.rig !== undefined && rigs.has(rig.rig))
      add(['rigs', k, 'rig'], `\`${rig.rig}\` a second time`, 'every rig once')
    if (rig?.rig !== undefined) rigs.add(rig.rig)
    if (file.isSound(['rigs', k, 'windows_ms']) && file.isSound(['rigs', k, 'slide_ms']))
      windowProblems(rig as RigConfig, k, add)
    reviseProblems(file, rig as RigConfig, k, add)
    stepProblems(file, rig as RigConfig, k, add)
    if (rig !== undefined) modeBaselineProblems(file, rig, k, add)
    const names = new Set<string>()
    rig?.sources?.forEach((source, s) => {
      const path = ['rigs', k, 'sources', s]
      const name = (source as SourceConfig | undefined)?.name
      if (name !== undefined && names.has(name))
        add([...path, 'name'], `\`${name}\` a second time`, 'every source of a rig once')
      if (name !== undefined) names.add(name)
      if (file.isSound(path)) sourceProblems(source as SourceConfig, { path, endpoints, clock: config.clock, add })
    })
  })
  return problems
}

function windowProblems(rig: RigConfig, k: number, add: Add): void {
  rig.windows_ms.forEach((widthMs, w) => {
    const path = ['rigs', k, 'windows_ms', w]
    if (widthMs % rig.slide_ms !== 0) {
      const below = Math.floor(widthMs / rig.slide_ms) * rig.slide_ms
      const near = [below, below + rig.slide_ms].filter((ms) => ms > 0).join(' or ')
      add(path, `${widthMs}`, `a whole multiple of \`slide_ms\` (${rig.slide_ms})`, `such as ${near}`)
    }
    if (rig.windows_ms.indexOf(widthMs) !== w) add(path, `${widthMs} a second time`, 'every width once')
  })
}

/** Baselines by mode: of a mode there is, and not of the one at the start, which has keys of its own. */
function modeBaselineProblems(file: CheckedFile, rig: Loose<RigConfig>, k: number, add: Add): void {
  for (const mode of Object.keys(rig.mode_baseline_files ?? {})) {
    const path = ['rigs', k, 'mode_baseline_files', mode]
    if (!MODES.some((one) => one === mode))
      add(path, `\`${mode}\``, `one of ${MODES.join(', ')}`, didYouMean(mode, MODES))
    else if (mode === rig.mode && file.has(['rigs', k, 'baseline_file']))
      add(path, `\`${mode}\`, the mode at the start`, 'another mode, or no `baseline_file`')
  }
}

/** A step of the detectors is made of whole slides. */
function stepProblems(file: CheckedFile, rig: RigConfig, k: number, add: Add): void {
  const path = ['rigs', k, 'detector_step_ms']
  if (!file.isSound(path) || !file.isSound(['rigs', k, 'slide_ms'])) return
  const { detector_step_ms: stepMs, slide_ms: slideMs } = rig
  if (stepMs === undefined || stepMs % slideMs === 0) return
  const near = Math.max(1, Math.floor(stepMs / slideMs)) * slideMs
  add(path, `${stepMs}`, `a whole multiple of \`slide_ms\` (${slideMs})`, `such as ${near}`)
}

/** The second look goes by whole slides, and only `revise` has one. */
function reviseProblems(file: CheckedFile, rig: RigConfig, k: number, add: Add): void {
  const path = ['rigs', k, 'revise_within_ms']
  if (!file.isSound(path) || !file.isSound(['rigs', k, 'late_policy'])) return
  if (rig.late_policy !== 'revise') {
    if (file.has(path)) add(path, 'a key of `revise`', `\`late_policy: revise\` (it is \`${rig.late_policy}\`)`)
    return
  }
  if (!file.isSound(['rigs', k, 'slide_ms']) || rig.revise_within_ms % rig.slide_ms === 0) return
  const near = Math.max(1, Math.floor(rig.revise_within_ms / rig.slide_ms)) * rig.slide_ms
  add(path, `${rig.revise_within_ms}`, `a whole multiple of \`slide_ms\` (${rig.slide_ms})`, `such as ${near}`)
}

/** Sources whose samples are of now. */
const LIVE = { host: 'live sensors', tail: 'a file that grows', mqtt: 'a live broker' } as const

type Around = Readonly<{ path: Path; endpoints: Set<string>; clock: RuntimeConfig['clock'] | undefined; add: Add }>

function sourceProblems(source: SourceConfig, { path, endpoints, clock, add }: Around): void {
  if (source.type === 'csv') {
    const { rows_from: from, rows_to: to } = source
    if (to !== undefined && to <= from) add([...path, 'rows_to'], `${to}`, `more than \`rows_from\` (${from})`)
    if (source.ignore_columns.includes(source.time_column)) {
      add([...path, 'ignore_columns'], `\`${source.time_column}\`, which is also \`time_column\``, OTHER_COLUMNS)
    }
    if (clock === 'system') {
      add(
        [...path, 'type'],
        'a recording under `clock: system`',
        '`clock: recording`',
        'the times in the file are long past for the clock of this machine',
      )
    }
  }
  const live = Object.hasOwn(LIVE, source.type) ? LIVE[source.type as keyof typeof LIVE] : null
  if (live !== null && clock === 'recording') {
    const hint = 'give the recording an agent of its own'
    add([...path, 'type'], `${live} under \`clock: recording\``, '`clock: system`', hint)
  }
  if (source.type === 'mqtt')
    for (const { key, ...problem } of mqttProblems(source)) add([...path, ...key], problem.found, problem.expected)
  if (source.type === 'stdin' || source.type === 'tail') lineProblems(source, { path, endpoints, clock, add })
  if (source.type === 'zmq') {
    const port = /^tcp:.*:(\d+)$/.exec(source.endpoint)?.[1]
    if (port !== undefined && Number(port) > 65_535) add([...path, 'endpoint'], `port ${port}`, 'a port up to 65535')
    if (!(source.bind ?? source.pattern === 'pull')) return
    if (endpoints.has(source.endpoint))
      add([...path, 'endpoint'], `\`${source.endpoint}\` a second time`, 'every endpoint listened on once')
    // Any free port is another one each time.
    if (!source.endpoint.endsWith(':*')) endpoints.add(source.endpoint)
  }
}

/** Standard input stands among the endpoints under this name: only one may listen to it. */
const STDIN = 'stdin'

function lineProblems(source: LineSourceConfig, { path, endpoints, clock, add }: Around): void {
  if (source.type === 'stdin' && endpoints.has(STDIN))
    add([...path, 'type'], '`stdin` a second time', 'one source of an agent that reads standard input')
  if (source.type === 'stdin') endpoints.add(STDIN)
  if (source.time === 'arrival' && clock === 'recording')
    add([...path, 'time'], '`arrival` under `clock: recording`', '`source`', 'the times of the lines are the clock')
  if (source.format === 'csv' && source.time_column === undefined)
    add([...path, 'time_column'], 'nothing', 'the column of the event time, with `format: csv`')
  if (source.time_column !== undefined && source.ignore_columns.includes(source.time_column))
    add([...path, 'ignore_columns'], `\`${source.time_column}\`, which is also \`time_column\``, OTHER_COLUMNS)
  if (source.format === 'csv') return
  for (const key of ['time_column', 'delimiter'] as const)
    if (source[key] !== undefined) add([...path, key], 'a key of `csv` with `format: json`', '`format: csv`')
}

/** Mistakes of a rig together with the metrics in force for it. Both must be sound. */
export function rateProblems(
  files: { main: CheckedFile; registry: CheckedFile },
  rig: RigConfig,
  metrics: readonly RegistryMetric[],
): Problem[] {
  const problems: Problem[] = []
  for (const m of metrics) {
    const widths = m.windows_ms ?? rig.windows_ms
    const strange = widths.filter((widthMs) => !rig.windows_ms.includes(widthMs))
    if (strange.length > 0) {
      const expected = `windows of rig \`${rig.rig}\`: ${rig.windows_ms.join(', ')}`
      problems.push({ ...files.registry.at(['metrics', m.metric, 'windows_ms']), found: strange.join(', '), expected })
    }
    const widest = Math.max(...widths)
    if (!((m.nominal_rate_hz * widest) / 1000 >= SAMPLES_MIN)) {
      const found = `${m.nominal_rate_hz} Hz, in a widest window of ${widest} ms`
      const expected = `at least ${SAMPLES_MIN} samples in one window`
      const place = files.registry.at(['metrics', m.metric, 'nominal_rate_hz'])
      problems.push({
        ...place,
        found,
        expected,
        hint: `a window of rig \`${rig.rig}\` from ${Math.ceil((SAMPLES_MIN * 1000) / m.nominal_rate_hz)} ms, or the true rate`,
      })
    }
  }
  return problems
}

/** Whether the slides a rig keeps fit into memory: its place is `slide_ms`, the easiest to change. */
export function memoryProblems(
  main: CheckedFile,
  k: number,
  { rig, metrics }: { rig: RigConfig; metrics: number },
): Problem[] {
  const keptMs = Math.max(...rig.windows_ms) + rig.lateness_ms + rig.max_future_ms
  // A second look keeps everything once more, and that much longer.
  const againMs = rig.late_policy === 'revise' ? keptMs + rig.revise_within_ms : 0
  const slides = Math.ceil((keptMs + againMs) / rig.slide_ms)
  if (slides * metrics <= CELLS_MAX) return []
  return [
    {
      ...main.at(['rigs', k, 'slide_ms']),
      found: `${slides} slides of ${metrics} metrics in memory`,
      expected: `at most ${CELLS_MAX} together`,
      hint: 'a longer `slide_ms`, or narrower windows',
    },
  ]
}

/** Whether the samples that a second look must keep in order fit: what finds no room there revises nothing. */
export function revisedSamplesProblems(
  main: CheckedFile,
  k: number,
  { rig, metrics }: { rig: RigConfig; metrics: readonly RegistryMetric[] },
): Problem[] {
  if (rig.late_policy !== 'revise') return []
  const keptMs = rig.lateness_ms + rig.revise_within_ms + 2 * rig.slide_ms
  const samples = metrics.map((m) => Math.ceil((m.nominal_rate_hz * keptMs) / 1000))
  const all = samples.reduce((a, b) => a + b, 0)
  const place = main.at(['rigs', k, 'revise_within_ms'])
  const hint = 'a shorter `revise_within_ms`'
  const busiest = samples.reduce((a, b) => Math.max(a, b), 0)
  if (busiest > REVISED_SAMPLES_MAX) {
    const metric = metrics[samples.indexOf(busiest)]!.metric
    const found = `${busiest} samples of \`${metric}\` kept for revision`
    return [{ ...place, found, expected: `at most ${REVISED_SAMPLES_MAX} of one metric`, hint }]
  }
  if (all <= REVISED_SAMPLES_OF_RIG_MAX) return []
  const found = `${all} samples kept for revision`
  return [{ ...place, found, expected: `at most ${REVISED_SAMPLES_OF_RIG_MAX} of one rig`, hint }]
}
