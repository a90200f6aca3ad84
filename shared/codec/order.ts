import { coseIdentity, openCose, signCose } from '../crypto/cose.ts'
import { toHex } from '../crypto/digest.ts'
import type { Signer, VerifyKey } from '../crypto/sign.ts'
import { HbError } from '../errors/hb-error.ts'
import { isPlain, ORDER_KINDS, ORDER_REASON_CHARS_MAX, type Order } from '../model/order.ts'
import { canonicalBytes } from './canonical.ts'
import { decodeSigned } from './signed-cbor.ts'

export const ORDER_TYP = 'application/hb-order+cose'
export const ORDER_VERSION = 1
/** Longest signed order: its reason in the widest characters, and everything else. */
export const ORDER_BYTES_MAX = 8192
/** Longest of the other texts. */
const WORD_CHARS_MAX = 256

/** An order before it is signed. */
export type OrderDraft = Omit<Order, 'id' | 'by'>

/** @throws HbError ORDER_REFUSED for text that would not read as it is written */
export function signOrder(draft: OrderDraft, signer: Signer): Uint8Array {
  requirePlain(draft)
  const { kind, deployment, agent, boot, rig, subject, value, config, reason, atUs, untilUs } = draft
  const payload = canonicalBytes({
    ...{ v: ORDER_VERSION, kind, deployment, agent, boot, rig, subject, value, config, reason },
    ...{ at_us: atUs, until_us: untilUs },
  })
  const issuer = `operator/${toHex(signer.keyId)}`
  return signCose({ typ: ORDER_TYP, issuer, subject: `agent/${agent}`, payload, signer })
}

/**
 * Checks size and signature, and only then reads what was ordered.
 *
 * @throws HbError COSE_SHAPE, CBOR_REFUSED, BATCH_SIGNATURE, ORDER_REFUSED for text that does not read as it is written.
 */
export function openOrder(bytes: Uint8Array, key: VerifyKey): Order {
  if (bytes.length > ORDER_BYTES_MAX)
    throw new HbError('COSE_SHAPE', { found: `an order of ${bytes.length} bytes`, expected: ORDER_BYTES_MAX })
  const { issuer, subject: about, payload } = openCose(bytes, { typ: ORDER_TYP, key })
  const map = decodeSigned(payload) as unknown
  if (!(map instanceof Map) || map.get('v') !== ORDER_VERSION || map.size !== FIELDS)
    throw new HbError('COSE_SHAPE', { found: 'an order of another version' })
  const text = (name: string, charsMax = WORD_CHARS_MAX): string => {
    const value: unknown = map.get(name)
    if (typeof value !== 'string' || value.length > charsMax) throw otherForm(name)
    return value
  }
  const time = (name: string): number => {
    const value: unknown = map.get(name)
    if (!(Number.isSafeInteger(value) && (value as number) >= 0)) throw otherForm(name)
    return value as number
  }
  const kind = ORDER_KINDS.find((one) => one === text('kind'))
  if (kind === undefined) throw otherForm('kind')
  const order: Order = {
    id: toHex(coseIdentity(bytes)),
    kind,
    deployment: text('deployment'),
    agent: text('agent'),
    boot: text('boot'),
    rig: text('rig'),
    subject: text('subject'),
    value: text('value'),
    config: text('config'),
    reason: text('reason', ORDER_REASON_CHARS_MAX),
    atUs: time('at_us'),
    untilUs: time('until_us'),
    by: toHex(key.keyId),
  }
  if (issuer !== `operator/${order.by}` || about !== `agent/${order.agent}`)
    throw new HbError('COSE_SHAPE', { found: 'claims that are not those of the order' })
  requirePlain(order)
  return order
}

function requirePlain({ kind, deployment, agent, boot, rig, subject, value, config, reason }: OrderDraft): void {
  if ([deployment, agent, boot, rig, subject, value, config, reason].every(isPlain)) return
  throw new HbError('ORDER_REFUSED', { reason: 'not_plain_text', order: kind, rig: isPlain(rig) ? rig : '?' })
}

const FIELDS = 12

function otherForm(name: string): HbError {
  return new HbError('COSE_SHAPE', { found: `\`${name}\` of an order in another form` })
}
