import t from 'tap'
import { createAgentClock } from '../../../agent/adapters/agent-clock.ts'
import { ClockWatch } from '../../../agent/pipeline/clock-watch.ts'
import { createEvaluation, evaluate } from '../../../agent/pipeline/evaluation.ts'
import { encodeFrame } from '../../../shared/codec/telemetry.ts'
import { createVirtualClock, systemClock } from '../../../shared/lib/clock.ts'
import { REGISTRY, RUNTIME } from '../../support/config-texts.ts'

const T0 = Date.UTC(2026, 10, 24) * 1000
const SECOND = 1_000_000
const HOUR = 3600 * SECOND
const YEAR = 365 * 24 * HOUR

type Input = Parameters<typeof evaluate>[2]
type Said = { stepped: number[]; together: { by_us: number; followed: boolean }[] }

function evaluator(nowUs: number) {
  const evaluation = createEvaluation()
  const utf8 = new TextEncoder()
  let seq = 0
  const take = (input: Input): void => {
    seq += 1
    evaluate(evaluation, seq, input)
  }
  const files = [
    { name: 'runtime.yaml', bytes: utf8.encode(RUNTIME) },
    { name: 'loop.registry.yaml', bytes: utf8.encode(REGISTRY) },
  ]
  take({ kind: 'config', nowUs, files })
  return { evaluation, take }
}

/** A machine whose clocks can be ill, and the time of an agent on it. */
function illMachine() {
  const run = createVirtualClock(T0)
  let offsetUs = 0
  let frozenUs: number | null = null
  let sleptUs = 0
  const clock = createAgentClock({
    clock: { ...run, nowUs: () => frozenUs ?? run.nowUs() + offsetUs },
    bootUs: () => run.monotonicUs() + sleptUs,
  })
  const { evaluation, take } = evaluator(clock.nowUs())
  const said: Said = { stepped: [], together: [] }
  const watch = new ClockWatch({
    clock,
    evaluation,
    stepped: ({ ahead_us }) => void said.stepped.push(ahead_us),
    together: (facts) => void said.together.push(facts),
  })
  watch.start()
  let frame = 0
  /** Lives on, with a tick each 50 ms and, from a publisher with a clock of its own, a sample each 10 ms. */
  const live = async (seconds: number, publisherUs: (() => number) | null = () => run.nowUs()): Promise<void> => {
    for (let k = 0; k < seconds * 100; k += 1) {
      await run.advance(10_000)
      if (publisherUs !== null) take(frameAt(clock.nowUs(), publisherUs(), k + frame))
      if (k % 5 === 0) take({ kind: 'tick', nowUs: clock.nowUs() })
    }
    frame += seconds * 100
  }
  return {
    run,
    clock,
    watch,
    said,
    live,
    rig: () => evaluation.state.rigs[0]!,
    decisions: () => evaluation.state.decisionSeq,
    step: (us: number): void => {
      offsetUs += us
    },
    freeze: (): void => {
      frozenUs = run.nowUs() + offsetUs
    },
    thaw: (): void => {
      frozenUs = null
    },
    sleep: (us: number): void => {
      sleptUs += us
      offsetUs += us
    },
  }
}

function frameAt(nowUs: number, timeUs: number, seq: number): Input {
  const message = encodeFrame({
    rig: 'water-loop',
    source: 'daq',
    epoch: 'e',
    seq,
    channels: ['flow', 'pressure'],
    cid: null,
    timeUs: Float64Array.of(timeUs),
    value: Float64Array.of(100, 1),
  })
  return {
    kind: 'frame',
    nowUs,
    rig: 'water-loop',
    origin: 'daq',
    encoding: 'cbor',
    provenance: 'live',
    messages: [message],
  }
}

let cases = 0
/** Decisions a second of two slides each 50 ms, less what a start leaves out. */
const PER_S = 20

for (const [name, stepUs] of [
  ['an hour forward', HOUR],
  ['an hour back', -HOUR],
  ['ten years forward', 10 * YEAR],
  ['ten years back', -10 * YEAR],
  ['half a minute back', -30 * SECOND],
] as const)
  t.test(`a clock set ${name} while publishers keep theirs changes no decision, and is said`, async (t) => {
    const machine = illMachine()
    await machine.live(3)
    machine.step(stepUs)
    const before = machine.decisions()
    await machine.live(20)
    t.equal(machine.decisions() - before, 20 * PER_S, 'every slide is decided at its time')
    t.equal(machine.rig().ledger.refusals.size, 0, 'and every sample taken')
    t.same(machine.said, { stepped: [stepUs], together: [] })
    t.match(machine.watch.reason(), { code: 'CLOCK_STEPPED' })
    machine.step(-stepUs)
    await machine.live(3)
    t.equal(machine.watch.reason(), null, 'until it is set right')
    t.equal(machine.said.together.length, 1)
    cases += 1
  })

t.test('a clock set forward that publishers go along with is followed, and what was left out is a gap', async (t) => {
  const machine = illMachine()
  await machine.live(3)
  machine.step(HOUR)
  await machine.live(20, () => machine.run.nowUs() + HOUR)
  t.match(machine.said.together, [{ followed: true }])
  t.equal(machine.watch.reason(), null)
  t.ok(machine.rig().ledger.refusals.get('future')!.count > 500, 'what came meanwhile is counted')
  const before = machine.decisions()
  await machine.live(5, () => machine.run.nowUs() + HOUR)
  t.equal(machine.decisions() - before, 5 * PER_S)
  cases += 1
})

t.test('a clock that is set for the first time, before anything is heard, is followed', async (t) => {
  const machine = illMachine()
  await machine.live(2, null)
  machine.step(30 * 24 * HOUR)
  await machine.live(12, null)
  t.match(machine.said.together, [{ followed: true }])
  cases += 1
})

t.test('a clock that stands still is left alone after two seconds, and said', async (t) => {
  const machine = illMachine()
  await machine.live(3)
  machine.freeze()
  const before = machine.decisions()
  await machine.live(30)
  t.ok(machine.decisions() - before >= 27 * PER_S, `${machine.decisions() - before} decisions in 30 s`)
  t.equal(machine.said.stepped.length, 1)
  machine.thaw()
  await machine.live(60)
  t.equal(machine.watch.reason(), null)
  cases += 1
})

t.test('a clock that is a few seconds off is approached, and time does not go back', async (t) => {
  const machine = illMachine()
  await machine.live(3)
  machine.step(-3 * SECOND)
  let latestUs = machine.clock.nowUs()
  for (let k = 0; k < 80; k += 1) {
    await machine.live(1)
    t.ok(machine.clock.nowUs() > latestUs)
    latestUs = machine.clock.nowUs()
  }
  t.equal(machine.said.stepped.length, 1)
  t.match(machine.said.together, [{ followed: false }])
  t.equal(machine.rig().ledger.refusals.size, 0)
  cases += 1
})

t.test('a machine that slept goes on at the time it wakes', async (t) => {
  const machine = illMachine()
  await machine.live(3)
  machine.sleep(8 * HOUR)
  const wokeUs = machine.run.nowUs() + 8 * HOUR
  await machine.live(2, () => machine.run.nowUs() + 8 * HOUR)
  t.ok(machine.clock.nowUs() >= wokeUs)
  t.same(machine.said, { stepped: [], together: [] }, 'sleep is no fault of the clock')
  t.equal(machine.rig().ledger.refusals.size, 0)
  cases += 1
})

t.test('a leap second, either way, is gone along with', async (t) => {
  for (const leapUs of [-SECOND, SECOND]) {
    const machine = illMachine()
    await machine.live(5)
    machine.step(leapUs)
    await machine.live(5, () => machine.run.nowUs() + leapUs)
    t.same(machine.said.stepped, [])
    t.equal(machine.clock.aheadUs(), null)
    t.ok(machine.decisions() >= 8 * PER_S)
    cases += 1
  }
})

t.test('a clock that a time server slews is followed all the way', async (t) => {
  const machine = illMachine()
  for (let k = 0; k < 600; k += 1) {
    machine.step(500)
    await machine.live(1, null)
  }
  t.equal(machine.clock.nowUs(), machine.clock.wallUs())
  t.same(machine.said.stepped, [])
  cases += 1
})

t.test('a start behind what was evaluated goes on from there', async (t) => {
  const run = createVirtualClock(T0)
  const clock = createAgentClock({ clock: run, bootUs: () => null })
  clock.notBefore(T0 + HOUR)
  t.ok(clock.nowUs() >= T0 + HOUR)
  await run.advance(SECOND)
  t.equal(clock.nowUs(), T0 + HOUR + SECOND)
  t.equal(clock.aheadUs(), -HOUR)
  clock.notBefore(T0)
  t.ok(clock.nowUs() >= T0 + HOUR, 'and never back')
  cases += 1
})

for (const [name, of, reason] of [
  ['milliseconds', (us: number) => Math.floor(us / 1000), 'unit_suspect'],
  ['seconds', (us: number) => us / 1e6, 'unit_suspect'],
  ['nanoseconds', (us: number) => us * 1000, 'unit_suspect'],
] as const)
  t.test(`a source that sends ${name} is refused with that suspicion, and nothing is guessed`, async (t) => {
    const machine = illMachine()
    await machine.live(2, () => of(machine.run.nowUs()))
    const { refusals } = machine.rig().ledger
    const reasons = [...refusals.keys()]
    t.equal(reasons.length, 1, reasons.join(', '))
    t.match(reasons[0], reason === 'unit_suspect' ? /us|ms|ns|sec|unit/ : reason)
    t.equal(machine.rig().ledger.refusals.get(reasons[0]!)!.count, 400)
    cases += 1
  })

t.test('a wait longer than a timer can hold does not end at once', async (t) => {
  const clock = systemClock()
  let fired = 0
  const cancels = [2 ** 31, 2 ** 32 + 5, Number.MAX_SAFE_INTEGER].map((ms) => clock.after(ms, () => (fired += 1)))
  cancels.push(clock.every(2 ** 31 + 1000, () => (fired += 1)))
  await clock.sleep(30)
  t.equal(fired, 0)
  for (const cancel of cancels) cancel()
  cases += 1
})

t.test('all of them were tried', async (t) => {
  t.ok(cases >= 16, `${cases}`)
  t.comment(`counted: hostile time | ${cases} | nothing lost, every one said`)
})
