import t from 'tap'
import { PEER_REQUESTS_OUT_MAX, PeerSender, type PeerTransport } from '../../../agent/adapters/peer-sender.ts'
import { actionRequest, decisionSnapshot, driftEvent, healthEvent } from '../../../agent/pipeline/peer-messages.ts'
import { PEER_EVENTS_WAITING_MAX, PEER_REQUESTS_WAITING_MAX, PeerQueue } from '../../../agent/pipeline/peer-queue.ts'
import { HbError } from '../../../shared/errors/hb-error.ts'
import { createVirtualClock } from '../../../shared/lib/clock.ts'
import type { OutboundMessage } from '../../../shared/protocol/peer-contract.ts'
import { actionRequest as requestOf } from '../../support/actuator-process.ts'
import { decisionOf } from '../../support/peer-decisions.ts'

const from = (messageId: string) => ({ systemId: 'bench-1', messageId, nowUs: 1_767_225_600_000_000 })
const health = (id: string) => healthEvent(decisionOf('PASS'), from(id), false)
const snapshot = (id: string) => decisionSnapshot(decisionOf('PASS'), from(id), false)
const drift = (id: string) => driftEvent(decisionOf('FAIL', ['p']), from(id), false)!
const request = (key: string) => actionRequest({ ...requestOf(), key }, from(key))
const idsOf = (queue: PeerQueue<unknown>): string[] => {
  const ids: string[] = []
  for (let next = queue.nextEvent(); next !== undefined; next = queue.nextEvent()) ids.push(next.message_id)
  return ids
}

t.test('health makes room first, oldest first, then snapshots, then drift; a request never does', async (t) => {
  const queue = new PeerQueue<string>()
  for (let k = 0; k < PEER_REQUESTS_WAITING_MAX; k += 1) t.ok(queue.request(`r${k}`))
  t.notOk(queue.request('one more'), 'and is told so')
  const third = Math.floor(PEER_EVENTS_WAITING_MAX / 3)
  for (let k = 0; k < third; k += 1) {
    queue.push(drift(`d${k}`))
    queue.push(health(`h${k}`))
    queue.push(snapshot(`s${k}`))
  }
  for (let k = third * 3; k < PEER_EVENTS_WAITING_MAX; k += 1) queue.push(drift(`d${k}`))
  t.same(queue.dropped, { HEALTH_EVENT: 0, DECISION_SNAPSHOT: 0, DRIFT_EVENT: 0 })
  queue.push(drift('new'))
  t.same(queue.dropped, { HEALTH_EVENT: 1, DECISION_SNAPSHOT: 0, DRIFT_EVENT: 0 })
  for (let k = 1; k < third; k += 1) queue.push(drift(`more ${k}`))
  t.same(queue.dropped, { HEALTH_EVENT: third, DECISION_SNAPSHOT: 0, DRIFT_EVENT: 0 })
  queue.push(health('late'))
  t.same(
    queue.dropped,
    { HEALTH_EVENT: third + 1, DECISION_SNAPSHOT: 0, DRIFT_EVENT: 0 },
    'itself, when there is no other',
  )
  for (let k = 0; k < third + 2; k += 1) queue.push(drift(`last ${k}`))
  t.same(queue.dropped, { HEALTH_EVENT: third + 1, DECISION_SNAPSHOT: third, DRIFT_EVENT: 2 })
  t.same(queue.waiting, { events: PEER_EVENTS_WAITING_MAX, requests: PEER_REQUESTS_WAITING_MAX })
  t.equal(queue.nextRequest(), 'r0')
  const ids = idsOf(queue)
  t.equal(ids.length, PEER_EVENTS_WAITING_MAX)
  t.notOk(ids.includes('d0') || ids.includes('d1'))
  t.equal(ids[0], 'd2', 'the rest in the order it came')
  t.equal(ids.at(-1), `last ${third + 1}`)
})

t.test('what is put back goes first again, unless it is what makes room', async (t) => {
  const queue = new PeerQueue<string>()
  for (let k = 0; k < PEER_EVENTS_WAITING_MAX; k += 1) queue.push(drift(`d${k}`))
  queue.putBack(health('h'))
  t.same(queue.dropped, { HEALTH_EVENT: 1, DECISION_SNAPSHOT: 0, DRIFT_EVENT: 0 })
  const first = queue.nextEvent()!
  queue.putBack(first)
  t.equal(queue.nextEvent()!.message_id, 'd0')
})

type Outcome = 'taken' | 'refused' | 'unknown' | 'not_handed' | 'waits'

/** A transport that does as it is told; `waits` is over when `release` is called. */
function link(t: { teardown(fn: () => void): void }) {
  const clock = createVirtualClock(1_767_225_600_000_000)
  const handed: string[] = []
  const seen: string[] = []
  let outcome: Outcome = 'taken'
  const waiting: (() => void)[] = []
  const error = (): HbError => new HbError('EXECUTOR_UNREACHABLE', { reason: 'told to' })
  const transport: PeerTransport = {
    start: async () => null,
    stop: async () => undefined,
    hand(message: OutboundMessage) {
      handed.push(message.message_id)
      const now = outcome
      const goes = now === 'not_handed' ? Promise.reject(error()) : Promise.resolve()
      const done = goes.then(async () => {
        if (now === 'waits') await new Promise<void>((resolve) => waiting.push(resolve))
        if (now === 'unknown') throw error()
        return now === 'refused' ? ('refused' as const) : ('taken' as const)
      })
      done.catch(() => undefined)
      return { handed: goes, done }
    },
  }
  const sender = new PeerSender({
    ...{ transport, clock, timeoutMs: 1000, random: () => 0 },
    up: () => seen.push('up'),
    down: (reason) => seen.push(reason.includes('told to') ? 'down' : reason),
  })
  t.teardown(() => void sender.stop())
  return {
    ...{ sender, clock, handed, seen },
    told(next: Outcome) {
      outcome = next
    },
    release: () => waiting.splice(0).forEach((go) => void go()),
  }
}

t.test('nothing goes before the start; then requests go first, and events one at a time in their order', async (t) => {
  const { sender, clock, handed, told, release } = link(t)
  told('waits')
  sender.offer(health('h1'))
  sender.offer(drift('d1'))
  void sender.request(request('k1'), 1000)
  await clock.advance(1000)
  t.same(handed, [])
  sender.start()
  await clock.advance(1000)
  t.same(handed, ['k1', 'h1'], 'the next event waits for the one before')
  void sender.request(request('k2'), 1000)
  await clock.advance(1000)
  t.same(handed, ['k1', 'h1', 'k2'], 'and a request for none of them')
  told('taken')
  release()
  await clock.advance(1000)
  t.same(handed, ['k1', 'h1', 'k2', 'd1'])
  t.match(sender.counts, { taken: 4, refused: 0, failed: 0 })
})

t.test(
  'an event that did not arrive goes again, in its order, and a breaker spares a peer that is not well',
  async (t) => {
    const { sender, clock, handed, seen, told } = link(t)
    sender.start()
    told('unknown')
    sender.offer(health('h1'))
    sender.offer(drift('d1'))
    await clock.advance(6_000_000)
    t.same([...new Set(handed)], ['h1'])
    t.equal(handed.length, 5, 'five failures in a minute open it')
    t.equal(sender.breakerState, 'open')
    t.same(seen, ['down'], 'said once')
    told('taken')
    await clock.advance(60_000_000)
    t.same(handed.slice(5), ['h1', 'd1'])
    t.same(seen, ['down', 'up'])
    t.equal(sender.breakerState, 'closed')
  },
)

t.test('an event that the peer refuses is counted and not repeated', async (t) => {
  const { sender, clock, handed, told } = link(t)
  sender.start()
  told('refused')
  sender.offer(health('h1'))
  await clock.advance(60_000_000)
  t.same(handed, ['h1'])
  t.match(sender.counts, { taken: 0, refused: 1, failed: 0 })
})

t.test('an open breaker does not keep a request from going, and a request is handed over once', async (t) => {
  const { sender, clock, handed, told } = link(t)
  sender.start()
  told('unknown')
  for (let k = 0; k < 6; k += 1) await sender.request(request(`k${k}`), 1000)
  await clock.advance(1000)
  t.equal(sender.breakerState, 'open')
  told('taken')
  sender.offer(health('h1'))
  await sender.request(request('last'), 1000)
  await clock.advance(1000)
  t.same(
    handed.filter((id) => id.startsWith('k')),
    ['k0', 'k1', 'k2', 'k3', 'k4', 'k5'],
  )
  t.ok(handed.includes('last'))
  t.equal(sender.breakerState, 'closed', 'it arrived: the peer is well')
})

t.test('a request that certainly did not go is told: no link, no room, no time, no agent any more', async (t) => {
  const { sender, clock, handed, told, release } = link(t)
  sender.start()
  told('not_handed')
  await t.rejects(sender.request(request('a'), 1000), { code: 'EXECUTOR_UNREACHABLE' })
  told('waits')
  const out = Array.from({ length: PEER_REQUESTS_OUT_MAX }, (_, k) => sender.request(request(`out${k}`), 1000))
  await Promise.all(out)
  const late = sender.request(request('late'), 20)
  const waiting = Array.from({ length: PEER_REQUESTS_WAITING_MAX - 1 }, (_, k) =>
    sender.request(request(`w${k}`), 1000),
  )
  await t.rejects(sender.request(request('too many'), 1000), { code: 'EXECUTOR_BUSY' })
  const tooLate = t.rejects(late, { code: 'EXECUTOR_UNREACHABLE', context: { reason: 'its time is over' } })
  await clock.advance(20_000)
  await tooLate
  const ended = Promise.all(waiting.map((one) => t.rejects(one, /stopped/)))
  const stopped = sender.stop()
  await ended
  release()
  await stopped
  await t.rejects(sender.request(request('after'), 1000), /stopped/)
  t.same(handed, ['a', ...Array.from({ length: PEER_REQUESTS_OUT_MAX }, (_, k) => `out${k}`)])
})

t.test('a stop waits a second for what is on its way, and no longer', async (t) => {
  const { sender, clock, told } = link(t)
  sender.start()
  told('waits')
  await sender.request(request('k'), 1000)
  let isOver = false
  const stopped = sender.stop().then(() => {
    isOver = true
  })
  await clock.advance(999_000)
  t.notOk(isOver)
  await clock.advance(1000)
  await stopped
  t.ok(isOver)
})
