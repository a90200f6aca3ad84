import { type BatchHeader, type Gap, openBatch, wholeIn } from './batch-header.ts'
import { type BatchItem, itemsOf } from './batch-items.ts'
import { EvidenceFault, encodeList, readCbor } from './cbor.ts'
import type { Evidence, UnknownSpan } from './evidence.ts'
import { ReceiptReader } from './receipts.ts'
import type { Frame } from './record-frames.ts'
import { type Decision, type Said, saidBy } from './said.ts'
import { bytesIn, domainDigest, type SignerKey } from './signed-message.ts'

/** Kinds of records of an outbox (docs/internals/formats.md). */
const BATCH = 1
const RECEIPT = 2
const THINNED = 3

/** Follows the chain of batches from record to record, and keeps what they say. */
export class ChainReader {
  private key: SignerKey | null = null
  private head: BatchHeader | null = null
  private recordSeq = -1
  private lastSeq = 0
  /** Rolling digest after `lastSeq`; null where the detail is gone. */
  private chain: Uint8Array | null = new Uint8Array(32)
  private batches = 0
  private decisions = 0
  private readonly told: Said[] = []
  private readonly gaps: Gap[] = []
  private readonly unknown: UnknownSpan[] = []
  private flags = { breakGlass: false, simulation: false, degraded: false }
  private readonly byNumber = new Map<number, Decision>()
  /** Digest after every item: an agent that tells something again must tell the same. */
  private readonly chains = new Map<number, Uint8Array>()
  private readonly receipts = new ReceiptReader()

  /** Whose batches and whose receipts are believed; without a collector nobody's. */
  trust(agent: SignerKey, collector: SignerKey | null): void {
    this.key = agent
    this.receipts.trust(collector)
  }

  /** Takes the next record. @throws EvidenceFault for one that does not verify, or does not follow */
  take({ seq, owner, body }: Frame): void {
    if (!(seq > this.recordSeq)) throw new EvidenceFault(`record ${seq} stands behind record ${this.recordSeq}`)
    this.recordSeq = seq
    const { is, items } = readCbor(body)
    const kind = is === 'list' ? items[0]?.value : null
    if (kind === RECEIPT && items.length === 4) {
      this.receipts.take({ epoch: wholeIn(items[1]), batchSeq: wholeIn(items[2]), cose: bytesIn(items[3]!) })
      return
    }
    if (!(kind === BATCH && items.length === 9) && !(kind === THINNED && items.length === 8))
      throw new EvidenceFault('a record of another kind')
    if (this.key === null) throw new EvidenceFault('no key to believe')
    const header = openBatch(bytesIn(items[6]!), this.key)
    const place = [header.epoch, header.batchSeq, header.firstSeq, header.count]
    if (place.some((part, k) => part !== items[k + 1]!.value)) throw new EvidenceFault('a record about another batch')
    if (owner !== null && Buffer.compare(owner, header.journalId.subarray(0, owner.length)) !== 0)
      throw new EvidenceFault('a record of another agent')
    this.follow(header, this.key)
    this.keep(header, kind === BATCH ? itemsOf(bytesIn(items[7]!), header) : null)
    this.receipts.expect(header)
    this.head = header
  }

  said(): Omit<Evidence, 'problems'> {
    const inOrder = this.told.toSorted((a, b) => a.atUs - b.atUs || a.seq - b.seq)
    const isRevision = (one: Said): one is Decision => one.kind === 'decision' && one.revises !== null
    return {
      said: inOrder.filter((one) => !isRevision(one)),
      revisions: inOrder.filter(isRevision),
      ...{ gaps: this.gaps, unknown: this.unknown, counters: this.head?.counters ?? null, flags: this.flags },
      digest: this.head === null || this.chain === null ? '' : Buffer.from(this.chain).toString('hex'),
      ...{ batches: this.batches, decisions: this.decisions, throughUs: this.head?.lastUs ?? null },
      ...{ receipts: this.receipts.count, unreceipted: Math.max(0, this.lastSeq - this.receipts.lastDecision) },
    }
  }

  /** Whether a batch is the one that must come next, or begins an epoch; what it leaves out it must declare. */
  private follow(header: BatchHeader, { spki }: SignerKey): void {
    const { head } = this
    const { deployment, agent, epoch, batchSeq, prev, firstSeq } = header
    const place = `batch ${epoch}/${batchSeq}`
    if (head !== null && (head.agent !== agent || head.deployment !== deployment))
      throw new EvidenceFault(`${place} is of another agent`)
    const goesOn = head !== null && head.epoch === epoch
    if (!goesOn && head !== null && !(epoch > head.epoch)) throw new EvidenceFault(`${place} is of an epoch that ended`)
    const expected = goesOn ? head.batchSeq + 1 : 1
    if (batchSeq !== expected) throw new EvidenceFault(`${place} where ${epoch}/${expected} should be`)
    const before = goesOn ? head.identity : domainDigest('hb/genesis/1', encodeList([deployment, agent, epoch, spki]))
    if (Buffer.compare(prev, before) !== 0) throw new EvidenceFault(`${place} does not follow the one before it`)
    const next = this.lastSeq + 1
    if (firstSeq < next && goesOn) throw new EvidenceFault(`${place} tells decision ${firstSeq} again`)
    const isDeclared = ({ from, to, reason }: Gap): boolean =>
      reason === 'decisions_lost' && from <= next && to >= firstSeq - 1
    if (firstSeq > next && !header.gaps.some(isDeclared))
      throw new EvidenceFault(
        `${place} begins with decision ${firstSeq}, and no header declares ${next} to ${firstSeq - 1}`,
      )
  }

  private keep(header: BatchHeader, items: readonly BatchItem[] | null): void {
    const { breakGlass, simulation, degraded } = header.flags
    this.flags = {
      breakGlass: this.flags.breakGlass || breakGlass,
      simulation: this.flags.simulation || simulation,
      degraded: this.flags.degraded || degraded,
    }
    this.batches += 1
    this.gaps.push(...header.gaps)
    const fromUs = this.head?.lastUs ?? Number.NEGATIVE_INFINITY
    const isHole = header.firstSeq > this.lastSeq + 1
    if (isHole || items === null) this.chain = null
    if (items === null) {
      this.unknown.push({ fromUs, toUs: header.lastUs, why: 'thinned' })
      this.countTo(header.firstSeq, header.firstSeq + header.count - 1)
      return
    }
    items.forEach((item, k) => {
      const said = this.keepItem(item)
      if (k === 0 && isHole) this.unknown.push({ fromUs, toUs: said[0]?.atUs ?? header.lastUs, why: 'decisions_lost' })
    })
  }

  private keepItem(item: BatchItem): readonly Said[] {
    const { first, last, isRange, values, chain } = item
    if (last <= this.lastSeq) {
      const before = this.chains.get(last)
      if (before !== undefined && Buffer.compare(before, chain) !== 0)
        throw new EvidenceFault(`decision ${last} is told again, and otherwise`)
      return []
    }
    if (!isRange && this.chain !== null && first === this.lastSeq + 1) {
      const expected = domainDigest('hb/decision-chain/1', this.chain, values)
      if (Buffer.compare(expected, chain) !== 0) throw new EvidenceFault(`decision ${first} breaks the rolling digest`)
    }
    const said = saidBy(item, (seq) => this.byNumber.get(seq))
    this.told.push(...said)
    for (const one of said) if (!isRange && one.kind === 'decision') this.byNumber.set(one.seq, one)
    this.chain = chain
    this.chains.set(last, chain)
    this.countTo(first, last)
    return said
  }

  private countTo(first: number, last: number): void {
    this.decisions += Math.max(0, last - Math.max(first - 1, this.lastSeq))
    this.lastSeq = Math.max(this.lastSeq, last)
  }
}
