import fc from 'fast-check'
import t from 'tap'
import type { Fault } from '../../../hil-testbed/core/fault.ts'
import { FAULT_KINDS } from '../../../hil-testbed/core/faults/catalogue.ts'
import { Sensor, sampleUs } from '../../../hil-testbed/core/sensor.ts'
import { fault, sensor, tried, valuesOf } from '../../support/instrumented-rig.ts'

t.test('sample times are counted from the start and are whole', async (t) => {
  t.same(
    [0, 1, 2, 3, 3_000_000].map((k) => sampleUs(3, k)),
    [0, 333_333, 666_666, 1_000_000, 1_000_000_000_000],
  )
})

t.test('a sensor follows the truth with gain, offset, lag and resolution', async (t) => {
  const said = (change: object, truths: number[]): number[] => {
    const one = new Sensor(sensor('x', change), 1)
    return truths.map((truth, k) => one.read(truth, k))
  }
  t.same(said({ gain: 2, offset: -1 }, [0, 1, 2]), [-1, 1, 3])
  t.same(said({ lagUs: 100_000 }, [0, 8, 8, 8]), [0, 4, 6, 7], 'at 10 Hz half of it a sample')
  t.same(said({ resolution: 0.5 }, [0.2, 0.25, 0.74, -0.3]), [0, 0.5, 0.5, -0.5])
  const noisy = said({ noiseSd: 0.1 }, [5, 5, 5])
  t.equal(new Set(noisy).size, 3)
  t.same(said({ noiseSd: 0.1 }, [5, 5, 5]), noisy, 'the same for the same seed')
})

type Case = Readonly<{
  of: string
  params?: Fault['params']
  change?: Partial<Fault>
  said: (number | null)[]
  seen: number
}>

/** What is said of the truth 0 … 5, one a sample, 10 a second. */
const CASES: readonly Case[] = [
  { of: 'stuck_at', change: { onsetUs: 200_000, durationUs: 200_000 }, said: [0, 1, 1, 1, 4, 5], seen: 2 },
  { of: 'stuck_at', params: { value: 3 }, said: [3, 3, 3, 3, 3, 3], seen: 5 },
  { of: 'stuck_at', params: { value: 'rail', rail: 20 }, said: [20, 20, 20, 20, 20, 20], seen: 6 },
  { of: 'bias', params: { offset: 2 }, change: { durationUs: 200_000 }, said: [2, 3, 2, 3, 4, 5], seen: 2 },
  {
    of: 'bias',
    params: { offset: 4 },
    change: { onsetUs: 100_000, durationUs: 400_000, shape: 'ramp' },
    said: [0, 1, 3, 5, 7, 5],
    seen: 3,
  },
  {
    of: 'bias',
    params: { offset: 9 },
    change: { shape: 'pulse', pulseUs: 150_000 },
    said: [9, 10, 2, 3, 4, 5],
    seen: 2,
  },
  {
    of: 'bias',
    params: { offset: 9 },
    change: { shape: 'periodic', pulseUs: 100_000, periodUs: 300_000 },
    said: [9, 1, 2, 12, 4, 5],
    seen: 2,
  },
  { of: 'gain', params: { gain: 3 }, said: [0, 3, 6, 9, 12, 15], seen: 5 },
  { of: 'drift', params: { rate: 10 }, change: { onsetUs: 300_000 }, said: [0, 1, 2, 3, 5, 7], seen: 2 },
  { of: 'spike', params: { rate: 10, amp: 7 }, said: [7, 8, 9, 10, 11, 12], seen: 6 },
  { of: 'quantise', params: { step: 2 }, said: [0, 2, 2, 4, 4, 6], seen: 3 },
  { of: 'saturation', params: { low: 1, high: 3 }, said: [1, 1, 2, 3, 3, 3], seen: 3 },
  { of: 'dropout', change: { onsetUs: 400_000 }, said: [0, 1, 2, 3, null, null], seen: 2 },
  { of: 'intermittent', params: { share: 1, cell_ms: 100 }, said: [null, null, null, null, null, null], seen: 6 },
  { of: 'unit_error', params: { factor: 1000, offset: 1 }, said: [1, 1001, 2001, 3001, 4001, 5001], seen: 6 },
  { of: 'lag', params: { tau_ms: 100 }, change: { onsetUs: 200_000 }, said: [0, 1, 1.5, 2.25, 3.125, 4.0625], seen: 4 },
  { of: 'nan', change: { onsetUs: 500_000 }, said: [0, 1, 2, 3, 4, Number.NaN], seen: 1 },
  { of: 'inf', change: { onsetUs: 500_000 }, said: [0, 1, 2, 3, 4, Number.POSITIVE_INFINITY], seen: 1 },
  {
    of: 'inf',
    params: { sign: 'minus' },
    change: { onsetUs: 500_000 },
    said: [0, 1, 2, 3, 4, Number.NEGATIVE_INFINITY],
    seen: 1,
  },
  { of: 'minus_zero', said: [-0, -0, -0, -0, -0, -0], seen: 6 },
  { of: 'plausible', params: { value: 40 }, change: { onsetUs: 300_000 }, said: [0, 1, 2, 41, 42, 43], seen: 3 },
  { of: 'frozen', change: { onsetUs: 200_000, durationUs: 300_000 }, said: [0, 1, 1, 1, 1, 5], seen: 3 },
]

t.test('each sensor fault says exactly what it should, and is seen as often as it changed something', async (t) => {
  for (const { of, params, change, said, seen } of CASES) {
    const { frames, instrumentation } = tried({ faults: [fault(`sensor.${of}`, 'x', params, change)] })
    const name = `${of} ${JSON.stringify(params ?? {})} ${JSON.stringify(change ?? {})}`
    t.ok(
      valuesOf(frames, 'x').every((value, k) => Object.is(value, said[k])),
      `${name}: ${valuesOf(frames, 'x').join(' ')}`,
    )
    t.equal(instrumentation.seen()[0]?.count, seen, `${name}: seen`)
    const injected = frames.map((frame) => frame.injected.length > 0)
    t.equal(injected.filter(Boolean).length, seen, `${name}: marked where it differs, and only there`)
  }
})

t.test('two channels that are swapped have each other’s readings, whichever is sampled first', async (t) => {
  const sensors = [sensor('x'), sensor('y', { source: 'daq-2' })]
  const change = { onsetUs: 100_000, durationUs: 200_000 }
  const { frames } = tried({ sensors, untilUs: 300_000, faults: [fault('sensor.swap', 'x', { with: 'y' }, change)] })
  t.same(valuesOf(frames, 'x'), [0, 101, 102, 3])
  t.same(valuesOf(frames, 'y'), [100, 1, 2, 103])
})

t.test(
  'a common cause hits every channel of its group with the same chances; a channel alone has its own',
  async (t) => {
    const sensors = [sensor('x', { ccg: ['psu'] }), sensor('y', { ccg: ['psu'] }), sensor('z')]
    const noise = { sd: 1 }
    const common = tried({
      sensors,
      faults: [fault('sensor.common_cause', 'psu', { fault: 'sensor.noise', ...noise })],
    })
    const clean = tried({ sensors })
    const added = (of: typeof common, channel: string): number[] =>
      valuesOf(of.frames, channel).map((value, k) => value! - valuesOf(clean.frames, channel)[k]!)
    const near = (a: number[], b: number[]): boolean => a.every((one, k) => Math.abs(one - b[k]!) < 1e-9)
    t.ok(near(added(common, 'x'), added(common, 'y')))
    t.same(added(common, 'z'), [0, 0, 0, 0, 0, 0])
    const each = tried({ sensors, faults: [fault('sensor.noise', 'psu', noise)] })
    t.notOk(near(added(each, 'x'), added(each, 'y')))
    t.equal(each.instrumentation.seen()[0]?.count, 12)
  },
)

t.test('a fault that is cleared is over from then on', async (t) => {
  const { instrumentation } = tried({ calls: [] })
  const truth = { advance: () => undefined, read: () => 5 }
  instrumentation.inject(fault('sensor.bias', 'x', { offset: 1 }))
  const first = instrumentation.frames(200_000, truth)
  instrumentation.clear('F1', 300_000)
  instrumentation.clear('nobody', 300_000)
  const rest = instrumentation.frames(500_000, truth)
  t.same(valuesOf([...first, ...rest], 'x'), [6, 6, 6, 5, 5, 5])
  t.same(instrumentation.seen(), [{ id: 'F1', count: 3, firstUs: 0, lastUs: 200_000 }])
})

/** Something each fault can be injected with. */
function anyFault(name: string): Fault {
  const own: Readonly<Record<string, Fault['params']>> = {
    'sensor.saturation': { low: 1, high: 3 },
    'sensor.plausible': { value: 40 },
    'sensor.swap': { with: 'y' },
    'sensor.spike': { rate: 3 },
    'comms.masquerade': { as: 'daq-2' },
    'time.late': { late_ms: 50 },
  }
  return fault(name, name === 'sensor.common_cause' ? 'psu' : 'x', own[name], {
    onsetUs: 1_000_000,
    durationUs: 900_000,
  })
}

const SENSORS = [
  sensor('x', { rateHz: 100, noiseSd: 0.1, ccg: ['psu'] }),
  sensor('y', { rateHz: 100, noiseSd: 0.2, lagUs: 50_000, ccg: ['psu'] }),
  sensor('z', { rateHz: 30, noiseSd: 0.1, resolution: 0.5, source: 'daq-2' }),
]

t.test('however a run is cut into calls, its values, times and marks are the same', async (t) => {
  const names = FAULT_KINDS.filter(({ class: of }) => of === 'sensor' || of === 'time').map(({ name }) => name)
  const whole = (faults: Fault[], calls: number[]): unknown => {
    const { frames, instrumentation } = tried({ sensors: SENSORS, faults, calls })
    const samples = SENSORS.map(({ channel }) => [
      valuesOf(frames, channel),
      frames.flatMap(({ channels, timeUs }) => (channels.includes(channel) ? [...timeUs] : [])),
    ])
    return { samples, seen: instrumentation.seen() }
  }
  const cuts = fc.uniqueArray(fc.integer({ min: 0, max: 2_999_999 }), { maxLength: 40 })
  fc.assert(
    fc.property(fc.constantFrom(...names.filter((name) => name !== 'time.late')), cuts, (name, at) => {
      const wanted = name.startsWith('time.') ? { ...anyFault(name), target: 'daq-1' } : anyFault(name)
      const calls = [...at].sort((a, b) => a - b).concat(3_000_000)
      t.strictSame(whole([wanted], calls), whole([wanted], [3_000_000]), `${name} in ${calls.length} calls`)
    }),
    { numRuns: 100 },
  )
})

t.test('before its onset and after its end a run is bit for bit as without the fault', async (t) => {
  const calls = Array.from({ length: 30 }, (_, k) => (k + 1) * 100_000)
  const outside = (faults: Fault[]): unknown => {
    const { frames } = tried({ sensors: SENSORS, faults, calls })
    return frames
      .filter(({ dueUs }) => dueUs < 1_000_000 || dueUs > 2_000_000)
      .map(({ source, epoch, seq, timeUs, value, quality, injected }) => [
        ...[source, epoch, seq, [...timeUs], [...value], quality, injected],
      ])
  }
  const clean = outside([])
  for (const { name, by } of FAULT_KINDS) {
    if (by !== 'instrumentation') continue
    const isSensor = name.startsWith('sensor.')
    t.strictSame(outside([isSensor ? anyFault(name) : { ...anyFault(name), target: 'daq-1' }]), clean, name)
  }
})
