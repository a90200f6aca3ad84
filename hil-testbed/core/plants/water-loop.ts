import type { PlantModel } from '../plant.ts'
import { steppedModel } from './stepped.ts'

const STEP_US = 1_000
const STEP_S = STEP_US / 1_000_000
/** Bar that a flow of 1 l/min takes in the pump, and in the open valve with its pipes: 0.22 of 0.77 bar are left at 32 l/min. */
const PUMP_BAR = 0.55 / 1024
const VALVE_BAR = 0.22 / 1024
/** A closed valve still lets a little through. */
const SEAT_RATIO = 0.001
const FLOW_L_MIN = 32
const SUPPLY_V = 231.9
/** The time constants of speed, body of the motor, and water. */
const PUMP_S = 0.4
const MOTOR_S = 300
const WATER_S = 900
const WATER_J_L_K = 4186
/** Below this volume the pump sucks air. */
const PRIMED_L = 5

/**
 * A water loop with pump, tank and valve: the shape of the bench of the SKAB data set (Katser and Kozitsin, 2020), whose levels
 * it has at rest and with a closed valve. The eight signals are its channels, without noise.
 *
 *   I · dQ/dt = H0 · w² · prime − (a + k/o²) · Q²      p = H0 · w² · prime − a · Q²
 *   τ_w · dw/dt = on · min(1, U/U_n) − w               speed of the pump, as a share
 *   do/dt = ±1/travel towards the command, 0 when stuck
 *   dV/dt = −leak,  prime = min(1, V/5 l)
 *   motor and water: first order, towards levels that throttling raises; water also by P_heat/(V · c)
 *
 * Current, acceleration and temperatures follow what is throttled, (1 − Q/32), as measured there; that is a fit and no physics.
 * Semi-implicit: Q² is taken as Q · Q'. The flow meter is behind the leak.
 */
export const WATER_LOOP: PlantModel = steppedModel({
  name: 'water_loop',
  about: 'a water loop with pump, tank and valve, after the SKAB bench',
  params: {
    head_bar: { unit: 'bar', about: 'H0, head of the pump without flow', initial: 0.77, minimum: 0.01, maximum: 100 },
    inertia_bar_s: { unit: 'bar·s·min/l', about: 'I, of the water', initial: 0.004, minimum: 0.0005, maximum: 1 },
    valve_travel_s: {
      unit: 's',
      about: 'time of the valve from open to closed',
      initial: 4,
      minimum: 0.01,
      maximum: 3600,
    },
  },
  init: {
    volume_l: { unit: 'l', about: 'water in the tank', initial: 20, minimum: 0.1, maximum: 1000 },
    motor_c: { unit: '°C', about: 'body of the motor', initial: 79.1, minimum: -20, maximum: 200 },
    water_c: { unit: '°C', about: 'water', initial: 26.04, minimum: 0, maximum: 100 },
  },
  begin: ({ volume_l, motor_c, water_c }, { head_bar }) => ({
    flow: Math.sqrt(head_bar / (PUMP_BAR + VALVE_BAR)),
    speed: 1,
    opening: 1,
    volume: volume_l,
    motor: motor_c,
    water: water_c,
  }),
  inputs: {
    pump: { unit: '1', about: 'pump on; 0 makes it safe', initial: 1, minimum: 0, maximum: 1 },
    valve_opening: { unit: '1', about: 'command of the valve; 1 makes it safe', initial: 1, minimum: 0, maximum: 1 },
    valve_stuck: { unit: '1', about: '1: it stays where it is', initial: 0, minimum: 0, maximum: 1 },
    leak_l_min: { unit: 'l/min', about: 'flow out of the loop', initial: 0, minimum: 0, maximum: 100 },
    imbalance_g: { unit: 'g', about: 'vibration that an unbalanced rotor adds', initial: 0, minimum: 0, maximum: 10 },
    heat_w: { unit: 'W', about: 'heat into the water', initial: 0, minimum: 0, maximum: 100_000 },
    supply_v: { unit: 'V', about: 'supply of the pump', initial: SUPPLY_V, minimum: 0, maximum: 400 },
    ambient_c: { unit: '°C', about: 'surroundings', initial: 20, minimum: -20, maximum: 60 },
  },
  signals: {
    accelerometer_1_g: { unit: 'g', about: 'vibration of the motor', of: (x, u) => vibration(x, u, 0.0265, 0.004) },
    accelerometer_2_g: { unit: 'g', about: 'vibration of the pump', of: (x, u) => vibration(x, u, 0.0402, 0.006) },
    current_a: { unit: 'A', about: 'current of the motor', of: (x) => x.speed * (1.15 + 0.35 * throttled(x)) },
    p_bar: { unit: 'bar', about: 'pressure behind the pump', of: (x, _, p) => head(x, p) - PUMP_BAR * x.flow * x.flow },
    motor_c: { unit: '°C', about: 'body of the motor', of: (x) => x.motor },
    water_c: { unit: '°C', about: 'water', of: (x) => x.water },
    supply_v: { unit: 'V', about: 'supply of the pump', of: (_, u) => u.supply_v },
    flow_l_min: { unit: 'l/min', about: 'flow back to the tank', of: (x, u) => Math.max(0, x.flow - u.leak_l_min) },
    valve_opening: { unit: '1', about: 'where the valve really is', of: (x) => x.opening },
    volume_l: { unit: 'l', about: 'water in the tank', of: (x) => x.volume },
  },
  hazard: 'p_bar > 0.7',
  stepUs: STEP_US,
  step(x, u, p) {
    const travel = u.valve_stuck > 0 ? 0 : STEP_S / p.valve_travel_s
    x.opening += Math.max(-travel, Math.min(travel, u.valve_opening - x.opening))
    const speed = u.pump * Math.min(1, u.supply_v / SUPPLY_V)
    x.speed = (x.speed + (STEP_S / PUMP_S) * speed) / (1 + STEP_S / PUMP_S)
    x.volume = Math.max(0, x.volume - (u.leak_l_min * STEP_S) / 60)
    const opening = Math.max(SEAT_RATIO, x.opening)
    const resistance = PUMP_BAR + VALVE_BAR / (opening * opening)
    const share = STEP_S / p.inertia_bar_s
    x.flow = (x.flow + share * head(x, p)) / (1 + share * resistance * x.flow)
    const motor = u.ambient_c + x.speed * (59.1 + 1.5 * throttled(x))
    x.motor = (x.motor + (STEP_S / MOTOR_S) * motor) / (1 + STEP_S / MOTOR_S)
    const water = u.ambient_c + x.speed * (6.04 + 0.4 * throttled(x))
    const heated = x.water + (STEP_S * u.heat_w) / (WATER_J_L_K * Math.max(PRIMED_L, x.volume))
    x.water = (heated + (STEP_S / WATER_S) * water) / (1 + STEP_S / WATER_S)
  },
})

type Loop = Readonly<{ flow: number; speed: number; volume: number }>

function head({ speed, volume }: Loop, { head_bar }: Readonly<{ head_bar: number }>): number {
  return head_bar * speed * speed * Math.min(1, volume / PRIMED_L)
}

function throttled({ flow }: Loop): number {
  return Math.max(0, 1 - flow / FLOW_L_MIN)
}

function vibration(x: Loop, { imbalance_g }: Readonly<{ imbalance_g: number }>, rest: number, more: number): number {
  return x.speed * (rest + more * throttled(x) + imbalance_g)
}
