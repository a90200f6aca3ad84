import t from 'tap'
import type { RigState } from '../../../agent/core/state.ts'
import { DeadMan, type DeadManEvents, type WayOut } from '../../../agent/pipeline/dead-man.ts'
import { type Permit, Permits } from '../../../agent/pipeline/permits.ts'
import { isMarkOf, type Mark, markOf, mint, type Token } from '../../../agent/pipeline/pulse.ts'
import type { PermitExecutor, PermitStrokeOrder } from '../../../agent/ports.ts'
import { createVirtualClock } from '../../../shared/lib/clock.ts'

const T0 = 1_800_000_000_000_000
const SLIDE_US = 50_000
const LATENESS_US = 200_000
const HOLD_MS = 1000
const DEADLINE_MS = HOLD_MS / 2
const KEY = new Uint8Array(32).fill(7)

type Answer = 'held' | 'lost' | 'no_answer'

/** A dead-man over two rigs, the first with a policy, and an actuator that answers as it is told. */
class World {
  readonly clock = createVirtualClock(T0)
  readonly strokes: PermitStrokeOrder[] = []
  readonly said: string[] = []
  readonly told: string[] = []
  journalTakes = true
  readonly levels: Parameters<DeadManEvents['deadMan']>[0][] = []
  answer: Answer = 'held'
  awaited: string[] = []
  wayOut: () => WayOut[] = () => []
  alive = 0
  seq = 0
  readonly deadMan: DeadMan
  readonly permits: Permits

  constructor() {
    const executor = {
      target: 'pump',
      stroke: async (order: PermitStrokeOrder) => {
        this.strokes.push(order)
        return this.answer
      },
    } as Partial<PermitExecutor> as PermitExecutor
    const permit: Permit = { target: 'pump', executor, holdMs: HOLD_MS, rigs: ['loop'] }
    const events = {
      permitHeld: (target: string) => this.said.push(`held ${target}`),
      permitLost: (target: string, reason: string) => this.said.push(`lost ${target}: ${reason}`),
      deadMan: (facts: Parameters<DeadManEvents['deadMan']>[0]) => this.levels.push(facts),
    }
    this.permits = new Permits({
      ...{ clock: this.clock, events, permits: [permit] },
      stands: (target, rigs, lost) => {
        this.told.push(`${target} ${rigs.join()} ${lost ? 'lost' : 'held'}`)
        return this.journalTakes
      },
    })
    const at = { latenessUs: LATENESS_US, slideUs: SLIDE_US }
    this.deadMan = new DeadMan({
      ...{ clock: this.clock, key: KEY, deadlineMs: DEADLINE_MS, permits: this.permits, events },
      rigs: () => [
        { rig: 'loop', ruled: true, ...at },
        { rig: 'host', ruled: false, ...at },
      ],
      awaited: () => this.awaited,
      wayOut: () => this.wayOut(),
      inForce: () => undefined,
      alive: () => {
        this.alive += 1
      },
    })
    this.deadMan.start()
  }

  /** A tick that the journal has: its token is on its way. */
  begin(): Readonly<{ seq: number; token: Token; tickUs: number }> {
    this.seq += 1
    const tickUs = this.clock.nowUs()
    let token: Token | null = null
    this.deadMan.tick(() => {
      token = this.deadMan.token(this.seq, { kind: 'tick', nowUs: tickUs })
      return token !== null
    })
    return { seq: this.seq, token: token!, tickUs }
  }

  /** The tick was evaluated, and what can go out without anybody waiting for it has gone out. */
  async evaluated(seq: number, marks: readonly Mark[]): Promise<void> {
    this.deadMan.evaluated(seq, marks)
    await new Promise((resolve) => setImmediate(resolve))
  }

  /** A whole turn: a tick that goes through everything at once. */
  async turn(): Promise<void> {
    const { seq, token, tickUs } = this.begin()
    await this.evaluated(seq, [markOf(token, rigsAt(tickUs))])
    await this.clock.advance(SLIDE_US)
  }

  async turns(count: number): Promise<void> {
    for (let k = 0; k < count; k += 1) await this.turn()
  }

  async idle(us: number): Promise<void> {
    await this.clock.advance(us)
  }

  get permit(): string {
    return this.permits.states[0]!.state
  }
}

/** Both rigs as they are after a tick that did all it should. */
function rigsAt(tickUs: number, { closed = 0, gate = 0 } = {}): [number, RigState][] {
  const closedUs = Math.floor((tickUs - LATENESS_US - SLIDE_US) / SLIDE_US) * SLIDE_US + closed
  const ruled = { closedUs, safety: { kernel: { endUs: closedUs + gate } }, settings: {} }
  const plain = { closedUs, safety: null, settings: {} }
  return [
    [0, ruled as unknown as RigState],
    [1, plain as unknown as RigState],
  ]
}

type Wrong = (token: Token, tickUs: number) => Mark[]
const other = mint(KEY, 999, false)

// verifies SE-33
t.test(
  'only a token that was marked by every worker, with windows and gates where they must be, strokes',
  async (t) => {
    const table: readonly [name: string, marks: Wrong, stage: string | null][] = [
      ['all of it', (token, us) => [markOf(token, rigsAt(us))], null],
      ['two workers', (token, us) => [markOf(token, rigsAt(us).slice(1)), markOf(token, rigsAt(us).slice(0, 1))], null],
      ['no mark', () => [], 'a worker'],
      ['one worker of two', (token, us) => [markOf(token, rigsAt(us).slice(0, 1))], 'a worker'],
      ['the mark of another token', (_, us) => [markOf(other, rigsAt(us))], 'a worker'],
      [
        'a mark that was changed',
        (token, us) => {
          const { mark, rigs } = markOf(token, rigsAt(us, { closed: -SLIDE_US * 9, gate: SLIDE_US * 9 }))
          return [{ mark, rigs: rigs.map((rig) => ({ ...rig, closedUs: rigsAt(us)[0]![1].closedUs })) }]
        },
        'a worker',
      ],
      ['one rig twice', (token, us) => [markOf(token, [rigsAt(us)[0]!, rigsAt(us)[0]!])], 'the worker of host'],
      ['windows that stand', (token, us) => [markOf(token, rigsAt(us, { closed: -SLIDE_US }))], 'the windows of loop'],
      [
        'windows that are no number',
        (token, us) => [markOf(token, rigsAt(us, { closed: -us * 2 }))],
        'the windows of loop',
      ],
      ['gates that stand', (token, us) => [markOf(token, rigsAt(us, { gate: -SLIDE_US }))], 'the gates of loop'],
    ]
    for (const [name, marks, stage] of table) {
      const world = new World()
      world.deadMan.armed('loop')
      const { seq, token, tickUs } = world.begin()
      await world.evaluated(seq, marks(token, tickUs))
      t.equal(world.strokes.length, stage === null ? 1 : 0, `${name}: strokes`)
      t.equal(world.alive, stage === null ? 1 : 0, `${name}: the watchdog of the system`)
      await world.idle(DEADLINE_MS * 1000)
      t.equal(world.levels.at(-1)?.level, 'failed')
      if (stage !== null) t.equal(world.levels.at(-1)?.stage, stage, `${name}: the stage is said`)
    }
  },
)

// verifies SE-33
t.test('a token counts once, in its time, and for its own tick alone', async (t) => {
  const world = new World()
  world.deadMan.armed('loop')
  await world.turn()
  t.equal(world.strokes.length, 1)
  const { seq, token, tickUs } = world.begin()
  await world.evaluated(seq + 1, [markOf(token, rigsAt(tickUs))])
  t.equal(world.alive, 1, 'an input that came without a token')
  await world.idle(DEADLINE_MS * 1000 + 1)
  await world.evaluated(seq, [markOf(token, rigsAt(tickUs))])
  t.equal(world.alive, 1, 'past its deadline it is worth nothing')
  t.equal(world.permit, 'lost')
  const next = world.begin()
  await world.evaluated(next.seq, [markOf(next.token, rigsAt(next.tickUs))])
  t.equal(world.alive, 2)
  await world.evaluated(next.seq, [markOf(next.token, rigsAt(next.tickUs))])
  t.equal(world.alive, 2, 'nor twice')
  t.equal(world.deadMan.token(99, { kind: 'frame', nowUs: T0 }), null, 'only ticks carry one')
  t.notOk(isMarkOf(mint(KEY, 1, false), markOf(mint(KEY, 2, false), rigsAt(T0))), 'each tick has its own')
})

// verifies SE-33
t.test(
  'time alone strokes nothing; late at half, failed at all of the deadline, and then permits are dropped',
  async (t) => {
    const world = new World()
    world.deadMan.armed('loop')
    await world.turns(4)
    t.equal(world.permit, 'held')
    const before = world.strokes.length
    const alive = world.alive
    await world.idle(DEADLINE_MS * 500)
    t.match(world.levels, [{ level: 'late', stage: 'clock' }], 'half of it is over')
    t.equal(world.permit, 'held')
    await world.idle(DEADLINE_MS * 500)
    t.match(world.levels.at(-1), { level: 'failed', stage: 'clock', deadlineUs: DEADLINE_MS * 1000 })
    t.equal(world.permit, 'lost')
    t.match(world.strokes.slice(before), [{ begin: false, holdMs: 1 }], 'one stroke, which ends it')
    await world.idle(3_600_000_000)
    t.equal(world.strokes.length, before + 1, 'an hour of nothing but time')
    t.equal(world.alive, alive)
    t.same(world.said, ['held pump', 'lost pump: no token came through: clock'])
  },
)

// verifies SE-33
t.test('where tokens stay is said: the journal, a worker, evaluation', async (t) => {
  const table: readonly [string, (world: World) => void][] = [
    ['journal', (world) => world.deadMan.tick(() => false)],
    [
      'worker 1',
      (world) => {
        world.begin()
        world.awaited = ['worker 1']
      },
    ],
    ['evaluation', (world) => void world.begin()],
  ]
  for (const [stage, stall] of table) {
    const world = new World()
    await world.turns(2)
    stall(world)
    await world.idle(DEADLINE_MS * 1000)
    t.match(world.levels, [
      { level: 'late', stage },
      { level: 'failed', stage },
    ])
    t.match(world.deadMan.vitals, { level: 'failed', stage })
  }
})

// verifies SE-33, SE-34
t.test('a permit begins by arming, and after it was lost by arming again: never by itself', async (t) => {
  const world = new World()
  await world.turns(5)
  t.equal(world.strokes.length, 0, 'nobody armed anything')
  world.deadMan.armed('host')
  await world.turns(5)
  t.equal(world.strokes.length, 0, 'another rig was armed')
  world.deadMan.armed('loop')
  await world.turns(21)
  t.match(world.strokes[0], { begin: true, holdMs: HOLD_MS })
  t.ok(world.strokes.slice(1).every(({ begin }) => !begin))
  t.equal(world.strokes.length, 4, 'the first, and three in the time that one holds')
  const tokens = world.strokes.map(({ token }) => token)
  t.same(
    tokens,
    [...new Set(tokens)].sort((a, b) => a - b),
    'tokens grow',
  )
  world.answer = 'lost'
  await world.turns(6)
  t.equal(world.permit, 'lost')
  const after = world.strokes.length
  world.answer = 'held'
  await world.turns(50)
  t.equal(world.strokes.length, after, 'the agent is well and the permit stays lost')
  world.deadMan.armed('loop')
  await world.turns(2)
  t.match(world.strokes[after], { begin: true })
  t.equal(world.permit, 'held')
  await world.deadMan.stop('the agent ends')
  t.match(world.strokes.at(-1), { begin: false, holdMs: 1 }, 'an orderly stop ends it now')
  t.ok(world.strokes.at(-1)!.token > world.strokes.at(-2)!.token)
  t.equal(world.said.at(-1), 'lost pump: the agent ends')
})

// verifies SE-33
t.test('the rigs of a permit are told that it is lost, and that it is held, once each', async (t) => {
  const world = new World()
  await world.turns(5)
  t.same(world.told, [], 'one that nobody has asked for is no news')
  world.deadMan.armed('loop')
  await world.turns(10)
  t.same(world.told.splice(0), ['pump loop held'])
  world.answer = 'lost'
  world.journalTakes = false
  await world.turns(30)
  t.ok(world.told.length >= 2 && world.told.length <= 3, 'a journal that takes nothing is tried again, once a second')
  world.journalTakes = true
  await world.turns(30)
  t.same([...new Set(world.told.splice(0))], ['pump loop lost'])
  await world.turns(30)
  t.same(world.told, [], 'once is enough')
  world.answer = 'held'
  world.deadMan.armed('loop')
  await world.turns(10)
  t.same(world.told.splice(0), ['pump loop held'])
  await world.deadMan.stop('the agent ends')
  await world.idle(10_000_000)
  t.same(world.told, [], 'an orderly end is nothing to be alarmed of')
})

// verifies SE-34
t.test('an actuator that answers no stroke for as long as one holds has dropped', async (t) => {
  const world = new World()
  world.deadMan.armed('loop')
  await world.turns(2)
  t.equal(world.permit, 'held')
  world.answer = 'no_answer'
  await world.turns(15)
  t.equal(world.permit, 'held', 'a few strokes may go astray')
  await world.turns(15)
  t.equal(world.permit, 'lost')
  t.equal(world.said.at(-1), 'lost pump: no stroke was answered')
})

// verifies SE-33
t.test('each part of the way out that stalls drops the permit, and is named', async (t) => {
  const parts = ['the disk of the journal', 'the ledger of actions']
  for (const stalled of parts) {
    const world = new World()
    let isStalled = false
    world.wayOut = () =>
      parts.map((stage) => ({
        stage,
        passed: isStalled && stage === stalled ? new Promise(() => undefined) : Promise.resolve(),
      }))
    world.deadMan.armed('loop')
    await world.turns(20)
    t.equal(world.permit, 'held')
    isStalled = true
    await world.turns(3)
    const [before, alive] = [world.strokes.length, world.alive]
    await world.turns(20)
    t.match(world.levels, [
      { level: 'late', stage: stalled },
      { level: 'failed', stage: stalled },
    ])
    t.equal(world.permit, 'lost')
    t.match(
      world.strokes.slice(before),
      [{ begin: false, holdMs: 1 }],
      'every tick is evaluated, and nothing is stroked',
    )
    t.equal(world.alive, alive, 'nor is the watchdog of the system')
    t.equal(world.deadMan.stays, stalled)
  }
})

// verifies SE-33
t.test('a way out that is barred, or takes longer than the deadline, is worth nothing', async (t) => {
  const barred = new World()
  barred.wayOut = () => [{ stage: 'the disk of the journal', passed: Promise.reject(new Error('ENOSPC')) }]
  barred.deadMan.armed('loop')
  await barred.turns(20)
  t.same([barred.strokes.length, barred.alive], [1, 0], 'one stroke, which ends what was asked for')
  t.match(barred.levels.at(-1), { level: 'failed', stage: 'the disk of the journal' })

  const slow = new World()
  slow.wayOut = () => [{ stage: 'the disk of the journal', passed: slow.clock.sleep(DEADLINE_MS + 100) }]
  slow.deadMan.armed('loop')
  await slow.turns(60)
  t.equal(slow.alive, 0)
  t.match(slow.levels.at(-1), { level: 'failed' })
  t.equal(slow.permit, 'lost')
})

// verifies SE-33
t.test('one token is on the way out at a time, four in a deadline at most', async (t) => {
  const world = new World()
  let [open, most, count] = [0, 0, 0]
  world.wayOut = () => {
    open += 1
    count += 1
    most = Math.max(most, open)
    return [
      {
        stage: 'the disk of the journal',
        passed: world.clock.sleep(20).then(() => {
          open -= 1
        }),
      },
    ]
  }
  await world.turns(200)
  t.equal(most, 1)
  t.ok(count <= (4 * 10_000) / DEADLINE_MS && count >= 60, `${count} in ten seconds`)
  t.same(world.levels, [], 'and never late')
})
