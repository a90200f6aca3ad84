import { PERSONS_NOTE } from '../../shared/model/order.ts'
import type { AgentConfig, AgentConfigs } from '../agent-configs.ts'
import type { RolloutState } from '../core/rollout.ts'
import type { Rollouts } from '../rollouts.ts'
import type { Stores } from '../store/open.ts'
import type { RolloutNote, StoredRollout } from '../store/rollouts.ts'

export type RolloutContext = Readonly<{
  rollouts: Pick<Rollouts, 'order' | 'stateOf'>
  configs: AgentConfigs
}>

/** Rollouts that a list has; more are not asked for. */
export const ROLLOUTS_TOLD_MAX = 20

/** Under what an agent says that it runs. `said_us` null: it never said. */
export function configJson({ agent, said, saidUs, answer }: AgentConfig): Record<string, unknown> {
  return {
    agent,
    said_us: saidUs,
    config: said === null || said.config === '' ? null : said.config,
    bundle: said === null || said.bundle.digest === '' ? null : said.bundle,
    ready: said?.ready ?? null,
    reasons: said?.reasons ?? [],
    answer: answer === null ? null : answerJson(answer),
  }
}

function answerJson({ what, digest, taken, reasons, atUs }: NonNullable<AgentConfig['answer']>) {
  return { what, digest, taken, reasons, at_us: atUs }
}

/** A rollout with every agent of it, as it is now. */
export function rolloutJson(stored: StoredRollout, now: RolloutState | undefined): Record<string, unknown> {
  const state = now ?? (JSON.parse(stored.body) as RolloutState)
  const { id, digest, number, by, reason, stages, startedUs, endedUs } = stored
  const { plan, status, stage, reasons, agents } = state
  return {
    ...{ id, digest, number, by, reason, stages, started_us: startedUs, ended_us: endedUs, status },
    ...{ counts: plan.stages, stage: stage + 1, soak_us: plan.soakUs, within_us: plan.withinUs, reasons },
    agents: agents.map(({ agent, phase, detail, wellUs }) => ({ agent, phase, detail, well: wellUs >= 0 })),
    note: PERSONS_NOTE,
  }
}

export function noteJson({ timeUs, agent, what, detail }: RolloutNote): Record<string, unknown> {
  return { time_us: timeUs, agent, what, detail }
}

/** Newest first. */
export async function rolloutsJson(
  stores: Pick<Stores, 'rollouts'>,
  { rollouts }: Pick<RolloutContext, 'rollouts'>,
  limit = ROLLOUTS_TOLD_MAX,
): Promise<Record<string, unknown>[]> {
  return (await stores.rollouts.list(limit)).map((stored) => rolloutJson(stored, rollouts.stateOf(stored.id)))
}
