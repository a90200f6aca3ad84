import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { encodeBaseline } from '../../shared/codec/baseline-record.ts'
import { channelChain, type InForceForRig } from '../../shared/config/channel-chain.ts'
import { loadRuntimeConfig, parseRuntimeFiles } from '../../shared/config/load.ts'
import { defaultQualityPolicy, type LoadedPolicy, parseQualityPolicy } from '../../shared/config/quality-policy.ts'
import { yamlBytes } from '../../shared/config/sound-yaml.ts'
import type { RigConfig } from '../../shared/config/types.ts'
import { DOMAIN, digestOf, toHex } from '../../shared/crypto/digest.ts'
import { HbError } from '../../shared/errors/hb-error.ts'
import { systemClock } from '../../shared/lib/clock.ts'
import { printResult, progress, table, utc, writeNew } from '../../shared/lib/command-output.ts'
import { spanOption } from '../../shared/lib/span.ts'
import {
  BASELINE_KINDS,
  type BaselineContext,
  type BaselineKind,
  type BaselineRecord,
  type BaselineSegment,
} from '../../shared/model/baseline.ts'
import { checkQuality, matchContext } from '../../shared/model/baseline-gate.ts'
import { measureNominal, oddIn, type SegmentBounds } from '../core/certify.ts'
import { lackOfRelation } from '../core/detectors/multivariate.ts'
import type { StepTable } from '../core/detectors/steps.ts'
import { newestSwapUs } from '../core/replaced.ts'
import { EVALUATOR_VERSION } from '../core/settings.ts'
import { readRunFolder } from '../offline/run-folder.ts'
import type { OnClosed } from '../pipeline/evaluation.ts'
import { createInjectedTally, requireNoneInjected, tallyInjected } from '../pipeline/injected-data.ts'
import { createNominalRecorder, type NominalRecorder, nominalOf, recordSlide, segmentsOf } from '../pipeline/nominal.ts'
import { recordCsv } from '../pipeline/nominal-csv.ts'
import { replay } from '../pipeline/replay.ts'
import { inForceFor, statedOf } from '../pipeline/stated.ts'
import { viewStorage } from '../storage.ts'
import { type CellsOfFile, cellLines, cellsContext, cellsJson } from './recording-cells.ts'

type CreateOptions = Readonly<{
  from?: string
  window?: string
  config?: string
  csv?: readonly string[]
  run?: readonly string[]
  timeColumn?: string
  ignoreColumn?: readonly string[]
  decimal: string
  rig?: string
  kind: string
  family: string
  draft?: boolean
  policy?: string
  out: string
  json?: boolean
}>

/** Nominal data of one rig, and whose it is. */
type Gathered = Readonly<{
  recorder: NominalRecorder
  segments: readonly Readonly<{ segment: StepTable; about: BaselineSegment }>[]
  registry: Uint8Array
  inForce: InForceForRig
  /** What the cells of recordings were, by file; of a state folder nothing. */
  cells: readonly CellsOfFile[]
}>

/** @throws HbError USAGE, BASELINE_TOO_SHORT, BASELINE_TWICE, BASELINE_GATE, CSV_CELLS, INJECTED_DATA, RIG_UNKNOWN, STATE_MISSING */
export async function createBaseline(options: CreateOptions): Promise<void> {
  if (existsSync(options.out))
    throw new HbError('USAGE', { option: '--out', found: `${options.out} exists`, expected: 'a new file' })
  const kind = kindOf(options.kind)
  if (options.decimal !== 'point' && options.decimal !== 'comma')
    throw new HbError('USAGE', { option: '--decimal', found: options.decimal, expected: 'point or comma' })
  const given = [options.from, options.csv, options.run].filter((source) => source !== undefined)
  if (given.length !== 1)
    throw new HbError('USAGE', { option: '--from', expected: 'one of --from DIR, --csv FILES and --run FOLDERS' })
  const gathered = options.from === undefined ? gatherCsv(options) : await gatherState(options, options.from)
  requireApart(gathered.segments)
  const record = recordOf(gathered, { kind, family: options.family, policy: policyOf(options.policy) })
  const said = cellsContext(gathered.cells)
  if (record.metrics.length === 0)
    throw new HbError('BASELINE_TOO_SHORT', {
      rig: record.rig,
      from: utc(record.fromUs),
      to: utc(record.toUs),
      ...said,
    })
  requireEveryMetric(gathered, record)
  if (!record.gate.passed && options.draft !== true && kind !== 'draft')
    throw new HbError('BASELINE_GATE', { rig: record.rig, reasons: record.gate.reasons.join('; '), ...said })
  const bytes = encodeBaseline(record)
  writeNew(options.out, bytes, 0o644)
  report(options, { record, bytes, cells: gathered.cells })
}

function kindOf(text: string): BaselineKind {
  const kind = BASELINE_KINDS.find((k) => k === text)
  if (kind !== undefined) return kind
  throw new HbError('USAGE', { option: '--kind', found: text, expected: BASELINE_KINDS.join(', ') })
}

function policyOf(path: string | undefined): LoadedPolicy {
  return path === undefined ? defaultQualityPolicy() : parseQualityPolicy(path, yamlBytes(path))
}

type Meant = Readonly<{ kind: BaselineKind; family: string; policy: LoadedPolicy }>

/** Older segments that are odd are left out and say so; the newest gives the level, so it is the gate's to judge. */
function withoutOdd({ recorder, segments }: Gathered, bounds: SegmentBounds): Gathered['segments'] {
  return segments.map(({ segment, about }, k) => {
    const odd = k === segments.length - 1 ? null : oddIn(segment, recorder.rig.settings, bounds)
    return { segment, about: odd === null ? about : { ...about, used: false, reason: odd } }
  })
}

/**
 * Nothing counts twice: two segments that reach into each other are one stretch of time told twice, and so is one given
 * again under another name.
 *
 * @throws HbError BASELINE_TWICE
 */
function requireApart(segments: Gathered['segments']): void {
  const inTime = segments.map(({ about }) => about).sort((a, b) => a.fromUs - b.fromUs)
  inTime.forEach((about, k) => {
    const before = inTime[k - 1]
    if (before !== undefined && about.fromUs <= before.toUs)
      throw new HbError('BASELINE_TWICE', {
        first: `${before.source} to ${utc(before.toUs)}`,
        second: `${about.source} from ${utc(about.fromUs)}`,
      })
  })
}

/** A metric that asks for a baseline and has none is not left out without a word: nothing would watch it. */
function requireEveryMetric({ recorder, cells }: Gathered, record: BaselineRecord): void {
  const known = new Set(record.metrics.map(({ metric }) => metric))
  const without = recorder.rig.settings.metrics.filter((m) => m.required && m.baselineRequired && !known.has(m.metric))
  if (without.length === 0 || record.kind === 'draft') return
  throw new HbError('BASELINE_GATE', {
    rig: record.rig,
    reasons: without.map((m) => `too little of ${m.metric}: no usable samples, or not at its nominal rate`).join('; '),
    ...cellsContext(cells),
  })
}

function recordOf(gathered: Gathered, meant: Meant): BaselineRecord {
  const { recorder, registry, inForce } = gathered
  const { rig, config } = recorder
  const segments = withoutOdd(gathered, meant.policy.policy)
  const used = segments.filter(({ about: { used } }) => used).map(({ segment }) => segment)
  const known = measureNominal(nominalOf(recorder, used), (metric) => statedOf(rig, metric, inForce))
  const about = segments.map((s) => s.about)
  const context = contextOf(config)
  return {
    kind: meant.kind,
    program: config.program,
    rig: rig.settings.rig,
    family: meant.family,
    mode: rig.settings.mode,
    evaluator: EVALUATOR_VERSION,
    madeUs: systemClock().nowUs(),
    fromUs: about[0]?.fromUs ?? recorder.fromUs,
    toUs: about.at(-1)?.toUs ?? recorder.toUs,
    stepUs: rig.settings.stepUs,
    context,
    registry: digestOf(DOMAIN.file, registry),
    segments: about,
    ...known,
    gate: checkQuality(
      { segments: about, ...known },
      { policy: meant.policy.policy, digest: meant.policy.digest, environment: matchContext(context, context).score },
    ),
  }
}

/** What the rig is doing, as its configuration says. */
function contextOf({ context, mode }: RigConfig): BaselineContext {
  return {
    scenario_id: '',
    operating_mode: mode,
    environment: '',
    environment_fingerprint: '',
    sensor_config_id: '',
    input_data_version: '',
    ...context,
  }
}

type Recording = Readonly<{ path: string; source: string; decimalComma: boolean }>

/** Recordings to gather, and what a segment names them by: the signals of runs by their ids, files by their paths. */
function recordingsOf({ csv = [], run = [], decimal }: CreateOptions): Recording[] {
  const decimalComma = decimal === 'comma'
  const ofRuns = run.map((folder) => {
    const { meta, decimal: mark } = readRunFolder(folder, decimalComma ? 'comma' : undefined)
    const path = join(folder, 'signals.csv')
    if (!existsSync(path))
      throw new HbError('RUN_MISSING', {
        path,
        reason: 'a baseline is made of signals over time; metrics.csv has none',
      })
    return { path, source: meta.run_id, decimalComma: mark === 'comma' }
  })
  return [...csv.map((path) => ({ path, source: path, decimalComma })), ...ofRuns]
}

function gatherCsv(options: CreateOptions): Gathered {
  if (options.config === undefined)
    throw new HbError('USAGE', {
      option: '--config',
      expected: 'with --csv or --run the runtime configuration of the rig',
    })
  const loaded = loadRuntimeConfig(options.config)
  const { files } = loaded
  const rig = oneRig(loaded.config.rigs, options.rig)
  const columns = {
    ignore: options.ignoreColumn ?? [],
    ...(options.timeColumn === undefined ? {} : { timeColumn: options.timeColumn }),
  }
  const inForce = inForceFor(loaded, rig.rig)
  const feeds = (channel: string): boolean => channelChain({ channel, unit: null }, inForce).metric !== null
  let recorder: NominalRecorder | null = null
  const segments: Gathered['segments'][number][] = []
  const cells: CellsOfFile[] = []
  for (const { path, source, decimalComma } of recordingsOf(options)) {
    const recorded = recordCsv(path, { files, rig, columns: { ...columns, decimalComma }, feeds }, recorder?.fit)
    recorder = recorded.recorder
    cells.push({ file: path, cells: recorded.cells })
    segments.push(...segmentsOf(recorder, source))
  }
  return { recorder: recorder!, segments, registry: registryOf(files, rig), inForce, cells }
}

function oneRig(rigs: readonly RigConfig[], wanted: string | undefined): RigConfig {
  const rig = rigs.length === 1 && wanted === undefined ? rigs[0] : rigs.find((r) => r.rig === wanted)
  if (rig !== undefined) return rig
  throw new HbError('RIG_UNKNOWN', { rig: wanted ?? '(none given)', known: rigs.map((r) => r.rig).join(', ') })
}

type Gathering = {
  recorder: NominalRecorder | null
  registry: Uint8Array
  inForce: InForceForRig | null
  closed: OnClosed
}

/** Gathers the slides of one rig under the configuration that was in force last. */
function createGathering(wanted: string | undefined): Gathering {
  const gathering: Gathering = {
    recorder: null,
    registry: new Uint8Array(0),
    inForce: null,
    closed(rig, verdict, files) {
      const { rig: name } = rig.settings
      if (wanted !== undefined && name !== wanted) return
      const { recorder } = gathering
      if (recorder !== null && recorder.rig.settings.rig !== name)
        throw new HbError('RIG_UNKNOWN', { rig: '(none given)', known: `${recorder.rig.settings.rig}, ${name}` })
      // Another configuration judges by other windows, and another sensor is another level: what was gathered before does
      // not belong to it.
      if (recorder === null || recorder.rig !== rig || newestSwapUs(rig) >= recorder.fromUs) {
        const parsed = parseRuntimeFiles(files)
        const config = parsed.config.rigs.find((r) => r.rig === name)!
        gathering.inForce = inForceFor(parsed, name)
        gathering.recorder = createNominalRecorder(rig, config)
        gathering.registry = registryOf(files, config)
      }
      recordSlide(gathering.recorder!, verdict)
    },
  }
  return gathering
}

async function gatherState(options: CreateOptions, from: string): Promise<Gathered> {
  const view = viewStorage(from)
  const sinceUs = options.window === undefined ? null : spanOption(options.window, '--window')
  const gathering = createGathering(options.rig)
  const replayed = progress('replaying')
  const injected = createInjectedTally()
  for await (const { seq, input, evaluation } of replay(view, gathering.closed)) {
    replayed(seq, view.journal.lastSeq)
    for (const rig of evaluation.state.rigs)
      if (options.rig === undefined || rig.settings.rig === options.rig) tallyInjected(injected, rig, input)
  }
  const { recorder, registry, inForce } = gathering
  if (recorder === null || inForce === null)
    throw new HbError('BASELINE_TOO_SHORT', {
      state: from,
      rig: options.rig ?? null,
      reason: 'no slide of it was ever evaluated',
    })
  requireNoneInjected(injected, recorder.fromUs)
  const journal = toHex(view.identity.journalId)
  const fromUs = sinceUs === null ? -1 : recorder.toUs - sinceUs
  return {
    recorder,
    segments: segmentsOf(recorder, journal).filter((s) => s.about.fromUs >= fromUs),
    registry,
    inForce,
    cells: [],
  }
}

function registryOf(files: readonly Readonly<{ name: string; bytes: Uint8Array }>[], rig: RigConfig): Uint8Array {
  return files.find((file) => file.name === rig.registry_file)!.bytes
}

type Made = Readonly<{ record: BaselineRecord; bytes: Uint8Array; cells: readonly CellsOfFile[] }>

function report(options: CreateOptions, { record, bytes, cells }: Made): void {
  const digest = toHex(digestOf(DOMAIN.baseline, bytes))
  const known = record.metrics
  const rows = [
    ['METRIC', 'UNIT', 'MEAN', 'SD', 'NOISE', 'WANDER/h', 'SEES SHIFTS OF', 'WINDOWS'],
    ...known.map((m) => [
      m.metric,
      m.unit,
      m.mean.toPrecision(5),
      m.sd.toPrecision(3),
      Math.sqrt(m.noise).toPrecision(3),
      Math.sqrt((m.wander * 3_600_000_000) / record.stepUs).toPrecision(3),
      m.detectableShift.toPrecision(3),
      m.windows.map((w) => `${w.widthUs / 1000} ms`).join(' '),
    ]),
  ]
  const { gate } = record
  const steps = record.segments.reduce((sum, segment) => sum + (segment.used ? segment.steps : 0), 0)
  const lack = lackOfRelation(known.length, steps)
  printResult(
    options.json,
    {
      ok: true,
      kind: record.kind,
      rig: record.rig,
      file: options.out,
      bytes: bytes.length,
      digest,
      from_us: record.fromUs,
      to_us: record.toUs,
      segments: record.segments.length,
      metrics: known.length,
      not_watched_together: lack,
      recordings: cells.map(cellsJson),
      gate: { passed: gate.passed, reasons: gate.reasons, confidence: gate.confidence },
    },
    [
      `${record.kind} baseline of ${record.rig} from ${utc(record.fromUs)} to ${utc(record.toUs)}, ${record.segments.length} segments`,
      ...table(rows),
      ...cells.flatMap(cellLines),
      ...(lack === null ? [] : [`channels are not watched together: ${lack}`]),
      ...gate.reasons.map((reason) => `gate: ${reason}`),
      `confidence ${gate.confidence.toFixed(2)}`,
      `${options.out}: ${bytes.length} bytes, digest ${digest}`,
    ],
  )
}
