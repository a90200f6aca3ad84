import { channelChain, type InForceForRig } from '../../shared/config/channel-chain.ts'
import type { ParsedRuntime } from '../../shared/config/load.ts'
import type { RegistryMetric } from '../../shared/config/registry.ts'
import { calibrationOffset } from '../../shared/config/registry-units.ts'
import type { Calibration } from '../../shared/model/baseline.ts'
import type { Conversion } from '../../shared/model/conversion.ts'
import type { Stated } from '../core/certify.ts'
import type { Replaced } from '../core/replaced.ts'
import type { RigState } from '../core/state.ts'

/** The registry's own version, as its schema fixes it. */
const REGISTRY_VERSION = '1.0'

/** What {@link channelChain} needs to know of a rig. */
export function inForceFor({ config, registries, equivalences }: ParsedRuntime, rig: string): InForceForRig {
  const { registry_file: file } = config.rigs.find((one) => one.rig === rig)!
  return {
    metrics: registries.get(rig) ?? [],
    equivalences: equivalences.get(rig) ?? [],
    registry: { file, version: REGISTRY_VERSION },
  }
}

/**
 * What a baseline says about a metric that no data show: the largest shift that can be borne, how values came to be in its
 * unit, and which sensor they are from. Units are those that samples of this rig stated.
 */
export function statedOf(rig: RigState, metric: string, inForce: InForceForRig): Stated {
  const m = inForce.metrics.find((one) => one.metric === metric)
  if (m === undefined) return { tolerance: null, conversions: [], calibration: null }
  const steps = new Map<string, Conversion>()
  for (const asked of channelsSeen(rig, m, inForce)) {
    const chain = channelChain(asked, inForce)
    if ('problem' in chain) continue
    for (const { kind: _, ...step } of chain.steps) steps.set(JSON.stringify(step), step)
  }
  return {
    tolerance: m.tolerance ?? null,
    conversions: [...steps.values()],
    calibration: calibrationOf(m, rig.replaced.get(metric)),
  }
}

type Asked = Readonly<{ channel: string; unit: string | null }>

/** Channels that were converted, with the units they stated; otherwise the one that feeds it as it is. */
function channelsSeen(
  { conversions, settings }: RigState,
  m: RegistryMetric,
  { equivalences }: InForceForRig,
): Asked[] {
  const seen = [...conversions.keys()].sort().flatMap((key): Asked[] => {
    const [index, channel, unit] = key.split('\u0000') as [string, string, string]
    return settings.metrics[Number(index)]?.metric === m.metric ? [{ channel, unit: unit === '' ? null : unit }] : []
  })
  const own = equivalences.find(({ metric }) => metric === m.metric)?.source ?? m.metric
  return seen.length > 0 ? seen : [{ channel: own, unit: null }]
}

/** Of what the registry says and what was said at a replacement the younger date counts; the offset is the registry's. */
function calibrationOf(m: RegistryMetric, sensor: Replaced | undefined): Calibration | null {
  const { calibration } = m
  if (calibration === undefined && sensor === undefined) return null
  const isOfSensor = sensor !== undefined && !(calibration !== undefined && calibration.date > sensor.calDate)
  return {
    serial: sensor?.serial ?? '',
    date: isOfSensor ? sensor.calDate : calibration!.date,
    due: isOfSensor ? sensor.calDue : (calibration!.due ?? ''),
    offset: calibrationOffset(m),
    source: calibration?.source ?? '',
  }
}
