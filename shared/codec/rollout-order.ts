import { coseIdentity, openCose, signCose } from '../crypto/cose.ts'
import { toHex } from '../crypto/digest.ts'
import type { Signer, VerifyKey } from '../crypto/sign.ts'
import { HbError } from '../errors/hb-error.ts'
import { isPlain } from '../model/order.ts'
import { ROLLOUT_ORDERS, ROLLOUT_REASON_CHARS_MAX, type RolloutOrder } from '../model/rollout.ts'
import type { Bytes } from '../units.ts'
import { canonicalBytes } from './canonical.ts'
import { FLEET_BUNDLE_BYTES_MAX } from './fleet-bundle.ts'
import { decodeSigned } from './signed-cbor.ts'

export const ROLLOUT_ORDER_TYP = 'application/hb-rollout-order+cose'
export const ROLLOUT_ORDER_VERSION = 1
/** Longest signed order, and longest order with its bundle. */
export const ROLLOUT_ORDER_BYTES_MAX: Bytes = 8192
export const HANDED_ORDER_BYTES_MAX: Bytes = FLEET_BUNDLE_BYTES_MAX + ROLLOUT_ORDER_BYTES_MAX + 64
const WORD_CHARS_MAX = 256
const FIELDS = 10

/** An order before it is signed. */
export type RolloutDraft = Omit<RolloutOrder, 'id' | 'by'>

/** @throws HbError ROLLOUT_REFUSED for a reason that would not read as it is written */
export function signRolloutOrder(draft: RolloutDraft, signer: Signer): Uint8Array {
  requirePlainReason(draft)
  const { kind, deployment, rollout, digest, stages, soakUs, withinUs, reason, atUs } = draft
  const payload = canonicalBytes({
    ...{ v: ROLLOUT_ORDER_VERSION, kind, deployment, rollout, digest, stages },
    ...{ soak_us: soakUs, within_us: withinUs, reason, at_us: atUs },
  })
  const issuer = `operator/${toHex(signer.keyId)}`
  return signCose({ typ: ROLLOUT_ORDER_TYP, issuer, subject: `rollout/${deployment}`, payload, signer })
}

/**
 * Checks size and signature, and only then reads what was ordered.
 *
 * @throws HbError COSE_SHAPE, CBOR_REFUSED, BATCH_SIGNATURE.
 */
export function openRolloutOrder(bytes: Uint8Array, key: VerifyKey): RolloutOrder {
  if (bytes.length > ROLLOUT_ORDER_BYTES_MAX)
    throw new HbError('COSE_SHAPE', { found: `an order of ${bytes.length} bytes`, expected: ROLLOUT_ORDER_BYTES_MAX })
  const { issuer, subject, payload } = openCose(bytes, { typ: ROLLOUT_ORDER_TYP, key })
  const map = decodeSigned(payload) as unknown
  if (!(map instanceof Map) || map.get('v') !== ROLLOUT_ORDER_VERSION || map.size !== FIELDS)
    throw new HbError('COSE_SHAPE', { found: 'an order of another version' })
  const field = <T>(name: string, holds: (value: unknown) => boolean): T => {
    const value: unknown = map.get(name)
    if (!holds(value)) throw new HbError('COSE_SHAPE', { found: `\`${name}\` of an order in another form` })
    return value as T
  }
  const order: RolloutOrder = {
    id: toHex(coseIdentity(bytes)),
    kind: field('kind', (value) => (ROLLOUT_ORDERS as readonly unknown[]).includes(value)),
    deployment: field('deployment', isText(WORD_CHARS_MAX)),
    rollout: field('rollout', isText(WORD_CHARS_MAX)),
    digest: field('digest', isText(WORD_CHARS_MAX)),
    stages: field('stages', isText(WORD_CHARS_MAX)),
    soakUs: field('soak_us', isTime),
    withinUs: field('within_us', isTime),
    reason: field('reason', isText(ROLLOUT_REASON_CHARS_MAX)),
    atUs: field('at_us', isTime),
    by: toHex(key.keyId),
  }
  if (issuer !== `operator/${order.by}` || subject !== `rollout/${order.deployment}`)
    throw new HbError('COSE_SHAPE', { found: 'claims that are not those of the order' })
  return order
}

/** Of an order that is to be followed; one that was followed before can be read all the same. @throws HbError ROLLOUT_REFUSED */
export function requirePlainReason({ stages, reason }: Pick<RolloutDraft, 'stages' | 'reason'>): void {
  if (isPlain(stages) && isPlain(reason)) return
  throw new HbError('ROLLOUT_REFUSED', { reason: 'not_plain_text', expected: 'one line without control characters' })
}

/** An order as it is handed to a collector: one to start with the bundle that it names, others with null. */
export type HandedOrder = Readonly<{ order: Uint8Array; bundle: Uint8Array | null }>

export function encodeHandedOrder({ order, bundle }: HandedOrder): Uint8Array {
  return canonicalBytes({ v: ROLLOUT_ORDER_VERSION, order, bundle })
}

/** @throws HbError COSE_SHAPE, CBOR_REFUSED */
export function readHandedOrder(bytes: Uint8Array): HandedOrder {
  const map = decodeSigned(bytes, { bytesMax: HANDED_ORDER_BYTES_MAX, depthMax: 1, itemsMax: 8 }) as unknown
  const [order, bundle]: unknown[] = map instanceof Map ? [map.get('order'), map.get('bundle')] : []
  const isWhole = map instanceof Map && map.size === 3 && map.get('v') === ROLLOUT_ORDER_VERSION
  if (!isWhole || !(order instanceof Uint8Array) || !(bundle === null || bundle instanceof Uint8Array))
    throw new HbError('COSE_SHAPE', { found: 'no order about a rollout' })
  return { order, bundle }
}

const isText =
  (max: number) =>
  (value: unknown): boolean =>
    typeof value === 'string' && value.length <= max

function isTime(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0
}
