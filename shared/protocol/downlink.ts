import { canonicalBytes } from '../codec/canonical.ts'
import { decodeSigned } from '../codec/signed-cbor.ts'
import { openCose, signCose } from '../crypto/cose.ts'
import type { Signer, VerifyKey } from '../crypto/sign.ts'
import { HbError } from '../errors/hb-error.ts'
import type { Canonical } from '../model/decision.ts'
import type { Micros } from '../units.ts'

export const DOWNLINK_TYP = 'application/hb-downlink+cose'
/** Version of {@link SliceRequest}. */
export const DOWNLINK_VERSION = 1
/** Version of {@link BaselineDownlink}. An agent that only knows version 1 refuses it. */
export const BASELINE_DOWNLINK_VERSION = 2
/** Version of what is about bundles: {@link BundleOffer}, {@link BundleBack}, {@link ConfigWatch}. */
export const BUNDLE_DOWNLINK_VERSION = 3
/** Longest reason of a {@link BundleBack}, in characters. */
export const BACK_REASON_MAX = 512
export const BASELINE_ROLES = ['golden', 'rolling'] as const
export type BaselineRole = (typeof BASELINE_ROLES)[number]

/** Raw samples of a rig, for whoever looks at a decision. It changes nothing. */
export type SliceRequest = Readonly<{
  kind: 'slice_request'
  agent: string
  id: string
  rig: string
  fromUs: Micros
  toUs: Micros
}>

/**
 * A baseline for a rig with everything that certifies it. The collector's key only says that it comes from there: the
 * agent believes the operators of its own configuration and nobody else. `number` rises with every one to the same
 * agent, so that an older one cannot be played back.
 */
export type BaselineDownlink = Readonly<{
  kind: 'baseline'
  agent: string
  id: string
  rig: string
  role: BaselineRole
  number: number
  bundle: Uint8Array
}>

/** Asks to be told under what the agent runs, now and when it changes, for this session. It changes nothing. */
export type ConfigWatch = Readonly<{ kind: 'config_watch'; agent: string; id: string; rig: '' }>

/**
 * A bundle of a configuration. The agent believes the operators of its own configuration and nobody else; the number that
 * they signed keeps an older one from being played back. `id` names the rollout, `digest` (hex) what the collector calls it.
 */
export type BundleOffer = Readonly<{
  kind: 'bundle'
  agent: string
  id: string
  rig: ''
  digest: string
  bundle: Uint8Array
}>

/**
 * Asks to go back from the bundle with this digest (hex) to what was in force before it. The agent does so once, while those
 * who signed the bundle let it, and to what it holds itself. `reason` is the collector's word, for the journal.
 */
export type BundleBack = Readonly<{
  kind: 'bundle_back'
  agent: string
  id: string
  rig: ''
  digest: string
  reason: string
}>

/**
 * What a collector asks of an agent. Signed with the key of its receipts and made out to one agent, so that whoever gets
 * between them, or replays it to another, asks nothing. Kinds that change something carry a number against replays.
 */
export type Downlink = SliceRequest | BaselineDownlink | ConfigWatch | BundleOffer | BundleBack

export function signDownlink(downlink: Downlink, signer: Signer): Uint8Array {
  const { kind, agent, id, rig } = downlink
  const payload = canonicalBytes({ v: VERSIONS[kind], kind, agent, id, rig, ...fieldsOf(downlink) })
  return signCose({ typ: DOWNLINK_TYP, issuer: 'collector', subject: `agent/${agent}`, payload, signer })
}

function fieldsOf(downlink: Downlink): Readonly<Record<string, Canonical>> {
  switch (downlink.kind) {
    case 'slice_request':
      return { from_us: downlink.fromUs, to_us: downlink.toUs }
    case 'baseline':
      return { role: downlink.role, number: downlink.number, bundle: downlink.bundle }
    case 'bundle':
      return { digest: downlink.digest, bundle: downlink.bundle }
    case 'bundle_back':
      return { digest: downlink.digest, reason: downlink.reason }
    case 'config_watch':
      return {}
  }
}

/** @throws HbError COSE_SHAPE (another shape, kind or agent), CBOR_REFUSED, BATCH_SIGNATURE. */
export function openDownlink(bytes: Uint8Array, { key, agent }: { key: VerifyKey; agent: string }): Downlink {
  const map = decodeSigned(openCose(bytes, { typ: DOWNLINK_TYP, key }).payload) as unknown
  const field: Field = (name) => (map instanceof Map ? map.get(name) : undefined)
  const kind = kindOf(field)
  if (kind === null) throw new HbError('COSE_SHAPE', { found: 'a downlink of another version or kind' })
  if (field('agent') !== agent)
    throw new HbError('COSE_SHAPE', { found: `a downlink for ${String(field('agent'))}`, expected: agent })
  const [id, rig] = [field('id'), field('rig')]
  const read = typeof id === 'string' && typeof rig === 'string' ? READERS[kind](field, { agent, id, rig }) : null
  if (read === null) throw new HbError('COSE_SHAPE', { found: 'a downlink of another shape' })
  return read
}

type Field = (name: string) => unknown
type Common = Pick<Downlink, 'agent' | 'id' | 'rig'>
const VERSIONS = {
  slice_request: DOWNLINK_VERSION,
  baseline: BASELINE_DOWNLINK_VERSION,
  config_watch: BUNDLE_DOWNLINK_VERSION,
  bundle: BUNDLE_DOWNLINK_VERSION,
  bundle_back: BUNDLE_DOWNLINK_VERSION,
} as const

function kindOf(field: Field): Downlink['kind'] | null {
  const kind = (Object.keys(VERSIONS) as Downlink['kind'][]).find((one) => one === field('kind'))
  return kind !== undefined && field('v') === VERSIONS[kind] ? kind : null
}

const READERS: Readonly<Record<Downlink['kind'], (field: Field, common: Common) => Downlink | null>> = {
  slice_request(field, common) {
    const [fromUs, toUs] = [field('from_us'), field('to_us')]
    if (!(Number.isSafeInteger(fromUs) && Number.isSafeInteger(toUs))) return null
    return { kind: 'slice_request', ...common, fromUs: fromUs as Micros, toUs: toUs as Micros }
  },
  baseline(field, common) {
    const [role, number, bundle] = [field('role'), field('number'), field('bundle')]
    const isRole = (BASELINE_ROLES as readonly unknown[]).includes(role)
    const isNumber = Number.isSafeInteger(number) && (number as number) > 0
    if (!(isRole && isNumber && bundle instanceof Uint8Array)) return null
    return { kind: 'baseline', ...common, role: role as BaselineRole, number: number as number, bundle }
  },
  config_watch(_field, common) {
    return common.rig === '' ? { kind: 'config_watch', ...common, rig: '' } : null
  },
  bundle(field, common) {
    const [digest, bundle] = [field('digest'), field('bundle')]
    if (!(common.rig === '' && isDigest(digest) && bundle instanceof Uint8Array)) return null
    return { kind: 'bundle', ...common, rig: '', digest, bundle }
  },
  bundle_back(field, common) {
    const [digest, reason] = [field('digest'), field('reason')]
    if (!(common.rig === '' && isDigest(digest) && typeof reason === 'string' && reason.length <= BACK_REASON_MAX))
      return null
    return { kind: 'bundle_back', ...common, rig: '', digest, reason }
  },
}

function isDigest(value: unknown): value is string {
  return typeof value === 'string' && /^[0-9a-f]{64}$/.test(value)
}
