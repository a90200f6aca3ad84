import type { MetricProvenance, RigPolicy } from '../../shared/model/actions-policy.ts'
import type { RigAlarms } from '../../shared/model/alarm.ts'
import type {
  BaselineGate,
  BaselineKind,
  BaselineMetric,
  BaselineWindow,
  DetectorFit,
} from '../../shared/model/baseline.ts'
import type { CertificateBasis } from '../../shared/model/baseline-arming.ts'
import type { DecayPolicy } from '../../shared/model/baseline-decay.ts'
import type { Frame, InjectedMark } from '../../shared/model/telemetry.ts'
import type { Affine } from '../../shared/model/units.ts'
import type { Mode } from '../../shared/model/verdict.ts'
import type { Micros } from '../../shared/units.ts'
import type { RigState } from './state.ts'

/**
 * Version of the evaluator: what a decision's `code` names (decisions 5). Raised whenever the same journal would give
 * other bytes; `test/unit/agent/evaluator-version.test.ts` holds it to the decision vectors.
 */
export const EVALUATOR_VERSION = 5
/** Version of the layout of a snapshot. A checkpoint of another layout is passed over and the journal replayed. */
export const STATE_LAYOUT = 7

/** A window is judged when it holds this share of the samples that the nominal rate promises; below it is INSUFFICIENT. */
export const WINDOW_FILL_RATIO = 0.8
/** A window that a channel's nominal rate cannot fill with this many samples is N/A for that channel. */
export const WINDOW_SAMPLES_MIN = 5
/** Open samples kept per channel to put late arrivals in order; past it samples are shed and counted. */
export const OPEN_SAMPLES_MAX = 65_536
/**
 * Largest magnitude of a sample, in the unit of its metric. Beyond it squares of a window's differences would overflow,
 * and a decision cannot hold an infinity; no sensor is near it. What is beyond is refused as `not_a_number`.
 */
export const VALUE_MAX = 1e140
/** Lives of publishers remembered per rig; the one not heard of for longest makes room. */
export const SOURCES_MAX = 64
/** Frames back in which a repeated sequence number is recognised as a duplicate (decisions 18). */
export const DEDUPE_WINDOW = 4096
/**
 * Missing frames that are counted per rig. A publisher may leap to 2^53 with one frame; the sum over lives and rigs must
 * stay a whole number that a batch header and a snapshot can hold.
 */
export const MISSING_MAX = 1e12
/** Channel lists (cid) remembered per rig; past it a frame with a new one is refused as `sources_full`. */
export const CHANNEL_LISTS_MAX = 256
/** A step of time longer than this between two inputs is a gap: it is recorded and not filled with empty slides. */
export const GAP_US: Micros = 10_000_000
/** A clock that goes back by more than this was stepped, and what it dated before is not believed for a while (SE-08). */
export const CLOCK_STEP_US: Micros = 500_000
/** Replaced sensors remembered per rig, by metric; more than a registry has metrics. The oldest that it has no more goes. */
export const REPLACED_MAX = 8192
/** Conversions of stated units remembered per rig; past it each is worked out again. */
export const CONVERSIONS_MAX = 1024
/** Findings in one record; the rest is counted in `more`. */
export const FINDINGS_MAX = 1024
/** Late samples of one rig that one input hands out one by one; the rest is a number in `more`. The ledger counts them all. */
export const LATE_SAMPLES_MAX = 4096

/** Limits and tolerances of one metric, in its canonical unit. Absent means not declared, never zero. */
export type MetricSettings = Readonly<{
  metric: string
  unit: string
  /** Channel names that feed it, its own first. */
  channels: readonly string[]
  /** Factor from a stated unit to the canonical one; the canonical unit itself is not in it. */
  unitFactors: ReadonlyMap<string, number>
  /** Whether samples in other units of its dimension are converted by the unit table. */
  convertsUnits?: boolean
  /** Channels of another platform that feed it, by name in Unicode NFC. Then no channel of its own may. */
  equivalences?: ReadonlyMap<string, ChannelMapping>
  /** Added to every value once it is in the canonical unit. */
  calibrationOffset?: number
  required: boolean
  baselineRequired: boolean
  idleAfterUs: Micros
  nominalRateHz: number
  /** Indices into the rig's `windowsUs` that are judged for it, shortest first. */
  windows: readonly number[]
  invariantMin?: number
  invariantMax?: number
  invariantEq?: number
  failMin?: number
  failMax?: number
  driftThreshold?: number
  driftRatio?: number
  minEffect?: number
  /** Spreads from the baseline that are tolerated; absent: the baseline's own limit. */
  deviationLimit?: number
  /** Slides a departure from the baseline must last: in a row, or of the newest `persistenceOf`. */
  persistenceSlides: number
  persistenceOf?: number
  /** Slides in a row without a departure after which DRIFT ends; absent: 1. */
  clearSlides?: number
}>

/** How a channel of another platform becomes a metric; `unit` is what it starts from, null for that of the metric. */
export type ChannelMapping = Affine & Readonly<{ unit: string | null }>

/** What of a baseline's window is compared with. */
export type WindowBaseline = Pick<BaselineWindow, 'widthUs' | 'windows' | 'mean' | 'spread' | 'limit'>
export type MetricBaseline = Pick<BaselineMetric, 'metric' | 'unit' | 'detectors'> &
  Readonly<{ windows: readonly WindowBaseline[] }>

/**
 * A baseline as the evaluator uses it; `digest` is of the exact bytes of the record. `kind` is what its approvals make of
 * it, `confidence` (0–1) what its gate gave it, less what was stated to have decayed.
 */
export type Baseline = Readonly<{
  digest: Uint8Array
  kind: BaselineKind
  /** When that ends because a break-glass does; it is a draft from then on. null: not by itself. */
  validUntilUs: Micros | null
  confidence: number
  /** Begin and end of the nominal data it is known from. */
  fromUs: Micros
  toUs: Micros
  /** The mode it was made in: it says nothing of others. */
  mode: Mode
  metrics: ReadonlyMap<string, MetricBaseline>
  /** Detectors of the whole rig; their channels are the metrics of the record, in its order. */
  rigDetectors: readonly DetectorFit[]
  rigMaxima: readonly number[]
  /** What it rests on, for gates; absent: not known, and then nothing hard is done on it. */
  basis?: CertificateBasis
  /**
   * What tells how old it has grown, with the metrics as they are in the record: gates go by it, decisions do not. `inputs`,
   * the terms of the confidence, are for people alone.
   */
  about: Readonly<{
    inputs: BaselineGate['inputs']
    metrics: readonly BaselineMetric[]
    stepUs: Micros
    policy: DecayPolicy
  }>
}>

export type RigSettings = Readonly<{
  rig: string
  mode: Mode
  slideUs: Micros
  windowsUs: readonly Micros[]
  latenessUs: Micros
  maxFutureUs: Micros
  latePolicy: 'drop' | 'side_output' | 'revise'
  /** Under `revise`, how much later than the lateness a sample still goes into the slower evaluation; whole slides. Else 0. */
  reviseWithinUs: Micros
  /** Sorted by metric name: the order of every sum and digest. As they are in the mode at the start. */
  metrics: readonly MetricSettings[]
  /** The same metrics with the limits and tolerances of every mode; absent when no mode changes any. */
  metricsByMode?: ReadonlyMap<Mode, readonly MetricSettings[]>
  /** Width of a detector's step. */
  stepUs: Micros
  /** What hard gates and slow creep are judged by; events too unless there is a rolling one. */
  baseline: Baseline | null
  /** A younger one for events; null: `baseline` serves for both. */
  rolling: Baseline | null
  /** Baselines of other modes; absent: none. */
  modeBaselines?: ReadonlyMap<Mode, ModeBaselines>
  /** What may be done to the rig, and where each metric comes from, in their order; absent: nothing is ever done. */
  safety?: RuledSettings
  /** Who may say that samples are injected; absent: outside a testbed, where none of them is taken. */
  injected?: InjectedTrust
  /** How long a rig settles after a change of mode: until then nothing is compared with a baseline. */
  settleUs: Micros
}>

/** `spki` is the public key of the injector, null without one: a thread of its own makes `isSigned` from it anew. */
export type InjectedTrust = Readonly<{
  spki: Uint8Array | null
  isSigned(frame: Frame, mark: InjectedMark): boolean
}>

/** Under what a rig is acted on. */
export type RuledSettings = Readonly<{
  policy: RigPolicy
  alarms: RigAlarms
  /** Where each metric comes from, in the order of the metrics. */
  trails: readonly MetricProvenance[]
  /** Digest in hex of everything in force: files and evaluator. An arming holds for it alone (SE-22). */
  config: string
}>

/** The baselines that hold in one mode. */
export type ModeBaselines = Readonly<{ baseline: Baseline | null; rolling: Baseline | null }>

/** The baselines of a mode. One made in another mode says nothing of it, whatever else is alike (predecessor 3.3, 1.3). */
export function baselinesIn(settings: RigSettings, mode: Mode): ModeBaselines {
  const own = settings.modeBaselines?.get(mode)
  if (own !== undefined) return own
  const inMode = (baseline: Baseline | null) => (baseline?.mode === mode ? baseline : null)
  return { baseline: inMode(settings.baseline), rolling: inMode(settings.rolling) }
}

/** What events are told by in a mode: the younger baseline where there is one. */
export function eventBaseline(settings: RigSettings, mode: Mode): Baseline | null {
  const { baseline, rolling } = baselinesIn(settings, mode)
  return rolling ?? baseline
}

/** The metrics of a rig with the limits and tolerances of a mode. What channels they have is the same in all. */
export function metricsIn(settings: RigSettings, mode: Mode): readonly MetricSettings[] {
  return settings.metricsByMode?.get(mode) ?? settings.metrics
}

/** Every metric in every mode. */
export function everyMetric(settings: RigSettings): MetricSettings[] {
  return [settings.metrics, ...new Set(settings.metricsByMode?.values())].flat()
}

/** Everything the evaluator is told by configuration, for every rig of the agent, rigs sorted by id. */
export type EvaluatorSettings = Readonly<{
  configDigest: Uint8Array
  rigs: readonly RigSettings[]
  passRecordEveryUs: Micros
  notPassRecordEveryUs: Micros
}>

/**
 * The hash functions of the outside, handed in so that the core imports no Node module. Pure. `closed` lets somebody look
 * at a rig whenever it has closed a slide, before the next one: for baselines. It must change nothing.
 */
export type Digests = Readonly<{
  /** SHA-256 with a domain prefix over bytes. */
  bytes(domain: 'slide' | 'node' | 'slice' | 'chain' | 'action', ...parts: Uint8Array[]): Uint8Array
  /** The one encoding of a value. */
  encode(value: import('../../shared/model/decision.ts').Canonical): Uint8Array
  closed?(rig: RigState, verdict: import('../../shared/model/verdict.ts').OverallVerdict): void
}>
