import t from 'tap'
import {
  createVessel,
  HARM_BAR,
  moveVessel,
  type PressureOptions,
  readVessel,
} from '../../../hil-testbed/pressure-loop.ts'

const CALM: PressureOptions = { seed: 1, faultUs: null, stuck: null }
const FAULT: PressureOptions = { ...CALM, faultUs: 1_000_000 }

/** Pressure at a time, the equation integrated by the midpoint rule in steps of 50 µs: written anew from the docstring. */
function referenceBar(toUs: number, { faultUs }: PressureOptions, pumpOffUs = Number.POSITIVE_INFINITY): number {
  const stepUs = 50
  const slope = (bar: number, us: number): number => {
    const share = faultUs === null ? 0 : Math.min(1, Math.max(0, (us - faultUs) / 400_000))
    const pump = us < pumpOffUs ? Math.max(0, 32 * (1 - bar / 14)) : 0
    return (pump - (1 - 0.85 * share) * 9.2 * Math.sqrt(Math.max(0, bar))) / 0.12 / 60_000_000
  }
  let bar = 5.2
  for (let us = 0; us < toUs; us += stepUs) {
    const middle = bar + (slope(bar, us) * stepUs) / 2
    bar += slope(middle, us + stepUs / 2) * stepUs
  }
  return bar
}

t.test('the vessel follows its equation, with and without the fault and after the pump has stopped', async (t) => {
  for (const options of [CALM, FAULT])
    for (const us of [500_000, 1_500_000, 3_000_000, 6_000_000]) {
      const vessel = createVessel()
      moveVessel(vessel, options, us)
      const expected = referenceBar(us, options)
      t.ok(Math.abs(vessel.bar - expected) < 0.005 * expected, `${us} µs: ${vessel.bar} for ${expected}`)
    }
  const stopped = createVessel()
  moveVessel(stopped, FAULT, 3_000_000)
  stopped.pumpOn = false
  moveVessel(stopped, FAULT, 5_000_000)
  t.ok(Math.abs(stopped.bar - referenceBar(5_000_000, FAULT, 3_000_000)) < 0.04)
})

t.test('left alone it does harm between two and five seconds after the valve has stuck', async (t) => {
  const vessel = createVessel()
  moveVessel(vessel, FAULT, 3_000_000)
  t.ok(vessel.bar < HARM_BAR)
  moveVessel(vessel, FAULT, 6_000_000)
  t.ok(vessel.bar > HARM_BAR)
})

t.test('a stuck transmitter says its last value, and the flow is none when the pump is off', async (t) => {
  const options: PressureOptions = { ...FAULT, stuck: 'p_b' }
  const vessel = createVessel()
  let last = Number.NaN
  for (let k = 0; k <= 600; k += 1) {
    moveVessel(vessel, options, k * 5_000)
    const value = readVessel(vessel, options, 'p_b', k)
    if (k * 5_000 >= 1_000_000) t.equal(value, last)
    last = value
  }
  t.ok(readVessel(vessel, options, 'p_a', 601) - last > 1.5, 'the other one tells')
  vessel.pumpOn = false
  moveVessel(vessel, options, 3_001_000)
  t.ok(Math.abs(readVessel(vessel, options, 'flow', 602)) < 1)
})
