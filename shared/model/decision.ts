import type { Micros } from '../units.ts'
import type { MetricVerdict, Mode, OverallVerdict } from './verdict.ts'

/** Plain data that has exactly one encoding. Integers are safe integers; other numbers are finite; no `undefined`. */
export type Canonical =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | readonly Canonical[]
  | ReadonlyMap<number | string, Canonical>
  | { readonly [key: string]: Canonical }

/** The run a decision belongs to; from `hb run start`. */
export type RunContext = Readonly<{
  run: string
  article: string
  procedure: string
  operator: string
  startedUs: Micros
  note: string
}>

/** Why a metric is not PASS: the window and the limit that say so. Everything needed to explain it to a person. */
export type Finding = Readonly<{
  metric: string
  channel: string
  verdict: MetricVerdict
  /** Width of the window that shows it; 0 when no window does (STALE, NO_BASELINE). */
  windowUs: Micros
  /** Machine-readable ground: `invariant_max`, `invariant_min`, `invariant_eq`, `fail_max`, `fail_min`, `deviation`, `drift_threshold`,
   * `drift_percent`, `silent`, `invalid_samples`, `unit_mismatch`, `window_not_filled`, `no_baseline`, `alias_collision`,
   * `sensor_replaced`, `not_cleared`. */
  ground: string
  unit: string
  count: number
  mean: number | null
  min: number | null
  max: number | null
  /** The limit or tolerance that was passed, in the unit of the metric (or µs of silence for `silent`); null when there is none. */
  limit: number | null
  /** Baseline level and spread of window means that were compared with; null without a baseline. */
  baselineMean: number | null
  baselineSpread: number | null
  /** Distance from the baseline in spreads, signed; null when there is no spread to measure by. */
  deviation: number | null
  /** |measured| over allowed: 1 is on the limit. null when it cannot be said. Findings are ranked by it. */
  ratio: number | null
  /** Age of the newest evaluated sample at the end of the slide. */
  ageUs: Micros | null
}>

/**
 * One decision: what was decided for a rig at the end of one slide. Six class values, in the order of evidence.md 4.3;
 * fixed arity, so that leaving something out cannot be seen from outside. `docs/adr` has the keys.
 */
export type DecisionValues = readonly [
  core: Canonical,
  measurements: Canonical,
  identifiers: Canonical,
  limits: Canonical,
  persons: Canonical,
  text: Canonical,
]

/** A decision as the evaluator hands it out. `seq` is gapless over the life of an agent, across its rigs. */
export type Decision = Readonly<{
  seq: number
  rig: string
  timeUs: Micros
  verdict: OverallVerdict
  mode: Mode
  limitsOnly: boolean
  findings: readonly Finding[]
  run: RunContext | null
  values: DecisionValues
}>

/** What goes into a batch, in order of sequence: full records, and ranges of decisions that said the same again. */
export type DecisionItem =
  | Readonly<{ kind: 'record'; seq: number; values: DecisionValues; chain: Uint8Array }>
  | Readonly<{ kind: 'range'; first: number; last: number; count: number; values: DecisionValues; chain: Uint8Array }>
