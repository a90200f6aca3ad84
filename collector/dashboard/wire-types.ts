import type { MetricVerdict, Mode, OverallVerdict } from '../../shared/model/verdict.ts'

/** A finding as it travels to the page: `Finding` of shared/model/decision.ts in snake_case. */
export type FindingJson = Readonly<{
  metric: string
  channel: string
  verdict: MetricVerdict
  window_us: number
  ground: string
  unit: string
  count: number
  mean: number | null
  min: number | null
  max: number | null
  limit: number | null
  baseline_mean: number | null
  baseline_spread: number | null
  deviation: number | null
  ratio: number | null
  age_us: number | null
}>

export type WindowVitals = Readonly<{
  width_us: number
  state: 'judged' | 'na' | 'filling'
  count: number
  mean: number | null
  min: number | null
  max: number | null
  deviation: number | null
}>

export type BaselineBand = Readonly<{ mean: number; low: number; high: number; kind: string }>

export type ChannelVitals = Readonly<{
  metric: string
  channel: string
  unit: string
  verdict: MetricVerdict
  value: number | null
  age_us: number | null
  limit_min: number | null
  limit_max: number | null
  baseline: BaselineBand | null
  windows: readonly WindowVitals[]
}>

export type LossCounts = Readonly<{
  received: number
  evaluated: number
  late: number
  duplicate: number
  rejected: number
  shed: number
  missing: number
}>

/** The state of one rig, twice a second, unsigned: for looking, never for deciding. */
export type Vitals = Readonly<{
  v: 1
  type: 'vitals'
  rig: string
  program: string
  agent: string
  time_us: number
  wall_us: number
  verdict: OverallVerdict
  limits_only: boolean
  mode: Mode
  run: Readonly<{ run: string; article: string; procedure: string; operator: string }> | null
  decision_seq: number
  findings: readonly FindingJson[]
  clock: 'system' | 'recording'
  simulation: boolean
  samples_per_s: number
  counters: LossCounts
  outbox: Readonly<{ batches: number; bytes: number; oldest_us: number | null }>
  channels: readonly ChannelVitals[]
}>

/** A decision that the collector has verified and stored. `batch` and `receipt_us` say how far its proof has come. */
export type DecisionJson = Readonly<{
  id: string
  agent: string
  program: string
  rig: string
  seq: number
  time_us: number
  verdict: OverallVerdict
  mode: Mode
  limits_only: boolean
  findings: readonly FindingJson[]
  batch: Readonly<{ agent: string; epoch: number; batch_seq: number }> | null
  receipt_us: number | null
}>

/** Something the collector would not take, with its code: equivocation, gap, unknown agent, replay … */
export type RefusalJson = Readonly<{ code: string; agent: string; detail: string; time_us: number }>

/** Raw samples around a finding. `t_us` and `value` are parallel and in order of time; a hole is a `null` value. */
export type SliceJson = Readonly<{
  decision: string
  channels: readonly Readonly<{
    metric: string
    channel: string
    unit: string
    t_us: readonly number[]
    value: readonly (number | null)[]
  }>[]
}>
