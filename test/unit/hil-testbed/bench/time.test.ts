import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import t from 'tap'
import { Router } from 'zeromq'
import { createBenchClock } from '../../../../hil-testbed/bench/bench-clock.ts'
import { type HostTime, hostTime } from '../../../../hil-testbed/bench/host-time.ts'
import { FreePace, LockstepPace } from '../../../../hil-testbed/bench/pace.ts'
import { type ActuatorStub, within } from '../../../../hil-testbed/bench/stubs.ts'
import { createVirtualClock, turnOfLoop } from '../../../../shared/lib/clock.ts'
import {
  decodeLockstep,
  encodeLockstep,
  type FromLockstepAgent,
  type LockstepGrant,
  type ToLockstepAgent,
} from '../../../../shared/protocol/lockstep.ts'

const BEGIN_US = 1_780_272_000_000_000

type Act =
  | Readonly<{ do: 'after' | 'every'; ms: number }>
  | Readonly<{ do: 'cancel'; which: number }>
  | Readonly<{ do: 'move'; us: number }>

const ACTS = fc.array(
  fc.oneof(
    fc.record({ do: fc.constantFrom('after' as const, 'every' as const), ms: fc.integer({ min: 1, max: 40 }) }),
    fc.record({ do: fc.constant('cancel' as const), which: fc.nat(12) }),
    fc.record({ do: fc.constant('move' as const), us: fc.integer({ min: 0, max: 60_000 }) }),
  ),
  { maxLength: 40 },
)

/** What should fire, worked out microsecond list by microsecond list. */
function expected(acts: readonly Act[]): string[] {
  const timers: { name: number; dueUs: number; everyUs: number | null; gone: boolean }[] = []
  const fired: string[] = []
  let nowUs = BEGIN_US
  for (const act of acts)
    if (act.do === 'cancel') {
      const timer = timers[act.which]
      if (timer !== undefined) timer.gone = true
    } else if (act.do === 'move') {
      const untilUs = nowUs + act.us
      const due = timers.flatMap((timer) => {
        const times: { atUs: number; name: number }[] = []
        for (; !timer.gone && timer.dueUs <= untilUs; timer.dueUs += timer.everyUs ?? 0) {
          times.push({ atUs: timer.dueUs, name: timer.name })
          if (timer.everyUs === null) timer.gone = true
        }
        return times
      })
      for (const { atUs, name } of due.sort((a, b) => a.atUs - b.atUs || a.name - b.name)) fired.push(`${name}@${atUs}`)
      nowUs = untilUs
    } else {
      const us = act.ms * 1000
      timers.push({ name: timers.length, dueUs: nowUs + us, everyUs: act.do === 'every' ? us : null, gone: false })
    }
  return fired
}

t.test(
  'timers of the bench fire in order of their time and of their making, at their time, until they are cancelled',
  (t) => {
    fc.assert(
      fc.property(ACTS, (acts) => {
        const clock = createBenchClock(BEGIN_US)
        const fired: string[] = []
        const cancels: (() => void)[] = []
        for (const act of acts)
          if (act.do === 'cancel') cancels[act.which]?.()
          else if (act.do === 'move') clock.moveTo(clock.nowUs() + act.us)
          else {
            const name = cancels.length
            cancels.push(clock[act.do](act.ms, () => fired.push(`${name}@${clock.nowUs()}`)))
          }
        t.same(fired, expected(acts))
      }),
      { numRuns: 300 },
    )
    t.end()
  },
)

t.test('a timer may make and cancel others while it fires, and time never goes back', async (t) => {
  const clock = createBenchClock(BEGIN_US)
  const fired: string[] = []
  const note = (what: string) => (): void => void fired.push(`${what}@${clock.nowUs() - BEGIN_US}`)
  const never = clock.after(3, note('never'))
  clock.after(1, () => {
    never()
    clock.after(0, note('at once'))
    clock.after(1, note('later'))
  })
  t.equal(clock.nextUs(), BEGIN_US + 1000)
  clock.moveTo(BEGIN_US + 5000)
  t.same(fired, ['at once@1000', 'later@2000'])
  clock.moveTo(BEGIN_US)
  t.same([clock.nowUs(), clock.nextUs()], [BEGIN_US + 5000, null])
  t.throws(() => clock.every(0, () => {}), /longer than 0/)
  await t.rejects(clock.sleep(1, AbortSignal.abort(new Error('no more'))), /no more/)
  t.equal(clock.nextUs(), null, 'nothing of it is left')
})

/** An agent that answers grants as it is told to, and remembers them. */
async function fakeAgent(
  t: { teardown(run: () => void): void },
  answer: (grant: LockstepGrant) => FromLockstepAgent | null,
) {
  const folder = mkdtempSync(join(tmpdir(), 'hb-pace-'))
  const endpoint = `ipc://${join(folder, 'a')}`
  const [router, granted]: [Router, LockstepGrant[]] = [new Router({ linger: 0 }), []]
  await router.bind(endpoint)
  t.teardown(() => {
    router.close()
    rmSync(folder, { recursive: true })
  })
  const serve = async (): Promise<void> => {
    for await (const [route, bytes] of router) {
      const opened = decodeLockstep('bench', new Uint8Array(bytes!))
      if (!opened.ok) throw new Error(opened.detail)
      const said = answerTo(opened.message)
      if (said !== null) await router.send([route!, encodeLockstep(said)])
    }
  }
  const answerTo = (message: ToLockstepAgent): FromLockstepAgent | null => {
    if (message.t === 'hello') return { t: 'ready', agent: 'bench', now_us: message.begin_us, rigs: ['rig'] }
    if (message.t === 'end') return null
    granted.push(message)
    return answer(message)
  }
  void serve()
  return { endpoint, granted }
}

const advanced = (n: number, sent: Readonly<Record<string, number>> = {}): FromLockstepAgent => ({
  ...{ t: 'advanced', n, evaluated_through_us: 0, decisions: 0, sent },
})

/** An actuator that answers each frame it takes with one of its own, so many times, and how often it was retired. */
function answering(times: number, retired: string[] = []): ActuatorStub {
  const frames = { taken: 0, sent: 0 }
  const heard = async (count: number): Promise<void> => {
    for (; frames.taken < count; frames.taken += 1) if (frames.sent < times) frames.sent += 1
  }
  return {
    spec: { target: 'pump' },
    link: { frames, heard, retire: () => retired.push('pump') },
  } as unknown as ActuatorStub
}

const host = (waitMs: number): HostTime => ({ ...hostTime(), waitMs })

t.test('a quantum is granted again until nobody has anything to answer any more', async (t) => {
  // The agent answers each frame of the actuator with one of its own.
  const agent = await fakeAgent(t, ({ n, heard }) => advanced(n, { pump: (heard['pump'] ?? 0) + 1 }))
  const options = { beginUs: BEGIN_US, endpoint: agent.endpoint, real: false, host: host(5000) }
  const pace = new LockstepPace({ ...options, stubs: () => [answering(2)] })
  t.teardown(() => pace.gone())
  await pace.greet(0)
  await pace.advance(50_000, { 'daq-1': 3 })
  const grant = { until_us: BEGIN_US + 50_000, frames: { 'daq-1': 3 } }
  t.match(agent.granted, [
    { ...grant, n: 1, heard: { pump: 0 } },
    { ...grant, n: 2, heard: { pump: 1 } },
    { ...grant, n: 3, heard: { pump: 2 } },
  ])
  t.equal(agent.granted.length, 3)
  await pace.advance(100_000, { 'daq-1': 6 })
  t.match(agent.granted.slice(3), [{ n: 4, until_us: BEGIN_US + 100_000, heard: { pump: 2 } }])
})

t.test('counts begin again with every life of the agent', async (t) => {
  const agent = await fakeAgent(t, ({ n }) => advanced(n, { pump: 1 }))
  const options = { beginUs: BEGIN_US, endpoint: agent.endpoint, real: false, host: host(5000) }
  const retired: string[] = []
  const pace = new LockstepPace({ ...options, stubs: () => [answering(9, retired)] })
  t.teardown(() => pace.gone())
  await pace.greet(0)
  await pace.advance(50_000, {})
  pace.gone()
  await pace.advance(60_000, {})
  t.equal(agent.granted.length, 2, 'without an agent time goes on alone')
  await pace.greet(60_000)
  await pace.advance(100_000, {})
  t.match(agent.granted[2], { n: 1, heard: { pump: 0 } })
  t.same(retired, ['pump', 'pump'], 'links of the life before are over')
})

t.test('answers without an end are told after a bound', async (t) => {
  const agent = await fakeAgent(t, ({ n, heard }) => advanced(n, { pump: (heard['pump'] ?? 0) + 1 }))
  const options = { beginUs: BEGIN_US, endpoint: agent.endpoint, real: false, host: host(5000) }
  const pace = new LockstepPace({ ...options, stubs: () => [answering(Number.POSITIVE_INFINITY)] })
  t.teardown(() => pace.gone())
  await pace.greet(0)
  await t.rejects(pace.advance(50_000, {}), { code: 'BENCH_WAIT' })
  t.equal(agent.granted.length, 256)
})

t.test('an agent that does not answer, and a bench that leaves, end a wait', async (t) => {
  const agent = await fakeAgent(t, () => null)
  const make = (waitMs: number): LockstepPace =>
    new LockstepPace({ beginUs: BEGIN_US, endpoint: agent.endpoint, real: false, host: host(waitMs), stubs: () => [] })
  const silent = make(20)
  await silent.greet(0)
  await t.rejects(silent.advance(50_000, {}), { code: 'AGENT_SILENT' })
  silent.gone()
  const left = make(600_000)
  await left.greet(0)
  const waiting = t.rejects(left.advance(50_000, {}), { code: 'AGENT_SILENT' })
  await turnOfLoop()
  left.gone()
  await waiting
})

t.test('a wait ends with what it waited for, at its bound, or when nobody wants it any more', async (t) => {
  const clock = createVirtualClock(0)
  const never = new Promise<never>(() => {})
  const ending = new AbortController()
  const bounds = { host: { ...clock, waitMs: 30, startMs: 30 }, signal: ending.signal }
  t.equal(await within('a word', Promise.resolve('word'), bounds), 'word')
  const late = t.rejects(within('a word', never, bounds), { code: 'BENCH_WAIT', context: { waited_for: 'a word' } })
  await clock.advance(30_000)
  await late
  const left = t.rejects(within('a word', never, bounds), { name: 'AbortError' })
  ending.abort()
  await left
})

t.test('free run does nothing before its time, also when a timer fires a part of a millisecond early', async (t) => {
  const clock = createVirtualClock(BEGIN_US)
  const asked: number[] = []
  const early = {
    ...clock,
    sleep: (ms: number) => {
      asked.push(ms)
      return clock.sleep(Math.max(0, ms - 0.4))
    },
  }
  const pace = new FreePace(BEGIN_US, early)
  let isDone = false
  void pace.advance(50_000).then(() => {
    isDone = true
  })
  await clock.advance(49_600)
  await turnOfLoop()
  t.same([isDone, asked], [false, [50, 1]])
  await clock.advance(600)
  await turnOfLoop()
  t.equal(isDone, true)
})

t.test('free run keeps to the clock of the machine and counts where it came too late', async (t) => {
  const clock = createVirtualClock(BEGIN_US)
  const pace = new FreePace(BEGIN_US + 1_000_000, clock)
  const done: string[] = []
  void pace.advance(50_000).then(() => done.push('first'))
  await clock.advance(1_049_999)
  t.same(done, [])
  await clock.advance(1)
  await turnOfLoop()
  t.same([done, pace.overruns], [['first'], 0])
  await clock.advance(151_000)
  const second = pace.advance(100_000)
  await clock.advance(0)
  await second
  t.equal(pace.overruns, 1, 'later than a tenth of a second')
})
