import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { checkStore } from '../../../collector/fsck.ts'
import { batchDetailJson, decisionDetailJson } from '../../../collector/http/views.ts'
import { DATABASE_FILE, openStores } from '../../../collector/store/open.ts'
import { verifyBatch } from '../../../collector/verify/worker.ts'
import { createIngest, type IngestOutcome, LOST_MAX } from '../../../collector/ws/ingest.ts'
import { NOBODY } from '../../../shared/config/operators.ts'
import { toHex } from '../../../shared/crypto/digest.ts'
import { generateSigner, readPublicKey } from '../../../shared/crypto/sign.ts'
import { createVirtualClock } from '../../../shared/lib/clock.ts'
import { buildThinned, genesisPrev, openThinned } from '../../../shared/protocol/batch.ts'
import { openReceipt, signReceipt } from '../../../shared/protocol/receipt.ts'
import { openToRead } from '../../../shared/sqlite/database.ts'
import { createBatchMaker, type MadeBatch } from '../../support/agent-double.ts'

const clock = createVirtualClock(1_000_000)
const bench = generateSigner().signer
const receipts = generateSigner().signer
const AGENT = { agent: 'bench-1', deployment: 'demo', spki: bench.spki, programs: ['demo'] }
const RIG = { rig: 'water-loop', program: 'demo' }

type Offered = Pick<MadeBatch, 'epoch' | 'batchSeq' | 'cose'> & { records: Uint8Array | null }

const thin = (batch: MadeBatch): Offered => ({ ...batch, records: null })

async function collector(t: Test) {
  const folder = mkdtempSync(join(tmpdir(), 'hb-thinned-'))
  const stores = await openStores(folder, clock)
  await stores.agents.enrol([AGENT], clock.nowUs())
  await stores.agents.declare('bench-1', { version: '0', bootId: 'b', rigs: [RIG], nowUs: 1 })
  const noticed: { code: string; detail: string }[] = []
  const pool = {
    verify: async (task: Parameters<typeof verifyBatch>[0]) => verifyBatch(task),
    close: async () => undefined,
  }
  const ingest = createIngest({
    stores,
    pool,
    clock,
    signReceipt: (facts) => signReceipt(facts, receipts),
    stored: () => undefined,
    refused: async (refusal) => void noticed.push(refusal),
  })
  const offer = (batch: Offered, agent = AGENT): Promise<IngestOutcome> => ingest.offer({ agent, open: true }, batch)
  const findings = async (): Promise<string[]> => {
    const db = await openToRead(join(folder, DATABASE_FILE))
    const key = readPublicKey(receipts.spki)
    const checked = await checkStore({
      db,
      pool,
      key,
      trust: NOBODY,
      deployment: 'demo',
      progress: () => undefined,
    })
    await db.close()
    return checked.findings.map(({ what }) => what)
  }
  t.teardown(async () => {
    await stores.close()
    rmSync(folder, { recursive: true, force: true })
  })
  return { stores, offer, findings, noticed }
}

const maker = (more: Partial<Parameters<typeof createBatchMaker>[0]> = {}) =>
  createBatchMaker({ signer: bench, deployment: 'demo', agent: 'bench-1', ...more })

t.test('a thinned batch is verified, chained, stored and receipted, and shown as what it is', async (t) => {
  const { stores, offer, findings } = await collector(t)
  const make = maker()
  const [one, two, three] = [make(), make(), make({ verdict: 'FAIL' })]
  t.match(await offer(one), { result: 'receipt' })
  const outcome = await offer(thin(two))
  t.match(outcome, { result: 'receipt' })
  const facts = openReceipt((outcome as { receipt: Uint8Array }).receipt, readPublicKey(receipts.spki))
  t.same(facts.identity, two.identity, 'the receipt is of the same batch, whole or not')
  t.match(await offer(three), { result: 'receipt' }, 'and the chain goes on behind it')
  const decision = (await stores.decisions.get('bench-1', 15))!
  t.match(decision, { kind: 'thinned', seq: 11, lastSeq: 20, verdict: null, rig: null })
  const json = decisionDetailJson(decision, 15)
  t.match(json, { kind: 'thinned', detail: 'not_kept', verdict: null, first_seq: 11, last_seq: 20 })
  t.match(json, { seq: 15, id: 'bench-1:15', rig: null, program: null, limits_only: null, findings: null })
  t.notMatch(JSON.stringify(json), /PASS/, 'nobody sees it pass')
  t.same(
    (await stores.decisions.list({ limit: 100 })).map(({ seq }) => seq),
    [21, 1],
    'it is in no list of decisions',
  )
  const batch = (await stores.batches.get({ agent: 'bench-1', epoch: 1, batchSeq: 2 }))!
  t.equal(batchDetailJson(batch)['records'], null)
  t.same(await findings(), [], 'and everything stored is proved')
})

t.test('thinned and whole are the same batch, whichever comes first; the whole one wins', async (t) => {
  const { stores, offer, findings } = await collector(t)
  const make = maker()
  const [one, two] = [make(), make({ verdict: 'FAIL' })]
  const receiptOf = (outcome: IngestOutcome): string =>
    outcome.result === 'receipt' ? toHex(outcome.receipt) : outcome.result
  const first = receiptOf(await offer(thin(one)))
  t.equal(receiptOf(await offer(thin(one))), first, 'the same receipt')
  t.equal(receiptOf(await offer(one)), first, 'for the whole one too')
  t.match(await stores.decisions.get('bench-1', 1), { kind: 'record', verdict: 'PASS', program: 'demo' })
  t.match(await stores.decisions.get('bench-1', 7), { kind: 'range', seq: 2, lastSeq: 10 })
  t.equal(receiptOf(await offer(thin(one))), first)
  t.match(await stores.decisions.get('bench-1', 1), { kind: 'record' }, 'what is known is not forgotten')
  const stored = await stores.batches.get({ agent: 'bench-1', epoch: 1, batchSeq: 1 })
  t.equal(toHex(stored!.records!), toHex(one.records))
  // All in one group.
  const outcomes = await Promise.all([offer(thin(two)), offer(two), offer(thin(two))])
  t.equal(new Set(outcomes.map(receiptOf)).size, 1)
  t.match(await stores.decisions.get('bench-1', 11), { kind: 'record', verdict: 'FAIL' })
  t.same(await findings(), [])
})

t.test('what is wrong with a thinned batch is refused by name, and nothing of it is stored', async (t) => {
  const other = generateSigner().signer
  const make = maker()
  const one = make()
  const flipped = new Uint8Array(one.cose)
  flipped[one.cose.length - 1] = flipped[one.cose.length - 1]! ^ 1
  const stranger = createBatchMaker({ signer: other, deployment: 'demo', agent: 'bench-1' })()
  const elsewhere = createBatchMaker({ signer: bench, deployment: 'demo', agent: 'bench-2' })()
  const table: [string, Offered, string][] = [
    ['a flipped bit', { ...thin(one), cose: flipped }, 'BATCH_SIGNATURE'],
    ['another key', thin(stranger), 'BATCH_SIGNATURE'],
    ['another agent', thin(elsewhere), 'CHAIN_REPLAY'],
    ['no COSE', { ...thin(one), cose: new Uint8Array([1, 2, 3]) }, 'COSE_SHAPE'],
    ['another place', { ...thin(one), batchSeq: 7 }, 'SESSION_PROTOCOL'],
    ['a batch left out', thin(make()), 'CHAIN_GAP'],
    ['records that are others', { ...one, records: make().records }, 'BATCH_ROOT'],
    ['records of no bytes', { ...one, records: new Uint8Array(0) }, 'CBOR_REFUSED'],
  ]
  const { stores, offer } = await collector(t)
  for (const [name, batch, code] of table) t.match(await offer(batch), { result: 'refused', code }, name)
  t.equal(await stores.agents.head('bench-1'), null)
  t.match(await offer(thin(one)), { result: 'receipt' })
  const rival = maker()({ verdict: 'FAIL' })
  t.match(await offer(thin(rival)), { result: 'refused', code: 'CHAIN_EQUIVOCATION' })
  t.match(await offer(rival), { result: 'refused', code: 'CHAIN_EQUIVOCATION' })
  t.comment(`counted: thinned batches refused | ${table.length + 2} | each by its name`)
})

t.test('records of a rig that was never declared do not come in behind a thinned batch', async (t) => {
  const { stores, offer } = await collector(t)
  const one = maker()({ rig: 'other' })
  t.match(await offer(one), { result: 'refused', code: 'AGENT_WRONG_PROGRAM' })
  t.match(await offer(thin(one)), { result: 'receipt' })
  t.match(await offer(one), { result: 'receipt' })
  t.match(await stores.decisions.get('bench-1', 1), { kind: 'thinned' }, 'they stay outside')
})

t.test(
  'told again in a new epoch: by the same root, by another, beyond what is stored, and whole behind thinned',
  async (t) => {
    const again = (
      batch: MadeBatch,
      { epoch = 2, batchSeq = 1, prev = genesis(epoch), count = 10, root = true } = {},
    ) => {
      const { header, root: signed } = openThinned(batch.cose, readPublicKey(bench.spki))
      const renewed = { ...header, epoch, batchSeq, prev, count }
      const cose = buildThinned({ header: renewed, root: root ? signed : new Uint8Array(32), signer: bench })
      return { epoch, batchSeq, cose, records: null }
    }
    const genesis = (epoch: number): Uint8Array =>
      genesisPrev({ deployment: 'demo', agent: 'bench-1', epoch, spki: bench.spki })
    const cases: [string, boolean, Parameters<typeof again>[1], string | null, number][] = [
      ['a thinned one by its root', true, {}, null, 11],
      ['a whole one by its root', false, {}, null, 11],
      [
        'under another root: nothing can be held against it, and somebody is told',
        false,
        { root: false },
        'no detail',
        11,
      ],
      ['and further than what is stored', false, { count: 15 }, 'no detail', 16],
    ]
    for (const [name, wasThinned, how, said, nextSeq] of cases) {
      const { stores, offer, findings, noticed } = await collector(t)
      const one = maker()()
      await offer(wasThinned ? thin(one) : one)
      t.match(await offer(again(one, how)), { result: 'receipt' }, name)
      const notice = noticed.find(({ code }) => code === 'CHAIN_RENEWED')!
      t.equal(notice.detail.includes('no detail'), said !== null, `${name}: ${notice.detail}`)
      t.equal((await stores.agents.head('bench-1'))!.nextSeq, nextSeq)
      t.match(
        await stores.decisions.get('bench-1', 1),
        { kind: wasThinned ? 'thinned' : 'record' },
        'what is stored stands',
      )
      if (nextSeq > 11) t.match(await stores.decisions.get('bench-1', 15), { kind: 'thinned', seq: 11, lastSeq: 15 })
      t.same(await findings(), [], name)
    }
    const { stores, offer, findings, noticed } = await collector(t)
    await offer(thin(maker()()))
    const whole = maker({ epoch: 2 })()
    t.match(await offer(whole), { result: 'receipt' }, 'whole decisions over thinned ones')
    t.match(noticed, [{ code: 'CHAIN_RENEWED', detail: /no detail to compare/ }])
    t.match(await stores.decisions.get('bench-1', 1), { kind: 'thinned', epoch: 1 })
    t.same(await findings(), [])
  },
)

t.test('what a header declares as thinned is told to people', async (t) => {
  const { offer, noticed } = await collector(t)
  await offer(maker()({ gaps: [{ from: 1, to: 9, reason: 'pass_detail_thinned' }] }))
  await new Promise((done) => setTimeout(done, 20))
  t.match(noticed, [{ code: 'DETAIL_THINNED', detail: /decisions 1–9/ }])
})

t.test('gaps of one batch are told up to a bound, and the header keeps them all', async (t) => {
  const { stores, offer, noticed } = await collector(t)
  const make = maker()
  const gaps = Array.from({ length: LOST_MAX * 3 }, (_, k) => ({ from: k, to: k, reason: 'journal_lost' }))
  const settled = (): Promise<void> => new Promise((done) => setTimeout(done, 20))
  await offer(make({ gaps }))
  await settled()
  t.equal(noticed.length, LOST_MAX)
  const { header } = (await stores.batches.get({ agent: 'bench-1', epoch: 1, batchSeq: 1 }))!
  t.equal((JSON.parse(header) as { gaps: unknown[] }).gaps.length, gaps.length)
  await offer(make({ gaps: gaps.slice(0, 2) }))
  await settled()
  t.equal(noticed.length, LOST_MAX + 2)
})
