import { appendFileSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { openActuatorBook, readActuatorBook } from '../../../hil-testbed/actuator-book.ts'
import { ActuatorDevice } from '../../../hil-testbed/actuator-device.ts'
import { createVirtualClock, type VirtualClock } from '../../../shared/lib/clock.ts'
import type { ActionRequest, FromActuator, PermitStroke } from '../../../shared/protocol/actuator.ts'

const REQUEST: ActionRequest = {
  t: 'request',
  key: 'key-0001',
  rig: 'bench',
  action: 'shutdown',
  target: 'relief',
  params: { open: true },
  attempt: 1,
}

type Started = Readonly<{ device: ActuatorDevice; answers: FromActuator[]; die(): void; events: string[] }>

function start(file: string, clock: VirtualClock): Started {
  const answers: FromActuator[] = []
  const events: string[] = []
  const book = openActuatorBook(file, 'actuator')
  const device = new ActuatorDevice({
    book,
    clock,
    lossEffect: 'de_energise',
    answer: (message) => answers.push(message),
    say: (event) => events.push(event),
  })
  const die = (): void => {
    device.stop()
    book.close()
  }
  return { device, answers, die, events }
}

const fileOf = (t: Test): string => join(t.testdir(), 'actuator.jsonl')
const effects = (file: string): number | undefined => readActuatorBook(file).keys.get('key-0001')?.effects
const stages = ({ answers }: Started): string[] => answers.flatMap((one) => (one.t === 'ack' ? [one.stage] : []))

// verifies SE-14
t.test('killed after any line of its book, an actuator has done and does each key exactly once', async (t) => {
  const whole = fileOf(t)
  const clock = createVirtualClock(0)
  const first = start(whole, clock)
  first.device.request(REQUEST)
  first.die()
  const lines = readFileSync(whole, 'utf8').split('\n').slice(0, -1)
  t.match(
    lines.map((line) => (JSON.parse(line) as { what: string }).what),
    ['actuator', 'accepted', 'stage', 'effect', 'stage'],
  )
  let cuts = 0
  for (let length = 1; length <= lines.length; length += 1) {
    for (const torn of ['', '{"what":"eff']) {
      const file = join(t.testdir(), 'cut.jsonl')
      writeFileSync(file, `${lines.slice(0, length).join('\n')}\n${torn}`)
      const again = start(file, clock)
      again.device.resume()
      again.device.request({ ...REQUEST, attempt: 2 })
      again.die()
      t.equal(effects(file), 1, `cut after line ${length}`)
      t.equal(stages(again).at(-1), 'completed')
      cuts += 1
    }
  }
  t.comment(`counted: books of an actuator cut off | ${cuts} | each key done exactly once`)
})

t.test('a file of somebody else is left as it is', async (t) => {
  const file = fileOf(t)
  for (const text of [
    'hello\n',
    '{"what":"effect","key":"k"}\n',
    '{"what":"actuator","v":2,"id":"actuator"}\n',
    '{"what":"actuator","v":1,"id":"pump"}\n',
    '{"what":"actuator","v":1,"id":"actuator"}\n{"what":"stage","key":"k","stage":"exploded","detail":""}\n',
    '{"what":"actuator","v":1,"id":"actuator"}\n{"what":"actuator","v":1,"id":"actuator"}\n',
  ]) {
    writeFileSync(file, text)
    t.throws(() => openActuatorBook(file, 'actuator'), { code: 'ACTUATOR_STATE' }, text)
    t.equal(readFileSync(file, 'utf8'), text)
  }
})

t.test('a torn last line is gone, and the next one stands whole', async (t) => {
  const file = fileOf(t)
  openActuatorBook(file, 'actuator').close()
  appendFileSync(file, '{"what":"accep')
  const book = openActuatorBook(file, 'actuator')
  t.equal(book.cutBytes, 14)
  book.accept('key-0001', 'aa')
  book.close()
  t.same([...readActuatorBook(file).keys.keys()], ['key-0001'])
})

t.test('slow: each stage takes as long as it was told, and an effect is only there when it has started', async (t) => {
  const file = fileOf(t)
  const clock = createVirtualClock(0)
  const slow = start(file, clock)
  slow.device.want({ kind: 'slow', ms: 100, times: 1 })
  slow.device.request(REQUEST)
  t.same(stages(slow), ['accepted'])
  t.equal(effects(file), 0)
  await clock.advance(100_000)
  t.same(stages(slow), ['accepted', 'started'])
  t.equal(effects(file), 1)
  slow.device.request({ ...REQUEST, attempt: 2 })
  t.equal(stages(slow).at(-1), 'started', 'as far as it is')
  await clock.advance(100_000)
  t.equal(stages(slow).at(-1), 'completed')
  t.equal(effects(file), 1)
  slow.die()
})

// verifies SE-34
t.test(
  'a stroke holds for its time and not a microsecond longer; only a beginning with a new token gives it back',
  async (t) => {
    const file = fileOf(t)
    const clock = createVirtualClock(0)
    const started = start(file, clock)
    const stroke = (change: Partial<PermitStroke>): boolean => {
      started.device.permit({ t: 'permit', token: 0, begin: false, hold_us: 100_000, ...change })
      const last = started.answers.at(-1)!
      return last.t === 'permit_ack' && last.held
    }
    const lost = (): number => readActuatorBook(file).permitLost
    t.equal(stroke({ token: 1 }), false)
    t.equal(stroke({ token: 2, begin: true }), true)
    await clock.advance(99_999)
    t.equal(stroke({ token: 3 }), true)
    await clock.advance(99_999)
    t.equal(stroke({ token: 3 }), true, 'the same stroke again is heard')
    t.equal(lost(), 0)
    await clock.advance(1)
    t.equal(lost(), 1, 'but holds nothing for longer')
    t.equal(stroke({ token: 4 }), false)
    t.equal(stroke({ token: 4, begin: true }), false)
    t.equal(stroke({ token: 2, begin: true }), false, 'nor does an old beginning')
    t.equal(stroke({ token: 5, begin: true }), true)
    await clock.advance(100_000)
    t.equal(lost(), 2)
    started.die()
  },
)
