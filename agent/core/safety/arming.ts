import type { Seen } from './seen.ts'
import type { SafetyState } from './state.ts'

/** Why nothing is done now: nobody armed it, that is over, or it was for something else. */
export function armReasons({ arm }: SafetyState, { nowUs, config }: Seen): string[] {
  if (arm.state !== 'ARMED') return [`NOT_ARMED:${arm.state}`]
  if (!(nowUs < arm.untilUs)) return ['NOT_ARMED:EXPIRED']
  return arm.config === config ? [] : ['NOT_ARMED:CONFIG_CHANGED']
}
