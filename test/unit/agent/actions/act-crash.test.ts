import t from 'tap'
import type { ActionState } from '../../../../shared/model/action.ts'
import { ActionWorld, FACTS, type WorldOptions } from '../../../support/action-world.ts'

const MS = 1_000
const RETRIES = { kernel: { retries: 3 } }

/** Runs an action until the arrow `at`, where the agent dies; then it starts again. Without `at` it is not disturbed. */
async function run(
  options: WorldOptions,
  { at, powerCut = true, downMs = 5, peer }: { at?: number; powerCut?: boolean; downMs?: number; peer?: 'deaf' },
): Promise<{ world: ActionWorld; arrows: string[]; died: ActionState | undefined }> {
  const arrows: string[] = []
  let isBefore = true
  const world = new ActionWorld({
    ...options,
    arrow: (name) => {
      if (!isBefore) return true
      arrows.push(name)
      return arrows.length !== at
    },
  })
  await world.acts.start([])
  world.propose()
  await world.clock.advance(60 * MS)
  const died = world.state
  if (at === undefined) return { world, arrows, died }
  isBefore = false
  await world.clock.advance(downMs * MS)
  if (peer !== undefined) world.peer.behaves = peer
  await world.restart({ powerCut })
  await world.clock.advance(900 * MS)
  return { world, arrows, died }
}

// verifies SE-13, SE-14, SE-15
t.test('whichever arrow the agent dies at, there is one effect and one state after it', async (t) => {
  const { arrows } = await run(RETRIES, {})
  t.ok(arrows.length > 30, `${arrows.length} arrows`)
  let asked = 0
  for (const powerCut of [true, false])
    for (let at = 1; at <= arrows.length; at += 1) {
      const what = `${powerCut ? 'power cut' : 'kill'} at ${at}, ${arrows[at - 1]}`
      const { world } = await run(RETRIES, { at, powerCut })
      const effects = world.peer.effects.get('k1') ?? 0
      if (world.state === undefined) {
        // It was never proposed durably, and so nothing may have come of it.
        t.equal(effects, 0, what)
        continue
      }
      t.equal(effects, 1, what)
      t.equal(world.state, 'COMPLETED', what)
      const states = world.rows.filter(({ key }) => key === 'k1').map(({ state }) => state)
      t.equal(states.at(-1), 'COMPLETED', `${what}: the ledger says the same`)
      if (world.inputs().includes('unknown')) asked += 1
    }
  t.ok(asked > 10, `${asked} times nobody knew`)
  t.comment(`counted: arrows of an action | ${arrows.length * 2} deaths | one effect each, ${asked} asked the peer`)
})

// verifies SE-15
t.test(
  'what was sent and not accepted is unknown until the peer was asked; what was not sent goes through the gates',
  async (t) => {
    const { arrows } = await run(RETRIES, {})
    const dieAt = async (name: string, powerCut = true): Promise<ActionWorld> =>
      (await run(RETRIES, { at: arrows.indexOf(name) + 1, powerCut })).world
    const unsent = await dieAt('before release', false)
    t.notOk(unsent.inputs().includes('unknown'))
    t.equal(unsent.peer.queries.length, 0)
    t.same(unsent.inputs().slice(0, 3), ['propose', 'release', 'sent'])

    const unheard = await dieAt('before send')
    t.same(unheard.inputs().slice(0, 5), ['propose', 'release', 'sent', 'unknown', 'answer unknown_key'])
    t.equal(unheard.peer.requests.length, 1, 'sent again with the same key')

    const done = await dieAt('after send')
    t.same(done.inputs(), ['propose', 'release', 'sent', 'unknown', 'answer completed'])
    t.equal(done.peer.requests.length, 1, 'and not sent again')
  },
)

// verifies SE-13
t.test('and so with an evaluator that takes its time', async (t) => {
  const options = { ...RETRIES, roundMs: () => 2 }
  const { arrows } = await run(options, {})
  for (const powerCut of [true, false])
    for (let at = 1; at <= arrows.length; at += 1) {
      const what = `${powerCut ? 'power cut' : 'kill'} at ${at}, ${arrows[at - 1]}`
      const { world } = await run(options, { at, powerCut })
      t.equal(world.state, world.journal.length === 0 ? undefined : 'COMPLETED', what)
      t.equal(world.peer.effects.get('k1') ?? 0, world.journal.length === 0 ? 0 : 1, what)
    }
})

// verifies SE-13, SE-14
t.test('a peer that does not know a key again is never sent it twice, whichever arrow the agent dies at', async (t) => {
  const options = { kernel: { retries: 3, idempotent: false } }
  const { arrows } = await run(options, {})
  const ends = { COMPLETED: 0, FAILED: 0 }
  for (const powerCut of [true, false])
    for (let at = 1; at <= arrows.length; at += 1) {
      const what = `${powerCut ? 'power cut' : 'kill'} at ${at}, ${arrows[at - 1]}`
      const { world } = await run(options, { at, powerCut })
      const { length } = world.peer.requests
      if (world.state === undefined) t.equal(length, 0, what)
      else if (world.state === 'COMPLETED') {
        ends.COMPLETED += 1
        t.equal(length, 1, what)
      } else {
        ends.FAILED += 1
        t.equal(world.state, 'FAILED', what)
        t.equal(length, 0, `${what}: nobody knew whether, and it was not`)
      }
    }
  t.ok(ends.COMPLETED > 10 && ends.FAILED > 0, JSON.stringify(ends))
})

t.test('an action whose time was over while the agent was down is not sent again', async (t) => {
  const { arrows } = await run(RETRIES, {})
  const { world } = await run(RETRIES, { at: arrows.indexOf('before send') + 1, downMs: 600 })
  t.equal(world.peer.requests.length, 0)
  t.equal(world.state, 'FAILED')
})

t.test('a peer that does not answer is asked until the time is over, and then that is said', async (t) => {
  const { arrows } = await run(RETRIES, {})
  const at = arrows.indexOf('after send') + 1
  const { world } = await run({ kernel: { retries: 0 } }, { at, peer: 'deaf' })
  t.ok(world.peer.queries.length >= 3, `${world.peer.queries.length} queries`)
  t.equal(world.told.filter((line) => line === 'asked null').length, 1)
  t.equal(world.inputs().at(-1), 'timeout accept')
  t.equal(world.state, 'TIMED_OUT')
})

t.test('a released action of which nobody can say that it was not sent is asked about too', async (t) => {
  const world = new ActionWorld(RETRIES)
  await world.acts.start([])
  world.disk = 'stalled'
  world.propose()
  await world.clock.advance(1 * MS)
  t.equal(world.state, 'RELEASED')
  world.durable = world.journal.length
  world.disk = 'well'
  await world.restart()
  await world.clock.advance(200 * MS)
  t.same(world.inputs().slice(2, 5), ['sent', 'unknown', 'answer unknown_key'])
  t.equal(world.peer.effects.get('k1'), 1)
  t.equal(world.state, 'COMPLETED')
})

t.test(
  'nothing is sent again before the peer was asked, however late the evaluator says what it makes of it',
  async (t) => {
    const roundMs = (kind: string): number => (kind === 'unknown' ? 30 : 1)
    const world = new ActionWorld({ kernel: { retries: 3, idempotent: false }, facts: { mustWork: false }, roundMs })
    await world.acts.start([])
    world.disk = 'stalled'
    world.propose()
    await world.clock.advance(3 * MS)
    t.equal(world.state, 'RELEASED')
    // It was sent all the same, and nobody wrote that down.
    world.peer.do({ key: 'k1', rig: 'r', action: 'shutdown', target: 'pump', params: {}, attempt: 1, budgetMs: 1 })
    world.durable = world.journal.length
    world.disk = 'well'
    await world.restart()
    await world.clock.advance(200 * MS)
    t.equal(world.peer.requests.length, 1)
    t.equal(world.state, 'COMPLETED')
  },
)

t.test('stopping leaves what is open in the ledger, and nothing is sent or timed any more', async (t) => {
  const world = new ActionWorld({ kernel: { retries: 0 }, facts: { stages: FACTS.stages } })
  await world.acts.start([])
  world.peer.behaves = 'silent'
  world.propose()
  await world.clock.advance(20 * MS)
  await world.acts.stop()
  await world.acts.stop()
  await world.clock.advance(2_000 * MS)
  t.equal(world.state, 'SENT')
  t.equal(world.rows.at(-1)?.state, 'SENT')
})

t.test('what the ledger alone has open is closed there, and said', async (t) => {
  const world = new ActionWorld()
  await world.acts.start([])
  world.peer.behaves = 'silent'
  world.propose()
  await world.clock.advance(20 * MS)
  world.journal.length = 0
  await world.restart()
  await world.clock.advance(20 * MS)
  t.ok(world.told.includes('orphan SENT'))
  t.match(world.rows.at(-1), { state: 'EXPIRED', from: 'SENT', reasons: ['NOT_IN_JOURNAL'] })
  t.equal(world.peer.requests.length, 1)
})
