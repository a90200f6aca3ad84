import type { Condition, Look, MetricProvenance } from './actions-policy.ts'

/** Kinds of common-cause groups that a channel states (SE-06). */
export const CAUSE_KINDS = ['sensor', 'daq', 'bus', 'power', 'clock', 'host'] as const
export type CauseKind = (typeof CAUSE_KINDS)[number]

/** Words that stand for no group: there is no such thing between sensor and agent, or it is the agent's own (decisions 10). */
export const OUTSIDE_THE_COUNT: readonly string[] = ['none', 'agent']

/** What a metric states of where it comes from, before anything is worked out. */
export type StatedProvenance = Readonly<{
  metric: string
  source: string | null
  publisher: string | null
  causes: Readonly<Partial<Record<CauseKind, string>>>
  derivedFrom: readonly string[]
  /** Groups that the configuration itself adds: `mapping:FILE`. */
  added: readonly string[]
}>

/** Someone who carries actions out, and the groups it has a hand in. */
export type Peer = Readonly<{ name: string; groups: readonly string[] }>

/**
 * Works out where every metric comes from, through everything it is derived from; sorted by metric. Names are compared
 * without their case.
 *
 * A metric is `declared` when all its leaves state a source, a publisher and every kind of group: what was left out may be
 * the very thing that two channels share. A metric fed by a group of a peer is also in the group `peer:NAME`.
 */
export function workOutProvenance(stated: readonly StatedProvenance[], peers: readonly Peer[]): MetricProvenance[] {
  const byName = new Map(stated.map((one) => [one.metric, one]))
  return stated.map((one) => provenanceOf(one, byName, peers)).sort((a, b) => (a.metric < b.metric ? -1 : 1))
}

function provenanceOf(
  start: StatedProvenance,
  byName: ReadonlyMap<string, StatedProvenance>,
  peers: readonly Peer[],
): MetricProvenance {
  const leaves = new Set<string>()
  const groups = new Set<string>()
  let declared = true
  // A list that grows while it is walked: each metric once, so that a cycle (a mistake of the registry) ends too.
  const way = [start.metric]
  for (const name of way) {
    const one = byName.get(name)
    declared = declared && one !== undefined && isStated(one)
    if (one === undefined) continue
    if (one.source !== null) leaves.add(one.source.toLowerCase())
    for (const group of groupsOf(one)) groups.add(group)
    for (const from of one.derivedFrom) if (!way.includes(from)) way.push(from)
  }
  for (const peer of peers)
    if (peer.groups.some((group) => groups.has(group.toLowerCase()))) groups.add(`peer:${peer.name}`)
  return { metric: start.metric, leaves: [...leaves].sort(), groups: [...groups].sort(), declared }
}

/** What is computed from other metrics says who publishes it; what is measured says everything. */
function isStated({ source, publisher, causes, derivedFrom }: StatedProvenance): boolean {
  if (publisher === null) return false
  return derivedFrom.length > 0 || (source !== null && CAUSE_KINDS.every((kind) => causes[kind] !== undefined))
}

function groupsOf({ publisher, causes, added }: StatedProvenance): string[] {
  const ofKinds = CAUSE_KINDS.flatMap((kind) => {
    const name = causes[kind]?.toLowerCase()
    return name === undefined || OUTSIDE_THE_COUNT.includes(name) ? [] : [`${kind}:${name}`]
  })
  return [...ofKinds, ...(publisher === null ? [] : [`publisher:${publisher.toLowerCase()}`]), ...added]
}

/** Where what a condition says comes from. */
export type Trail = Omit<MetricProvenance, 'metric'>

/**
 * The trail of what a condition looks at. A verdict also rests on the baseline in force, a window against a number does not.
 * The rig's overall verdict and its event streams rest on everything, so nothing of the rig is independent of them.
 */
export function trailOf(look: Look, metrics: readonly MetricProvenance[]): Trail {
  if (look.kind === 'overall' || look.kind === 'event') return NOWHERE
  const own = metrics.find(({ metric }) => metric === look.metric)
  if (own === undefined) return NOWHERE
  const { leaves, groups, declared } = own
  const baseline = look.kind === 'verdict' ? [BASELINE_GROUP] : []
  return { leaves, groups: [...groups, ...baseline], declared: declared && leaves.length > 0 }
}

const NOWHERE: Trail = { leaves: [], groups: [], declared: false }
/** Whatever record it is: of two verdicts of one rig both ask the same one. */
const BASELINE_GROUP = 'baseline:in_force'

/**
 * What keeps two trails from being independent (SE-06): `leaf:NAME`, `KIND:NAME`, or `undeclared` when either does not say
 * where it comes from. Empty: they are independent.
 */
export function sharedCauses(a: Trail, b: Trail): string[] {
  const leaves = a.leaves.filter((leaf) => b.leaves.includes(leaf)).map((leaf) => `leaf:${leaf}`)
  const groups = a.groups.filter((group) => b.groups.includes(group))
  return [...(a.declared && b.declared ? [] : ['undeclared']), ...leaves, ...groups]
}

/** The same for two conditions of one rig. */
export function sharedByConditions(a: Condition, b: Condition, metrics: readonly MetricProvenance[]): string[] {
  return sharedCauses(trailOf(a.look, metrics), trailOf(b.look, metrics))
}
