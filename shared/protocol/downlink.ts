import { canonicalBytes } from '../codec/canonical.ts'
import { decodeSigned } from '../codec/signed-cbor.ts'
import { openCose, signCose } from '../crypto/cose.ts'
import type { Signer, VerifyKey } from '../crypto/sign.ts'
import { HbError } from '../errors/hb-error.ts'
import type { Micros } from '../units.ts'

export const DOWNLINK_TYP = 'application/hb-downlink+cose'
export const DOWNLINK_VERSION = 1

/**
 * What a collector asks of an agent. Signed with the key of its receipts and made out to one agent, so that whoever gets
 * between them, or replays it to another, asks nothing. Kinds that change something will carry a number against replays.
 */
export type Downlink = Readonly<{
  kind: 'slice_request'
  agent: string
  id: string
  rig: string
  fromUs: Micros
  toUs: Micros
}>

export function signDownlink(downlink: Downlink, signer: Signer): Uint8Array {
  const { kind, agent, id, rig, fromUs, toUs } = downlink
  const payload = canonicalBytes({ v: DOWNLINK_VERSION, kind, agent, id, rig, from_us: fromUs, to_us: toUs })
  return signCose({ typ: DOWNLINK_TYP, issuer: 'collector', subject: `agent/${agent}`, payload, signer })
}

/** @throws HbError COSE_SHAPE (another shape, kind or agent), CBOR_REFUSED, BATCH_SIGNATURE. */
export function openDownlink(bytes: Uint8Array, { key, agent }: { key: VerifyKey; agent: string }): Downlink {
  const map = decodeSigned(openCose(bytes, { typ: DOWNLINK_TYP, key }).payload) as unknown
  const field = (name: string): unknown => (map instanceof Map ? map.get(name) : undefined)
  if (field('v') !== DOWNLINK_VERSION || field('kind') !== 'slice_request')
    throw new HbError('COSE_SHAPE', { found: 'a downlink of another version or kind' })
  if (field('agent') !== agent)
    throw new HbError('COSE_SHAPE', { found: `a downlink for ${String(field('agent'))}`, expected: agent })
  const [id, rig, fromUs, toUs] = [field('id'), field('rig'), field('from_us'), field('to_us')]
  if (
    typeof id !== 'string' ||
    typeof rig !== 'string' ||
    !Number.isSafeInteger(fromUs) ||
    !Number.isSafeInteger(toUs)
  ) {
    throw new HbError('COSE_SHAPE', { found: 'a downlink of another shape' })
  }
  return { kind: 'slice_request', agent, id, rig, fromUs: fromUs as number, toUs: toUs as number }
}
