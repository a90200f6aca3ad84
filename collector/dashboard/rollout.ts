import { fieldsOf, listOf, numberOf, textOf } from './wire.ts'

/** Under what an agent says that it runs. */
export type ConfigJson = Readonly<{
  agent: string
  /** When it last said so; null: it never did, and nothing of this is known. */
  saidUs: number | null
  config: string
  /** Bundle in force; null: the files of its disk. */
  bundle: Readonly<{ digest: string; number: number }> | null
  ready: boolean
  reasons: readonly string[]
  /** What it last answered to a bundle that it did not take. */
  refused: Readonly<{ digest: string; what: string; reasons: readonly string[]; atUs: number | null }> | null
}>

export type RolloutJson = Readonly<{
  id: string
  digest: string
  number: number
  by: string
  reason: string
  status: string
  stage: number
  counts: readonly number[]
  reasons: readonly string[]
  agents: readonly Readonly<{ agent: string; phase: string; well: boolean }>[]
  endedUs: number | null
  note: string
}>

const AGENTS_MAX = 1000
const REASONS_MAX = 256
const STAGES_MAX = 64

/** Reads one; what is missing is unknown. */
export function parseConfig(value: unknown): ConfigJson | null {
  const fields = fieldsOf(value)
  const agent = textOf(fields?.['agent'])
  if (fields === undefined || agent === '') return null
  const bundle = fieldsOf(fields['bundle'])
  return {
    agent,
    saidUs: numberOf(fields['said_us']),
    config: textOf(fields['config']),
    bundle: bundle === undefined ? null : { digest: textOf(bundle['digest']), number: numberOf(bundle['number']) ?? 0 },
    ready: fields['ready'] === true,
    reasons: texts(fields['reasons']),
    refused: parseRefused(fields['answer']),
  }
}

function parseRefused(value: unknown): ConfigJson['refused'] {
  const fields = fieldsOf(value)
  if (fields === undefined || fields['taken'] === true) return null
  return {
    ...{ digest: textOf(fields['digest']), what: textOf(fields['what']), atUs: numberOf(fields['at_us']) },
    reasons: texts(fields['reasons']),
  }
}

export function parseConfigs(value: unknown): ConfigJson[] {
  return listOf(value, AGENTS_MAX).flatMap((one) => parseConfig(one) ?? [])
}

/** The newest of a list; null for none. */
export function parseRollout(value: unknown): RolloutJson | null {
  const fields = fieldsOf(listOf(value, 1)[0])
  if (fields === undefined) return null
  const text = (key: string): string => textOf(fields[key])
  return {
    ...{ id: text('id'), digest: text('digest'), by: text('by'), reason: text('reason'), status: text('status') },
    ...{ number: numberOf(fields['number']) ?? 0, stage: numberOf(fields['stage']) ?? 0, note: text('note') },
    counts: listOf(fields['counts'], STAGES_MAX).flatMap((count) => numberOf(count) ?? []),
    reasons: texts(fields['reasons']),
    agents: listOf(fields['agents'], AGENTS_MAX).flatMap((one) => {
      const agent = fieldsOf(one)
      if (agent === undefined) return []
      return [{ agent: textOf(agent['agent']), phase: textOf(agent['phase']), well: agent['well'] === true }]
    }),
    endedUs: numberOf(fields['ended_us']),
  }
}

function texts(value: unknown): string[] {
  return listOf(value, REASONS_MAX).map(textOf)
}

/** What tells whether agents run the same: the bundle, or the configuration of the files of a disk; '' when it is not known. */
export function runsOf({ saidUs, bundle, config }: ConfigJson): string {
  if (saidUs === null) return ''
  return bundle === null ? config : bundle.digest
}

/** Agents that nothing is known of first, then those that few others agree with, then by name. */
export function oddFirst(configs: readonly ConfigJson[]): ConfigJson[] {
  const counts = new Map<string, number>()
  for (const one of configs) counts.set(runsOf(one), (counts.get(runsOf(one)) ?? 0) + 1)
  const weight = (one: ConfigJson): number => (runsOf(one) === '' ? 0 : counts.get(runsOf(one))!)
  return [...configs].sort((a, b) => weight(a) - weight(b) || (a.agent < b.agent ? -1 : 1))
}
