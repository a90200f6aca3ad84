import type { PlantModel } from '../plant.ts'
import { steppedModel } from './stepped.ts'

const STEP_US = 10_000
const STEP_S = STEP_US / 1_000_000
const L_OF_M3 = 1000

/**
 * An open tank that is filled from above and runs out below (Torricelli).
 *
 *   A · dh/dt = q_in − (outlet · K + drain · K_d + leak · K) · √h,   0 ≤ h ≤ H; what does not fit runs over
 *   q_in = inlet · q
 *
 * Semi-implicit: √h is taken as h'/√h, so that h' = (h + dt · q_in/A) ÷ (1 + dt · k/(A · √h)), which never falls below 0
 * (Patankar, Numerical Heat Transfer, 7.2). Rests at 1 m with 2 l/s.
 */
export const TANK: PlantModel = steppedModel({
  name: 'tank',
  about: 'the level of an open tank',
  params: {
    area_m2: { unit: 'm²', about: 'A, its section', initial: 0.1, minimum: 0.001, maximum: 10_000 },
    height_m: { unit: 'm', about: 'H, where it runs over', initial: 2, minimum: 0.01, maximum: 100 },
    outlet_lps: { unit: 'l/s/√m', about: 'K, open outlet at a level of 1 m', initial: 2, minimum: 0, maximum: 10_000 },
    drain_lps: { unit: 'l/s/√m', about: 'K_d, open drain at a level of 1 m', initial: 6, minimum: 0, maximum: 10_000 },
  },
  init: { level_m: { unit: 'm', about: 'level', initial: 1, minimum: 0, maximum: 100 } },
  begin: ({ level_m }, { height_m }) => ({ level: Math.min(level_m, height_m), over: 0 }),
  inputs: {
    inlet_valve: { unit: '1', about: 'opening of the inlet; 0 makes it safe', initial: 1, minimum: 0, maximum: 1 },
    drain: { unit: '1', about: 'opening of the drain; 1 makes it safe', initial: 0, minimum: 0, maximum: 1 },
    inflow_lps: { unit: 'l/s', about: 'flow to the inlet', initial: 2, minimum: 0, maximum: 10_000 },
    outlet_opening: { unit: '1', about: 'opening of the outlet; sticks', initial: 1, minimum: 0, maximum: 1 },
    leak: { unit: '1', about: 'a leak at the bottom, as a share of the outlet', initial: 0, minimum: 0, maximum: 10 },
  },
  signals: {
    level_m: { unit: 'm', about: 'level', of: (x) => x.level },
    volume_l: { unit: 'l', about: 'what is in it', of: (x, _, p) => x.level * p.area_m2 * L_OF_M3 },
    inflow_lps: { unit: 'l/s', about: 'flow in', of: (_, u) => u.inlet_valve * u.inflow_lps },
    outflow_lps: {
      unit: 'l/s',
      about: 'flow through the outlet alone',
      of: (x, u, p) => u.outlet_opening * p.outlet_lps * Math.sqrt(x.level),
    },
    overflow_lps: { unit: 'l/s', about: 'what runs over', of: (x) => x.over },
  },
  hazard: 'level_m > 1.8',
  stepUs: STEP_US,
  step(x, u, p) {
    const litresPerM = p.area_m2 * L_OF_M3
    const open = (u.outlet_opening + u.leak) * p.outlet_lps + u.drain * p.drain_lps
    const root = Math.sqrt(x.level)
    const filled = x.level + (STEP_S * u.inlet_valve * u.inflow_lps) / litresPerM
    const level = root > 0 ? filled / (1 + (STEP_S * open) / (litresPerM * root)) : filled
    x.level = Math.min(level, p.height_m)
    x.over = ((level - x.level) * litresPerM) / STEP_S
  },
})
