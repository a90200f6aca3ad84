import type { LedgerCounts } from '../shared/model/telemetry.ts'
import type { OverallVerdict } from '../shared/model/verdict.ts'
import type { Bytes, Micros } from '../shared/units.ts'
import type { GlassShown } from './pipeline/glass-view.ts'

/** Version of what `hb top` reads. */
export const DETAIL_VERSION = 1

/** What became of samples; `missing` counts frames, and stands for a whole rig only. */
export type CountsJson = LedgerCounts & Readonly<{ missing?: number }>

/** How full something is, and where it ends. */
export type FillJson = Readonly<{ name: string; is: number; max: number; unit: 'bytes' | 'decisions' | 'inputs' }>

/** An agent at this moment, in the words of its ledger. Answered on its control socket and its health server. */
export type AgentDetail = Readonly<{
  v: typeof DETAIL_VERSION
  now_us: Micros
  agent: string
  deployment: string
  version: string
  epoch: number
  decision_seq: number
  journal_seq: number
  not_journaled: number
  uplink: string | null
  outbox: Readonly<{ batches: number; bytes: Bytes; oldest_us: Micros | null }>
  /** From the end of lateness of a slide until it was decided, ms; null when nothing was decided lately. */
  latency_ms: Readonly<{ p50: number | null; p99: number | null }>
  fills: readonly FillJson[]
  rigs: readonly RigDetail[]
}>

export type RigDetail = Readonly<{
  rig: string
  mode: string
  run: string | null
  verdict: OverallVerdict | null
  limits_only: boolean | null
  /** The break-glass of actions that is in force. */
  break_glass: GlassShown | null
  evaluated_through_us: Micros
  counters: CountsJson
  refused: readonly Readonly<{ reason: string; count: number }>[]
  channels: readonly Readonly<{
    metric: string
    unit: string
    verdict: string | null
    value: number | null
    newest_us: Micros | null
    counters: CountsJson
  }>[]
  sources: readonly Readonly<{ source: string; frames: number | null; missing: number; last_us: Micros }>[]
}>
