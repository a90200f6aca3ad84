import { coseIdentity } from '../../shared/crypto/cose.ts'
import { equalBytes } from '../../shared/crypto/digest.ts'
import type { VerifyKey } from '../../shared/crypto/sign.ts'
import type { ErrorCode } from '../../shared/errors/catalog.ts'
import { isHbError } from '../../shared/errors/hb-error.ts'
import { openReceipt, type ReceiptFacts } from '../../shared/protocol/receipt.ts'
import type { Outbox } from '../ports.ts'

/** The batch that a receipt must be of. `identity` null: nobody knows it here. */
export type ReceiptPlace = Readonly<{ agent: string; epoch: number; batchSeq: number; identity: Uint8Array | null }>

/** Whether a verified receipt is of this batch of this agent. However it came, it is asked this. */
export function isReceiptOf(facts: ReceiptFacts, { agent, epoch, batchSeq, identity }: ReceiptPlace): boolean {
  const here = facts.agent === agent && facts.epoch === epoch && facts.batchSeq === batchSeq
  return here && identity !== null && equalBytes(facts.identity, identity)
}

export type ReceiptProblem = Readonly<{ batch: string; code: ErrorCode; detail: string }>
export type ReceiptCheck = Readonly<{
  /** Receipts of batches that wait for one, in order. */
  fitting: readonly Readonly<{ batchSeq: number; receipt: Uint8Array; recvUs: number }>[]
  /** Receipts of batches that have one, or of an epoch that is over. */
  known: number
  problems: readonly ReceiptProblem[]
}>

/** Batches of the outbox that are looked at in one go. */
const BATCHES_AT_ONCE = 256

/** Verifies receipts that came on a stick against the batches they say they are of. Changes nothing. */
export async function checkReceipts(
  receipts: readonly Uint8Array[],
  { outbox, agent, key }: { outbox: Outbox; agent: string; key: VerifyKey },
): Promise<ReceiptCheck> {
  const problems: ReceiptProblem[] = []
  const opened: { facts: ReceiptFacts; receipt: Uint8Array }[] = []
  receipts.forEach((receipt, k) => {
    try {
      opened.push({ facts: openReceipt(receipt, key), receipt })
    } catch (error) {
      if (!isHbError(error)) throw error
      problems.push({ batch: `receipt ${k + 1}`, code: error.code, detail: error.message })
    }
  })
  const fitting: { batchSeq: number; receipt: Uint8Array; recvUs: number }[] = []
  let known = 0
  const identities = await identitiesIn(
    outbox,
    opened.map(({ facts }) => facts.batchSeq),
  )
  for (const { facts, receipt } of opened) {
    const { batchSeq } = facts
    const identity = identities.get(batchSeq) ?? null
    const place = { agent, epoch: outbox.epoch, batchSeq, identity }
    const isOver = facts.agent === agent && facts.epoch < outbox.epoch
    // What was receipted before may have made room since; there is nothing left to compare it with.
    const isGone = identity === null && facts.epoch === outbox.epoch && batchSeq <= outbox.receiptedThrough
    if (isOver || (facts.agent === agent && isGone)) known += 1
    else if (!isReceiptOf(facts, place)) {
      const detail = `it is of batch ${facts.epoch}/${batchSeq} of ${facts.agent}, which is not here as it says`
      problems.push({ batch: `${facts.epoch}/${batchSeq}`, code: 'RECEIPT_FOREIGN', detail })
    } else if (batchSeq <= outbox.receiptedThrough) known += 1
    else fitting.push({ batchSeq, receipt, recvUs: facts.recvUs })
  }
  return { fitting: fitting.sort((a, b) => a.batchSeq - b.batchSeq), known, problems }
}

async function identitiesIn(outbox: Outbox, wanted: readonly number[]): Promise<Map<number, Uint8Array>> {
  const identities = new Map<number, Uint8Array>()
  const last = wanted.reduce((a, b) => Math.max(a, b), 0)
  let next = wanted.reduce((a, b) => Math.min(a, b), Number.MAX_SAFE_INTEGER)
  while (next <= last) {
    const entries = await outbox.read(next, BATCHES_AT_ONCE)
    for (const { batchSeq, cose } of entries) identities.set(batchSeq, coseIdentity(cose))
    if (entries.length === 0) break
    next = entries.at(-1)!.batchSeq + 1
  }
  return identities
}

/** Checks receipts and notes those that fit; only what they cover may make room from now on. */
export async function takeReceipts(
  receipts: readonly Uint8Array[],
  of: { outbox: Outbox; agent: string; key: VerifyKey },
): Promise<ReceiptCheck> {
  const check = await checkReceipts(receipts, of)
  if (check.problems.length > 0) return check
  for (const { batchSeq, receipt } of check.fitting) await of.outbox.receipted(batchSeq, receipt)
  return check
}
