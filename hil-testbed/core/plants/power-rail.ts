import type { PlantModel } from '../plant.ts'
import { steppedModel } from './stepped.ts'

const STEP_US = 100
const STEP_S = STEP_US / 1_000_000
const MS_OF_STEP = STEP_US / 1000

/**
 * A supply rail: a source behind a resistance and a diode, a capacitor, loads, and a trip with a definite time (IEC 60255-151).
 *
 *   C · dv/dt = g · (U − v) − i_load − G_short · v,   v ≥ 0,   g = 1/R_s while it is on, not tripped and U > v, else 0
 *   trips for good when g · (U − v) > I_trip, or v > U_trip, without a break for t_trip; `reset` takes it back
 *
 * Implicit Euler. A load takes its current as long as there is voltage.
 */
export const POWER_RAIL: PlantModel = steppedModel({
  name: 'power_rail',
  about: 'a supply rail with loads and a trip',
  params: {
    source_ohm: { unit: 'Ω', about: 'R_s', initial: 0.05, minimum: 1e-4, maximum: 1000 },
    capacity_f: { unit: 'F', about: 'C', initial: 0.02, minimum: 1e-6, maximum: 1000 },
    trip_a: { unit: 'A', about: 'I_trip', initial: 20, minimum: 0.001, maximum: 1e6 },
    trip_v: { unit: 'V', about: 'U_trip', initial: 32, minimum: 0.1, maximum: 1e6 },
    trip_ms: { unit: 'ms', about: 't_trip', initial: 50, minimum: 0, maximum: 1e6 },
  },
  init: { volts: { unit: 'V', about: 'voltage', initial: 23.75, minimum: 0, maximum: 1e6 } },
  begin: ({ volts }) => ({ volts, tripped: 0, overMs: 0 }),
  inputs: {
    enable: { unit: '1', about: 'source on; 0 makes it safe', initial: 1, minimum: 0, maximum: 1 },
    load_on: { unit: '1', about: 'share of the loads that are on; 0 sheds them', initial: 1, minimum: 0, maximum: 1 },
    source_v: { unit: 'V', about: 'U; high: its regulator has failed', initial: 24, minimum: 0, maximum: 1e5 },
    load_a: { unit: 'A', about: 'current of the loads', initial: 5, minimum: 0, maximum: 1e5 },
    short_s: { unit: 'S', about: 'G_short, conductance of a short', initial: 0, minimum: 0, maximum: 1e4 },
    trip_blocked: { unit: '1', about: '1: the trip does not trip', initial: 0, minimum: 0, maximum: 1 },
    reset: { unit: '1', about: '1: takes the trip back', initial: 0, minimum: 0, maximum: 1 },
  },
  signals: {
    volts: { unit: 'V', about: 'voltage', of: (x) => x.volts },
    amps: { unit: 'A', about: 'current of the source', of: (x, u, p) => conductance(x, u, p) * (u.source_v - x.volts) },
    load_a: { unit: 'A', about: 'current of the loads', of: (x, u) => (x.volts > 0 ? u.load_on * u.load_a : 0) },
    tripped: { unit: '1', about: '1: it has tripped', of: (x) => x.tripped },
  },
  hazard: 'volts > 30',
  stepUs: STEP_US,
  step(x, u, p) {
    if (u.reset > 0) x.tripped = 0
    const source = conductance(x, u, p)
    const share = STEP_S / p.capacity_f
    const into = source * u.source_v - u.load_on * u.load_a
    x.volts = Math.max(0, (x.volts + share * into) / (1 + share * (source + u.short_s)))
    const isOver = source * (u.source_v - x.volts) > p.trip_a || x.volts > p.trip_v
    x.overMs = isOver ? x.overMs + MS_OF_STEP : 0
    if (isOver && x.overMs >= p.trip_ms && !(u.trip_blocked > 0)) x.tripped = 1
  },
})

type Rail = Readonly<{ volts: number; tripped: number }>
type Source = Readonly<{ enable: number; source_v: number }>

function conductance({ volts, tripped }: Rail, u: Source, p: Readonly<{ source_ohm: number }>): number {
  return tripped === 0 && u.source_v > volts ? u.enable / p.source_ohm : 0
}
