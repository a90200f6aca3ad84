import { join } from 'node:path'
import { plantNamed } from '../core/plants/models.ts'
import type { ActuatorSpec, BaselineSpec, PlantSpec, RigSpec, SensorSpec } from '../core/scenario.ts'
import type { RigFile, RigFileValue } from './rig-file.ts'
import type { RegistryNames } from './rig-names.ts'
import { microsOfMillis } from './time-text.ts'

/** What a rig's file or a scenario says of a rig. */
export type RigParts = Pick<
  RigFileValue,
  | 'plant'
  | 'sensors'
  | 'actuators'
  | 'registry'
  | 'policy'
  | 'baseline'
  | 'keys'
  | 'agent'
  | 'peer'
  | 'telemetry'
  | 'collector'
  | 'operators'
>

/** What a scenario says instead: maps key by key, everything else as a whole. Another model begins anew. */
export function mergedParts(rig: RigParts, own: RigParts): RigParts {
  const model = own.plant?.model ?? own.plant?.command
  const isOther = own.plant?.file !== undefined || (model !== undefined && own.plant?.model !== rig.plant?.model)
  const plant = isOther
    ? own.plant
    : {
        ...rig.plant,
        ...own.plant,
        params: { ...rig.plant?.params, ...own.plant?.params },
        init: { ...rig.plant?.init, ...own.plant?.init },
      }
  const actuators = byKey(rig.actuators, own.actuators, (below, above) => ({
    ...below,
    ...above,
    ack: { ...below.ack, ...above.ack },
  }))
  return {
    ...rig,
    ...own,
    ...(plant === undefined ? {} : { plant }),
    sensors: byKey(rig.sensors, own.sensors, (below, above) => ({ ...below, ...above })),
    actuators,
    baseline: { ...rig.baseline, ...own.baseline },
    keys: { ...rig.keys, ...own.keys },
    agent: { ...rig.agent, ...own.agent },
  }
}

function byKey<T extends object>(
  below: Readonly<Record<string, T>> = {},
  above: Readonly<Record<string, T>> = {},
  join: (below: Partial<T>, above: Partial<T>) => T,
): Record<string, T> {
  const keys = [...new Set([...Object.keys(below), ...Object.keys(above)])]
  return Object.fromEntries(keys.map((key) => [key, join(below[key] ?? {}, above[key] ?? {})]))
}

/** What the model of a plant is called that is a recording. */
const RECORDING = 'recording'

export function plantSpec(plant: NonNullable<RigParts['plant']>): PlantSpec {
  const { file = null, params = {}, init = {}, command = null, step_us: stepUs, hazard } = plant
  const { model = file === null ? 'external' : RECORDING } = plant
  const known = command === null && file === null ? plantNamed(model) : undefined
  return {
    ...{ model, params, init, command, file },
    stepUs: known?.stepUs ?? stepUs ?? 0,
    hazard: hazard ?? known?.hazard ?? '',
  }
}

type SensorParts = NonNullable<RigParts['sensors']>[string]

/** Source and groups of a sensor that says none are those of its channel in the registry. */
export function sensorSpec(channel: string, sensor: SensorParts, registry: RegistryNames | null): SensorSpec {
  const known = registry?.channels.get(channel)
  return {
    channel,
    of: sensor.of ?? '',
    source: sensor.source ?? known?.publisher ?? '',
    rateHz: sensor.rate_hz ?? 0,
    noiseSd: sensor.noise_sd ?? 0,
    resolution: sensor.resolution ?? 0,
    lagUs: microsOfMillis(sensor.lag_ms ?? 0),
    gain: sensor.gain ?? 1,
    offset: sensor.offset ?? 0,
    ccg: sensor.ccg ?? known?.ccg ?? [],
  }
}

/** When an actuator answers unless its rig says otherwise, in ms. */
const ACK = { accept_ms: 5, start_ms: 20, complete_ms: 60 } as const

function actuatorSpec(target: string, actuator: NonNullable<RigParts['actuators']>[string]): ActuatorSpec {
  const ack = { ...ACK, ...actuator.ack }
  return {
    target,
    effect: actuator.effect ?? {},
    latencyUs: microsOfMillis(actuator.latency_ms ?? 0),
    ack: {
      acceptUs: microsOfMillis(ack.accept_ms),
      startUs: microsOfMillis(ack.start_ms),
      completeUs: microsOfMillis(ack.complete_ms),
    },
    lossEffect: actuator.loss_effect ?? 'de_energise',
    idempotent: actuator.idempotent ?? true,
  }
}

/** A nominal run that is long enough for the confidence that a shutdown needs. */
const BASELINE = { kind: 'golden', seconds: 2000, rate_hz: 100, seed: 21 } as const

function baselineSpec(baseline: RigParts['baseline'], file: string | null): BaselineSpec {
  const { kind, seconds, rate_hz: rateHz, seed } = { ...BASELINE, ...baseline }
  return { kind, file, seconds, rateHz, seed }
}

/** Files of a rig and of what a scenario says instead, as they are found from here. */
export function filesOf(
  rig: Pick<RigFile, 'folder'> & Readonly<{ value: RigParts }>,
  own: RigParts & Readonly<{ folder: string }>,
): Readonly<Record<'registry' | 'policy' | 'recording' | 'baseline', string | null>> {
  const place = (named: (parts: RigParts) => string | undefined): string | null => {
    const [above, below] = [named(own), named(rig.value)]
    if (above !== undefined) return join(own.folder, above)
    return below === undefined ? null : join(rig.folder, below)
  }
  return {
    registry: place(({ registry }) => registry),
    policy: place(({ policy }) => policy),
    recording: place(({ plant }) => plant?.file),
    baseline: place(({ baseline }) => baseline?.file),
  }
}

type About = Readonly<{ rig: RigFile & Readonly<{ value: RigFileValue }>; own: RigParts; folder: string }>

/** A rig as its file and a scenario together say. Both were checked. */
export function rigSpec(
  { rig, own, folder }: About,
  registryOf: (path: string | null) => RegistryNames | null,
): RigSpec {
  const parts = mergedParts(rig.value, own)
  const files = filesOf(rig, { ...own, folder })
  const nominal = filesOf(rig, { folder })
  const sensors = (of: RigParts, registry: string | null): SensorSpec[] =>
    Object.entries(of.sensors ?? {}).map(([channel, sensor]) => sensorSpec(channel, sensor, registryOf(registry)))
  return {
    name: rig.value.name,
    folder: rig.folder,
    plant: { ...plantSpec(parts.plant ?? {}), ...(parts.plant?.file === undefined ? {} : { file: files.recording }) },
    sensors: sensors(parts, files.registry),
    actuators: Object.entries(parts.actuators ?? {}).map(([target, one]) => actuatorSpec(target, one)),
    peer: parts.peer ?? null,
    nominal: { plant: plantSpec(rig.value.plant ?? {}), sensors: sensors(rig.value, nominal.registry) },
    registryFile: files.registry ?? '',
    policyFile: files.policy,
    baseline: baselineSpec(parts.baseline, files.baseline),
    rigKeys: { ...parts.keys },
    agentKeys: { ...parts.agent },
    collector: parts.collector ?? false,
    telemetry: parts.telemetry ?? 'zeromq',
    operators: parts.operators ?? [],
    reserve: rig.value.reserve ?? '',
  }
}
