import type { PlantModel } from '../plant.ts'
import { steppedModel } from './stepped.ts'

const STEP_US = 100
const STEP_S = STEP_US / 1_000_000
/** 60 ÷ 2π */
const RPM_OF_RAD_S = 9.549296585513721

/**
 * A DC motor with a load and the temperature of its winding (Krause, Analysis of Electric Machinery, ch. 2).
 *
 *   L · di/dt = U − R · i − k · ω        0 A as soon as the drive is disabled
 *   J · dω/dt = k · i − b · ω − M,       M = load + brake · M_b, against the motion and never more than stops it
 *   C · dT/dt = R · i² + P_extra − (T − T_a)/R_th
 *
 * Implicit Euler for i and ω together; dry friction is an impulse that at most stops it (Moreau). Rests at 4119 rpm and 4.9 A
 * with 24 V; jammed it passes 130 °C within six seconds.
 */
export const MOTOR: PlantModel = steppedModel({
  name: 'motor',
  about: 'a DC motor with a load, and its winding',
  params: {
    resistance_ohm: { unit: 'Ω', about: 'R, of the winding', initial: 0.5, minimum: 0.001, maximum: 1000 },
    inductance_h: { unit: 'H', about: 'L', initial: 0.0005, minimum: 1e-6, maximum: 10 },
    torque_nm_a: { unit: 'N·m/A', about: 'k, also V·s/rad', initial: 0.05, minimum: 1e-4, maximum: 100 },
    inertia_kg_m2: { unit: 'kg·m²', about: 'J, with the load', initial: 0.0002, minimum: 1e-7, maximum: 1000 },
    drag_nm_s: { unit: 'N·m·s', about: 'b', initial: 0.0001, minimum: 0, maximum: 100 },
    brake_nm: { unit: 'N·m', about: 'M_b', initial: 2, minimum: 0, maximum: 10_000 },
    winding_j_k: { unit: 'J/K', about: 'C', initial: 60, minimum: 0.1, maximum: 1e6 },
    winding_k_w: { unit: 'K/W', about: 'R_th', initial: 2, minimum: 0.001, maximum: 1000 },
  },
  init: {
    speed_rad_s: { unit: 'rad/s', about: 'speed', initial: 431.3725, minimum: -10_000, maximum: 10_000 },
    current_a: { unit: 'A', about: 'current', initial: 4.862745, minimum: -10_000, maximum: 10_000 },
    winding_c: { unit: '°C', about: 'winding', initial: 43.65, minimum: -50, maximum: 300 },
  },
  begin: ({ speed_rad_s, current_a, winding_c }) => ({ speed: speed_rad_s, current: current_a, winding: winding_c }),
  inputs: {
    enable: { unit: '1', about: 'drive enabled; 0 makes it safe', initial: 1, minimum: 0, maximum: 1 },
    brake: { unit: '1', about: 'brake; 1 makes it safe once the drive is off', initial: 0, minimum: 0, maximum: 1 },
    drive_v: { unit: 'V', about: 'U', initial: 24, minimum: -1000, maximum: 1000 },
    load_nm: { unit: 'N·m', about: 'torque of the load; high: it jams', initial: 0.2, minimum: 0, maximum: 10_000 },
    extra_heat_w: { unit: 'W', about: 'P_extra', initial: 0, minimum: 0, maximum: 10_000 },
    ambient_c: { unit: '°C', about: 'surroundings', initial: 20, minimum: -50, maximum: 100 },
  },
  signals: {
    speed_rpm: { unit: 'rpm', about: 'speed', of: (x) => x.speed * RPM_OF_RAD_S },
    current_a: { unit: 'A', about: 'current', of: (x) => x.current },
    torque_nm: { unit: 'N·m', about: 'torque of the motor', of: (x, _, p) => p.torque_nm_a * x.current },
    load_nm: { unit: 'N·m', about: 'torque of the load', of: (_, u) => u.load_nm },
    winding_c: { unit: '°C', about: 'winding', of: (x) => x.winding },
    drive_v: { unit: 'V', about: 'voltage of the drive', of: (_, u) => (u.enable > 0 ? u.drive_v : 0) },
  },
  hazard: 'winding_c > 130',
  stepUs: STEP_US,
  step(x, u, p) {
    const friction = (STEP_S / p.inertia_kg_m2) * (u.load_nm + u.brake * p.brake_nm)
    const way = turned(x.speed, currentAt(x, u, p, x.speed), p) > 0 ? 1 : -1
    const slowed = x.speed - way * friction
    const current = currentAt(x, u, p, slowed)
    const speed = turned(slowed, current, p)
    const isStopped = speed * way <= 0
    x.speed = isStopped ? 0 : speed
    x.current = isStopped ? stalledCurrent(x, u, p) : current
    const share = STEP_S / p.winding_j_k
    const loss = 1 / p.winding_k_w
    const heat = p.resistance_ohm * x.current * x.current + u.extra_heat_w
    x.winding = (x.winding + share * (heat + loss * u.ambient_c)) / (1 + share * loss)
  },
})

type State = Readonly<{ speed: number; current: number }>
type Drive = Readonly<{ enable: number; drive_v: number }>
type Circuit = Readonly<{ resistance_ohm: number; inductance_h: number; torque_nm_a: number }>
type Shaft = Readonly<{ torque_nm_a: number; inertia_kg_m2: number; drag_nm_s: number }>

/** i' of [1 + hR/L, hk/L; −hk/J, 1 + hb/J] · [i', ω'] = [i + hU/L, `speed`]. */
function currentAt(x: State, u: Drive, p: Circuit & Shaft, speed: number): number {
  if (!(u.enable > 0)) return 0
  const electric = STEP_S / p.inductance_h
  const mechanic = STEP_S / p.inertia_kg_m2
  const damped = 1 + mechanic * p.drag_nm_s
  const k = p.torque_nm_a
  const determinant = (1 + electric * p.resistance_ohm) * damped + electric * k * mechanic * k
  return ((x.current + electric * u.drive_v) * damped - electric * k * speed) / determinant
}

function turned(speed: number, current: number, p: Shaft): number {
  const mechanic = STEP_S / p.inertia_kg_m2
  return (speed + mechanic * p.torque_nm_a * current) / (1 + mechanic * p.drag_nm_s)
}

function stalledCurrent(x: State, u: Drive, p: Circuit): number {
  const electric = STEP_S / p.inductance_h
  return u.enable > 0 ? (x.current + electric * u.drive_v) / (1 + electric * p.resistance_ohm) : 0
}
