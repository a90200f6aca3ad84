import { parse } from 'yaml'
import { openBundle } from '../../shared/codec/baseline-bundle.ts'
import { configDigest } from '../../shared/codec/config-digest.ts'
import type { RigConfig } from '../../shared/config/types.ts'
import { DOMAIN, digestOf, equalBytes, toHex } from '../../shared/crypto/digest.ts'
import { readPublicKey } from '../../shared/crypto/sign.ts'
import { isHbError } from '../../shared/errors/hb-error.ts'
import type { Configuration } from './bundle-judgement.ts'

/** What a file is to a configuration. */
export type FileRole =
  | 'configuration'
  | 'registry'
  | 'mapping'
  | 'policy of actions'
  | 'quality policy'
  | 'key of an operator'
  | 'baseline'

/** One difference. `from` is null for what was not there, `to` for what is not there any more. */
export type Change = Readonly<{ what: string; key: string; from: string | null; to: string | null }>
export type FileChange = Readonly<{
  file: string
  role: FileRole
  change: 'added' | 'removed' | 'changed'
  changes: readonly Change[]
}>
export type ConfigDiff = Readonly<{
  from: string
  to: string
  same: number
  files: readonly FileChange[]
  left: number
}>

/** Differences that are listed; the rest is counted. */
export const CHANGES_MAX = 1000
/** Longest value shown. */
const VALUE_CHARS_MAX = 160

/** Keys of a metric that bound it. The others say what it is. */
const LIMITS: ReadonlySet<string> = new Set([
  'fail_min',
  'fail_max',
  'fail_threshold',
  'invariant_min',
  'invariant_max',
  'invariant_eq',
  'drift_threshold',
  'drift_percent',
  'min_effect',
  'deviation_limit',
  'drift_persistence',
  'drift_persistence_of',
  'drift_clear_slides',
  'tolerance',
])
/** What an entry of a policy of actions is called, by its list. */
const POLICY_WORDS: Readonly<Record<string, string>> = {
  rules: 'rule',
  hazards: 'hazard',
  interlocks: 'interlock',
  budgets: 'budget',
  targets: 'target',
}

/** What is different between two configurations, file by file in the order of the first and then the second. */
export function diffConfigurations(before: Configuration, after: Configuration): ConfigDiff {
  const [roles, newRoles] = [rolesOf(before), rolesOf(after)]
  const [was, is] = [contentsOf(before), contentsOf(after)]
  const files: FileChange[] = []
  let [same, left, shown] = [0, 0, 0]
  for (const file of new Set([...was.keys(), ...is.keys()])) {
    const [old, now] = [was.get(file), is.get(file)]
    if (old !== undefined && now !== undefined && equalBytes(old, now)) {
      same += 1
      continue
    }
    const role = (newRoles.get(file) ?? roles.get(file))!
    const found = changesOf(
      role,
      old === undefined ? null : { of: before, bytes: old },
      now === undefined ? null : { of: after, bytes: now },
    )
    const changes = found.slice(0, Math.max(0, CHANGES_MAX - shown))
    shown += changes.length
    left += found.length - changes.length
    files.push({ file, role, change: old === undefined ? 'added' : now === undefined ? 'removed' : 'changed', changes })
  }
  return { from: toHex(configDigest(before.files)), to: toHex(configDigest(after.files)), same, files, left }
}

/** The differences as lines for people. */
export function diffLines({ from, to, same, files, left }: ConfigDiff): string[] {
  if (from === to) return [`the same configuration, ${from.slice(0, 16)}…`]
  return [
    `configuration ${from.slice(0, 16)}… → ${to.slice(0, 16)}…, ${files.length} files differ, ${same} are the same`,
    ...files.flatMap(({ file, role, change, changes }) => [
      `${file} (${role}) ${change}`,
      ...changes.map((one) => `  ${one.what} ${one.key}: ${one.from ?? 'nothing'} → ${one.to ?? 'nothing'}`),
      ...(changes.length === 0 && change === 'changed' ? ['  only notes, blanks or order'] : []),
    ]),
    ...(left === 0 ? [] : [`… and ${left} more`]),
  ]
}

/** The configuration goes by its role: its file may have another name on another machine. */
function contentsOf({ files }: Configuration): Map<string, Uint8Array> {
  return new Map(files.map(({ name, bytes }, k) => [k === 0 ? MAIN : name, bytes]))
}
const MAIN = 'runtime.yaml'

function rolesOf({ config }: Configuration): Map<string, FileRole> {
  const roles = new Map<string, FileRole>([[MAIN, 'configuration']])
  const add = (role: FileRole, ...names: (string | undefined)[]): void => {
    for (const name of names) if (name !== undefined) roles.set(name, role)
  }
  for (const rig of config.rigs) {
    add('registry', rig.registry_file)
    add('mapping', rig.equivalence_file)
    add('policy of actions', rig.actions_policy_file)
    add('baseline', ...baselinesOf(rig))
  }
  add('quality policy', config.governance.quality_policy_file)
  add('key of an operator', ...config.operators.map((one) => one.public_key_file))
  return roles
}

function baselinesOf({ baseline_file: own, rolling_baseline_file: rolling, mode_baseline_files: modes }: RigConfig) {
  return [own, rolling, ...Object.values(modes ?? {})]
}

type Side = Readonly<{ of: Configuration; bytes: Uint8Array }>

function changesOf(role: FileRole, before: Side | null, after: Side | null): Change[] {
  if (role === 'baseline') {
    const [from, to] = [baselineWords(before), baselineWords(after)]
    return [{ what: 'baseline', key: 'of the file', from, to }]
  }
  if (role === 'key of an operator')
    return [{ what: 'key', key: 'of the file', from: keyWords(before), to: keyWords(after) }]
  const [was, is] = [leavesOf(before), leavesOf(after)]
  return [...new Set([...was.keys(), ...is.keys()])].flatMap((key) => {
    const [from, to] = [was.get(key) ?? null, is.get(key) ?? null]
    return from === to ? [] : [{ what: wordFor(role, key), key, from: cut(from), to: cut(to) }]
  })
}

function wordFor(role: FileRole, key: string): string {
  if (role === 'registry') return LIMITS.has(key.slice(key.lastIndexOf('.') + 1)) ? 'limit' : 'metric'
  if (role === 'policy of actions') return POLICY_WORDS[/^[a-z_]+/.exec(key)?.[0] ?? ''] ?? 'policy'
  if (role === 'quality policy') return 'requirement'
  return role === 'mapping' ? 'mapping' : 'setting'
}

/** What a baseline is and counts as, by the people its configuration trusts. */
function baselineWords(side: Side | null): string | null {
  if (side === null) return null
  try {
    const { digest, effectiveKind, record } = openBundle(side.bytes, { ...side.of.trust, nowUs: 0 })
    return `${effectiveKind} ${toHex(digest).slice(0, 16)}… (mode ${record.mode}, ${record.metrics.length} metrics)`
  } catch (error) {
    if (!isHbError(error)) throw error
    return `unreadable ${toHex(digestOf(DOMAIN.file, side.bytes)).slice(0, 16)}…`
  }
}

function keyWords(side: Side | null): string | null {
  return side === null ? null : toHex(readPublicKey(new TextDecoder().decode(side.bytes)).keyId)
}

/** Every value of a YAML file under its path. Entries of lists go by what names them, so that one more is one difference. */
function leavesOf(side: Side | null): Map<string, string> {
  const leaves = new Map<string, string>()
  // It was checked before: nothing in it stands for more than it is.
  if (side !== null) addLeaves(leaves, '', parse(new TextDecoder().decode(side.bytes)) as unknown)
  return leaves
}

function addLeaves(leaves: Map<string, string>, path: string, value: unknown): void {
  if (Array.isArray(value) && value.some((one) => typeof one === 'object' && one !== null)) {
    value.forEach((one: unknown, k) => {
      addLeaves(leaves, freeName(leaves, `${path}[${nameOf(one) ?? k}]`), one)
    })
  } else if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    const parts = Object.entries(value)
    if (parts.length === 0) leaves.set(path, '{}')
    for (const [key, part] of parts) addLeaves(leaves, path === '' ? key : `${path}.${key}`, part)
  } else leaves.set(path, JSON.stringify(value))
}

/** Keys that name an entry of a list, in the order in which they are looked for. */
const NAMING = ['id', 'rig', 'name', 'metric', 'source_name'] as const

function nameOf(entry: unknown): string | null {
  if (typeof entry !== 'object' || entry === null) return null
  const own = entry as Readonly<Record<string, unknown>>
  for (const key of NAMING) if (typeof own[key] === 'string') return own[key]
  const { action, target } = own
  if (typeof target !== 'string') return typeof action === 'string' ? action : null
  return typeof action === 'string' ? `${action} ${target}` : target
}

/** A name that two entries share is numbered in the order of the file. */
function freeName(leaves: Map<string, string>, name: string): string {
  const isTaken = (one: string): boolean => [...leaves.keys()].some((key) => key === one || key.startsWith(`${one}.`))
  let k = 2
  let free = name
  while (isTaken(free)) {
    free = `${name}#${k}`
    k += 1
  }
  return free
}

function cut(text: string | null): string | null {
  return text !== null && text.length > VALUE_CHARS_MAX ? `${text.slice(0, VALUE_CHARS_MAX)}…` : text
}
