import type { PlantModel } from '../plant.ts'
import { steppedModel } from './stepped.ts'

const STEP_US = 1_000
const STEP_S = STEP_US / 1_000_000
const STEP_MIN = STEP_US / 60_000_000
const L_MIN_OF_LPS = 60

/**
 * A vessel that a pump fills through an inlet valve, and that empties through an outlet valve. Open it rests near 5 bar; with
 * the outlet at 0.15 it passes 8 bar within two seconds and would reach 10 bar soon after. Without the pump, or with the inlet
 * closed, it falls.
 *
 *   C · dp/dt = q_pump + q_in − q_valve − q_relief
 *   q_pump  = on · inlet · max(0, Q0 · (1 − p/P0))   a centrifugal pump near its shut-off head P0
 *   q_valve = opening · K · √p                       an orifice (Bernoulli)
 *   C_T · dT/dt = on · P_pump + P_heat − G · (T − T_a)
 *
 * p: a step of 1 ms, explicit: the fastest it does is 0.6/s; never below 0. T: implicit. Flows in l/min, p in bar (gauge).
 */
export const VESSEL: PlantModel = steppedModel({
  name: 'vessel',
  about: 'a pressure vessel with pump, inlet valve, outlet valve and relief',
  params: {
    shut_off_bar: { unit: 'bar', about: 'P0, head of the pump without flow', initial: 14, minimum: 0.1, maximum: 1000 },
    free_flow_l_min: { unit: 'l/min', about: 'Q0, flow without head', initial: 32, minimum: 0, maximum: 10_000 },
    capacity_l_bar: { unit: 'l/bar', about: 'C, of its gas cushion', initial: 0.12, minimum: 0.01, maximum: 10_000 },
    orifice: { unit: 'l/min/√bar', about: 'K, of the open outlet valve', initial: 9.2, minimum: 0, maximum: 10_000 },
    heat_capacity_j_k: { unit: 'J/K', about: 'C_T', initial: 20_000, minimum: 1, maximum: 1e9 },
    loss_w_k: { unit: 'W/K', about: 'G', initial: 10, minimum: 0, maximum: 1e6 },
    pump_loss_w: { unit: 'W', about: 'P_pump, what the pump warms it with', initial: 50, minimum: 0, maximum: 1e6 },
  },
  init: {
    p_bar: { unit: 'bar', about: 'pressure', initial: 5.2, minimum: 0, maximum: 1000 },
    temp_c: { unit: '°C', about: 'temperature', initial: 25, minimum: -50, maximum: 300 },
  },
  begin: ({ p_bar, temp_c }) => ({ bar: p_bar, temp: temp_c }),
  inputs: {
    pump: { unit: '1', about: 'pump on; 0 makes it safe', initial: 1, minimum: 0, maximum: 1 },
    inlet_valve: { unit: '1', about: 'opening of the inlet; 0 makes it safe', initial: 1, minimum: 0, maximum: 1 },
    relief_lps: { unit: 'l/s', about: 'flow through the relief; makes it safe', initial: 0, minimum: 0, maximum: 1000 },
    valve_opening: {
      unit: '1',
      about: 'opening of the outlet; sticks nearly closed',
      initial: 1,
      minimum: 0,
      maximum: 1,
    },
    inflow_lps: { unit: 'l/s', about: 'flow from elsewhere', initial: 0, minimum: 0, maximum: 1000 },
    heat_w: { unit: 'W', about: 'heat from elsewhere', initial: 0, minimum: 0, maximum: 1e6 },
    ambient_c: { unit: '°C', about: 'surroundings', initial: 20, minimum: -50, maximum: 100 },
  },
  signals: {
    p_bar: { unit: 'bar', about: 'pressure', of: (x) => x.bar },
    flow_l_min: { unit: 'l/min', about: 'flow from the pump', of: (x, u, p) => pumpFlow(x.bar, u, p) },
    out_l_min: { unit: 'l/min', about: 'flow through the outlet valve', of: (x, u, p) => valveFlow(x.bar, u, p) },
    temp_c: { unit: '°C', about: 'temperature', of: (x) => x.temp },
    valve_opening: { unit: '1', about: 'opening of the outlet', of: (_, u) => u.valve_opening },
  },
  hazard: 'p_bar > 10',
  stepUs: STEP_US,
  step(x, u, p) {
    const into = pumpFlow(x.bar, u, p) + u.inflow_lps * L_MIN_OF_LPS
    const out = valveFlow(x.bar, u, p) + u.relief_lps * L_MIN_OF_LPS
    x.bar = Math.max(0, x.bar + ((into - out) / p.capacity_l_bar) * STEP_MIN)
    const share = STEP_S / p.heat_capacity_j_k
    const heat = u.pump * p.pump_loss_w + u.heat_w
    x.temp = (x.temp + share * (heat + p.loss_w_k * u.ambient_c)) / (1 + share * p.loss_w_k)
  },
})

type Pump = Readonly<{ pump: number; inlet_valve: number }>
type PumpParams = Readonly<{ free_flow_l_min: number; shut_off_bar: number }>

function pumpFlow(bar: number, u: Pump, p: PumpParams): number {
  return u.pump * u.inlet_valve * Math.max(0, p.free_flow_l_min * (1 - bar / p.shut_off_bar))
}

function valveFlow(bar: number, u: Readonly<{ valve_opening: number }>, p: Readonly<{ orifice: number }>): number {
  return u.valve_opening * p.orifice * Math.sqrt(bar)
}
