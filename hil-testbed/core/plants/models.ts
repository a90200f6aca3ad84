import type { PlantModel } from '../plant.ts'
import { BATTERY } from './battery.ts'
import { LINK } from './link.ts'
import { MOTOR } from './motor.ts'
import { POWER_RAIL } from './power-rail.ts'
import { TANK } from './tank.ts'
import { THERMAL } from './thermal.ts'
import { THERMAL_TWO_NODE } from './thermal-two-node.ts'
import { VESSEL } from './vessel.ts'
import { WATER_LOOP } from './water-loop.ts'

/** The built-in plants, as `docs/operating/hil-plants.md` lists them. */
export const PLANT_MODELS: readonly PlantModel[] = [
  THERMAL,
  THERMAL_TWO_NODE,
  VESSEL,
  TANK,
  WATER_LOOP,
  MOTOR,
  BATTERY,
  POWER_RAIL,
  LINK,
]

/** @returns undefined for a model that is not built in */
export function plantNamed(name: string): PlantModel | undefined {
  return PLANT_MODELS.find((model) => model.name === name)
}
