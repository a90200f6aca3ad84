import type { AlarmState } from '../../shared/model/alarms/state.ts'
import type { Canonical } from '../../shared/model/decision.ts'
import type { LastSlide } from './last-slide.ts'
import type { RigSafety } from './rig-safety.ts'
import type { SafetyState } from './safety/state.ts'
import type { RigState } from './state.ts'

/** What is remembered for actions as a value, with the names of publishers; null for a rig without a policy. */
export function snapshotSafety({ safety, origins }: RigState): Canonical {
  if (safety === null || origins === null) return null
  const { kernel, alarms, last, steppedUs } = safety
  const plain = [kernel, alarms, last] as unknown as Canonical[]
  return [...plain, steppedUs, [...origins.publisher]]
}

/** Fills a fresh rig. @returns false when the value is of another shape or another policy. */
export function restoreSafety(rig: RigState, value: Canonical): boolean {
  const { safety, origins } = rig
  if (safety === null || origins === null) return value === null
  if (!Array.isArray(value) || value.length !== 5) return false
  const [kernel, alarms, last, steppedUs, publishers] = value.map(plainOf) as [
    SafetyState,
    AlarmState,
    LastSlide | null,
    number,
    string[],
  ]
  if (publishers.length !== origins.publisher.length) return false
  if (!isOfPolicy(kernel, safety) || !isOfAlarms(alarms, safety)) return false
  publishers.forEach((name, m) => {
    origins.publisher[m] = name
  })
  Object.assign(safety, { kernel, alarms, last, steppedUs })
  return true
}

/** The kernel finds its memory by its place in the policy. */
function isOfPolicy(kernel: SafetyState, { kernel: fresh }: RigSafety): boolean {
  const ids = ({ rules, interlocks }: SafetyState): string => [...rules, ...interlocks].map(({ id }) => id).join('\n')
  return ids(kernel) === ids(fresh) && kernel.budgets.length === fresh.budgets.length
}

/** So do the alarms in their definitions, and in the levels of each. */
function isOfAlarms(alarms: AlarmState, { alarms: fresh }: RigSafety): boolean {
  const shape = ({ defined }: AlarmState): string => defined.map(({ id, runs }) => `${id} ${runs.length}`).join('\n')
  return shape(alarms) === shape(fresh) && alarms.groups.length === fresh.groups.length
}

/** Maps of a decoded value as the plain records they were made from. */
function plainOf(value: Canonical): unknown {
  if (value instanceof Map)
    return Object.fromEntries([...value].map(([key, part]) => [String(key), plainOf(part as Canonical)]))
  return Array.isArray(value) ? value.map((part) => plainOf(part as Canonical)) : value
}
