import fc from 'fast-check'
import t from 'tap'
import type { Fault } from '../../../hil-testbed/core/fault.ts'
import { FAULT_KINDS } from '../../../hil-testbed/core/faults/catalogue.ts'
import { createInstrumentation } from '../../../hil-testbed/core/instrumentation.ts'
import type { OutFrame } from '../../../hil-testbed/core/out-frame.ts'
import { BEGIN_US, fault, sensor, tried, valuesOf } from '../../support/instrumented-rig.ts'

/** Times of samples, in ms after the start of the run. */
function stamps(frames: readonly OutFrame[]): number[] {
  return frames.flatMap(({ timeUs }) => Array.from(timeUs, (us) => (us - BEGIN_US) / 1000))
}

const seqs = (frames: readonly OutFrame[]): number[] => frames.map(({ seq }) => seq)
const dues = (frames: readonly OutFrame[]): number[] => frames.map(({ dueUs }) => dueUs / 1000)
/** Acts from 200 ms to 400 ms, on the samples 2 and 3. */
const MIDDLE = { onsetUs: 200_000, durationUs: 200_000 }

t.test(
  'a frame holds the channels of a source and rate, channel by channel, and the same list is the same object',
  async (t) => {
    const sensors = [sensor('x'), sensor('y'), sensor('fast', { rateHz: 20 }), sensor('z', { source: 'daq-2' })]
    const { frames } = tried({ sensors, calls: [-1, 100_000, 200_000] })
    t.same(
      frames.map(({ source, seq, channels, dueUs }) => [source, seq, channels, dueUs]),
      [
        ['daq-1', 0, ['x', 'y'], 100_000],
        ['daq-1', 1, ['fast'], 100_000],
        ['daq-2', 0, ['z'], 100_000],
        ['daq-1', 2, ['x', 'y'], 200_000],
        ['daq-1', 3, ['fast'], 200_000],
        ['daq-2', 1, ['z'], 200_000],
      ],
    )
    t.same([...frames[0]!.value], [0, 1, 100, 101])
    t.same(stamps([frames[1]!]), [0, 50, 100])
    t.equal(frames[0]!.channels, frames[3]!.channels)
    t.match(frames[0]!, { rig: 'rig-1', quality: null, injected: [], mutate: null, epoch: /^[0-9a-f]{16}$/ })
    t.not(frames[0]!.epoch, frames[2]!.epoch)
  },
)

t.test('the plant is told of each sample time once, in order, and may answer later', async (t) => {
  const sensors = [sensor('x', { rateHz: 4 }), sensor('y', { rateHz: 3, source: 'daq-2' })]
  const instrumentation = createInstrumentation({ rig: 'r', seed: 1, sensors, beginUs: 0 })
  const told: number[] = []
  instrumentation.frames(500_000, { advance: (atUs) => told.push(atUs), read: () => 1 })
  t.same(told, [0, 250_000, 333_333, 500_000])
  t.equal(instrumentation.nextSampleUs, 666_666)
  t.throws(() => instrumentation.frames(700_000), /samples are taken before/)
  instrumentation.sample(() => 2)
  t.same(
    instrumentation.frames(700_000).map(({ value }) => [...value]),
    [[2]],
  )
  t.throws(() => instrumentation.frames(600_000), /in order of time/)
})

type ClockCase = Readonly<{ of: string; params?: Fault['params']; change?: Partial<Fault>; at: number[]; seen: number }>

const CLOCKS: readonly ClockCase[] = [
  { of: 'skew', params: { skew_ms: -30 }, change: MIDDLE, at: [0, 100, 170, 270, 400, 500], seen: 2 },
  {
    of: 'skew',
    params: { skew_ms: 40 },
    change: { onsetUs: 100_000, durationUs: 400_000, shape: 'ramp' },
    at: [0, 100, 210, 320, 430, 500],
    seen: 3,
  },
  { of: 'step', params: { step_ms: 50 }, change: { onsetUs: 300_000 }, at: [0, 100, 200, 350, 450, 550], seen: 3 },
  {
    of: 'step',
    params: { step_ms: 50, every_ms: 200 },
    change: { onsetUs: 100_000 },
    at: [0, 150, 250, 400, 500, 650],
    seen: 5,
  },
  { of: 'drift', params: { ppm: 100_000 }, change: { onsetUs: 100_000 }, at: [0, 100, 210, 320, 430, 540], seen: 4 },
  { of: 'leap_second', change: MIDDLE, at: [0, 100, -800, -700, 400, 500], seen: 2 },
  { of: 'leap_second', params: { how: 'skip' }, change: MIDDLE, at: [0, 100, 1200, 1300, 400, 500], seen: 2 },
  {
    of: 'leap_second',
    params: { how: 'smear', smear_s: 10 },
    change: { onsetUs: 200_000 },
    at: [0, 100, 200, 290, 380, 470],
    seen: 3,
  },
  { of: 'backwards', params: { back_ms: 200 }, change: { onsetUs: 200_000 }, at: [0, 100, 200, 100, 0, 100], seen: 3 },
  {
    of: 'clock_loss',
    params: { how: 'frozen' },
    change: { onsetUs: 200_000 },
    at: [0, 100, 200, 200, 200, 200],
    seen: 3,
  },
  {
    of: 'clock_loss',
    params: { ppm: 10_000, wander_us: 0 },
    change: { onsetUs: 100_000 },
    at: [0, 100, 201, 302, 403, 504],
    seen: 4,
  },
]

t.test(
  'each clock fault turns times as it should, values stay, and every channel of the source is marked',
  async (t) => {
    for (const { of, params, change, at, seen } of CLOCKS) {
      const { frames, instrumentation } = tried({ faults: [fault(`time.${of}`, 'daq-1', params, change)] })
      t.same(stamps(frames), at, `${of} ${JSON.stringify(params ?? {})}`)
      t.same(valuesOf(frames, 'x'), [0, 1, 2, 3, 4, 5])
      t.equal(instrumentation.seen()[0]?.count, seen, `${of}: seen`)
      t.equal(frames.filter(({ injected }) => injected.length > 0).length, seen, `${of}: marked`)
    }
  },
)

t.test('clocks that count from another day or in another unit', async (t) => {
  const first = (name: string, params: Fault['params']): number =>
    tried({ faults: [fault(name, 'daq-1', params)], calls: [100_000] }).frames[0]!.timeUs[1]!
  t.equal(first('time.wrong_epoch', { from: 'boot' }), 100_000)
  t.equal(first('time.wrong_epoch', { from: 'gps' }), BEGIN_US + 100_000 - Date.UTC(1980, 0, 6) * 1000)
  t.equal(first('time.wrong_epoch', { from: 'y2000' }), BEGIN_US + 100_000 - Date.UTC(2000, 0, 1) * 1000)
  t.equal(first('time.wrong_epoch', { from: 'ntp' }), BEGIN_US + 100_000 - Date.UTC(1900, 0, 1) * 1000)
  t.equal(first('time.wrong_unit', { unit: 'ms' }), (BEGIN_US + 100_000) / 1000)
  t.equal(first('time.wrong_unit', { unit: 's' }), BEGIN_US / 1_000_000)
  t.equal(first('time.wrong_unit', { unit: 'ns' }), (BEGIN_US + 100_000) * 1000)
})

type LinkCase = Readonly<{
  of: string
  params?: Fault['params']
  change?: Partial<Fault>
  seq: number[]
  due: number[]
  seen: number
}>

/** What comes of the frames 0 … 5, sent 100 ms apart. */
const LINKS: readonly LinkCase[] = [
  { of: 'comms.lose', params: { share: 1 }, seq: [0, 1, 4, 5], due: [0, 100, 400, 500], seen: 2 },
  { of: 'comms.half_open', seq: [0, 1, 4, 5], due: [0, 100, 400, 500], seen: 2 },
  { of: 'comms.repeat', seq: [0, 1, 2, 2, 3, 3, 4, 5], due: [0, 100, 200, 200, 300, 300, 400, 500], seen: 2 },
  { of: 'comms.delay', params: { delay_ms: 150 }, seq: [0, 1, 2, 4, 3, 5], due: [0, 100, 350, 400, 450, 500], seen: 2 },
  {
    of: 'time.late',
    params: { late_ms: 200, share: 1 },
    seq: [0, 1, 2, 4, 3, 5],
    due: [0, 100, 400, 400, 500, 500],
    seen: 2,
  },
  {
    of: 'comms.reorder',
    params: { share: 1, behind: 1 },
    change: { onsetUs: 200_000, durationUs: 50_000 },
    seq: [0, 1, 2, 3, 4, 5],
    due: [0, 100, 250, 300, 400, 500],
    seen: 1,
  },
  { of: 'comms.partition', seq: [0, 1, 2, 3, 4, 5], due: [0, 100, 400, 400, 400, 500], seen: 2 },
  { of: 'comms.partition', params: { keep: 1 }, seq: [0, 1, 2, 4, 5], due: [0, 100, 400, 400, 500], seen: 2 },
  {
    of: 'comms.duplicate_after_reconnect',
    params: { again: 1 },
    seq: [0, 1, 1, 2, 3, 4, 5],
    due: [0, 100, 400, 400, 400, 400, 500],
    seen: 3,
  },
  { of: 'comms.burst', params: { hold_ms: 150 }, seq: [0, 1, 2, 3, 4, 5], due: [0, 100, 350, 350, 400, 500], seen: 2 },
  {
    of: 'comms.slow_reader',
    params: { frames_per_s: 4 },
    change: { onsetUs: 100_000, durationUs: 400_000 },
    seq: [0, 1, 2, 3, 4, 5],
    due: [0, 100, 350, 500, 500, 500],
    seen: 3,
  },
  {
    of: 'comms.slow_reader',
    params: { frames_per_s: 4, queue: 1 },
    change: { onsetUs: 100_000, durationUs: 400_000 },
    seq: [0, 1, 2, 4, 5],
    due: [0, 100, 350, 500, 500],
    seen: 3,
  },
]

t.test('each link fault does to frames exactly what it should', async (t) => {
  for (const { of, params, change, seq, due, seen } of LINKS) {
    const { frames, instrumentation } = tried({ faults: [fault(of, 'daq-1', params, change ?? MIDDLE)] })
    const name = `${of} ${JSON.stringify(params ?? {})}`
    t.same(seqs(frames), seq, `${name}: order`)
    t.same(dues(frames), due, `${name}: due`)
    t.equal(instrumentation.seen()[0]?.count, seen, `${name}: seen`)
  }
})

t.test('a frame that waits for later ones comes behind them', async (t) => {
  const reorder = fault('comms.reorder', 'daq-1', { share: 0.4, behind: 2 })
  const { frames, instrumentation } = tried({ faults: [reorder], untilUs: 3_000_000 })
  const order = seqs(frames)
  const moved = order.filter((seq, k) => order.slice(0, k).some((before) => before > seq))
  t.ok(moved.length > 3)
  t.ok(instrumentation.seen()[0]!.count >= moved.length)
  t.same(
    order.filter((seq, k) => order.indexOf(seq) !== k),
    [],
    'none twice',
  )
  t.ok(
    frames.every(({ seq, injected }) => !moved.includes(seq) || injected.length === 1),
    'and is marked',
  )
})

t.test('strange senders: another name, another life, another rig', async (t) => {
  const sensors = [sensor('x'), sensor('z', { source: 'daq-2' })]
  const frames = (of: string, params?: Fault['params']): OutFrame[] =>
    tried({ sensors, untilUs: 300_000, faults: [fault(of, 'daq-1', params, MIDDLE)] }).frames
  const inserted = frames('comms.insert', { share: 1, offset: 5 }).filter(({ source }) => source === 'stranger')
  t.same(
    inserted.map(({ seq, value, injected }) => [seq, [...value], injected]),
    [
      [0, [7], ['x']],
      [1, [8], ['x']],
    ],
  )
  const own = frames('comms.masquerade', { as: 'daq-2' })
  t.same(
    own.map(({ source }) => source),
    ['daq-1', 'daq-2', 'daq-1', 'daq-2', 'daq-2', 'daq-2', 'daq-2', 'daq-2'],
  )
  const lives = (of: OutFrame[]): number => new Set(of.map(({ source, epoch }) => `${source}/${epoch}`)).size
  t.equal(lives(own), 3)
  t.equal(lives(frames('comms.masquerade', { as: 'daq-2', life: 'stolen' })), 2)
  t.same(
    frames('comms.misaddress')
      .map(({ rig, source }) => (source === 'daq-1' ? rig : ''))
      .filter((rig) => rig !== ''),
    ['rig-1', 'rig-1', 'another-rig', 'another-rig'],
  )
})

t.test(
  'bytes are turned over, cut or zeroed, the same for the same frame; the bytes given are left alone',
  async (t) => {
    const bytes = Uint8Array.from({ length: 100 }, () => 0xff)
    const changed = (params: Fault['params']): Uint8Array[] =>
      tried({ faults: [fault('comms.corrupt', 'daq-1', params, MIDDLE)] }).frames.map(
        ({ mutate }) => mutate?.(bytes) ?? bytes,
      )
    const ones = (of: Uint8Array): number =>
      of.reduce((sum, byte) => sum + byte.toString(2).replaceAll('0', '').length, 0)
    t.same(changed({ count: 3 }).map(ones), [800, 800, 797, 797, 800, 800])
    t.not(String(changed({ count: 3 })[2]), String(changed({ count: 3 })[3]), 'each frame elsewhere')
    t.same(changed({ count: 3 }), changed({ count: 3 }))
    t.same(
      changed({ how: 'truncate', count: 60 }).map(({ length }) => length),
      [100, 100, 40, 40, 100, 100],
    )
    t.ok(changed({ how: 'zero', count: 1 })[2]!.filter((byte) => byte === 0).length === 1)
    t.ok(bytes.every((byte) => byte === 0xff))
  },
)

t.test(
  'faults on one link act in the order they were injected, and a group is all sources that have part in it',
  async (t) => {
    const sensors = [
      sensor('x', { ccg: ['bus'] }),
      sensor('y', { source: 'daq-2', ccg: ['bus'] }),
      sensor('z', { source: 'daq-3' }),
    ]
    const faults = [
      fault('comms.repeat', 'bus', {}, { id: 'F1' }),
      fault('comms.lose', 'bus', { share: 1 }, { id: 'F2', onsetUs: 300_000 }),
    ]
    const { frames, instrumentation } = tried({ sensors, faults, untilUs: 300_000 })
    t.equal(frames.filter(({ source }) => source === 'daq-1').length, 6)
    t.equal(frames.filter(({ source }) => source === 'daq-3').length, 4)
    t.same(
      instrumentation.seen().map(({ count }) => count),
      [8, 4],
    )
  },
)

t.test('the same seed and the same calls give the same frames, another seed others', async (t) => {
  const names = FAULT_KINDS.filter(({ by, class: of }) => by === 'instrumentation' && of !== 'sensor').map(
    ({ name }) => name,
  )
  const sensors = [sensor('x', { noiseSd: 1 }), sensor('y', { source: 'daq-2' })]
  const run = (name: string, seed: number): unknown => {
    const params = name === 'comms.masquerade' ? { as: 'daq-2' } : {}
    const { frames, instrumentation } = tried({
      sensors,
      seed,
      untilUs: 2_000_000,
      faults: [fault(name, 'daq-1', params)],
    })
    const bytes = Uint8Array.from({ length: 50 }, (_, k) => k)
    return [frames.map(({ mutate, ...frame }) => [frame, mutate?.(bytes)]), instrumentation.seen()]
  }
  fc.assert(
    fc.property(fc.constantFrom(...names), fc.nat(), (name, seed) => {
      t.strictSame(run(name, seed), run(name, seed))
    }),
    { numRuns: 60 },
  )
  t.notSame(run('comms.lose', 1), run('comms.lose', 2))
})
