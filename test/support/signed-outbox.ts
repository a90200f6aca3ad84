import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { batchBody } from '../../agent/adapters/outbox-files.ts'
import { canonicalBytes } from '../../shared/codec/canonical.ts'
import { encodeRecord } from '../../shared/codec/record-file.ts'
import { toHex } from '../../shared/crypto/digest.ts'
import { generateSigner, type Signer } from '../../shared/crypto/sign.ts'
import type { Canonical, DecisionItem, DecisionValues } from '../../shared/model/decision.ts'
import { type BatchHeader, buildBatch, foldChain, genesisPrev } from '../../shared/protocol/batch.ts'
import { type ReceiptFacts, signReceipt } from '../../shared/protocol/receipt.ts'

export const BEGIN_US = 1_800_000_000_000_000
const OUTBOX_SIGNER = generateSigner()
const COLLECTOR_SIGNER = generateSigner()
const JOURNAL_ID = new Uint8Array(16).fill(7)
const RIG = 'vessel'

type Driver = readonly [metric: string, verdict: string, ground: string]
type Gap = BatchHeader['gaps'][number]

/** The outbox of an agent as it would have been written, by the code of the agent: for readers that share none with it. */
export class SignedOutbox {
  epoch = 1
  signer: Signer
  chain: Uint8Array = new Uint8Array(32)
  /** Records of the file, in order; tests damage them. */
  readonly records: Uint8Array[] = []
  private readonly publicPem: string
  private seq = 0
  private lastDecision = 0
  private batchSeq = 0
  private head: Uint8Array | null = null
  private lastUs = 0
  private items: DecisionItem[] = []
  private first = 1

  constructor({ signer, publicPem } = OUTBOX_SIGNER) {
    this.signer = signer
    this.publicPem = publicPem
  }

  get digest(): string {
    return toHex(this.chain)
  }

  get lastSeq(): number {
    return this.seq
  }

  /** A decision at a time of the run, µs. */
  decide(atUs: number, verdict: string, drivers: readonly Driver[] = [], revises?: number): this {
    this.seq += 1
    if (revises === undefined) this.lastDecision = this.seq
    this.lastUs = Math.max(this.lastUs, atUs)
    const version = revises === undefined ? { v: 3 } : { v: 4, revises }
    const core = {
      ...{ ...version, seq: this.seq, rig: RIG, t_us: BEGIN_US + atUs, verdict, limits_only: false, mode: 'nominal' },
      ...{ run: null, code: 1, config: new Uint8Array(32), baseline: null, slice: new Uint8Array(32) },
      drivers: drivers.map(([metric, word, ground]) => [metric, word, ground, 250_000]),
      ...{ more: 0, action: null },
    }
    return this.record(core)
  }

  /** So many decisions that say again what the one before said, up to a time. */
  repeat(count: number, fromUs: number, toUs: number, verdict = 'PASS'): this {
    const as = this.lastDecision
    for (let k = 1; k <= count; k += 1) this.chain = foldChain(this.chain, [as, k])
    const times = { t_first_us: BEGIN_US + fromUs, t_last_us: BEGIN_US + toUs }
    const core = { v: 1, unchanged: [[RIG, as, verdict]], ...times }
    const values: DecisionValues = [core, null, null, null, null, null]
    const range = { first: this.seq + 1, last: this.seq + count, count }
    this.items.push({ kind: 'range', ...range, values, chain: this.chain })
    this.seq += count
    this.lastUs = Math.max(this.lastUs, toUs)
    return this
  }

  /** What the safety kernel said. */
  say(atUs: number, kind: string, fields: Readonly<Record<string, Canonical>>): this {
    this.seq += 1
    const place = { v: 5, kind, seq: this.seq, rig: RIG, t_us: BEGIN_US + atUs, mode: 'nominal', code: 1 }
    return this.record({ ...place, config: new Uint8Array(32), ...fields })
  }

  alarm(atUs: number, id: string, active = true, severity = 'WARNING'): this {
    return this.say(atUs, 'alarm', { id, severity, active })
  }

  action(
    atUs: number,
    action: string,
    state: string,
    { target = 'relief', reasons = [] as string[], key = 'k1' } = {},
  ): this {
    const place = { rule: 'r1', episode: 1, from: null, attempt: 1, end_us: BEGIN_US + atUs, deadline_us: 0 }
    return this.say(atUs, 'action', { ...place, key, action, target, state, reasons, conditions: [] })
  }

  /** Passes over numbers of decisions. */
  skip(count: number): this {
    this.seq += count
    this.first = this.seq + 1
    return this
  }

  beginEpoch(epoch: number): this {
    Object.assign(this, { epoch, batchSeq: 0, head: null })
    return this
  }

  /** Signs what was said since the last batch; of a thinned one the records are left out. */
  seal({ gaps = [] as Gap[], thinned = false, counters = {} as Partial<BatchHeader['counters']> } = {}): this {
    const { epoch, signer, items } = this
    this.batchSeq += 1
    const who = { deployment: 'demo', agent: 'bench-1' }
    const none = { received: 0, evaluated: 0, late: 0, duplicate: 0, rejected: 0, shed: 0, missing: 0 }
    const header: BatchHeader = {
      ...{ ...who, epoch, batchSeq: this.batchSeq },
      prev: this.head ?? genesisPrev({ ...who, epoch, spki: signer.spki }),
      ...{ firstSeq: this.first, count: this.seq - this.first + 1 },
      span: { firstUs: BEGIN_US, lastUs: BEGIN_US + this.lastUs, watermarkUs: BEGIN_US + this.lastUs },
      clock: { monoUs: 1, wallUs: 1, bootId: 'boot', sync: 'unknown', errorUs: null },
      code: { exe: new Uint8Array(32), version: '0', node: '0', evaluator: 1, execArgvEmpty: true },
      ...{ config: new Uint8Array(32), baselines: [], gaps, counters: { ...none, ...counters }, run: '' },
      flags: { breakGlass: false, simulation: true, degraded: false },
      journal: { id: JOURNAL_ID, first: 1, last: 1 },
    }
    const seed = new Uint8Array(32).fill(this.batchSeq)
    const { cose, records, identity } = buildBatch({ header, items, seed, signer })
    const place = { epoch, batchSeq: this.batchSeq, firstSeq: this.first, count: header.count, madeUs: 1 }
    this.put(batchBody({ ...place, cose, records: thinned ? null : records, seed }))
    Object.assign(this, { head: identity, items: [], first: this.seq + 1 })
    return this
  }

  /** A receipt of the last batch, as the collector would have given it; `change` says what is wrong with it. */
  receipt(change: Partial<ReceiptFacts> = {}, { by = COLLECTOR_SIGNER.signer, noted = this.batchSeq } = {}): this {
    const { epoch, batchSeq, head } = this
    const facts = {
      agent: 'bench-1',
      epoch,
      batchSeq,
      identity: head ?? new Uint8Array(32),
      recvUs: BEGIN_US,
      ...change,
    }
    this.put(canonicalBytes([2, epoch, noted, signReceipt(facts, by)]))
    return this
  }

  write(folder: string, tail: Uint8Array = new Uint8Array(0)): void {
    const outbox = join(folder, 'state', 'outbox')
    mkdirSync(outbox, { recursive: true })
    writeFileSync(join(outbox, '0000000000000001.hbo'), Buffer.concat([...this.records, tail]))
    writeFileSync(join(folder, 'sign.pub.pem'), this.publicPem)
    writeFileSync(join(folder, 'receipts.pub.pem'), COLLECTOR_SIGNER.publicPem)
  }

  private put(body: Uint8Array): void {
    this.records.push(encodeRecord(this.records.length + 1, body, JOURNAL_ID))
  }

  private record(core: Canonical): this {
    const values: DecisionValues = [core, null, null, null, null, null]
    this.chain = foldChain(this.chain, values)
    this.items.push({ kind: 'record', seq: this.seq, values, chain: this.chain })
    return this
  }
}
