import t from 'tap'
import { ACKS_MAX, LATE_ACKS_MAX, LIVE_ACTIONS_MAX, RELEASES_ASKED_MAX } from '../../../../agent/pipeline/act.ts'
import { actionFacts } from '../../../../agent/pipeline/action-facts.ts'
import { budgetLevel } from '../../../../agent/pipeline/reaction-times.ts'
import { HARD_ACTIONS } from '../../../../shared/model/action.ts'
import type { RigPolicy } from '../../../../shared/model/actions-policy.ts'
import { ActionWorld, FACTS } from '../../../support/action-world.ts'

const MS = 1_000

async function started(options: ConstructorParameters<typeof ActionWorld>[0] = {}): Promise<ActionWorld> {
  const world = new ActionWorld(options)
  await world.acts.start([])
  return world
}

// verifies SE-13
t.test('an action goes its whole way, each state durable before what it causes', async (t) => {
  const order: string[] = []
  const world = await started({
    arrow: (name) => {
      order.push(name)
      return true
    },
  })
  world.propose()
  await world.clock.advance(200 * MS)
  t.equal(world.state, 'COMPLETED')
  t.same(world.inputs(), ['propose', 'release', 'sent', 'ack accepted', 'ack started', 'ack completed'])
  t.equal(world.peer.effects.get('k1'), 1)
  const send = order.indexOf('before send')
  const released = order.indexOf('after release')
  t.ok(released >= 0 && order.lastIndexOf('after sync', send) > released, 'the journal holds that it was released')
  t.same(
    world.rows.map(({ state }) => state),
    ['PROPOSED', 'GATE_PASSED', 'RELEASED', 'SENT', 'ACCEPTED', 'STARTED', 'COMPLETED'],
  )
  t.equal(
    order.slice(0, send).filter((name) => name === 'after record').length,
    3,
    'and the ledger shows it: proposed, passed, released',
  )
  t.match(world.peer.requests, [{ key: 'k1', attempt: 1, action: 'shutdown', params: { hold: true } }])
  t.same(world.told, ['sent 1'])
})

// verifies SE-24
t.test('a veto window is waited for, and a cancel in it is the end', async (t) => {
  const world = await started({ facts: { vetoUs: 100 * MS } })
  world.propose()
  await world.clock.advance(99 * MS)
  t.same(world.inputs(), ['propose'])
  await world.clock.advance(20 * MS)
  t.equal(world.peer.requests.length, 1, 'nobody said no')
  const vetoed = await started({ facts: { vetoUs: 100 * MS } })
  vetoed.propose()
  await vetoed.clock.advance(50 * MS)
  vetoed.submit({ kind: 'cancel', key: 'k1', by: 'Ada', reason: 'not now' })
  await vetoed.clock.advance(500 * MS)
  t.equal(vetoed.state, 'CANCELLED')
  t.same(vetoed.peer.requests, [])
  t.same(vetoed.inputs(), ['propose', 'cancel'])
})

// verifies SE-24
t.test('a veto window runs from the proposal, though the gates hold the action meanwhile', async (t) => {
  const world = await started({ facts: { vetoUs: 100 * MS } })
  const step = world.kernel.step.bind(world.kernel)
  world.kernel.step = (journaled) => {
    const changes = step(journaled)
    if (journaled.input.kind !== 'propose') return changes
    return changes.map((one) => (one.state === 'GATE_PASSED' ? { ...one, state: 'GATE_HELD' as const } : one))
  }
  world.propose()
  await world.clock.advance(99 * MS)
  t.same(world.inputs(), ['propose'])
  await world.clock.advance(2 * MS)
  t.equal(world.inputs()[1], 'release')
})

const STAGES = [
  { stage: 'accept', acks: [] as const, afterMs: 50 },
  { stage: 'start', acks: ['accepted'] as const, afterMs: 60 },
  { stage: 'complete', acks: ['accepted', 'started'] as const, afterMs: 200 },
]

// verifies SE-16
t.test('every stage has a time limit of its own', async (t) => {
  for (const { stage, acks, afterMs } of STAGES) {
    const world = await started({ kernel: { retries: 0 } })
    world.peer.acks = acks
    world.propose()
    const beganMs = 2 + 10 * acks.length
    await world.clock.advance((beganMs + afterMs - 2) * MS)
    t.notOk(world.inputs().includes(`timeout ${stage}`), `${stage}: not before`)
    await world.clock.advance(10 * MS)
    t.ok(world.inputs().includes(`timeout ${stage}`), stage)
    t.equal(world.state, 'TIMED_OUT', stage)
  }
  const hung = await started({ kernel: { retries: 0 } })
  hung.peer.behaves = 'hangs'
  hung.propose()
  await hung.clock.advance(40 * MS)
  t.ok(hung.inputs().includes('timeout send'))
})

// verifies SE-31
t.test('a wall clock that jumps moves no time limit', async (t) => {
  for (const jumpUs of [3_600_000_000, -3_600_000_000]) {
    const world = await started({ kernel: { retries: 0 } })
    world.peer.acks = []
    world.propose()
    await world.clock.advance(10 * MS)
    const wallUs = world.clock.nowUs
    world.clock.nowUs = () => wallUs() + jumpUs
    await world.clock.advance(40 * MS)
    t.notOk(world.inputs().includes('timeout accept'), `${jumpUs}: not before`)
    await world.clock.advance(10 * MS)
    t.ok(world.inputs().includes('timeout accept'), `${jumpUs}: and not later`)
  }
})

// verifies SE-16, SE-14
t.test('retries have the same key, a back-off that doubles, and end with the fault tolerant time', async (t) => {
  const world = await started({ kernel: { retries: 100 }, facts: { stages: { ...FACTS.stages, acceptUs: 10 * MS } } })
  world.peer.behaves = 'silent'
  const at: number[] = []
  const begunUs = world.clock.monotonicUs()
  const { requests } = world.peer
  world.peer.do = (request) => {
    requests.push(request)
    at.push((world.clock.monotonicUs() - begunUs) / MS)
  }
  world.propose()
  await world.clock.advance(2_000 * MS)
  t.ok(at.length >= 4 && at.length < 20, `${at.length} attempts`)
  const gaps = at.slice(1).map((ms, k) => ms - at[k]!)
  // 10 ms for the answer, 10, 20, 40 … ms of back-off, and the sync of the journal.
  t.same(gaps.slice(0, 3), [21, 31, 51])
  t.ok(
    at.every((ms) => ms < 500),
    'none after the time is over',
  )
  t.same(new Set(requests.map(({ key }) => key)), new Set(['k1']))
  t.same(
    requests.map(({ attempt }) => attempt),
    requests.map((_, k) => k + 1),
  )
  t.ok(
    requests.every(({ budgetMs }, k) => k === 0 || budgetMs <= requests[k - 1]!.budgetMs),
    'each has what is left',
  )
  t.equal(world.state, 'TIMED_OUT')
})

t.test('what certainly was not handed over is told at once, and a late word of it changes nothing', async (t) => {
  const world = await started({ kernel: { retries: 1 } })
  world.peer.behaves = 'unreachable'
  world.propose()
  await world.clock.advance(100 * MS)
  t.same(
    world.inputs().filter((input) => input.startsWith('timeout')),
    ['timeout send', 'timeout send'],
  )
  t.equal(world.state, 'TIMED_OUT')
  world.peer.say('k1', 'completed')
  t.equal(world.state, 'TIMED_OUT')
  t.equal(world.journal.at(-1)?.input.kind, 'ack', 'it is told all the same')
})

t.test('an action that no policy knows is cancelled and not sent', async (t) => {
  const world = await started()
  world.propose({ action: 'degrade' })
  await world.clock.advance(100 * MS)
  t.equal(world.state, 'CANCELLED')
  t.same(world.peer.requests, [])
  t.same(world.told, ['refused NO_POLICY'])
})

t.test('a storm of acks is bounded, and acks of nobody are counted', async (t) => {
  const world = await started()
  world.peer.behaves = 'silent'
  world.propose()
  await world.clock.advance(10 * MS)
  for (let k = 0; k < ACKS_MAX + 36; k += 1) world.peer.say('k1', 'progress')
  t.equal(world.inputs().filter((input) => input === 'ack progress').length, ACKS_MAX)
  t.equal(world.told.filter((line) => line === 'ackIgnored too many').length, 36)
  world.peer.say('k9', 'completed')
  t.equal(world.told.at(-1), 'ackIgnored unknown key')
  const ended = await started()
  ended.peer.acks = ['rejected']
  ended.propose()
  await ended.clock.advance(50 * MS)
  t.equal(ended.state, 'REJECTED')
  for (let k = 0; k < LATE_ACKS_MAX + 2; k += 1) ended.peer.say('k1', 'completed')
  t.equal(ended.inputs().filter((input) => input === 'ack completed').length, LATE_ACKS_MAX)
  t.equal(ended.state, 'REJECTED')
})

t.test('texts of a peer are bounded and have the form that the journal gives back', async (t) => {
  const world = await started()
  world.peer.behaves = 'silent'
  world.propose()
  await world.clock.advance(10 * MS)
  world.peer.say('k1', 'failed', 'e\u0301\u0000\n', '\ud83d'.repeat(2_000))
  const input = world.journal.at(-1)!.input
  t.ok(input.kind === 'ack')
  if (input.kind !== 'ack') return
  t.equal(input.from, 'pump', 'the target whose link it came over')
  t.equal(input.message, '\ufffd'.repeat(500))
})

const KINDS = [
  { action: 'shutdown', mustWork: true, sent: true },
  { action: 'shutdown', mustWork: false, sent: false },
  { action: 'notify', mustWork: false, sent: false },
  { action: 'notify', mustWork: true, sent: true },
] as const

t.test('a disk that stalls: what must work goes on and is logged late, another hard action is denied', async (t) => {
  for (const { action, mustWork, sent } of KINDS)
    for (const where of ['disk', 'ledgerDisk'] as const)
      for (const how of ['stalled', 'full'] as const) {
        const what = `${action}, ${mustWork ? 'must' : 'need not'} work, ${where} ${how}`
        const world = await started({ facts: { mustWork } })
        world[where] = how
        world.propose({ action })
        await world.clock.advance(400 * MS)
        t.equal(world.peer.requests.length, sent ? 1 : 0, what)
        if (!sent && (HARD_ACTIONS.includes(action) || how === 'full')) t.equal(world.state, 'CANCELLED', what)
        if (sent) t.ok(world.told.includes('sent 1 late'), what)
        world.release()
        await world.clock.advance(300 * MS)
        if (!sent) continue
        const flagged = world.rows.filter(({ reasons }) => reasons.includes('DISK_STALLED'))
        t.equal(flagged.length, 1, `${what}: flagged in the ledger`)
        t.ok(
          world.rows.some(({ state }) => state === 'SENT'),
          `${what}: logged late`,
        )
      }
})

t.test('what a peer has begun meanwhile is not sent any more', async (t) => {
  const world = await started({ kernel: { retries: 3 }, facts: { mustWork: false } })
  world.peer.behaves = 'silent'
  world.propose()
  await world.clock.advance(40 * MS)
  world.ledgerDisk = 'stalled'
  await world.clock.advance(20 * MS)
  t.same([world.state, world.kernel.actions.get('k1')?.attempt], ['SENT', 2])
  world.peer.say('k1', 'accepted')
  world.release()
  await world.clock.advance(40 * MS)
  t.equal(world.state, 'ACCEPTED')
  t.equal(world.peer.requests.length, 1, 'the first time alone')
})

t.test('a gentle action waits for a stalled disk as long as it is of use', async (t) => {
  const world = await started({ facts: { mustWork: false } })
  world.disk = 'stalled'
  world.propose({ action: 'notify' })
  await world.clock.advance(400 * MS)
  t.same(world.peer.requests, [])
  world.release()
  await world.clock.advance(50 * MS)
  t.equal(world.peer.requests.length, 1)
  t.same(
    world.told.filter((line) => line.startsWith('diskStalled')),
    [],
  )
})

t.test('a must-work action waits for a disk no longer than a quarter of its time, and once', async (t) => {
  const world = await started()
  world.disk = 'stalled'
  world.propose()
  await world.clock.advance(126 * MS)
  t.equal(world.peer.requests.length, 1)
})

t.test(
  'where not even the journal takes anything, a must-work action is done, and everything told later',
  async (t) => {
    const world = await started()
    world.propose()
    world.journalTakes = false
    await world.clock.advance(50 * MS)
    t.equal(world.peer.requests.length, 1)
    t.same(world.inputs(), ['propose'])
    world.journalTakes = true
    await world.clock.advance(300 * MS)
    t.same(world.inputs(), ['propose', 'release', 'sent', 'ack accepted', 'ack started', 'ack completed'])
    t.equal(world.state, 'COMPLETED')
    t.equal(world.peer.requests.length, 1, 'and it is not sent again')
    const other = await started({ facts: { mustWork: false } })
    other.propose()
    other.journalTakes = false
    await other.clock.advance(50 * MS)
    t.same(other.peer.requests, [], 'another one is not')
    other.journalTakes = true
    await other.clock.advance(300 * MS)
    t.equal(other.state, 'COMPLETED', 'until it can be journaled')
  },
)

// verifies SE-30
t.test('times are measured, and a budget that is nearly or wholly used up is told', async (t) => {
  const world = await started()
  world.propose()
  await world.clock.advance(100 * MS)
  const spans = Object.fromEntries(world.times.rows().map((row) => [row.span, row]))
  t.same([spans['fdti']?.count, spans['fdti']?.maxUs], [1, 100 * MS])
  // One durable state, then the acks: 3 × 10 ms after the request.
  t.same([spans['frti']?.count, spans['frti']?.maxUs], [1, 32 * MS])
  t.same(world.told, ['sent 1'], 'well within its time')
  const action = world.kernel.actions.get('k1')!
  world.acts.take({ ...action, state: 'VERIFIED', from: 'COMPLETED', endUs: action.endUs + 420 * MS })
  t.equal(world.times.rows().find(({ span }) => span === 'fhti')?.maxUs, 420 * MS)
  t.ok(world.told.includes(`budget WARNING ${420 * MS}`), 'the effect was seen late')

  const slow = await started({ facts: { stages: { ...FACTS.stages, acceptUs: 900 * MS } } })
  slow.peer.behaves = 'silent'
  slow.propose()
  await slow.clock.advance(299 * MS)
  t.same(slow.told, ['sent 1'])
  await slow.clock.advance(2 * MS)
  t.match(
    slow.told.at(-1),
    /^budget WARNING 400000/,
    'of what never comes too: 100 ms had passed before it was decided',
  )
  await slow.clock.advance(100 * MS)
  t.match(slow.told.at(-1), /^budget CRITICAL 500000/)
  t.equal(slow.told.filter((line) => line.startsWith('budget')).length, 2, 'each once')
})

t.test('a policy says how an action is carried out; what it does not know is not', async (t) => {
  const on = { action: 'shutdown', target: 'pump' } as const
  const policy = (omission: string): RigPolicy =>
    ({
      rig: 'r',
      rules: [{ id: 'over_pressure', ...on, vetoUs: 7 }],
      hazards: [{ ...on, omission, fttiUs: 9 }],
      targets: [{ name: 'pump', stages: FACTS.stages, backOffUs: 5 }],
    }) as unknown as RigPolicy
  const about = { rig: 'r', rule: 'over_pressure', ...on }
  const worst = ['none', 'marginal', 'critical', 'catastrophic'].map(
    (omission) => actionFacts([policy(omission)], about)?.mustWork,
  )
  t.same(worst, [false, false, true, true])
  t.match(actionFacts([policy('critical')], about), { vetoUs: 7, fttiUs: 9, backOffUs: 5, stages: FACTS.stages })
  t.equal(actionFacts([policy('critical')], { ...about, rule: '' })?.vetoUs, 0, 'ordered by hand')
  for (const other of [{ rig: 's' }, { target: 'valve' }, { action: 'abort' as const }])
    t.equal(actionFacts([policy('critical')], { ...about, ...other }), null)
})

t.test('so many actions are under way at a time; one more is cancelled', async (t) => {
  const world = await started()
  world.peer.behaves = 'silent'
  for (let k = 0; k <= LIVE_ACTIONS_MAX; k += 1) world.propose({ key: `k${k}` })
  await world.clock.advance(10 * MS)
  t.equal(world.peer.effects.size, LIVE_ACTIONS_MAX)
  t.same(
    world.told.filter((line) => line.startsWith('refused')),
    ['refused TOO_MANY_OPEN'],
  )
  t.equal(world.kernel.actions.get(`k${LIVE_ACTIONS_MAX}`)?.state, 'CANCELLED')
})

t.test('who is proposed again whenever a release is asked for is cancelled in the end', async (t) => {
  const world = await started()
  const step = world.kernel.step.bind(world.kernel)
  world.kernel.step = (journaled) => {
    const action = world.kernel.actions.get('k1')
    if (journaled.input.kind !== 'release' || action === undefined) return step(journaled)
    return [
      { ...action, state: 'PROPOSED', from: 'GATE_PASSED' },
      { ...action, state: 'GATE_PASSED', from: 'PROPOSED' },
    ]
  }
  world.propose()
  await world.clock.advance(100 * MS)
  t.equal(world.inputs().filter((input) => input === 'release').length, RELEASES_ASKED_MAX)
  t.equal(world.state, 'CANCELLED')
  t.same(world.peer.requests, [])
})

// verifies SE-30
t.test('four fifths of the time are a warning, all of it is critical, and what is no number is the worst', (t) => {
  const levels = [0, 399, 400, 499, 500, 501, Number.NaN].map((spentUs) => budgetLevel(spentUs, 500))
  t.same(levels, [null, null, 'WARNING', 'WARNING', 'CRITICAL', 'CRITICAL', 'CRITICAL'])
  t.equal(budgetLevel(1, Number.NaN), 'CRITICAL')
  t.end()
})
