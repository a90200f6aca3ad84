import { readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { parseDocument } from 'yaml'
import { readBundle } from '../../shared/codec/baseline-bundle.ts'
import { decodeBaseline } from '../../shared/codec/baseline-record.ts'
import type { BaselineRecord } from '../../shared/model/baseline.ts'
import type { Micros } from '../../shared/units.ts'
import type { Fault } from '../core/fault.ts'
import { faultsOf, type ScenarioRow } from '../core/scenario.ts'
import { BASELINE_FILE, type FileChange } from './agent-folder.ts'
import { type MakeCarrier, numberOf, textOf } from './carrier.ts'
import { certify, type Workshop } from './workshop.ts'

/** Faults of the configuration are there before the agent is: the files were made with them. */
const there: MakeCarrier = () => ({ begin: () => undefined, count: () => 1 })

/** The registry says something else than that of the rig: a change of nothing is no fault. */
const changed: MakeCarrier = (_, { row, folder }) => {
  const { registryFile } = row.rig
  const text = (path: string): string => String(parseDocument(readFileSync(path, 'utf8')))
  const count = text(registryFile) === text(join(folder.path, basename(registryFile))) ? 0 : 1
  return { begin: () => undefined, count: () => count }
}

export const CONFIG_CARRIERS: Readonly<Record<string, MakeCarrier>> = {
  'config.mapping_error': changed,
  'config.inverted_limits': changed,
  'config.partial_bundle': there,
  'config.wrong_signature': there,
  'config.swapped_baseline': there,
  'config.decayed_baseline': there,
}

/** What the faults of a row do to the texts of its configuration, by file. */
export function configChanges(row: ScenarioRow): Readonly<Record<string, FileChange>> {
  const faults = configFaults(row)
  const registry = basename(row.rig.registryFile)
  const changes: Record<string, FileChange> = {}
  for (const fault of faults) {
    if (fault.class === 'config.mapping_error')
      changes[registry] = swapped(textOf(fault, 'one'), textOf(fault, 'other'))
    if (fault.class === 'config.inverted_limits') changes[registry] = inverted(textOf(fault, 'metric'))
  }
  return changes
}

/** Files that a row's faults leave out of its configuration. */
export function filesMissing(row: ScenarioRow): readonly string[] {
  const { registryFile, policyFile } = row.rig
  const names = { registry: basename(registryFile), policy: basename(policyFile ?? ''), baseline: BASELINE_FILE }
  return configFaults(row).flatMap((fault) =>
    fault.class === 'config.partial_bundle' ? [names[textOf(fault, 'missing') as keyof typeof names]] : [],
  )
}

/** The faults of a row that are about its configuration, which is made before it starts. */
function configFaults(row: ScenarioRow): readonly Fault[] {
  return faultsOf(row).filter((fault) => fault.class.startsWith('config.'))
}

function swapped(one: string, other: string): FileChange {
  return (text) => {
    const document = parseDocument(text)
    const [first, second] = [document.getIn(['metrics', one]), document.getIn(['metrics', other])]
    document.setIn(['metrics', one], second)
    document.setIn(['metrics', other], first)
    return String(document)
  }
}

/** Least and most change places, for each pair of limits that the metric has. */
function inverted(metric: string): FileChange {
  return (text) => {
    const document = parseDocument(text)
    for (const kind of ['invariant', 'fail']) {
      const [low, high] = [`${kind}_min`, `${kind}_max`].map((key) => document.getIn(['metrics', metric, key]))
      if (low !== undefined && high !== undefined) {
        document.setIn(['metrics', metric, `${kind}_min`], high)
        document.setIn(['metrics', metric, `${kind}_max`], low)
      }
    }
    return String(document)
  }
}

/** Days of a decayed baseline are counted from its own making. */
const DAY_US: Micros = 86_400_000_000

/**
 * The baseline that the agent of a row is given, as its faults want it; null for none.
 *
 * @param laterUs how much later the run is than that of its campaign's lock-step: a baseline grows old.
 */
export async function baselineOf(row: ScenarioRow, workshop: Workshop, laterUs: Micros): Promise<Uint8Array | null> {
  const { rig } = row
  if (rig.baseline.kind === 'none') return null
  const bytes = await workshop.baseline(rig)
  const { record, policy } = readBundle(bytes)
  const decoded = decodeBaseline(record)
  const faults = new Map(configFaults(row).map((fault) => [fault.class, fault]))
  const decayed = faults.get('config.decayed_baseline')
  const shiftUs = laterUs - (decayed === undefined ? 0 : numberOf(decayed, 'age_d') * DAY_US)
  const then = shifted(decoded, shiftUs)
  const swappedBy = faults.get('config.swapped_baseline')
  if (swappedBy !== undefined) return certify({ ...then, rig: textOf(swappedBy, 'of') }, rig.operators, { policy })
  if (faults.has('config.wrong_signature')) return certify(then, rig.operators, { policy, signer: 'mallory' })
  return shiftUs === 0 ? bytes : certify(then, rig.operators, { policy })
}

/** The same nominal run at another time. */
function shifted(record: BaselineRecord, byUs: Micros): BaselineRecord {
  const { madeUs, fromUs, toUs } = record
  const segments = record.segments.map((one) => ({ ...one, fromUs: one.fromUs + byUs, toUs: one.toUs + byUs }))
  return { ...record, madeUs: madeUs + byUs, fromUs: fromUs + byUs, toUs: toUs + byUs, segments }
}
