import { ALARM_FIELDS, type AlarmState, createAlarm, driverOf, isActive } from './alarm.ts'

/** When a channel's alarm begins and when it is over. Rows are those in which the channel made a step. */
export type LatchRule = Readonly<{
  /** Rows in a row beyond the limit before it begins. */
  onRows: number
  /** Rows in a row that must be well before it is over. */
  offRows: number
  /**
   * Score at which a channel is well again: its own, not a share of the limit. A limit that replays have put high says
   * when to begin; whether something is still there is a matter of noise.
   */
  quietScore: number
  /** Share of its greatest distance at which a channel counts as recovered, however many scores that is; 0: never. */
  recoveredRatio: number
}>

/**
 * The alarms of all channels of one stream: an {@link AlarmState} for the stream as a whole, then some fields a channel.
 *
 * Every channel has its own alarm and stands still by itself. One for the whole stream would freeze all the others too,
 * and a temperature that drifts would be in alarm by itself long before the valve is open again.
 */
export type Latches = AlarmState

export const LATCH_FIELDS = 6
/** Fields of the stream: whether it is in alarm, rows so far, channels in alarm, its driver, channels at which anything began. */
const ACTIVE = 0
const ROW = 1
const LATCHED = 2
const DRIVER = 3
const BUSY = 4
/** Fields of a channel: rows beyond the limit or well in a row, the row it began in (0: it is quiet), sign, peaks. */
const OVER = 0
const WELL = 1
const SINCE = 2
const SIGN = 3
const PEAK_DISTANCE = 4
const PEAK_SCORE = 5

export function createLatches(channels: number): Latches {
  const latches = new Float64Array(ALARM_FIELDS + channels * LATCH_FIELDS)
  latches.set(createAlarm())
  return latches
}

export function isLatched(latches: Latches, channel: number): boolean {
  return latches[ALARM_FIELDS + channel * LATCH_FIELDS + SINCE]! > 0
}

/** Tells whether nothing has begun at a channel: another row within its limit changes nothing. */
export function isLatchIdle(latches: Latches, channel: number): boolean {
  const at = ALARM_FIELDS + channel * LATCH_FIELDS
  return latches[at + SINCE]! === 0 && latches[at + OVER]! === 0
}

/** Tells whether nothing has begun at any channel: {@link isLatchIdle} of them all. */
export function areLatchesIdle(latches: Latches): boolean {
  return latches[BUSY] === 0
}

/** To be called at the begin of every row. */
export function beginLatchRow(latches: Latches): void {
  latches[ROW] = latches[ROW]! + 1
}

/** What a step of one channel came to. */
export type LatchStep = {
  /** Beyond its limit, or among enough others that need not be. */
  over: boolean
  score: number
  limit: number
  /** Signed distance from what was expected. */
  distance: number
}

/**
 * Takes a step into a channel's alarm.
 *
 * Recovered is also what has gone past the reference to the other side: the fault is over, and that the level is now
 * another one is a matter for {@link import('./detector.ts').ChannelDetector.release}.
 *
 * @returns whether the alarm of the channel is over with this row.
 */
export function stepLatch(latches: Latches, rule: LatchRule, channel: number, step: Readonly<LatchStep>): boolean {
  const at = ALARM_FIELDS + channel * LATCH_FIELDS
  const inLimits = step.score / step.limit
  if (!isLatched(latches, channel)) {
    const before = latches[at + OVER]!
    latches[at + OVER] = step.over ? before + 1 : 0
    latches[BUSY] = latches[BUSY]! + (step.over ? 1 : 0) - (before > 0 ? 1 : 0)
    if (!(latches[at + OVER]! >= rule.onRows)) return false
    latches[at + WELL] = 0
    latches[at + SINCE] = latches[ROW]!
    latches[LATCHED] = latches[LATCHED]! + 1
    latches[at + SIGN] = step.distance < 0 ? -1 : 1
    latches[at + PEAK_DISTANCE] = Math.abs(step.distance)
    latches[at + PEAK_SCORE] = inLimits
    return false
  }
  const out = step.distance * latches[at + SIGN]!
  latches[at + PEAK_DISTANCE] = Math.max(latches[at + PEAK_DISTANCE]!, out)
  latches[at + PEAK_SCORE] = Math.max(latches[at + PEAK_SCORE]!, inLimits)
  const recovered = rule.recoveredRatio > 0 && out <= rule.recoveredRatio * latches[at + PEAK_DISTANCE]!
  latches[at + WELL] = recovered || step.score <= rule.quietScore ? latches[at + WELL]! + 1 : 0
  if (!(latches[at + WELL]! >= rule.offRows)) return false
  clearLatch(latches, channel)
  return true
}

function clearLatch(latches: Latches, channel: number): void {
  const at = ALARM_FIELDS + channel * LATCH_FIELDS
  latches[at + OVER] = 0
  latches[at + SINCE] = 0
  latches[LATCHED] = latches[LATCHED]! - 1
  latches[BUSY] = latches[BUSY]! - 1
}

/**
 * To be called when the alarm of a channel was over in this row, before {@link endLatchRow}. When it was the driver, what
 * began with it or after it was its consequence and is over with it; what was in alarm before it stays.
 *
 * @returns the channels whose alarms ended with it.
 */
export function clearFollowers(latches: Latches, driverSince: number): number[] {
  const ended: number[] = []
  for (let c = 0; c < channelsOf(latches); c += 1) {
    if (!isLatched(latches, c) || latches[ALARM_FIELDS + c * LATCH_FIELDS + SINCE]! < driverSince) continue
    clearLatch(latches, c)
    ended.push(c)
  }
  return ended
}

/** The row in which the driver's alarm began; 0 while nothing is in alarm. */
export function driverSinceOf(latches: Latches): number {
  const driver = driverOf(latches)
  return driver < 0 ? 0 : latches[ALARM_FIELDS + driver * LATCH_FIELDS + SINCE]!
}

/** To be called at the end of every row: the driver is the channel whose alarm came furthest, and stays it on a tie. */
export function endLatchRow(latches: Latches): void {
  if (latches[LATCHED] === 0) {
    latches[ACTIVE] = 0
    latches[DRIVER] = -1
    return
  }
  const peak = (c: number) => latches[ALARM_FIELDS + c * LATCH_FIELDS + PEAK_SCORE]!
  let driver = isActive(latches) ? latches[DRIVER]! : -1
  if (driver >= 0 && !isLatched(latches, driver)) driver = -1
  for (let c = 0; c < channelsOf(latches); c += 1)
    if (isLatched(latches, c) && (driver < 0 || peak(c) > peak(driver))) driver = c
  latches[ACTIVE] = 1
  latches[DRIVER] = driver
}

/** Rows that nobody saw went by: what was counted in a row is no longer in a row. */
export function breakLatchRows(latches: Latches): void {
  for (let c = 0; c < channelsOf(latches); c += 1) {
    const at = ALARM_FIELDS + c * LATCH_FIELDS
    if (latches[at + OVER]! > 0 && !isLatched(latches, c)) latches[BUSY] = latches[BUSY]! - 1
    latches[at + OVER] = 0
    latches[at + WELL] = 0
  }
}

function channelsOf(latches: Latches): number {
  return (latches.length - ALARM_FIELDS) / LATCH_FIELDS
}
