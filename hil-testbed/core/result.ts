import type { Micros } from '../../shared/units.ts'

/** What a run came to (hil-bench.md 8.5). Anything but PASS, MARGINAL, XFAIL and a declared SKIPPED fails a campaign. */
export const CASE_VERDICTS = [
  'PASS',
  'MARGINAL',
  'FAIL',
  'INCONCLUSIVE',
  'ERROR',
  'ABORTED',
  'SKIPPED',
  'XFAIL',
] as const
export type CaseVerdict = (typeof CASE_VERDICTS)[number]

/** One expectation and what came of it. `margin` is the robustness: how far from the bound, as a share of it; null where there is none. */
export type Outcome = Readonly<{
  text: string
  /** unknown: what it needs was not there. */
  is: 'met' | 'missed' | 'unknown'
  expected: string
  observed: string
  at_us: Micros | null
  margin: number | null
  optional: boolean
}>

/** Detection and reaction (8.5); µs; null where nothing was to be measured. */
export type Measures = Readonly<{
  /** Fault to the first signed record that is not as before. */
  fdti_us: Micros | null
  /** That record to the effect on the plant. */
  frti_us: Micros | null
  fhti_us: Micros | null
  ftti_us: Micros | null
  decisions: number
  alarms: number
  actions: number
  /** Rolling digest over all decisions: the same in every repeat. */
  digest: string
}>

export type FaultResult = Readonly<{
  id: string
  class: string
  target: string
  /** How often it changed something on its way to the agent. */
  seen: number
  onset_us: Micros | null
  /** First signed record after its onset that differs from what was there before; null: missed. */
  detected_us: Micros | null
}>

/** A state of something over a span of a run; times from its start, `to_us` null: it was so until the end. */
export type LaneSpan = Readonly<{ from_us: Micros; to_us: Micros | null; name: string; is: string }>

/**
 * What the signed records say over time, for the plot of a report. In order of `from_us`; at most {@link LANE_SPANS_MAX} each, what is
 * beyond is left out and `thinned` says how many.
 */
export type Lanes = Readonly<{
  /** `name`: '' for the overall verdict; `is`: the verdict. */
  verdicts: readonly LaneSpan[]
  /** `name`: of the alarm; `is`: its severity. */
  alarms: readonly LaneSpan[]
  /** `name`: `action target`; `is`: the state of its life cycle (RELEASED, VERIFIED, GATE_DENIED …). */
  actions: readonly LaneSpan[]
  thinned: number
}>

/** Spans of one lane of one case that a report keeps. */
export const LANE_SPANS_MAX = 500

export type CaseResult = Readonly<{
  id: string
  title: string
  file: string
  row: number
  params: Readonly<Record<string, number | string>>
  rig: string
  verifies: readonly string[]
  tags: readonly string[]
  seed: number
  verdict: CaseVerdict
  reason: string
  outcomes: readonly Outcome[]
  faults: readonly FaultResult[]
  measures: Measures
  hashes: Readonly<{ config: string; policy: string; baseline: string; software: string }>
  started_utc: string
  host_ms: number
  simulated_us: Micros
  /** Folder of the run, relative to the report. */
  folder: string
  log_tail: readonly string[]
  /** Left out where no record could be read. */
  lanes?: Lanes
}>

export type CampaignResult = Readonly<{
  v: 1
  started_utc: string
  host_ms: number
  commit: string
  complete: boolean
  cases: readonly CaseResult[]
}>
