import type { Micros } from '../../shared/units.ts'
import type { Instrumentation, OutFrame } from '../core/out-frame.ts'
import type { Plant } from '../core/plant.ts'
import { plantNamed } from '../core/plants/models.ts'
import type { PlantSpec, ScenarioRow } from '../core/scenario.ts'
import type { Hb } from './agent-process.ts'
import { createExternalPlant } from './external-plant.ts'
import type { HostTime } from './host-time.ts'
import type { PlantNeeds } from './plant-protocol.ts'
import { openRecorded } from './recorded-plant.ts'
import { type Broken, brokenBy } from './run-facts.ts'

/** The plant of a run, or what kept it from beginning. */
export type RigPlant = Readonly<{
  plant: Plant | null
  signals: readonly string[]
  /** Back to safe, and nothing of it runs any more. @returns what was wrong with its end */
  stop: () => Promise<Broken | null>
  broken: Broken | null
}>

type PlantOptions = Readonly<{ folder: string; host: HostTime; hb: Hb }>

/** Makes the plant of a rig: a model of the bench, or a program of its own that is started. Never rejects. */
export async function openPlant(row: ScenarioRow, options: PlantOptions): Promise<RigPlant> {
  return startPlant(row.rig.plant, { ...options, cwd: row.rig.folder, needs: needsOf(row) })
}

type StartOptions = PlantOptions & Readonly<{ cwd: string; needs: PlantNeeds }>

/** The same for a plant by itself, as its nominal run needs it. */
export async function startPlant(spec: PlantSpec, { folder, host, hb, cwd, needs }: StartOptions): Promise<RigPlant> {
  if (spec.file !== null) return { ...openRecorded(spec.file), stop: async () => null }
  if (spec.command === null) {
    const model = plantNamed(spec.model)!
    const plant = model.create({ params: spec.params, init: spec.init })
    return { plant, signals: Object.keys(model.signals), stop: async () => null, broken: null }
  }
  // `{hb}` is this program itself.
  const command = spec.command.flatMap((word) => (word === '{hb}' ? [hb.command, ...hb.before] : [word]))
  const external = createExternalPlant({ command, cwd, folder, needs, clock: host, waitMs: host.waitMs })
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

/** What the acquisitions hand over until then. An external plant is asked for each of its steps on the way. */
export async function framesUntil(
  atUs: Micros,
  { instruments, plant, external }: Readonly<{ instruments: Instrumentation; plant: Plant; external: boolean }>,
): Promise<OutFrame[]> {
  const read = (signal: string): number => plant.read(signal)
  if (!external) return instruments.frames(atUs, { advance: (us) => void plant.advance(us), read })
  while (instruments.nextSampleUs <= atUs) {
    await plant.advance(instruments.nextSampleUs)
    instruments.sample(read)
  }
  return instruments.frames(atUs)
}
