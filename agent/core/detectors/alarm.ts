/** When a stream speaks and when it is quiet again. Rows are those in which a channel made a step. */
export type AlarmRule = Readonly<{
  /** Rows in a row with a score beyond the limit before it speaks. */
  onRows: number
  /** Rows in a row that must be well before it is quiet. */
  offRows: number
  /** Share of the driver's greatest distance at which it counts as recovered, though still beyond the limit; 0: never. */
  recoveredRatio: number
}>

/** Fields of {@link AlarmState}: a row of doubles, so that a snapshot is a copy. */
export const ALARM_FIELDS = 5
const ACTIVE = 0
const OVER = 1
const WELL = 2
const DRIVER = 3
const PEAK = 4

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

/** What one row came to: the channel with the largest score in limits, that score, and how far a channel is from what is expected. */
export type AlarmRow = Readonly<{ channel: number; score: number; distanceOf: (channel: number) => number }>

/**
 * Takes a row into a stream's alarm.
 *
 * @returns `on` or `off` in the row in which it changed, else null.
 */
export function stepAlarm(
  alarm: AlarmState,
  rule: AlarmRule,
  { channel, score, distanceOf }: AlarmRow,
): 'on' | 'off' | null {
  const over = score > 1
  if (!isActive(alarm)) {
    alarm[OVER] = over ? alarm[OVER]! + 1 : 0
    if (!(alarm[OVER]! >= rule.onRows)) return null
    alarm[ACTIVE] = 1
    alarm[WELL] = 0
    alarm[DRIVER] = channel
    alarm[PEAK] = Math.abs(distanceOf(channel))
    return 'on'
  }
  // The peak is the driver's own: another channel that is further out now begins with what it shows now.
  const distance = Math.abs(distanceOf(over ? channel : alarm[DRIVER]!))
  alarm[PEAK] = over && channel !== alarm[DRIVER] ? distance : Math.max(alarm[PEAK]!, distance)
  if (over) alarm[DRIVER] = channel
  const recovered =
    rule.recoveredRatio > 0 && Math.abs(distanceOf(alarm[DRIVER]!)) <= rule.recoveredRatio * alarm[PEAK]!
  alarm[WELL] = !over || recovered ? alarm[WELL]! + 1 : 0
  if (!(alarm[WELL]! >= rule.offRows)) return null
  alarm[ACTIVE] = 0
  alarm[OVER] = 0
  return 'off'
}
