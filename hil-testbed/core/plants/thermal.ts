import type { PlantModel } from '../plant.ts'
import { steppedModel } from './stepped.ts'

const STEP_US = 10_000
const STEP_S = STEP_US / 1_000_000

/**
 * A body of one temperature with a heater (a lumped capacity; Incropera, Fundamentals of Heat and Mass Transfer, ch. 5).
 *
 *   C · dT/dt = on · P + P_extra − G · (T − T_a),   G = 1/R + cooling · G_c
 *
 * Implicit Euler, T' = (T + h/C · (on · P + P_extra + G · T_a)) ÷ (1 + h/C · G): stable for every step. Without a change it
 * goes to T_a + P/G with the time constant C/G, one minute as it comes.
 */
export const THERMAL: PlantModel = steppedModel({
  name: 'thermal',
  about: 'a heated body of one temperature, first order',
  params: {
    capacity_j_k: { unit: 'J/K', about: 'heat capacity C', initial: 60, minimum: 0.1, maximum: 1e6 },
    resistance_k_w: { unit: 'K/W', about: 'R, to the surroundings', initial: 1, minimum: 0.001, maximum: 1000 },
    cooling_w_k: { unit: 'W/K', about: 'G_c, what full cooling adds', initial: 4, minimum: 0, maximum: 1000 },
  },
  init: { temp_c: { unit: '°C', about: 'temperature', initial: 60, minimum: -50, maximum: 500 } },
  begin: ({ temp_c }) => ({ temp: temp_c }),
  inputs: {
    heater_on: { unit: '1', about: 'heater switched on; 0 makes it safe', initial: 1, minimum: 0, maximum: 1 },
    cooling: { unit: '1', about: 'share of the cooling; 1 makes it safe', initial: 0, minimum: 0, maximum: 1 },
    heater_w: { unit: 'W', about: 'power of the heater', initial: 40, minimum: 0, maximum: 10_000 },
    extra_heat_w: { unit: 'W', about: 'heat that no switch stops', initial: 0, minimum: 0, maximum: 10_000 },
    ambient_c: { unit: '°C', about: 'surroundings', initial: 20, minimum: -50, maximum: 100 },
  },
  signals: {
    temp_c: { unit: '°C', about: 'temperature', of: (x) => x.temp },
    heat_w: { unit: 'W', about: 'heat put in', of: (_, u) => u.heater_on * u.heater_w + u.extra_heat_w },
    ambient_c: { unit: '°C', about: 'surroundings', of: (_, u) => u.ambient_c },
  },
  hazard: 'temp_c > 90',
  stepUs: STEP_US,
  step(x, u, p) {
    const share = STEP_S / p.capacity_j_k
    const loss = 1 / p.resistance_k_w + u.cooling * p.cooling_w_k
    const heat = u.heater_on * u.heater_w + u.extra_heat_w
    x.temp = (x.temp + share * (heat + loss * u.ambient_c)) / (1 + share * loss)
  },
})
