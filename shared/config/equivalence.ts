import { type Static, Type } from 'typebox'
import type { CheckedFile, Path } from './document.ts'
import { didYouMean, type Problem } from './problems.ts'
import { normaliseAlias, type RegistryMetric } from './registry.ts'
import { closed, id } from './schema-parts.ts'

/** Mappings of one file. */
export const MAPPINGS_MAX = 4096

const channel = (description: string) => Type.String({ minLength: 1, maxLength: 128, description })

export const EquivalenceSchema = closed({
  version: Type.Union([Type.String({ minLength: 1, maxLength: 32 }), Type.Number()], {
    description: 'Edition of this file; every value that is converted by it names it.',
  }),
  mappings: Type.Array(
    closed({
      source_name: channel('Channel as it arrives, letter for letter.'),
      target_name: channel('Metric of the registry that it is, by its name, an alias or a column.'),
      scale: Type.Number({
        minimum: -1e300,
        maximum: 1e300,
        default: 1,
        description: 'Value × `scale` + `offset` is the value in the unit of the target. Spreads take |`scale`| alone.',
      }),
      offset: Type.Number({ minimum: -1e300, maximum: 1e300, default: 0, description: 'See `scale`.' }),
      unit: Type.Optional(
        Type.String({
          minLength: 1,
          maxLength: 32,
          description:
            'Unit that `scale` and `offset` start from: a sample that states another one is converted to it first. Absent: samples of a mapping that scales may state the unit of the target only.',
        }),
      ),
      source_platform: Type.Optional(id('Only for rigs of this `platform`.')),
      target_platform: Type.Optional(id('Platform that the target comes from; for people.')),
    }),
    { description: 'Channels that are the same quantity under another name.', minItems: 1, maxItems: MAPPINGS_MAX },
  ),
})

export type EquivalenceConfig = Static<typeof EquivalenceSchema>

/** A mapping that applies to a rig, with its target found in the registry. */
export type Equivalence = Readonly<{
  source: string
  metric: string
  scale: number
  offset: number
  /** Unit that they start from; null for that of the metric. */
  unit: string | null
  file: string
  version: string
}>

type Mapping = EquivalenceConfig['mappings'][number]
type Numbered = Readonly<{ mapping: Mapping; k: number }>
type About = Readonly<{
  file: CheckedFile
  name: string
  platform: string | undefined
  metrics: readonly RegistryMetric[]
}>

/**
 * The mappings of a file that apply to a rig, and what is wrong with them together: two channels on one metric, a channel that
 * is a metric already, a chain, a cycle. Nothing is guessed: "the first match wins" decides by the order of lines.
 */
export function equivalencesFor(about: About): { equivalences: Equivalence[]; problems: Problem[] } {
  const { file, name, platform, metrics } = about
  const problems: Problem[] = []
  const { version, mappings } = file.value as EquivalenceConfig
  const applying = mappings.flatMap((mapping, k): Numbered[] => {
    const { source_platform: of } = mapping
    return of === undefined || platform === undefined || of === platform ? [{ mapping, k }] : []
  })
  const add: Add = (k, key, { found, expected, hint }) =>
    problems.push({
      ...file.at(['mappings', k, key] as Path),
      found,
      expected,
      ...(hint === undefined ? {} : { hint }),
    })
  const owners = ownersOf(metrics)
  const hint = platform === undefined ? 'give the rig a `platform`, and each mapping its `source_platform`' : undefined
  chainProblems(applying, add)
  sourceProblems(applying, { owners, hint, add })
  const equivalences: Equivalence[] = []
  const taken = new Map<string, string>()
  for (const { mapping, k } of applying) {
    const { source_name: source, target_name: target, scale, offset, unit } = mapping
    if (scale === 0) add(k, 'scale', { found: '0', expected: 'a scale that keeps the value' })
    const metric = owners.get(normaliseAlias(target))
    if (metric === undefined) {
      const near = didYouMean(
        target,
        [...metrics].map((m) => m.metric),
      )
      add(k, 'target_name', { found: `\`${target}\``, expected: 'a metric of the registry', hint: near })
      continue
    }
    const other = taken.get(metric)
    if (other !== undefined && other !== source)
      add(k, 'target_name', {
        found: `\`${other}\` and \`${source}\` both mapped onto \`${metric}\``,
        expected: 'every metric is fed by one of them',
        hint: hint ?? 'two sensors of one quantity are two metrics',
      })
    taken.set(metric, source)
    equivalences.push({
      source,
      metric,
      scale,
      offset,
      unit: unit?.trim() ?? null,
      file: name,
      version: String(version),
    })
  }
  return { equivalences, problems }
}

type Add = (k: number, key: keyof Mapping, what: { found: string; expected: string; hint?: string | undefined }) => void

/** Every name that a channel of the registry may have, compared as {@link normaliseAlias} does, with its metric. */
function ownersOf(metrics: readonly RegistryMetric[]): ReadonlyMap<string, string> {
  return new Map(
    metrics.flatMap((m) =>
      [m.metric, ...(m.aliases ?? []), ...(m.source_columns ?? [])].map(
        (name) => [normaliseAlias(name), m.metric] as const,
      ),
    ),
  )
}

/** A channel is mapped once and to its end: what is mapped onto is no source itself. */
function chainProblems(applying: readonly Numbered[], add: Add): void {
  const next = new Map(applying.map(({ mapping: m }) => [normaliseAlias(m.source_name), m]))
  for (const { mapping, k } of applying) {
    const { source_name: source, target_name: target } = mapping
    const onward = next.get(normaliseAlias(target))
    if (onward === undefined) continue
    const way = [source, target]
    let at: Mapping | undefined = onward
    while (at !== undefined && way.length <= applying.length + 1) {
      way.push(at.target_name)
      if (normaliseAlias(at.target_name) === normaliseAlias(source)) break
      at = next.get(normaliseAlias(at.target_name))
    }
    const isCycle = normaliseAlias(way.at(-1)!) === normaliseAlias(source)
    add(k, 'target_name', {
      found: `a ${isCycle ? 'cycle' : 'chain'}: ${way
        .slice(0, 6)
        .map((name) => `\`${name}\``)
        .join(' → ')}`,
      expected: 'one mapping from a channel to its metric',
      hint: isCycle ? 'a channel is not mapped onto itself' : `map \`${source}\` onto \`${way.at(-1)}\``,
    })
  }
}

type Around = Readonly<{ owners: ReadonlyMap<string, string>; hint: string | undefined; add: Add }>

/** A channel that feeds a metric already would feed two of them, and mapped twice it would be two values. */
function sourceProblems(applying: readonly Numbered[], { owners, hint, add }: Around): void {
  const seen = new Map<string, string>()
  for (const { mapping, k } of applying) {
    const { source_name: source, target_name: target } = mapping
    const name = normaliseAlias(source)
    const before = seen.get(name)
    if (before !== undefined)
      add(k, 'source_name', {
        found: `\`${source}\` mapped onto \`${before}\` and onto \`${target}\``,
        expected: 'every channel mapped once',
        hint,
      })
    seen.set(name, target)
    const owner = owners.get(name)
    if (owner !== undefined && name !== normaliseAlias(target))
      add(k, 'source_name', {
        found: `\`${source}\`, which is a channel of \`${owner}\` itself, mapped onto \`${target}\``,
        expected: 'a channel that the registry does not know',
        hint: 'take it out of the registry, or out of the mapping',
      })
  }
}
