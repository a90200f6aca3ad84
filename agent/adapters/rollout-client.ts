import { encodeHandedOrder } from '../../shared/codec/rollout-order.ts'
import { askerOf, sendSigned } from './collector-client.ts'

export type RolloutAgentShown = Readonly<{ agent: string; phase: string; detail: string; well: boolean }>
/** A rollout as a collector tells it. */
export type RolloutShown = Readonly<{
  id: string
  digest: string
  number: number
  by: string
  reason: string
  stages: string
  started_us: number
  ended_us: number | null
  status: 'RUNNING' | 'ROLLING_BACK' | 'COMPLETED' | 'ROLLED_BACK'
  counts: readonly number[]
  stage: number
  reasons: readonly string[]
  agents: readonly RolloutAgentShown[]
}>
export type RolloutRecord = Readonly<{ time_us: number; agent: string; what: string; detail: string }>
export type StartedRollout = Readonly<{ id: string; digest: string; agents: number; stages: readonly number[] }>

/** Rollouts of a collector. Every call throws what it refused with, or COLLECTOR_UNREACHABLE. */
export interface RolloutClient {
  deployment(): Promise<string>
  start(order: Uint8Array, bundle: Uint8Array): Promise<StartedRollout>
  abort(order: Uint8Array): Promise<void>
  /** Newest first. */
  list(): Promise<readonly RolloutShown[]>
  get(id: string): Promise<Readonly<{ rollout: RolloutShown; record: readonly RolloutRecord[] }>>
}

export function createRolloutClient(url: string): RolloutClient {
  const ask = askerOf(url)
  const json = async <T>(path: string): Promise<T> => (await (await ask(path)).json()) as T
  const order = (signed: Uint8Array, bundle: Uint8Array | null) =>
    sendSigned(ask, '/api/rollouts', encodeHandedOrder({ order: signed, bundle }))
  return {
    deployment: async () => (await json<{ label: string }>('/api/fleet')).label,
    start: async (signed, bundle) => (await order(signed, bundle)) as unknown as StartedRollout,
    abort: async (signed) => void (await order(signed, null)),
    list: async () => (await json<{ rollouts: RolloutShown[] }>('/api/rollouts')).rollouts,
    get: (id) => json(`/api/rollouts/${encodeURIComponent(id)}`),
  }
}
