import type { Trust } from '../../shared/config/operators.ts'
import type { RigConfig, RuntimeConfig } from '../../shared/config/types.ts'
import { toHex } from '../../shared/crypto/digest.ts'
import type { RigPolicy } from '../../shared/model/actions-policy.ts'
import { targetFacts } from './target-facts.ts'

/** Keys of a rig that may change while an agent runs: what its evaluator is made of, and nothing that something else holds. */
const FREE_OF_RIG: ReadonlySet<keyof RigConfig> = new Set<keyof RigConfig>([
  'registry_file',
  'equivalence_file',
  'platform',
  'baseline_file',
  'rolling_baseline_file',
  'mode_baseline_files',
  'actions_policy_file',
  'mode_settle_ms',
  'detector_step_ms',
  'mode',
  'context',
  'windows_ms',
  'lateness_ms',
  'max_future_ms',
  'late_policy',
  'revise_within_ms',
])
/** The others that may change, by path. */
const FREE: ReadonlySet<string> = new Set([
  'decisions.pass_record_every_ms',
  'decisions.not_pass_record_every_ms',
  'governance.quality_policy_file',
])

export type Fixed = Readonly<{ config: RuntimeConfig; trust: Trust }>

/** A key that differs though a running agent cannot change it, with both values as JSON; '' where there is none. */
export type FixedKey = Readonly<{ key: string; now: string; next: string }>

/**
 * Every key in which two configurations differ and that a running agent cannot change: ports, keys, sources, the collector,
 * threads, bounds of files, who is trusted. What is not known to be free counts as fixed, so that a key that is added later
 * is not changed by accident.
 */
export function fixedKeysChanged(now: Fixed, next: Fixed): FixedKey[] {
  const [before, after] = [fixedValues(now), fixedValues(next)]
  const keys = [...new Set([...before.keys(), ...after.keys()])].sort()
  return keys.flatMap((key) => {
    const [was, is] = [before.get(key) ?? '', after.get(key) ?? '']
    return was === is ? [] : [{ key, now: was, next: is }]
  })
}

type Ruled = Readonly<{ policies: ReadonlyMap<string, RigPolicy> }>

/**
 * Links to targets are open since the start: what the policies of then had them prove to their peers holds until they are
 * opened anew. Every target that the next policies name and that asks for something else.
 */
export function linksChanged(started: Ruled, next: Ruled): FixedKey[] {
  const targets = [...next.policies.values()].flatMap((policy) => policy.targets.map(({ name }) => name))
  return [...new Set(targets)].sort().flatMap((target) => {
    const [was, is] = [started, next].map(({ policies }) => JSON.stringify(targetFacts(target, policies.values())))
    return was === is ? [] : [{ key: `targets[${target}]`, now: was!, next: is! }]
  })
}

function fixedValues({ config, trust }: Fixed): Map<string, string> {
  const values = new Map<string, string>()
  const { rigs, operators: _, ...rest } = config
  for (const [key, value] of Object.entries(rest)) addLeaves(values, key, value)
  for (const rig of rigs)
    for (const [key, value] of Object.entries(rig))
      if (!FREE_OF_RIG.has(key as keyof RigConfig)) addLeaves(values, `rigs[${rig.rig}].${key}`, value)
  // By key and not by file: a person under a name with another key is another person.
  for (const { name, key } of trust.operators) values.set(`operators[${name}]`, toHex(key.keyId))
  return values
}

function addLeaves(values: Map<string, string>, key: string, value: unknown): void {
  if (value === undefined || FREE.has(key)) return
  if (typeof value !== 'object' || value === null || Array.isArray(value)) values.set(key, JSON.stringify(value))
  else for (const [name, part] of Object.entries(value)) addLeaves(values, `${key}.${name}`, part)
}
