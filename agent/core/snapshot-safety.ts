import type { Canonical } from '../../shared/model/decision.ts'
import type { LastSlide } from './last-slide.ts'
import type { RigSafety } from './rig-safety.ts'
import type { SafetyState } from './safety/state.ts'
import type { RigState } from './state.ts'

/** What is remembered for actions as a value, with the names of publishers; null for a rig without a policy. */
export function snapshotSafety({ safety, origins }: RigState): Canonical {
  if (safety === null || origins === null) return null
  const { kernel, last, steppedUs } = safety
  return [kernel as unknown as Canonical, last as unknown as Canonical, steppedUs, [...origins.publisher]]
}

/** Fills a fresh rig. @returns false when the value is of another shape or another policy. */
export function restoreSafety(rig: RigState, value: Canonical): boolean {
  const { safety, origins } = rig
  if (safety === null || origins === null) return value === null
  if (!Array.isArray(value) || value.length !== 4) return false
  const [kernel, last, steppedUs, publishers] = value.map(plainOf) as [SafetyState, LastSlide | null, number, string[]]
  if (publishers.length !== origins.publisher.length || !isOfPolicy(kernel, safety)) return false
  publishers.forEach((name, m) => {
    origins.publisher[m] = name
  })
  Object.assign(safety, { kernel, last, steppedUs })
  return true
}

/** The kernel finds its memory by its place in the policy. */
function isOfPolicy(kernel: SafetyState, { kernel: fresh }: RigSafety): boolean {
  const ids = ({ rules, interlocks }: SafetyState): string => [...rules, ...interlocks].map(({ id }) => id).join('\n')
  return ids(kernel) === ids(fresh) && kernel.budgets.length === fresh.budgets.length
}

/** Maps of a decoded value as the plain records they were made from. */
function plainOf(value: Canonical): unknown {
  if (value instanceof Map)
    return Object.fromEntries([...value].map(([key, part]) => [String(key), plainOf(part as Canonical)]))
  return Array.isArray(value) ? value.map((part) => plainOf(part as Canonical)) : value
}
