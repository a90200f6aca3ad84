import fc from 'fast-check'
import t from 'tap'
import {
  type ChainFacts,
  type ChainHead,
  judgeBatch,
  judgeSession,
  type OfferedBatch,
  sliceSpan,
} from '../../../collector/core/chain.ts'
import { createFleet } from '../../../collector/fleet.ts'
import type { Stores } from '../../../collector/store/open.ts'
import { agentOfNames } from '../../../collector/ws/agents.ts'
import type { IngestOutcome } from '../../../collector/ws/ingest.ts'
import { CREDIT_BATCHES, createSession, IN_HAND_BYTES_MAX } from '../../../collector/ws/session.ts'
import { createVirtualClock } from '../../../shared/lib/clock.ts'
import { readCollectorMessage, writeMessage } from '../../../shared/protocol/messages.ts'

const digest = (n: number): Uint8Array => new Uint8Array(32).fill(n)
const GENESIS = digest(1)
const head: ChainHead = { epoch: 2, batchSeq: 7, identity: digest(7), nextSeq: 100 }
const programs = new Map([['water-loop', 'demo']])
const facts = (change: Partial<ChainFacts> = {}): ChainFacts => ({
  head,
  genesis: GENESIS,
  stored: null,
  repeatsStored: null,
  programs,
  ...change,
})
const next: OfferedBatch = {
  epoch: 2,
  batchSeq: 8,
  prev: digest(7),
  firstSeq: 100,
  count: 5,
  identity: digest(8),
  rigs: ['water-loop'],
  lost: [],
}

t.test('a batch that follows the head is taken and becomes the head', async (t) => {
  t.same(judgeBatch(facts(), next), {
    verdict: 'accept',
    head: { epoch: 2, batchSeq: 8, identity: digest(8), nextSeq: 105 },
    skipped: 0,
    repeated: 0,
  })
})

t.test('the first batch of an agent must follow its genesis', async (t) => {
  const first = { ...next, epoch: 1, batchSeq: 1, prev: GENESIS, firstSeq: 1 }
  t.equal(judgeBatch(facts({ head: null }), first).verdict, 'accept')
  t.equal(judgeBatch(facts({ head: null }), { ...first, prev: digest(9) }).verdict, 'wrong_prev')
  t.equal(judgeBatch(facts({ head: null }), { ...first, batchSeq: 2 }).verdict, 'gap')
})

t.test('what does not follow the head is refused by name', async (t) => {
  const table: [string, Partial<OfferedBatch>, Partial<ChainFacts>, string][] = [
    ['the same batch again is a duplicate', {}, { stored: digest(8) }, 'duplicate'],
    ['another batch with a stored number is equivocation', {}, { stored: digest(9) }, 'equivocation'],
    ['a number too far is a gap', { batchSeq: 9 }, {}, 'gap'],
    ['a number too low that is not stored is replay', { batchSeq: 3 }, {}, 'replay'],
    ['an epoch that ended is replay', { epoch: 1 }, {}, 'replay'],
    ['another predecessor is wrong_prev', { prev: digest(6) }, {}, 'wrong_prev'],
    ['decisions left out are a gap', { firstSeq: 101 }, {}, 'gap'],
    ['decisions told again are replay', { firstSeq: 99 }, {}, 'replay'],
    ['a batch of nothing is refused', { count: 0 }, {}, 'gap'],
    ['a count that is not a number is refused', { count: Number.NaN }, {}, 'gap'],
    ['a rig that was never declared is wrong_program', { rigs: ['water-loop', 'other'] }, {}, 'wrong_program'],
    ['a new epoch must start at 1', { epoch: 3, batchSeq: 8 }, {}, 'gap'],
    ['a new epoch must follow its genesis, not the head', { epoch: 3, batchSeq: 1 }, {}, 'wrong_prev'],
    ['a new epoch must not rewind the decisions', { epoch: 3, batchSeq: 1, prev: GENESIS, firstSeq: 1 }, {}, 'replay'],
  ]
  for (const [name, offered, known, verdict] of table)
    t.equal(judgeBatch(facts(known), { ...next, ...offered }).verdict, verdict, name)
})

t.test('a new epoch that left decisions out is taken, and says how many', async (t) => {
  const verdict = judgeBatch(facts(), { ...next, epoch: 3, batchSeq: 1, prev: GENESIS, firstSeq: 110 })
  t.match(verdict, { verdict: 'accept', skipped: 10, head: { epoch: 3, batchSeq: 1, nextSeq: 115 } })
})

// verifies REQ-SEC-005
t.test('whatever order batches come in, the stored chain has no gap and no second version', async () => {
  // A model of the collector: batches 1…12 of one agent, arriving in any order, some of them again, some forged.
  const chain = Array.from(
    { length: 12 },
    (_, i): OfferedBatch => ({
      ...next,
      epoch: 1,
      batchSeq: i + 1,
      prev: i === 0 ? GENESIS : digest(9 + i),
      identity: digest(10 + i),
      firstSeq: 1 + i * 3,
      count: 3,
    }),
  )
  const arrival = fc.record({ index: fc.nat(11), forged: fc.boolean() })
  fc.assert(
    fc.property(fc.array(arrival, { maxLength: 60 }), (arrivals) => {
      let at: ChainHead | null = null
      const stored = new Map<number, Uint8Array>()
      for (const { index, forged } of arrivals) {
        const offered = forged ? { ...chain[index]!, identity: digest(200) } : chain[index]!
        const before: ChainHead | null = at
        const known = stored.get(offered.batchSeq) ?? null
        const verdict = judgeBatch(
          { head: before, genesis: GENESIS, stored: known, repeatsStored: null, programs },
          offered,
        )
        if (verdict.verdict !== 'accept') continue
        const expected: number = (before as ChainHead | null)?.batchSeq ?? 0
        if (offered.batchSeq !== expected + 1) return false
        stored.set(offered.batchSeq, offered.identity)
        at = verdict.head
      }
      const length = (at as ChainHead | null)?.batchSeq ?? 0
      return stored.size === length && ((at as ChainHead | null)?.nextSeq ?? 1) === 1 + length * 3
    }),
    { seed: 20, numRuns: 500 },
  )
})

t.test('a session is opened only for who is enrolled, certified and names what is its own', async (t) => {
  const enrolled = { agent: 'bench-1', deployment: 'demo', spki: digest(3), programs: ['demo'] }
  const hello = {
    agent: 'bench-1',
    deployment: 'demo',
    epoch: 2,
    spki: digest(3),
    rigs: [{ rig: 'water-loop', program: 'demo' }],
  }
  const judge = (change: object, known: object = {}) =>
    judgeSession({ enrolled, certified: 'bench-1', head, ...known }, { ...hello, ...change }).verdict
  t.equal(judge({}), 'accept')
  t.equal(judge({}, { enrolled: null }), 'unknown_agent')
  t.equal(judge({}, { certified: 'bench-2' }), 'unknown_agent')
  t.equal(judge({ deployment: 'other' }), 'wrong_deployment')
  t.equal(judge({ spki: digest(4) }), 'wrong_key')
  t.equal(judge({ rigs: [{ rig: 'water-loop', program: 'secret' }] }), 'wrong_program')
  t.equal(judge({ epoch: 1 }), 'replay')
})

t.test('a certificate names an agent only by exactly one URI of this deployment', async (t) => {
  t.equal(agentOfNames('DNS:localhost, URI:spiffe://demo/agent/bench-1', 'demo'), 'bench-1')
  for (const names of [
    '',
    'DNS:bench-1',
    'URI:spiffe://other/agent/bench-1',
    'URI:spiffe://demo/collector/bench-1',
    'URI:spiffe://demo/agent/../x',
    'URI:spiffe://demo/agent/bench-1, URI:spiffe://demo/agent/bench-2',
    'DNS:"x, URI:spiffe://demo/agent/bench-1, y"',
    'URI:spiffe://demo/agent/bench-1/more',
  ]) {
    t.equal(agentOfNames(names, 'demo'), null, names)
  }
})

t.test('a slice reaches from 20 s before a decision to 5 s after it, and not before the epoch', async (t) => {
  t.same(sliceSpan(100_000_000), { fromUs: 80_000_000, toUs: 105_000_000 })
  t.same(sliceSpan(1), { fromUs: 0, toUs: 5_000_001 })
})

const HELLO = {
  t: 'hello',
  v: 1,
  agent: 'bench-1',
  deployment: 'demo',
  epoch: 1,
  spki: digest(3),
  boot_id: 'b',
  version: '0',
  programs: ['demo'],
  rigs: [{ rig: 'water-loop', program: 'demo' }],
} as const

/** A session over nothing: what is sent and what becomes of the socket is only noted. */
function sessionOverNothing() {
  const clock = createVirtualClock(0)
  const noted: string[] = []
  const settle: ((outcome: IngestOutcome) => void)[] = []
  const stores = {
    agents: { head: async () => null, declare: async () => {} },
    slices: { open: async () => [] },
  } as unknown as Stores
  const silent = {
    agentConnected() {},
    agentLeft() {},
    unavailable() {},
    broken(_where: string, cause: unknown) {
      throw cause
    },
  }
  const session = createSession({
    id: 's',
    certificateUntilUs: null,
    certified: 'bench-1',
    enrolled: { agent: 'bench-1', deployment: 'demo', spki: digest(3), programs: ['demo'] },
    socket: {
      send: (bytes) => {
        const read = readCollectorMessage(bytes)
        noted.push(read.ok ? (read.message.t === 'refusal' ? read.message.code : read.message.t) : 'nonsense')
      },
      pause: () => noted.push('pause'),
      resume: () => noted.push('resume reading'),
      close: (code) => noted.push(`close ${code}`),
    },
    stores,
    clock,
    fleet: createFleet(clock),
    events: silent as never,
    refuse: async () => {},
    publish: () => {},
    signDownlink: () => new Uint8Array(1),
    baselines: { session: () => ({ heard() {}, answered: () => false }) },
    configs: { said() {}, answered() {}, left() {} },
    rollouts: { hear() {} },
    opened: async () => {},
    ingest: { offer: () => new Promise((done) => settle.push(done)), waitingUs: () => 0, drained: async () => {} },
  })
  const hello = () => session.receive(writeMessage(HELLO))
  const batch = (batchSeq: number, bytes = 1) =>
    session.receive(
      writeMessage({
        t: 'batch',
        epoch: 1,
        batch_seq: batchSeq,
        cose: new Uint8Array(bytes),
        records: new Uint8Array(1),
      }),
    )
  return { clock, noted, settle, hello, batch, session }
}

t.test('an agent may have as many batches on the way as it has credit for, and gets it back one for one', async (t) => {
  const { noted, settle, hello, batch } = sessionOverNothing()
  await hello()
  for (let n = 1; n <= CREDIT_BATCHES; n += 1) await batch(n)
  t.equal(settle.length, CREDIT_BATCHES)
  settle[0]!({ result: 'receipt', receipt: new Uint8Array(1) })
  await new Promise((done) => setImmediate(done))
  t.same(noted, ['resume', 'downlink', 'receipt', 'credit'])
  await batch(CREDIT_BATCHES + 1)
  t.equal(settle.length, CREDIT_BATCHES + 1, 'one came back, one more may come')
  await batch(CREDIT_BATCHES + 2)
  t.same(noted.slice(4), ['SESSION_CREDIT', 'close 1008'])
})

t.test('a session without a hello ends, and a batch before it is refused', async (t) => {
  const late = sessionOverNothing()
  await late.clock.advance(10_000_000)
  t.same(late.noted, ['SESSION_TIMEOUT', 'close 1008'])
  const early = sessionOverNothing()
  await early.batch(1)
  t.same(early.noted, ['SESSION_PROTOCOL', 'close 1008'])
  t.equal(early.settle.length, 0)
})

t.test('a socket is not read while too many bytes are in hand, and read on when they are not', async (t) => {
  const { noted, settle, hello, batch } = sessionOverNothing()
  await hello()
  const piece = 8 * 1024 * 1024
  const pieces = IN_HAND_BYTES_MAX / piece + 1
  for (let n = 1; n <= pieces; n += 1) await batch(n, piece)
  t.equal(noted.filter((what) => what === 'pause').length > 0 && noted.at(-1), 'pause')
  for (const done of settle.splice(0)) done({ result: 'receipt', receipt: new Uint8Array(1) })
  await new Promise((done) => setImmediate(done))
  t.equal(
    noted.findLast((what) => what === 'pause' || what === 'resume reading'),
    'resume reading',
  )
})

t.test('what is no batch is in hand too: vitals that come faster than they are heard stop the reading', async (t) => {
  const { noted, hello, session } = sessionOverNothing()
  await hello()
  const vitals = writeMessage({ t: 'vitals', vitals: 'x'.repeat(500_000) })
  const flood = Array.from({ length: 200 }, () => session.receive(vitals))
  const most = 1 + Math.ceil(IN_HAND_BYTES_MAX / vitals.length)
  t.ok(flood.length > most)
  t.equal(noted.at(-1), 'pause', 'before any of them was dealt with')
  await Promise.all(flood)
  t.equal(noted.at(-1), 'resume reading', 'and then on')
})

t.test('when the collector cannot store, the agent is told to come again, not that it is at fault', async (t) => {
  const { noted, settle, hello, batch } = sessionOverNothing()
  await hello()
  await batch(1)
  settle[0]!({ result: 'unavailable', code: 'DISK_FULL', detail: '' })
  await new Promise((done) => setImmediate(done))
  t.same(noted, ['resume', 'downlink', 'close 1013'])
})
