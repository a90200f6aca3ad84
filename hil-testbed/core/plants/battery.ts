import type { PlantModel } from '../plant.ts'
import { steppedModel } from './stepped.ts'

const STEP_US = 10_000
const STEP_S = STEP_US / 1_000_000
const S_OF_H = 3600
/** Open-circuit voltage of one cell at a charge of 0, 0.1 … 1: a usual curve of NMC on graphite, rounded. */
const OCV_V = [3, 3.45, 3.55, 3.6, 3.64, 3.7, 3.78, 3.88, 3.98, 4.08, 4.2] as const

/**
 * A battery as an open-circuit voltage with a resistance and one RC branch (Plett, Battery Management Systems I, ch. 2).
 *
 *   dz/dt = −(i + i_short) ÷ (3600 · Q),  0 ≤ z ≤ 1        i = contactor · load, 0 when it is empty
 *   C_1 · dv_1/dt = i − v_1/R_1
 *   v = n · OCV(z) − R_0 · i − v_1
 *   C_T · dT/dt = R_0 · i² + v_1²/R_1 + n · OCV · (i_short + overcharge) + P_heat − (G + cooling · G_c) · (T − T_a)
 *
 * OCV is straight between its eleven points. What is charged into a full battery is heat. Implicit Euler for v_1 and T.
 */
export const BATTERY: PlantModel = steppedModel({
  name: 'battery',
  about: 'a battery: open-circuit voltage, resistance, one RC branch, temperature',
  params: {
    capacity_ah: { unit: 'A·h', about: 'Q', initial: 5, minimum: 0.01, maximum: 10_000 },
    cells: { unit: '1', about: 'n, in series', initial: 7, minimum: 1, maximum: 1000 },
    resistance_ohm: { unit: 'Ω', about: 'R_0', initial: 0.05, minimum: 0, maximum: 100 },
    branch_ohm: { unit: 'Ω', about: 'R_1', initial: 0.03, minimum: 1e-6, maximum: 100 },
    branch_f: { unit: 'F', about: 'C_1', initial: 500, minimum: 0.001, maximum: 1e6 },
    heat_capacity_j_k: { unit: 'J/K', about: 'C_T', initial: 300, minimum: 0.1, maximum: 1e6 },
    loss_w_k: { unit: 'W/K', about: 'G', initial: 0.5, minimum: 0, maximum: 1000 },
    cooling_w_k: { unit: 'W/K', about: 'G_c, what full cooling adds', initial: 5, minimum: 0, maximum: 1000 },
  },
  init: {
    soc_ratio: { unit: '1', about: 'z, state of charge', initial: 0.8, minimum: 0, maximum: 1 },
    branch_v: { unit: 'V', about: 'v_1', initial: 0.15, minimum: -100, maximum: 100 },
    temp_c: { unit: '°C', about: 'temperature', initial: 24, minimum: -50, maximum: 200 },
  },
  begin: ({ soc_ratio, branch_v, temp_c }) => ({ soc: soc_ratio, branch: branch_v, temp: temp_c }),
  inputs: {
    contactor: { unit: '1', about: 'contactor closed; 0 makes it safe', initial: 1, minimum: 0, maximum: 1 },
    cooling: { unit: '1', about: 'share of the cooling; 1 makes it safe', initial: 0, minimum: 0, maximum: 1 },
    load_a: { unit: 'A', about: 'current out; negative charges', initial: 5, minimum: -10_000, maximum: 10_000 },
    short_a: { unit: 'A', about: 'current through an inner short', initial: 0, minimum: 0, maximum: 1000 },
    heat_w: { unit: 'W', about: 'heat from elsewhere', initial: 0, minimum: 0, maximum: 100_000 },
    ambient_c: { unit: '°C', about: 'surroundings', initial: 20, minimum: -50, maximum: 100 },
  },
  signals: {
    soc_ratio: { unit: '1', about: 'state of charge', of: (x) => x.soc },
    volts: {
      unit: 'V',
      about: 'voltage at its terminals',
      of: (x, u, p) => p.cells * cellVolts(x.soc) - p.resistance_ohm * current(x.soc, u) - x.branch,
    },
    amps: { unit: 'A', about: 'current out', of: (x, u) => current(x.soc, u) },
    temp_c: { unit: '°C', about: 'temperature', of: (x) => x.temp },
  },
  hazard: 'temp_c > 60',
  stepUs: STEP_US,
  step(x, u, p) {
    const amps = current(x.soc, u)
    const volts = p.cells * cellVolts(x.soc)
    const short = x.soc > 0 ? u.short_a : 0
    const coulombs = S_OF_H * p.capacity_ah
    const soc = x.soc - (STEP_S * (amps + short)) / coulombs
    x.soc = Math.max(0, Math.min(1, soc))
    const overcharge = (Math.max(0, soc - 1) * coulombs) / STEP_S
    const branch = STEP_S / p.branch_f
    x.branch = (x.branch + branch * amps) / (1 + branch / p.branch_ohm)
    const share = STEP_S / p.heat_capacity_j_k
    const loss = p.loss_w_k + u.cooling * p.cooling_w_k
    const inside = p.resistance_ohm * amps * amps + (x.branch * x.branch) / p.branch_ohm
    const heat = inside + volts * (short + overcharge) + u.heat_w
    x.temp = (x.temp + share * (heat + loss * u.ambient_c)) / (1 + share * loss)
  },
})

function current(soc: number, u: Readonly<{ contactor: number; load_a: number }>): number {
  return soc > 0 || u.load_a < 0 ? u.contactor * u.load_a : 0
}

function cellVolts(soc: number): number {
  const place = Math.min(soc * 10, 10)
  const below = Math.min(9, Math.floor(place))
  const low = OCV_V[below]!
  return low + (place - below) * (OCV_V[below + 1]! - low)
}
