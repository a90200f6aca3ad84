import { NOBODY, type Trust } from '../shared/config/operators.ts'
import type { CollectorConfig } from '../shared/config/types.ts'
import type { Clock } from '../shared/lib/clock.ts'
import { AgentConfigs } from './agent-configs.ts'
import type { CollectorEvents } from './events.ts'
import type { Fleet } from './fleet.ts'
import type { LiveFeed } from './http/live-feed.ts'
import { configJson, rolloutsJson } from './http/rollout-views.ts'
import { type RolloutLink, Rollouts } from './rollouts.ts'
import type { Stores } from './store/open.ts'

export type RolloutParts = Readonly<{
  config: Pick<CollectorConfig, 'deployment'>
  trust?: Trust
  clock: Clock
  events: CollectorEvents
  stores: Stores
  fleet: Fleet
  feed: LiveFeed
  enrolled: ReadonlyMap<string, unknown>
}>

/** Rollouts, and under what every agent runs; pages are told of every change. */
export async function openRollouts(
  parts: RolloutParts,
): Promise<Readonly<{ configs: AgentConfigs; rollouts: Rollouts }>> {
  const { config, trust = NOBODY, clock, events, stores, fleet, feed, enrolled } = parts
  const store = stores.rollouts
  const configs = await AgentConfigs.open({
    ...{ store, clock, events },
    changed: (said) => feed.publish({ type: 'config', config: configJson(said) }),
  })
  const rollouts: Rollouts = await Rollouts.open({
    ...{ store, clock, events, trust, deployment: config.deployment },
    isEnrolled: (agent) => enrolled.has(agent),
    link: (agent) => rolloutLink(agent, fleet),
    saidBy: (agent) => (fleet.link(agent) === undefined ? null : configs.of(agent).said),
    changed() {
      if (feed.clients === 0) return
      rolloutsJson(stores, { rollouts }, 1).then(
        (newest) => feed.publish({ type: 'rollouts', rollouts: newest }),
        (error: unknown) => events.broken('rollout feed', error),
      )
    },
  })
  return { configs, rollouts }
}

function rolloutLink(agent: string, fleet: Fleet): RolloutLink | undefined {
  const link = fleet.link(agent)
  if (link === undefined) return undefined
  const to = { agent, rig: '' } as const
  return {
    offer: (asked) => link.ask({ kind: 'bundle', ...to, ...asked }),
    back: (asked) => link.ask({ kind: 'bundle_back', ...to, ...asked }),
  }
}
