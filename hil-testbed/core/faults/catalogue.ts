import { FAULT_CLASSES, type FaultKind } from './kind.ts'
import { RECORDING_KINDS, RIG_KINDS } from './rig-kinds.ts'
import { COMMS_KINDS, SENSOR_KINDS, TIME_KINDS } from './telemetry-kinds.ts'

/**
 * Every fault there is, in the order of the classes: what scenarios are checked by, what `docs/reference/faults.md` is
 * written from, and what coverage is counted over.
 */
export const FAULT_KINDS: readonly FaultKind[] = [
  ...SENSOR_KINDS,
  ...COMMS_KINDS,
  ...TIME_KINDS,
  ...RIG_KINDS,
  ...RECORDING_KINDS,
].sort((a, b) => FAULT_CLASSES.indexOf(a.class) - FAULT_CLASSES.indexOf(b.class))

const BY_NAME: ReadonlyMap<string, FaultKind> = new Map(FAULT_KINDS.map((kind) => [kind.name, kind]))

export function faultKind(name: string): FaultKind | undefined {
  return BY_NAME.get(name)
}

/** A parameter as it was given, or as it is when it is left out. */
export function paramOf(
  kind: FaultKind,
  params: Readonly<Record<string, number | string>>,
  name: string,
): number | string | null {
  return params[name] ?? kind.params.find((param) => param.name === name)?.initial ?? null
}
