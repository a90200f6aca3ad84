import type { Mode, OverallVerdict } from '../../shared/model/verdict.ts'
import type { BandVitals, ChannelVitals, FindingJson, Vitals as SentVitals } from '../../shared/protocol/messages.ts'

export type { BaselineVitals, ChannelVitals, FindingJson } from '../../shared/protocol/messages.ts'

export type WindowVitals = ChannelVitals['windows'][number]
export type BaselineBand = BandVitals
/** A term of a confidence. */
export type GateInput = Readonly<{ name: string; value: number; bound: number; score: number }>
export type LossCounts = SentVitals['counters']

/** The state of one rig, twice a second, unsigned, with the agent it came from: for looking, never for deciding. */
export type Vitals = SentVitals & Readonly<{ agent: string }>

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
  /** Id of the decision that this one corrects: late samples changed what would have been said, and nothing else. */
  revises: string | null
  revised_by: Readonly<{ id: string; verdict: OverallVerdict }> | null
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
