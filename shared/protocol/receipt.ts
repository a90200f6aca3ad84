import { canonicalBytes } from '../codec/canonical.ts'
import { decodeSigned } from '../codec/signed-cbor.ts'
import { openCose, signCose } from '../crypto/cose.ts'
import type { Signer, VerifyKey } from '../crypto/sign.ts'
import { HbError } from '../errors/hb-error.ts'
import type { Micros } from '../units.ts'

export const RECEIPT_TYP = 'application/hb-receipt+cose'
export const RECEIPT_VERSION = 1

/** What a collector signs when a batch is verified and durable with it (decisions 20). `identity` is that of the batch. */
export type ReceiptFacts = Readonly<{
  agent: string
  epoch: number
  batchSeq: number
  identity: Uint8Array
  recvUs: Micros
}>

/** A receipt: signed-profile CBOR in COSE_Sign1. `log_index` and `proof` are null until there is a transparency log. */
export function signReceipt(facts: ReceiptFacts, signer: Signer): Uint8Array {
  const payload = canonicalBytes({
    v: RECEIPT_VERSION,
    agent: facts.agent,
    epoch: facts.epoch,
    seq: facts.batchSeq,
    batch_hash: facts.identity,
    recv_us: facts.recvUs,
    log_index: null,
    proof: null,
  })
  return signCose({ typ: RECEIPT_TYP, issuer: 'collector', subject: `agent/${facts.agent}`, payload, signer })
}

/** @throws HbError COSE_SHAPE, CBOR_REFUSED, BATCH_SIGNATURE. */
export function openReceipt(bytes: Uint8Array, key: VerifyKey): ReceiptFacts {
  const map = decodeSigned(openCose(bytes, { typ: RECEIPT_TYP, key }).payload) as unknown
  if (!(map instanceof Map) || map.get('v') !== RECEIPT_VERSION)
    throw new HbError('COSE_SHAPE', { found: 'a receipt of another version' })
  const facts = {
    agent: map.get('agent'),
    epoch: map.get('epoch'),
    batchSeq: map.get('seq'),
    identity: map.get('batch_hash'),
    recvUs: map.get('recv_us'),
  }
  const whole =
    typeof facts.agent === 'string' &&
    [facts.epoch, facts.batchSeq, facts.recvUs].every(Number.isSafeInteger) &&
    facts.identity instanceof Uint8Array
  if (!whole) throw new HbError('COSE_SHAPE', { found: 'a receipt of another shape' })
  return facts as ReceiptFacts
}
