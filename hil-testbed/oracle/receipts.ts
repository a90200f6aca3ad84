import { type BatchHeader, digestIn, wholeIn } from './batch-header.ts'
import { at, EvidenceFault, readCbor } from './cbor.ts'
import { openSigned, type SignerKey } from './signed-message.ts'

/** A receipt as an outbox keeps it: which batch it is said to be of, and what the collector signed. */
export type ReceiptRecord = Readonly<{ epoch: number; batchSeq: number; cose: Uint8Array }>

const VERSION = 1

/**
 * Verifies receipts against the batches before them. A collector gives them in the order of the batches, and the agent notes
 * each once: one that is missing between others, comes twice or is of another batch is not what they left.
 */
export class ReceiptReader {
  /** Receipts that hold. */
  count = 0
  /** Last decision of a batch that has one; 0 before the first. */
  lastDecision = 0
  private key: SignerKey | null = null
  private readonly batches = new Map<string, BatchHeader>()
  private last = { epoch: 0, batchSeq: 0 }

  trust(key: SignerKey | null): void {
    this.key = key
  }

  /** A batch that may be receipted from now on. */
  expect(header: BatchHeader): void {
    this.batches.set(nameOf(header), header)
  }

  /** @throws EvidenceFault for one that does not verify, or is not the next */
  take({ epoch, batchSeq, cose }: ReceiptRecord): void {
    const name = nameOf({ epoch, batchSeq })
    if (this.key === null) throw new EvidenceFault(`a receipt of batch ${name} without a key to believe`)
    const batch = this.batches.get(name)
    if (batch === undefined) throw new EvidenceFault(`a receipt of batch ${name}, which is not before it`)
    this.verify(cose, batch, this.key)
    const expected = epoch === this.last.epoch ? this.last.batchSeq + 1 : 1
    if (epoch < this.last.epoch || batchSeq !== expected)
      throw new EvidenceFault(
        `the receipt of batch ${name} where that of ${Math.max(epoch, this.last.epoch)}/${expected} should be`,
      )
    this.last = { epoch, batchSeq }
    this.count += 1
    this.lastDecision = Math.max(this.lastDecision, batch.firstSeq + batch.count - 1)
  }

  private verify(cose: Uint8Array, batch: BatchHeader, key: SignerKey): void {
    const { payload, issuer, subject } = openSigned(cose, key)
    const map = readCbor(payload)
    const { agent, epoch, batchSeq, identity } = batch
    const isOfBatch =
      at(map, 'v').value === VERSION &&
      at(map, 'agent').value === agent &&
      at(map, 'epoch').value === epoch &&
      at(map, 'seq').value === batchSeq &&
      Buffer.compare(digestIn(at(map, 'batch_hash')), identity) === 0
    if (!isOfBatch || issuer !== 'collector' || subject !== `agent/${agent}`)
      throw new EvidenceFault(`a receipt of another batch beside ${nameOf(batch)}`)
    wholeIn(at(map, 'recv_us'))
  }
}

function nameOf({ epoch, batchSeq }: Readonly<{ epoch: number; batchSeq: number }>): string {
  return `${epoch}/${batchSeq}`
}
