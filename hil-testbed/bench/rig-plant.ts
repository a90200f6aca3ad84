import type { Clock } from '../../shared/lib/clock.ts'
import type { Plant } from '../core/plant.ts'
import { plantNamed } from '../core/plants/models.ts'
import type { ScenarioRow } from '../core/scenario.ts'
import { createExternalPlant } from './external-plant.ts'
import type { PlantNeeds } from './plant-protocol.ts'
import { type Broken, brokenBy } from './run-facts.ts'

/** The plant of a run, or what kept it from beginning. */
export type RigPlant = Readonly<{
  plant: Plant | null
  signals: readonly string[]
  /** Back to safe, and nothing of it runs any more. @returns what was wrong with its end */
  stop: () => Promise<Broken | null>
  broken: Broken | null
}>

type PlantOptions = Readonly<{ folder: string; host: Clock }>

/** Makes the plant of a rig: a model of the bench, or a program of its own that is started. Never rejects. */
export async function openPlant(row: ScenarioRow, { folder, host }: PlantOptions): Promise<RigPlant> {
  const { rig } = row
  const { plant: spec } = rig
  if (spec.command === null) {
    const model = plantNamed(spec.model)!
    const plant = model.create({ params: spec.params, init: spec.init })
    return { plant, signals: Object.keys(model.signals), stop: async () => null, broken: null }
  }
  const { command } = spec
  const external = createExternalPlant({ command, cwd: rig.folder, folder, needs: needsOf(row), clock: host })
  try {
    const { signals } = await external.start()
    const stop = async (): Promise<Broken | null> => {
      const { safe, how } = await external.stop('the run is over')
      return safe ? null : { verdict: 'ERROR', code: 'PLANT_NOT_SAFE', detail: how }
    }
    return { plant: external.plant, signals: Object.keys(signals), stop, broken: null }
  } catch (error) {
    await external.stop('the run cannot begin')
    return { plant: null, signals: [], stop: async () => null, broken: brokenBy(error) }
  }
}

/** What a run reads of its plant and sets on it. */
function needsOf({ rig, steps, setup, teardown }: ScenarioRow): PlantNeeds {
  const acts = [...setup, ...teardown, ...steps.flatMap((step) => step.steps)]
  const set = acts.flatMap((step) =>
    step.do === 'stimulate' || step.do === 'actuator' ? Object.keys(step.inputs) : [],
  )
  return {
    stepUs: rig.plant.stepUs,
    signals: [...new Set(rig.sensors.map(({ of }) => of))],
    inputs: [...new Set([...set, ...rig.actuators.flatMap(({ effect }) => Object.keys(effect))])],
  }
}
