import { readPolicy } from '../../shared/config/actions-policy.ts'
import type { ActionsPolicy } from '../../shared/config/actions-policy-schema.ts'
import { type CheckedFile, checkYaml } from '../../shared/config/document.ts'
import type { Problem } from '../../shared/config/problems.ts'
import { registryProblems } from '../../shared/config/registry.ts'
import { RegistrySchema } from '../../shared/config/schema.ts'
import type { Schema } from '../../shared/config/schema-terms.ts'
import type { RegistryConfig } from '../../shared/config/types.ts'

/** A channel as the registry knows it. */
type Known = Readonly<{ metric: string; publisher: string | null; ccg: readonly string[] }>

/** What a registry names. Metrics are null where its file is not sound: nothing is looked up then. */
export type RegistryNames = Readonly<{
  problems: readonly Problem[]
  metrics: readonly string[] | null
  /** By every name that a channel may come under. */
  channels: ReadonlyMap<string, Known>
}>

/** What a policy names; null where its file is not sound. */
export type PolicyNames = Readonly<{ problems: readonly Problem[]; names: PolicyWords | null }>
export type PolicyWords = Readonly<{
  rules: readonly string[]
  targets: readonly string[]
  actions: readonly Readonly<{ action: string; target: string }>[]
  alarms: readonly string[]
}>

export function registryNames(name: string, bytes: Uint8Array): RegistryNames {
  const file = checkYaml(name, bytes, RegistrySchema as unknown as Schema)
  const problems = [...file.problems, ...registryProblems(file)]
  const channels = new Map<string, Known>()
  if (!file.isSound([])) return { problems, metrics: null, channels }
  const { metrics } = file.value as RegistryConfig
  for (const [metric, { publisher, ccg = {}, aliases = [], source_columns: columns = [] }] of Object.entries(metrics)) {
    const groups = Object.values(ccg as Readonly<Record<string, string | undefined>>)
    const known = { metric, publisher: publisher ?? null, ccg: groups.filter((group) => group !== undefined) }
    for (const channel of [metric, ...aliases, ...columns]) channels.set(channel, known)
  }
  return { problems, metrics: Object.keys(metrics), channels }
}

export function policyNames(name: string, bytes: Uint8Array): PolicyNames {
  const file: CheckedFile = readPolicy(name, bytes)
  if (!file.isSound([])) return { problems: file.problems, names: null }
  const { rules, targets, hazards, alarms } = file.value as ActionsPolicy
  return {
    problems: file.problems,
    names: {
      rules: rules.map(({ id }) => id),
      targets: targets.map(({ name: target }) => target),
      actions: [...hazards, ...rules].map(({ action, target }) => ({ action, target })),
      alarms: alarms.map(({ id }) => id),
    },
  }
}

/** Alarms that the engine of actions raises itself: about the rig, and about a rule, a target or an action. */
const OF_RIG: readonly string[] = [
  'arm_dropped',
  'break_glass',
  'break_glass_over',
  'injected_refused',
  'off',
  'taint_forged',
]
const OF_RULE: readonly string[] = [
  'protection_lost',
  'vote_degraded',
  'denied',
  'budget',
  'early_differs',
  'verify_failed',
  'action_failed',
  'unknown_outcome',
]
const OF_TARGET: readonly string[] = ['permit_lost', 'proof_overdue', 'stranger']
const OF_INHIBIT: readonly string[] = ['inhibited', 'inhibit_expired']

/** Every alarm that there can be under a policy, with those of the engine itself. */
export function alarmsUnder({ rules, targets, actions, alarms }: PolicyWords): string[] {
  const byHand = actions.map(({ action, target }) => `manual:${action}:${target}`)
  const subjects = [...rules, ...rules.map((id) => `${id}/escalation`), ...byHand]
  const inhibited = [...rules.map((id) => `rule:${id}`), ...actions.map(({ action }) => `action:${action}`)]
  // The word alone is any of its subjects.
  const about = (words: readonly string[], names: readonly string[]): string[] =>
    words.flatMap((one) => [one, ...names.map((subject) => `${one}:${subject}`)])
  return [
    ...alarms,
    ...OF_RIG,
    ...about(OF_RULE, subjects),
    ...about(OF_TARGET, targets),
    ...about(OF_INHIBIT, inhibited),
  ]
}
