import type { Condition } from '../../../shared/model/actions-policy.ts'
import type { Seen } from './seen.ts'

/** What a condition rests on (SE-06). */
export type Footing = Readonly<{
  /** The metric; '' for what is said of the whole rig. */
  metric: string
  leaves: readonly string[]
  groups: readonly string[]
  declared: boolean
}>

const NOWHERE: Footing = { metric: '', leaves: [], groups: [], declared: false }

/**
 * What a condition rests on at this moment: the declared trail of its metric, who really sent the newest sample, and, for a
 * verdict, the baseline in force. What is said of the whole rig rests on everything and so has no footing of its own.
 */
export function footingOf({ look }: Condition, seen: Seen): Footing {
  if (look.kind === 'overall' || look.kind === 'event') return NOWHERE
  const metric = seen.metric(look.metric)
  if (metric === null) return { ...NOWHERE, metric: look.metric }
  const { leaves, groups, declared } = metric.trail
  const baseline = look.kind === 'verdict' ? ['baseline:in_force'] : []
  return {
    metric: look.metric,
    leaves,
    groups: [...groups, `publisher:${metric.publisher}`, ...baseline],
    declared: declared && leaves.length > 0 && metric.publisher !== '',
  }
}

/**
 * Names what two conditions share, as the reason of a denial; null when they are independent: they are of two metrics, all
 * leaves and groups are declared, and none is in both.
 */
export function sharedBy(a: Footing, b: Footing): string | null {
  for (const { declared, metric } of [a, b]) if (!declared) return `NOT_INDEPENDENT:undeclared ${metric || 'rig'}`
  if (a.metric === b.metric) return `NOT_INDEPENDENT:metric:${a.metric}`
  const leaf = a.leaves.find((one) => b.leaves.includes(one))
  if (leaf !== undefined) return `NOT_INDEPENDENT:source:${leaf}`
  const group = a.groups.find((one) => b.groups.includes(one))
  return group === undefined ? null : `NOT_INDEPENDENT:${group}`
}
