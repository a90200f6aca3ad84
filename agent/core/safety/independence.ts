import type { Condition } from '../../../shared/model/actions-policy.ts'
import { sharedCauses, type Trail, trailOf } from '../../../shared/model/provenance.ts'
import type { Seen } from './seen.ts'

/**
 * What a condition rests on at this moment (SE-06): the stated trail of what it looks at, and who really sent the samples.
 * A metric that nobody saw, or that several sent, says nothing that could be independent.
 */
export function footingOf({ look }: Condition, seen: Seen): Trail {
  if (look.kind === 'overall' || look.kind === 'event') return trailOf(look, [])
  const metric = seen.metric(look.metric)
  if (metric === null) return trailOf(look, [])
  const { leaves, groups, declared } = trailOf(look, [metric.trail])
  const publisher = `publisher:${metric.publisher.toLowerCase()}`
  return { leaves, groups: [...groups, publisher], declared: declared && metric.publisher !== '' }
}

/** What keeps two conditions from being independent, as the reasons of a denial; empty when they are. */
export function dependenceReasons(a: Condition, b: Condition, seen: Seen): string[] {
  const shared = sharedCauses(footingOf(a, seen), footingOf(b, seen))
  return [...new Set(shared)].map((cause) => `NOT_INDEPENDENT:${cause}`)
}
