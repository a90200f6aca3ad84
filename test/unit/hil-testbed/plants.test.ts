import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import type { ParamSpec, Plant } from '../../../hil-testbed/core/plant.ts'
import { PLANT_MODELS, plantNamed } from '../../../hil-testbed/core/plants/models.ts'
import { inputProblems, plantProblems } from '../../../hil-testbed/plant-problems.ts'
import { ROOT } from '../../../scripts/sources.ts'
import { InvariantError } from '../../../shared/lib/assert.ts'

type Values = Readonly<Record<string, number>>

function begun(
  model: string,
  { params = {}, init = {}, inputs = {} }: Partial<Record<'params' | 'init' | 'inputs', Values>> = {},
): Plant {
  const plant = plantNamed(model)!.create({ params, init })
  setAll(plant, inputs)
  return plant
}

function setAll(plant: Plant, inputs: Values): void {
  for (const [name, value] of Object.entries(inputs)) plant.set(name, value)
}

function after(plant: Plant, seconds: number): Plant {
  plant.advance(plant.atUs + seconds * 1_000_000)
  return plant
}

/** Integrates by the midpoint rule, a hundred times finer than the model does. */
function reference(
  model: string,
  slope: (x: readonly number[]) => number[],
  start: readonly number[],
  seconds: number,
): number[] {
  const stepS = plantNamed(model)!.stepUs / 100_000_000
  let x = [...start]
  for (let k = 0; k < Math.round(seconds / stepS); k += 1) {
    const middle = slope(x).map((dx, i) => x[i]! + (dx * stepS) / 2)
    x = slope(middle).map((dx, i) => x[i]! + dx * stepS)
  }
  return x
}

const near = (t: Test, found: number, expected: number, tolerance: number, name: string): unknown =>
  t.ok(Math.abs(found - expected) <= tolerance, `${name}: ${found} for ${expected} ± ${tolerance}`)

t.test('every model rests where it begins', async (t) => {
  for (const { name, signals } of PLANT_MODELS) {
    const plant = after(begun(name, { init: name === 'vessel' ? { p_bar: 5 } : {} }), 0.5)
    const early = Object.keys(signals).map((signal) => plant.read(signal))
    after(plant, 20)
    Object.keys(signals).forEach((signal, k) => {
      if (['soc_ratio', 'volts'].includes(signal) && name === 'battery') return
      near(t, plant.read(signal), early[k]!, 0.002 * Math.abs(early[k]!) + 1e-9, `${name}.${signal}`)
    })
  }
})

t.test('thermal: an exponential towards T_a + P/G, within 0.01 K', async (t) => {
  const plant = begun('thermal', { inputs: { extra_heat_w: 20 } })
  near(t, after(plant, 90).read('temp_c'), 80 - 20 * Math.exp(-1.5), 0.01, 'heated')
  setAll(plant, { heater_on: 0, extra_heat_w: 0, cooling: 1 })
  const from = plant.read('temp_c') - 20
  near(t, after(plant, 12).read('temp_c'), 20 + from * Math.exp(-1), 0.01, 'cooled five times as fast')
})

t.test(
  'thermal_two_node: the equations a hundred times finer, within 0.02 K, and the resistances in a row at rest',
  async (t) => {
    const plant = begun('thermal_two_node', { inputs: { extra_heat_w: 40, blocked: 0.5 } })
    const slope = ([core = 0, box = 0]: readonly number[]): number[] => {
      const between = (core - box) / 0.5
      return [(80 - between) / 10, (between - (box - 20)) / 100]
    }
    for (const seconds of [2, 10, 48]) after(plant, seconds)
    const [core, box] = reference('thermal_two_node', slope, [60, 40], 60)
    near(t, plant.read('core_c'), core!, 0.02, 'core')
    near(t, plant.read('case_c'), box!, 0.02, 'case')
    after(plant, 3000)
    near(t, plant.read('core_c'), 20 + 80 * (0.5 + 1), 1e-6, 'core at rest')
  },
)

t.test('vessel: the equations a hundred times finer, within 0.005 bar and 0.001 K', async (t) => {
  const inputs = { valve_opening: 0.4, inlet_valve: 0.8, inflow_lps: 0.05, relief_lps: 0.1, heat_w: 500 }
  const plant = after(begun('vessel', { inputs }), 3)
  const slope = ([bar = 0, temp = 0]: readonly number[]): number[] => [
    (0.8 * 32 * (1 - bar / 14) + 3 - 6 - 0.4 * 9.2 * Math.sqrt(bar)) / 0.12 / 60,
    (50 + 500 - 10 * (temp - 20)) / 20_000,
  ]
  const [bar, temp] = reference('vessel', slope, [5.2, 25], 3)
  near(t, plant.read('p_bar'), bar!, 0.005, 'pressure')
  near(t, plant.read('temp_c'), temp!, 0.001, 'temperature')
  setAll(plant, { pump: 0, relief_lps: 100 })
  t.equal(after(plant, 5).read('p_bar'), 0, 'empty, and no less')
})

t.test('tank: Torricelli, √h falls in a straight line, within 1 mm; what comes in goes out or runs over', async (t) => {
  const plant = begun('tank', { inputs: { inlet_valve: 0 } })
  for (const seconds of [10, 40]) {
    after(plant, seconds - plant.atUs / 1_000_000)
    near(t, plant.read('level_m'), (1 - (2 * seconds) / 200) ** 2, 0.001, `after ${seconds} s`)
  }
  t.ok(after(plant, 100).read('level_m') < 1e-6, 'it runs empty')
  setAll(plant, { inlet_valve: 1, inflow_lps: 30, outlet_opening: 0 })
  near(t, after(plant, 3).read('level_m'), 0.9, 0.001, 'filled')
  near(t, after(plant, 30).read('overflow_lps'), 30, 1e-6, 'runs over')
  t.equal(plant.read('level_m'), 2)
})

t.test('water_loop: the levels of the SKAB bench, and its flow a hundred times finer within 0.2 %', async (t) => {
  const plant = after(begun('water_loop'), 1)
  const levels = { flow_l_min: 32, p_bar: 0.22, current_a: 1.15, accelerometer_1_g: 0.0265, accelerometer_2_g: 0.0402 }
  for (const [signal, level] of Object.entries(levels)) near(t, plant.read(signal), level, 0.001 * level, signal)
  setAll(plant, { valve_opening: 0.2, leak_l_min: 3 })
  after(plant, 2.5)
  const slope = ([flow = 0, opening = 0]: readonly number[]): number[] => [
    (0.77 - (0.55 / 1024 + 0.22 / 1024 / opening ** 2) * flow ** 2) / 0.004,
    -1 / 4,
  ]
  const [flow, opening] = reference('water_loop', slope, [32, 1], 2.5)
  near(t, plant.read('flow_l_min'), flow! - 3, 0.002 * flow!, 'flow behind the leak')
  near(t, plant.read('valve_opening'), opening!, 1e-9, 'the valve takes its time')
  setAll(plant, { valve_stuck: 1, valve_opening: 1 })
  near(t, after(plant, 5).read('valve_opening'), opening!, 1e-9, 'a stuck valve stays')
  setAll(plant, { valve_stuck: 0, leak_l_min: 100 })
  after(plant, 20)
  t.equal(plant.read('volume_l'), 0)
  t.ok(plant.read('p_bar') < 0.01, 'a pump that sucks air has no head')
})

t.test(
  'motor: the equations a hundred times finer within 0.5 %, dry friction that stops it and does not turn it',
  async (t) => {
    const init = { speed_rad_s: 0, current_a: 0, winding_c: 20 }
    const plant = after(begun('motor', { init }), 0.05)
    const slope = ([i = 0, w = 0]: readonly number[]): number[] => [
      (24 - 0.5 * i - 0.05 * w) / 0.0005,
      (0.05 * i - 0.0001 * w - (w > 0 || 0.05 * i > 0.2 ? 0.2 : 0.05 * i)) / 0.0002,
    ]
    const [current, speed] = reference('motor', slope, [0, 0], 0.05)
    near(t, plant.read('speed_rpm'), (speed! * 60) / (2 * Math.PI), 0.005 * speed! * 9.55, 'run-up')
    near(t, plant.read('current_a'), current!, 0.005 * current!, 'current')
    after(plant, 1)
    near(t, plant.read('speed_rpm'), ((22 / 0.051) * 60) / (2 * Math.PI), 0.1, 'at rest')
    setAll(plant, { enable: 0, brake: 1 })
    t.equal(after(plant, 0.1).read('speed_rpm'), 0, 'braked')
    t.equal(plant.read('current_a'), 0)
    setAll(plant, { enable: 1, load_nm: 100, brake: 0 })
    after(plant, 0.1)
    t.equal(plant.read('speed_rpm'), 0, 'jammed')
    near(t, plant.read('current_a'), 48, 0.01, 'U/R')
    const from = plant.read('winding_c')
    near(t, after(plant, 3).read('winding_c'), from + (20 + 2304 - from) * (1 - Math.exp(-3 / 120)), 0.01, 'winding')
  },
)

t.test('battery: charge is counted, the branch is an exponential within 1 mV, empty and full are ends', async (t) => {
  const plant = begun('battery', { init: { soc_ratio: 0.75, branch_v: 0 }, inputs: { load_a: 20 } })
  after(plant, 30)
  const soc = 0.75 - (20 * 30) / (3600 * 5)
  near(t, plant.read('soc_ratio'), soc, 1e-9, 'charge')
  const cell = 3.88 + (soc * 10 - 7) * 0.1
  near(t, plant.read('volts'), 7 * cell - 0.05 * 20 - 0.03 * 20 * (1 - Math.exp(-30 / 15)), 0.001, 'voltage')
  after(plant, 1000)
  t.equal(plant.read('soc_ratio'), 0)
  t.equal(plant.read('amps'), 0, 'nothing comes out of an empty one')
  setAll(plant, { load_a: -100 })
  after(plant, 400)
  t.equal(plant.read('soc_ratio'), 1, 'not fuller than full')
  t.ok(plant.read('temp_c') > 60, 'and what is charged beyond is heat')
})

t.test(
  'power_rail: an exponential of 10 ms within 0.05 V, a trip after its time that stays, and its reset',
  async (t) => {
    const plant = begun('power_rail', { params: { capacity_f: 0.2 }, init: { volts: 0 }, inputs: { load_a: 0 } })
    near(t, after(plant, 0.02).read('volts'), 24 * (1 - Math.exp(-2)), 0.05, 'charging')
    near(t, after(plant, 0.2).read('volts'), 24, 0.001, 'charged')
    setAll(plant, { load_a: 30 })
    after(plant, 0.048)
    near(t, plant.read('volts'), 24 - 30 * 0.05 * (1 - Math.exp(-4.8)), 0.05, 'loaded')
    t.equal(plant.read('tripped'), 0, 'not yet')
    t.equal(after(plant, 0.02).read('tripped'), 1)
    t.equal(after(plant, 1).read('volts'), 0)
    setAll(plant, { load_a: 5 })
    t.equal(after(plant, 1).read('tripped'), 1, 'for good')
    setAll(plant, { reset: 1 })
    near(t, after(plant, 0.2).read('volts'), 23.75, 0.001, 'reset')
    setAll(plant, { reset: 0, trip_blocked: 1, load_a: 30 })
    t.equal(after(plant, 1).read('tripped'), 0, 'a trip that is blocked does not')
  },
)

t.test('link: the queue fills in a straight line and runs over; latency is what waits over what passes', async (t) => {
  const plant = begun('link', { params: { base_loss_ratio: 0 }, inputs: { flood_mbit_s: 100 } })
  after(plant, 0.25)
  near(t, plant.read('queue_kbit'), 10_000, 1e-6, 'waiting')
  near(t, plant.read('latency_ms'), 102, 1e-6, 'latency')
  t.equal(plant.read('loss_ratio'), 0)
  after(plant, 1)
  near(t, plant.read('loss_ratio'), 40 / 140, 1e-9, 'loss')
  near(t, plant.read('throughput_mbit_s'), 100, 1e-9, 'throughput')
  setAll(plant, { outage: 1 })
  t.equal(after(plant, 0.01).read('latency_ms'), 10_000, 'never more than its bound')
  setAll(plant, { outage: 0, flood_blocked: 1, shed: 1 })
  t.equal(after(plant, 0.3).read('queue_kbit'), 0)
})

/** What makes it go where it does harm, what then makes it safe, and the seconds either may take. */
const HAZARDS: Readonly<Record<string, readonly [stimulus: Values, safe: Values, seconds: number]>> = {
  thermal: [{ extra_heat_w: 160 }, { heater_on: 0, cooling: 1 }, 30],
  thermal_two_node: [{ extra_heat_w: 100 }, { heater_on: 0, cooling: 1 }, 30],
  vessel: [{ valve_opening: 0.15 }, { pump: 0 }, 5],
  tank: [{ outlet_opening: 0, inflow_lps: 8 }, { inlet_valve: 0, drain: 1 }, 15],
  water_loop: [{ valve_opening: 0.1 }, { pump: 0 }, 5],
  motor: [{ load_nm: 100 }, { enable: 0 }, 6],
  battery: [{ short_a: 30 }, { contactor: 0, cooling: 1 }, 60],
  power_rail: [{ source_v: 36, trip_blocked: 1 }, { enable: 0 }, 1],
  link: [{ flood_mbit_s: 100 }, { shed: 1, flood_blocked: 1 }, 1],
}

t.test('every model gets to its hazard line by a stimulus, and away from it by what an actuator does', async (t) => {
  t.same(Object.keys(HAZARDS).sort(), PLANT_MODELS.map(({ name }) => name).sort())
  for (const { name, hazard } of PLANT_MODELS) {
    const [stimulus, safe, seconds] = HAZARDS[name]!
    const [, signal, line] = /^(\w+) > ([\d.]+)$/.exec(hazard) ?? []
    const plant = begun(name)
    t.ok(plant.read(signal!) < Number(line), `${name} begins below ${hazard}`)
    setAll(plant, stimulus)
    t.ok(after(plant, seconds).read(signal!) > Number(line), `${name} gets to ${hazard}: ${plant.read(signal!)}`)
    setAll(plant, safe)
    const worst = plant.read(signal!)
    t.ok(after(plant, seconds).read(signal!) < worst, `${name} gets better: ${plant.read(signal!)} from ${worst}`)
  }
})

/** What no parameter and no input may lead out of. */
const LIMITS: Readonly<Record<string, readonly [least: number, most: number]>> = {
  'vessel.p_bar': [0, Number.MAX_VALUE],
  'vessel.flow_l_min': [0, 10_000],
  'tank.level_m': [0, 100],
  'tank.overflow_lps': [0, Number.MAX_VALUE],
  'water_loop.flow_l_min': [0, Number.MAX_VALUE],
  'water_loop.valve_opening': [0, 1],
  'water_loop.volume_l': [0, 1000],
  'battery.soc_ratio': [0, 1],
  'power_rail.volts': [0, 1e6],
  'power_rail.amps': [0, Number.MAX_VALUE],
  'power_rail.tripped': [0, 1],
  'link.loss_ratio': [0, 1],
  'link.latency_ms': [0, 1e6],
  'link.queue_kbit': [0, 1e9],
  'link.throughput_mbit_s': [0, 1e6],
}

const within = (specs: Readonly<Record<string, ParamSpec>>): fc.Arbitrary<Values> =>
  fc.record(
    Object.fromEntries(
      Object.entries(specs).map(([name, { minimum, maximum, initial }]) => [
        name,
        fc.oneof(fc.constantFrom(minimum, maximum, initial), fc.double({ min: minimum, max: maximum, noNaN: true })),
      ]),
    ),
  )

t.test('whatever is in range, signals are finite and within their limits, however the time is cut', async (t) => {
  for (const { name, params, init, inputs, signals, stepUs } of PLANT_MODELS) {
    fc.assert(
      fc.property(
        within(params),
        within(init),
        fc.array(fc.tuple(within(inputs), fc.integer({ min: 0, max: 40 * stepUs })), { maxLength: 6 }),
        (given, first, turns) => {
          const whole = begun(name, { params: given, init: first })
          const cut = begun(name, { params: given, init: first })
          let us = 0
          for (const [set, lasts] of turns) {
            for (const plant of [whole, cut]) setAll(plant, set)
            whole.advance(us + lasts)
            for (let k = 1; k <= 7; k += 1) cut.advance(us + Math.floor((lasts * k) / 7))
            us += lasts
            for (const signal of Object.keys(signals)) {
              const [least, most] = LIMITS[`${name}.${signal}`] ?? [-Number.MAX_VALUE, Number.MAX_VALUE]
              const value = whole.read(signal)
              if (!(value >= least && value <= most)) throw new Error(`${name}.${signal} is ${value}`)
              if (!Object.is(value, cut.read(signal))) throw new Error(`${name}.${signal} depends on the cuts`)
            }
          }
        },
      ),
      { numRuns: 150, seed: 7 },
    )
    t.pass(name)
  }
})

t.test('inputs count from the next step on; what nobody checked is a bug', async (t) => {
  const plant = begun('vessel')
  plant.set('pump', 0)
  plant.advance(999)
  t.ok(plant.read('flow_l_min') > 0)
  plant.advance(1_000)
  t.equal(plant.read('flow_l_min'), 0)
  t.equal(plant.atUs, 1_000)
  for (const bad of [
    () => plant.set('pumps', 1),
    () => plant.set('pump', 2),
    () => plant.set('pump', Number.NaN),
    () => plant.set('toString', 1),
    () => plant.read('p'),
    () => plant.advance(999),
  ])
    t.throws(bad, InvariantError)
})

t.test('all mistakes in a plant are said at once, with what was probably meant', async (t) => {
  const spec = { model: 'vessel', params: {}, init: {}, command: null, stepUs: 1000 }
  t.same(plantProblems(spec), [])
  t.match(plantProblems({ ...spec, model: 'vesel' }), [{ key: 'model', hint: 'did you mean `vessel`?' }])
  const problems = plantProblems({
    ...spec,
    params: { orifise: 1, shut_off_bar: -1 },
    init: { p_bar: Number.NaN, constructor: 1 },
  })
  t.match(problems, [
    { key: 'params.orifise', found: '`orifise`', hint: 'did you mean `orifice`?' },
    { key: 'params.shut_off_bar', found: '-1', expected: '0.1 to 1000 bar' },
    { key: 'init.p_bar', found: 'NaN' },
    { key: 'init.constructor', expected: 'one of p_bar, temp_c' },
  ])
  t.equal(problems.length, 4)
  t.match(inputProblems('steps[0].stimulate', 'vessel', { pump: 3, valve_openin: 1, heat_w: 5 }), [
    { key: 'steps[0].stimulate.pump', found: '3', expected: '0 to 1' },
    { key: 'steps[0].stimulate.valve_openin', hint: 'did you mean `valve_opening`?' },
  ])
  const external = { ...spec, model: 'mine', command: ['python3', 'mine.py', '{endpoint}'] }
  t.same(plantProblems(external), [])
  t.match(plantProblems({ ...external, command: [], stepUs: 0.5 }), [
    { key: 'command' },
    { key: 'step_us', found: '0.5' },
  ])
})

t.test('the page about plants has every model, input, signal and hazard', async (t) => {
  const page = readFileSync(join(ROOT, 'docs/operating/hil-plants.md'), 'utf8')
  for (const { name, inputs, signals, hazard } of PLANT_MODELS) {
    const row = page.split('\n').find((line) => line.startsWith(`| \`${name}\``))
    const missing = [...Object.keys(inputs), ...Object.keys(signals), hazard].filter((word) => !row?.includes(word))
    t.same(missing, [], name)
  }
})
