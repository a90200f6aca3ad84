import type { DetectorFit } from '../../../shared/model/baseline.ts'

/** What the detectors of a rig know, from its baseline. */
export type MonitorSettings = Readonly<{
  /** Fits of each channel, by the order of the rig's metrics; one that its baseline does not know has none. */
  channels: readonly (readonly DetectorFit[])[]
  rig: readonly DetectorFit[]
  /** Rows before an event stream speaks at all. */
  warmUpRows: number
}>

/** The fit of a detector, when it is of the version in force. */
export function fitOf(
  fits: readonly DetectorFit[],
  { name, version }: Readonly<{ name: string; version: number }>,
): DetectorFit | null {
  return fits.find((fit) => fit.detector === name && fit.version === version) ?? null
}
