import type { MetricProvenance } from '../model/actions-policy.ts'
import { CAUSE_KINDS, type Peer, type StatedProvenance, workOutProvenance } from '../model/provenance.ts'
import type { Equivalence } from './equivalence.ts'
import { didYouMean } from './problems.ts'
import type { RegistryMetric } from './registry.ts'
import type { MetricConfig } from './types.ts'

type What = Readonly<{ found: string; expected: string; hint?: string | undefined }>
type AddTo = (metric: string, key: keyof MetricConfig, what: What) => void

/** Mistakes of what metrics say of where they come from: unknown and circular parents, one name in two spellings. */
export function provenanceProblems(metrics: readonly RegistryMetric[], add: AddTo): void {
  const parents = new Map(metrics.map((m) => [m.metric, m.derived_from ?? []]))
  const spelled = new Map<string, string>()
  for (const m of metrics) {
    for (const from of m.derived_from ?? []) {
      const hint = didYouMean(from, [...parents.keys()])
      if (!parents.has(from))
        add(m.metric, 'derived_from', { found: `\`${from}\``, expected: 'a metric of the registry', hint })
    }
    const cycle = cycleFrom(m.metric, parents)
    if (cycle !== null)
      add(m.metric, 'derived_from', {
        found: `a cycle: ${cycle
          .slice(0, CYCLE_SHOWN_MAX)
          .map((name) => `\`${name}\``)
          .join(' → ')}`,
        expected: 'metrics that do not come from this one',
      })
    for (const [key, kind, name] of namesOf(m)) {
      const plain = `${kind}:${name.toLowerCase().replace(/[^\p{L}\p{N}]/gu, '')}`
      const first = spelled.get(plain)
      if (first === undefined) spelled.set(plain, name)
      else if (first !== name)
        add(m.metric, key, {
          found: `${kind} \`${name}\`, elsewhere \`${first}\``,
          expected: 'one spelling of one name',
          hint: 'two spellings would count as two things that fail independently',
        })
    }
  }
}

const CYCLE_SHOWN_MAX = 6

function namesOf({ source, publisher, ccg = {} }: RegistryMetric): [keyof MetricConfig, string, string][] {
  return [
    ...(source === undefined ? [] : [['source', 'source', source] as [keyof MetricConfig, string, string]]),
    ...(publisher === undefined ? [] : [['publisher', 'publisher', publisher] as [keyof MetricConfig, string, string]]),
    ...CAUSE_KINDS.flatMap((kind): [keyof MetricConfig, string, string][] => {
      const name = ccg[kind]
      return name === undefined ? [] : [['ccg', kind, name]]
    }),
  ]
}

/** The shortest way from a metric back to itself; null when there is none. */
function cycleFrom(start: string, parents: ReadonlyMap<string, readonly string[]>): string[] | null {
  const came = new Map<string, string>()
  const way = [start]
  for (const name of way) {
    for (const from of parents.get(name) ?? []) {
      if (from === start) return wayBack(name, came, start)
      if (came.has(from)) continue
      came.set(from, name)
      way.push(from)
    }
  }
  return null
}

function wayBack(last: string, came: ReadonlyMap<string, string>, start: string): string[] {
  const names = [start]
  for (let at: string | undefined = last; at !== undefined && at !== start; at = came.get(at)) names.push(at)
  return [start, ...names.slice(1).reverse(), start]
}

type About = Readonly<{
  metrics: readonly RegistryMetric[]
  equivalences: readonly Equivalence[]
  peers: readonly Peer[]
}>

/** Where every metric of a rig comes from: what the registry states, and the mapping that its channel goes through. */
export function rigProvenance({ metrics, equivalences, peers }: About): MetricProvenance[] {
  const stated = metrics.map(
    (m): StatedProvenance => ({
      metric: m.metric,
      source: m.source ?? null,
      publisher: m.publisher ?? null,
      causes: m.ccg ?? {},
      derivedFrom: m.derived_from ?? [],
      added: equivalences.filter(({ metric }) => metric === m.metric).map(({ file }) => `mapping:${file}`),
    }),
  )
  return workOutProvenance(stated, peers)
}
