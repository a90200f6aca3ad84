import { equalBytes } from '../crypto/digest.ts'
import { readPublicKey, type VerifyKey } from '../crypto/sign.ts'
import { isHbError } from '../errors/hb-error.ts'
import type { QualityPolicy } from '../model/baseline-gate.ts'
import { AGENT } from '../model/order.ts'
import { type CheckedFile, type Path, valueAt } from './document.ts'
import type { NoFile } from './files.ts'
import { ConfigError, cannotRead, didYouMean, type Problem } from './problems.ts'
import { defaultQualityPolicy, parseQualityPolicy } from './quality-policy.ts'
import { KEY_REMEDY, realmOf } from './realm-problems.ts'
import { YAML_BYTES_MAX } from './yaml-text.ts'

/** A key that is trusted, and the name it goes by. Keys are distinct; that they are persons is proved by nothing. */
export type Operator = Readonly<{ name: string; key: VerifyKey }>
/** Who is trusted, and what an approval takes. */
export type Trust = Readonly<{
  operators: readonly Operator[]
  approvalsRequired: number
  /** Names of operators that may approve; empty: all. */
  approvers: readonly string[]
  /** What the policy of a baseline's gate must at least ask for; the defaults when nobody names a file. */
  qualityPolicy: QualityPolicy
}>

/** Without operators nothing is believed that anybody says. */
export const NOBODY: Trust = {
  operators: [],
  approvalsRequired: 1,
  approvers: [],
  qualityPolicy: defaultQualityPolicy().policy,
}

/** A public key in PEM has about 120 bytes. */
const KEY_BYTES_MAX = 16_384

type ReadNamed = (name: string, bytesMax: number) => Uint8Array | NoFile
type Part = Readonly<{
  operators?: readonly (Readonly<{ name?: string; public_key_file?: string }> | undefined)[]
  governance?: Readonly<{
    require_approval?: boolean
    approvals_required?: number
    approvers?: readonly (string | undefined)[]
    quality_policy_file?: string
  }>
}>

/** Reads the keys that `operators` of a file names, and what is wrong with them and with `governance`. */
export function readTrust(file: CheckedFile, read: ReadNamed): Readonly<{ trust: Trust; problems: Problem[] }> {
  const problems: Problem[] = []
  const { operators: named = [], governance = {} } = (file.value ?? {}) as Part
  const operators: Operator[] = []
  const names = new Set<string>()
  named.forEach((operator, k) => {
    const { name, public_key_file: path } = operator ?? {}
    const add = (key: string, found: string, expected: string, hint?: string): void => {
      problems.push({ ...file.at(['operators', k, key]), found, expected, ...(hint === undefined ? {} : { hint }) })
    }
    if (name !== undefined && names.has(name)) add('name', `\`${name}\` a second time`, 'every person once')
    if (name === AGENT) add('name', `\`${name}\``, 'the name of a person', AGENT_HINT)
    if (name !== undefined) names.add(name)
    if (path === undefined) return
    const key = keyIn(read(path, KEY_BYTES_MAX))
    if (typeof key === 'string') {
      add('public_key_file', `${JSON.stringify(path)}: ${key}`, 'an Ed25519 public key in PEM', KEY_HINT)
      return
    }
    if (key.realm !== realmOf(file))
      add('public_key_file', `a key of ${key.realm}`, `one of ${realmOf(file)}`, KEY_REMEDY)
    const same = operators.find((other) => equalBytes(other.key.keyId, key.keyId))
    if (same !== undefined)
      add('public_key_file', `the key of \`${same.name}\` again`, 'a key of their own for every person', TWICE_HINT)
    operators.push({ name: name ?? '', key })
  })
  problems.push(...governanceProblems(file, governance, [...names]))
  const { approvals_required: approvalsRequired = 1, approvers = [], quality_policy_file: policyFile } = governance
  const may = approvers.filter((name) => name !== undefined)
  const qualityPolicy = policyFrom(file, { policyFile, read, problems })
  return { trust: { operators, approvalsRequired, approvers: may, qualityPolicy }, problems }
}

type PolicyFile = Readonly<{ policyFile: string | undefined; read: ReadNamed; problems: Problem[] }>

function policyFrom(file: CheckedFile, { policyFile, read, problems }: PolicyFile): QualityPolicy {
  const { policy: initial } = defaultQualityPolicy()
  if (policyFile === undefined) return initial
  const bytes = read(policyFile, YAML_BYTES_MAX)
  if (!(bytes instanceof Uint8Array)) {
    problems.push({ ...file.at(['governance', 'quality_policy_file']), ...cannotRead(policyFile, bytes.reason) })
    return initial
  }
  try {
    return parseQualityPolicy(policyFile, bytes).policy
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    problems.push(...error.problems)
    return initial
  }
}

/** The key that a file of the configuration names, null without one, and what is wrong with it. It must be of its realm. */
export function readKey(
  file: CheckedFile,
  path: Path,
  read: ReadNamed,
): Readonly<{ key: VerifyKey | null; problems: Problem[] }> {
  const name = valueAt(file.value, path)
  if (typeof name !== 'string' || !file.isSound(path)) return { key: null, problems: [] }
  const problem = (found: string, expected: string, hint: string) => ({
    key: null,
    problems: [{ ...file.at(path), found: `${JSON.stringify(name)}: ${found}`, expected, hint }],
  })
  const key = keyIn(read(name, KEY_BYTES_MAX))
  if (typeof key === 'string') return problem(key, 'an Ed25519 public key in PEM', KEY_HINT)
  if (key.realm !== realmOf(file)) return problem(`a key of ${key.realm}`, `one of ${realmOf(file)}`, KEY_REMEDY)
  return { key, problems: [] }
}

const KEY_HINT = 'make one with `hb keys create`, and name its `.pub`; relative paths start from this configuration'
const AGENT_HINT = 'what the agent orders by itself bears that name: call this person something else'
const TWICE_HINT = 'one person under two names could propose and approve alone'

function governanceProblems(
  file: CheckedFile,
  { require_approval: required, approvers = [] }: NonNullable<Part['governance']>,
  names: readonly string[],
): Problem[] {
  const problems: Problem[] = []
  if (required === false)
    problems.push({
      ...file.at(['governance', 'require_approval']),
      found: 'false',
      expected: 'true',
      hint: 'a baseline that nobody approved is a draft, and needs no key here',
    })
  approvers.forEach((name, k) => {
    if (name === undefined || names.includes(name)) return
    const hint = didYouMean(name, names)
    problems.push({
      ...file.at(['governance', 'approvers', k]),
      found: `\`${name}\``,
      expected: 'a name from `operators`',
      ...(hint === undefined ? {} : { hint }),
    })
  })
  return problems
}

function keyIn(bytes: Uint8Array | NoFile): VerifyKey | string {
  if (!(bytes instanceof Uint8Array)) return bytes.reason
  const text = new TextDecoder().decode(bytes)
  // Node would take it, and it would lie in every journal.
  if (/PRIVATE KEY/.test(text)) return 'a private key'
  try {
    return readPublicKey(text)
  } catch (error) {
    if (!isHbError(error)) throw error
    return String(error.context['found'] ?? 'not a key')
  }
}
