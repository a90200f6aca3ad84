import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import type { BatchHeader } from '../../../hil-testbed/oracle/batch-header.ts'
import { itemsOf } from '../../../hil-testbed/oracle/batch-items.ts'
import { plain, readCbor } from '../../../hil-testbed/oracle/cbor.ts'
import { type Evidence, readEvidence } from '../../../hil-testbed/oracle/evidence.ts'
import { crc32 } from '../../../hil-testbed/oracle/record-frames.ts'
import { saidBy } from '../../../hil-testbed/oracle/said.ts'
import { ROOT } from '../../../scripts/sources.ts'
import { canonicalBytes } from '../../../shared/codec/canonical.ts'
import { encodeRecord } from '../../../shared/codec/record-file.ts'
import { decodeSigned } from '../../../shared/codec/signed-cbor.ts'
import { treeHash } from '../../../shared/crypto/merkle.ts'
import { generateSigner } from '../../../shared/crypto/sign.ts'
import type { Canonical } from '../../../shared/model/decision.ts'
import { readRecordMap, rootOfRecord } from '../../../shared/protocol/batch-records.ts'
import { BEGIN_US, SignedOutbox } from '../../support/signed-outbox.ts'

/** Two batches with everything that is said, and a receipt between them. */
function usual(): SignedOutbox {
  return new SignedOutbox()
    .decide(50_000, 'PASS')
    .repeat(9, 100_000, 500_000)
    .decide(550_000, 'FAIL', [['p1', 'FAIL', 'fail_max']])
    .seal({ gaps: [{ from: 1, to: 2, reason: 'agent_down' }] })
    .receipt()
    .alarm(600_000, 'p_disagree')
    .action(610_000, 'shutdown', 'VERIFIED', { reasons: ['R'] })
    .say(620_000, 'arm', { state: 'OFF', until_us: 0 })
    .say(630_000, 'refused', { input: 'approve', subject: 'k1', reasons: ['EXPIRED'] })
    .say(640_000, 'rule', { rule: 'r1', is: 'rearmed' })
    .decide(550_000, 'PASS', [], 11)
    .seal({ counters: { received: 7 } })
}

const keysIn = (folder: string) => ({
  agent: join(folder, 'sign.pub.pem'),
  collector: join(folder, 'receipts.pub.pem'),
})

function read(t: Test, outbox: SignedOutbox, tail?: Uint8Array, publicPem?: string): Evidence {
  const folder = mkdtempSync(join(tmpdir(), 'hb-oracle-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  outbox.write(folder, tail)
  if (publicPem !== undefined) writeFileSync(join(folder, 'sign.pub.pem'), publicPem)
  return readEvidence(join(folder, 'state', 'outbox'), keysIn(folder))
}

t.test('what the agent wrote is read by code that shares none with it', async (t) => {
  const outbox = usual()
  const { said, revisions, ...evidence } = read(t, outbox)
  t.match(evidence, { problems: [], batches: 2, decisions: 17, digest: outbox.digest, unknown: [] })
  t.match(evidence, { gaps: [{ reason: 'agent_down' }], counters: { received: 7 }, throughUs: BEGIN_US + 550_000 })
  t.match(evidence.flags, { simulation: true, degraded: false, breakGlass: false })
  t.match(said, [
    { kind: 'decision', seq: 1, atUs: BEGIN_US + 50_000, verdict: 'PASS', findings: [] },
    { kind: 'decision', seq: 2, lastSeq: 10, count: 9, untilUs: BEGIN_US + 500_000, mode: 'nominal', findings: [] },
    { verdict: 'FAIL', findings: [{ metric: 'p1', verdict: 'FAIL', ground: 'fail_max' }] },
    { kind: 'alarm', id: 'p_disagree', severity: 'WARNING', active: true },
    { kind: 'action', action: 'shutdown', target: 'relief', state: 'VERIFIED', reasons: ['R'] },
    { kind: 'arm', state: 'OFF' },
    { kind: 'refused', input: 'approve', reasons: ['EXPIRED'] },
    { kind: 'rule' },
  ])
  t.equal(said.length, 8)
  t.match(revisions, [{ seq: 17, revises: 11, verdict: 'PASS' }])
})

t.test('a flipped bit anywhere is a problem', async (t) => {
  const whole = Buffer.concat(usual().records)
  const silent: number[] = []
  for (let at = 0; at < whole.length; at += 1) {
    const outbox = new SignedOutbox()
    const bytes = new Uint8Array(whole)
    bytes[at]! ^= 1 << (at % 8)
    outbox.records.push(bytes)
    if (at % 13 === 0 && read(t, outbox).problems.length === 0) silent.push(at)
  }
  t.strictSame(silent, [])
})

t.test('a bit of what was signed is a problem when the checksums were made to fit', async (t) => {
  const { records } = usual()
  const bytes = records[0]!
  const body = bytes.subarray(24, -4)
  const [, , , , , , cose, beside] = readCbor(body).items
  const silent: number[] = []
  for (let at = cose!.start; at < beside!.end; at += 7) {
    const changed = new Uint8Array(body)
    changed[at]! ^= 1 << (at % 8)
    const outbox = new SignedOutbox()
    outbox.records.push(encodeRecord(1, changed, bytes.subarray(5, 8)), ...records.slice(1))
    if (read(t, outbox).problems.length === 0) silent.push(at)
  }
  t.strictSame(silent, [])
})

/** How an outbox is made wrong, and what is said of it. */
const WRONG: Readonly<Record<string, readonly [make: () => SignedOutbox, problem: RegExp]>> = {
  'a batch that is missing': [() => without(three(), 1), /batch 1\/3 where 1\/2 should be/],
  'a first batch that is missing': [() => without(three(), 0), /batch 1\/2 where 1\/1 should be/],
  'batches in another order': [() => renumbered(swapped(three())), /batch 1\/3 where 1\/2 should be/],
  'records in another order': [() => doubled(three()), /record 2 stands behind record 3/],
  'a batch that is there twice': [() => renumbered(doubled(three())), /batch 1\/2 where 1\/4 should be/],
  'decisions that nobody declared': [
    () => three().skip(4).decide(4_000_000, 'PASS').seal(),
    /begins with decision 8, and no header declares 4 to 7/,
  ],
  'an epoch that ended': [() => three().beginEpoch(0).decide(1, 'PASS').seal(), /epoch that ended/],
  'a decision of another past': [
    () =>
      Object.assign(three(), { chain: new Uint8Array(32).fill(1) })
        .decide(4_000_000, 'PASS')
        .seal(),
    /decision 4 breaks the rolling digest/,
  ],
  'another signer': [
    () => Object.assign(three(), { signer: generateSigner().signer }).decide(4_000_000, 'PASS').seal(),
    /signature is not by the key/,
  ],
  'a kind of record that nobody knows': [
    () => three().say(4_000_000, 'levitate', {}).seal(),
    /record 4 of the kind levitate/,
  ],
  'something between the records': [() => inserted(three(), Buffer.from('xyz')), /no record begins here/],
  'a record that is no batch': [
    () => inserted(three(), encodeRecord(2, canonicalBytes([9, 1]))),
    /a record of another kind/,
  ],
}

function three(): SignedOutbox {
  const outbox = new SignedOutbox()
  for (const second of [1, 2, 3]) outbox.decide(second * 1_000_000, 'PASS').seal()
  return outbox
}

function without(outbox: SignedOutbox, at: number): SignedOutbox {
  outbox.records.splice(at, 1)
  return outbox
}

function swapped(outbox: SignedOutbox): SignedOutbox {
  outbox.records.push(...outbox.records.splice(1, 1))
  return outbox
}

/** The last two change places. */
function backwards(outbox: SignedOutbox): SignedOutbox {
  outbox.records.push(outbox.records.splice(-2, 1)[0]!)
  return outbox
}

function doubled(outbox: SignedOutbox): SignedOutbox {
  outbox.records.push(outbox.records[1]!)
  return outbox
}

function inserted(outbox: SignedOutbox, bytes: Uint8Array): SignedOutbox {
  outbox.records.splice(1, 0, bytes)
  return outbox
}

/** The same bodies under numbers that rise. */
function renumbered(outbox: SignedOutbox): SignedOutbox {
  outbox.records.forEach((record, k) => {
    outbox.records[k] = encodeRecord(k + 1, record.subarray(24, -4), record.subarray(5, 8))
  })
  return outbox
}

t.test('what is missing, changed places or is by somebody else is named', async (t) => {
  for (const [name, [make, problem]] of Object.entries(WRONG)) {
    const { problems } = read(t, make())
    t.equal(problems.length, 1, name)
    t.match(problems[0], problem, name)
  }
  const other = generateSigner().publicPem
  t.match(read(t, three(), undefined, other).problems, [/signature is not by the key/])
  t.match(read(t, three(), undefined, 'no key').problems, [/the public key of the agent is none/])
})

/** An outbox of three batches, each with its receipt. */
function receipted(): SignedOutbox {
  const outbox = new SignedOutbox()
  for (const second of [1, 2, 3])
    outbox
      .decide(second * 1_000_000, 'PASS')
      .seal()
      .receipt()
  return outbox
}

const fourth = (outbox = receipted()): SignedOutbox => outbox.decide(4_000_000, 'PASS').seal()

/** How receipts are made wrong, and what is said of them. */
const WRONG_RECEIPTS: Readonly<Record<string, readonly [make: () => SignedOutbox, problem: RegExp]>> = {
  'of another collector': [
    () => fourth().receipt({}, { by: generateSigner().signer }),
    /signature is not by the key of the collector/,
  ],
  'of another realm': [
    () => fourth().receipt({}, { by: generateSigner('testbed').signer }),
    /signature is not by the key of the collector/,
  ],
  'of other bytes': [
    () => fourth().receipt({ identity: new Uint8Array(32).fill(1) }),
    /receipt of another batch beside 1\/4/,
  ],
  'of another agent': [() => fourth().receipt({ agent: 'bench-2' }), /receipt of another batch beside 1\/4/],
  'of another epoch': [() => fourth().receipt({ epoch: 2 }), /receipt of another batch beside 1\/4/],
  'of the one before': [() => fourth().receipt({ batchSeq: 3 }), /receipt of another batch beside 1\/4/],
  'of a batch that is not there': [
    () => fourth().receipt({}, { noted: 5 }),
    /receipt of batch 1\/5, which is not before it/,
  ],
  'one that is missing': [() => renumbered(without(fourth().receipt(), 3)), /receipt of batch 1\/3 where that of 1\/2/],
  'one that is there twice': [() => receipted().receipt(), /receipt of batch 1\/3 where that of 1\/4/],
  'one before its batch': [() => renumbered(backwards(fourth().receipt())), /batch 1\/4, which is not before it/],
  'one of an epoch whose first is missing': [
    () => fourth(fourth(receipted().beginEpoch(2))).receipt(),
    /receipt of batch 2\/2 where that of 2\/1/,
  ],
}

t.test('receipts of a collector are verified against the batches before them, in their order', async (t) => {
  t.match(read(t, receipted()), { problems: [], receipts: 3, unreceipted: 0 })
  t.match(read(t, fourth()), { problems: [], receipts: 3, unreceipted: 1 }, 'the last ones may not have come')
  t.match(read(t, three()), { problems: [], receipts: 0, unreceipted: 3 })
  const later = (): SignedOutbox => fourth(receipted().beginEpoch(2))
  t.match(read(t, later().receipt()), { problems: [], receipts: 4, unreceipted: 0 }, 'an epoch begins anew')
  for (const [name, [make, problem]] of Object.entries(WRONG_RECEIPTS)) {
    const { problems } = read(t, make())
    t.equal(problems.length, 1, name)
    t.match(problems[0], problem, name)
  }
})

t.test('a receipt that nobody can verify is a problem, and a batch is none', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'hb-oracle-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const said = (outbox: SignedOutbox, key: string | null) => {
    outbox.write(folder)
    if (key === null) rmSync(keysIn(folder).collector)
    else writeFileSync(keysIn(folder).collector, key)
    return readEvidence(join(folder, 'state', 'outbox'), keysIn(folder)).problems
  }
  t.match(said(receipted(), null), [/a receipt of batch 1\/1 without a key to believe/])
  t.match(said(receipted(), 'no key'), [/the public key of the collector is none/])
  t.match(said(receipted(), generateSigner().publicPem), [/signature is not by the key of the collector/])
  t.same(said(three(), null), [], 'a run without a collector')
})

t.test('a testbed signs as a testbed, and is believed as nothing else', async (t) => {
  const keys = generateSigner('testbed')
  const outbox = (): SignedOutbox => new SignedOutbox(keys).decide(50_000, 'PASS').seal()
  t.match(read(t, outbox()), { problems: [], decisions: 1 })
  const asProduction = keys.publicPem.replace(/^Realm:.*\n/, '')
  t.match(read(t, outbox(), undefined, asProduction).problems, [/another protected header than one of production/])
  const usualKey = generateSigner()
  const asTestbed = `Realm: testbed\n${usualKey.publicPem}`
  const usualBox = new SignedOutbox(usualKey).decide(50_000, 'PASS').seal()
  t.match(read(t, usualBox, undefined, asTestbed).problems, [/another protected header than one of testbed/])
  t.match(read(t, outbox(), undefined, `Realm: moon\n${asProduction}`).problems, [/a key of the realm moon/])
})

t.test('what a killed process had begun to write is nothing', async (t) => {
  const begun = three().decide(4_000_000, 'PASS').seal().records[3]!
  for (const length of [1, 3, 4, 20, 23, 24, 40, begun.length - 1])
    t.match(read(t, three(), begun.subarray(0, length)), { problems: [], batches: 3 }, `${length} bytes`)
  t.match(read(t, three(), new Uint8Array(4096)), { problems: [], batches: 3 })
  const damaged = new Uint8Array(begun.subarray(0, 40))
  damaged[9]! ^= 1
  t.match(read(t, three(), damaged).problems, [/head does not match/])
})

t.test('what was declared lost, thinned, or told again in a new epoch is no problem, and not known', async (t) => {
  const lost = three()
    .skip(4)
    .decide(4_000_000, 'PASS')
    .seal({ gaps: [{ from: 4, to: 7, reason: 'decisions_lost' }] })
  const [from, to] = [BEGIN_US + 3_000_000, BEGIN_US + 4_000_000]
  t.match(read(t, lost), { problems: [], decisions: 4, unknown: [{ fromUs: from, toUs: to, why: 'decisions_lost' }] })
  const thinned = three().decide(4_000_000, 'PASS').seal({ thinned: true })
  const span = { fromUs: from, toUs: to, why: 'thinned' }
  t.match(read(t, thinned), { problems: [], decisions: 4, unknown: [span], digest: '' })
  thinned.decide(5_000_000, 'PASS').seal()
  t.match(read(t, thinned), { problems: [], decisions: 5, unknown: [span], digest: thinned.digest })
  const again = three().beginEpoch(3).decide(4_000_000, 'PASS').seal()
  t.match(read(t, again), { problems: [], batches: 4, decisions: 4, digest: again.digest })
})

t.test('what the vectors say of actions is read, under the root that the agent computes', async (t) => {
  const { records: hex } = JSON.parse(readFileSync(join(ROOT, 'test', 'vectors', 'safety-5.json'), 'utf8')) as {
    records: string
  }
  const records = new Uint8Array(Buffer.from(hex, 'hex'))
  const { items, leaves } = readRecordMap(records)
  const root = treeHash(leaves.map(rootOfRecord))
  const [first] = items
  const header = { root, firstSeq: first!.kind === 'record' ? first!.seq : first!.first, count: items.length }
  const read = itemsOf(records, header as BatchHeader)
  t.strictSame(
    read.map(({ chain }) => Buffer.from(chain)),
    items.map(({ chain }) => Buffer.from(chain)),
  )
  const said = read.flatMap((item) => saidBy(item, () => undefined))
  t.strictSame(
    said.map(({ kind, rig, seq }) => [kind, rig, seq]),
    items.map(({ values: [core] }) => {
      const map = core as ReadonlyMap<string, unknown>
      return [map.get('kind'), map.get('rig'), map.get('seq')]
    }),
  )
  t.ok(new Set(said.map(({ kind }) => kind)).size >= 5, 'most kinds are there')
  t.throws(() => itemsOf(records, { ...header, root: root.toReversed() } as BatchHeader), /not those that were signed/)
})

t.test('CBOR that the agent writes is read as it was meant', async (t) => {
  const leaf = fc.oneof(
    fc.integer(),
    fc.maxSafeInteger(),
    fc.double({ noNaN: true, noDefaultInfinity: true }).filter((x) => !Object.is(x, -0)),
    fc.boolean(),
    fc.constant(null),
    fc.string({ unit: 'grapheme' }).map((x) => x.normalize('NFC')),
    fc.uint8Array(),
  )
  const { value: any } = fc.letrec<{ value: unknown }>((tie) => ({
    value: fc.oneof({ maxDepth: 4 }, leaf, fc.array(tie('value')), fc.dictionary(fc.string(), tie('value'))),
  }))
  fc.assert(
    fc.property(any, (value) => {
      const bytes = canonicalBytes(value as Canonical)
      t.strictSame(plain(readCbor(bytes)), decodeSigned(bytes))
    }),
  )
  for (const [wrong, why] of [
    ['1800', /too long/],
    ['5f', /indefinite/],
    ['c000', /tag/],
    ['f7', /simple value/],
    ['a2616100616100', /out of order/],
    ['62c328', /no UTF-8/],
    ['8201', /not all there/],
    ['6261', /too early/],
    ['0000', /1 bytes behind/],
    ['1b', /too early/],
    ['81'.repeat(40), /too deep/],
  ] as const)
    t.throws(() => readCbor(Buffer.from(wrong, 'hex')), why, wrong)
})

t.test('an outbox that is not there says nothing', async (t) => {
  t.match(readEvidence('/nowhere/outbox', keysIn('/nowhere')), { problems: [], batches: 0, said: [], throughUs: null })
})

t.test('the checksum is the one of its standard', async (t) => {
  t.equal(crc32(Buffer.from('123456789')), 0xcbf43926)
})
