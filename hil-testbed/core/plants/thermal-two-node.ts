import type { PlantModel } from '../plant.ts'
import { steppedModel } from './stepped.ts'

const STEP_US = 10_000
const STEP_S = STEP_US / 1_000_000

/**
 * A heated core in a case: two lumped capacities, as junction and case of a power part (JESD51-14; a Cauer ladder of two).
 *
 *   C_1 · dT_1/dt = on · P + P_extra − G_12 · (T_1 − T_2)
 *   C_2 · dT_2/dt = G_12 · (T_1 − T_2) − G_2 · (T_2 − T_a),   G_2 = (1 − blocked) · (1/R_2 + cooling · G_c)
 *
 * Implicit Euler; the two linear equations of a step are solved by Cramer's rule.
 */
export const THERMAL_TWO_NODE: PlantModel = steppedModel({
  name: 'thermal_two_node',
  about: 'a heated core in a case, second order',
  params: {
    core_j_k: { unit: 'J/K', about: 'C_1, of the core', initial: 10, minimum: 0.1, maximum: 1e6 },
    case_j_k: { unit: 'J/K', about: 'C_2, of the case', initial: 100, minimum: 0.1, maximum: 1e6 },
    core_case_k_w: { unit: 'K/W', about: '1/G_12, core to case', initial: 0.5, minimum: 0.001, maximum: 1000 },
    case_ambient_k_w: { unit: 'K/W', about: 'R_2, case to surroundings', initial: 0.5, minimum: 0.001, maximum: 1000 },
    cooling_w_k: { unit: 'W/K', about: 'G_c, what full cooling adds', initial: 4, minimum: 0, maximum: 1000 },
  },
  init: {
    core_c: { unit: '°C', about: 'temperature of the core', initial: 60, minimum: -50, maximum: 500 },
    case_c: { unit: '°C', about: 'temperature of the case', initial: 40, minimum: -50, maximum: 500 },
  },
  begin: ({ core_c, case_c }) => ({ core: core_c, case: case_c }),
  inputs: {
    heater_on: { unit: '1', about: 'heat switched on; 0 makes it safe', initial: 1, minimum: 0, maximum: 1 },
    cooling: { unit: '1', about: 'share of the cooling; 1 makes it safe', initial: 0, minimum: 0, maximum: 1 },
    heater_w: { unit: 'W', about: 'heat in the core', initial: 40, minimum: 0, maximum: 10_000 },
    extra_heat_w: { unit: 'W', about: 'heat that no switch stops', initial: 0, minimum: 0, maximum: 10_000 },
    blocked: { unit: '1', about: 'share of the way out that is blocked', initial: 0, minimum: 0, maximum: 1 },
    ambient_c: { unit: '°C', about: 'surroundings', initial: 20, minimum: -50, maximum: 100 },
  },
  signals: {
    core_c: { unit: '°C', about: 'temperature of the core', of: (x) => x.core },
    case_c: { unit: '°C', about: 'temperature of the case', of: (x) => x.case },
    heat_w: { unit: 'W', about: 'heat put in', of: (_, u) => u.heater_on * u.heater_w + u.extra_heat_w },
    ambient_c: { unit: '°C', about: 'surroundings', of: (_, u) => u.ambient_c },
  },
  hazard: 'core_c > 90',
  stepUs: STEP_US,
  step(x, u, p) {
    const between = 1 / p.core_case_k_w
    const out = (1 - u.blocked) * (1 / p.case_ambient_k_w + u.cooling * p.cooling_w_k)
    const coreShare = STEP_S / p.core_j_k
    const caseShare = STEP_S / p.case_j_k
    // [1 + a, −a; −b, 1 + b + c] · [T_1, T_2] = [right1, right2]
    const a = coreShare * between
    const b = caseShare * between
    const c = caseShare * out
    const right1 = x.core + coreShare * (u.heater_on * u.heater_w + u.extra_heat_w)
    const right2 = x.case + c * u.ambient_c
    const determinant = (1 + a) * (1 + b + c) - a * b
    x.core = (right1 * (1 + b + c) + a * right2) / determinant
    x.case = ((1 + a) * right2 + b * right1) / determinant
  },
})
