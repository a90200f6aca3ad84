import { canonicalBytes } from '../codec/canonical.ts'
import { decodeSigned } from '../codec/signed-cbor.ts'
import { openCose, signCose } from '../crypto/cose.ts'
import type { Signer, VerifyKey } from '../crypto/sign.ts'
import { HbError } from '../errors/hb-error.ts'
import type { Micros } from '../units.ts'

export const DOWNLINK_TYP = 'application/hb-downlink+cose'
/** Version of {@link SliceRequest}. */
export const DOWNLINK_VERSION = 1
/** Version of {@link BaselineDownlink}. An agent that only knows version 1 refuses it. */
export const BASELINE_DOWNLINK_VERSION = 2
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

/**
 * What a collector asks of an agent. Signed with the key of its receipts and made out to one agent, so that whoever gets
 * between them, or replays it to another, asks nothing. Kinds that change something carry a number against replays.
 */
export type Downlink = SliceRequest | BaselineDownlink

export function signDownlink(downlink: Downlink, signer: Signer): Uint8Array {
  const { kind, agent, id, rig } = downlink
  const payload = canonicalBytes(
    kind === 'slice_request'
      ? { v: DOWNLINK_VERSION, kind, agent, id, rig, from_us: downlink.fromUs, to_us: downlink.toUs }
      : {
          v: BASELINE_DOWNLINK_VERSION,
          kind,
          agent,
          id,
          rig,
          role: downlink.role,
          number: downlink.number,
          bundle: downlink.bundle,
        },
  )
  return signCose({ typ: DOWNLINK_TYP, issuer: 'collector', subject: `agent/${agent}`, payload, signer })
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
const VERSIONS = { slice_request: DOWNLINK_VERSION, baseline: BASELINE_DOWNLINK_VERSION } as const

function kindOf(field: Field): Downlink['kind'] | null {
  const kind = field('kind')
  if (kind !== 'slice_request' && kind !== 'baseline') return null
  return field('v') === VERSIONS[kind] ? kind : null
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
}
