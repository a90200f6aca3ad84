import type { InjectedRefusal } from '../../../shared/model/telemetry.ts'
import type { Micros } from '../../../shared/units.ts'
import { lower, type Run, raise } from './run.ts'

/** An alarm about injected samples ends when none has come for so long. */
export const INJECTED_QUIET_US: Micros = 60_000_000

/** Injected samples that were refused, and of which frame. */
export type InjectedNote = Readonly<{ why: InjectedRefusal; text: string; nowUs: Micros }>

/**
 * Raises an alarm for injected samples that came where they must not, or under a mark that nobody here signed: somebody
 * drives a bench against this rig. One that stands is not said again for every frame.
 */
export function noteInjected(run: Pick<Run, 'state' | 'out'>, { why, text, nowUs }: InjectedNote): void {
  raise(run, why, 'CRITICAL', text)
  for (const alarm of run.state.alarms) if (alarm.id === why) alarm.seenUs = nowUs
}

/** Ends such alarms once it has been quiet. */
export function watchInjected(run: Run): void {
  for (const { id, seenUs } of [...run.state.alarms])
    if (seenUs !== undefined && run.seen.nowUs - seenUs >= INJECTED_QUIET_US) lower(run, id, 'none came for a while')
}
