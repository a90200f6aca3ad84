/** Fields of {@link AlarmState}: a row of doubles, so that a snapshot is a copy. */
export const ALARM_FIELDS = 5
const ACTIVE = 0
const DRIVER = 3

/** One stream's alarm: whether it speaks, rows beyond the limit or well so far, the driving channel, its greatest distance. */
export type AlarmState = Float64Array

export function createAlarm(): AlarmState {
  const alarm = new Float64Array(ALARM_FIELDS)
  alarm[DRIVER] = -1
  return alarm
}

export function isActive(alarm: AlarmState): boolean {
  return alarm[ACTIVE] === 1
}

/** The channel that drives an alarm; −1 while none is. */
export function driverOf(alarm: AlarmState): number {
  return isActive(alarm) ? alarm[DRIVER]! : -1
}
