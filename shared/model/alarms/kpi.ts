import type { Micros } from '../../units.ts'
import { ALARM_SEVERITIES, type AlarmSeverity } from '../alarm.ts'

const SECOND_US = 1_000_000
const MINUTE_US = 60 * SECOND_US
export const TEN_MINUTES_US: Micros = 10 * MINUTE_US
const HOUR_US = 60 * MINUTE_US
const DAY_US = 24 * HOUR_US
/** Bins kept: a day of ten minutes, a week of hours. The oldest goes. */
export const TEN_MINUTE_BINS_MAX = 144
export const HOUR_BINS_MAX = 168
/** Raised so often within a minute, an alarm chatters (ISA-18.2). */
export const CHATTER_RAISES = 3

/** What came in one span of time. A span in which nothing came has no bin. */
export type Bin = { fromUs: Micros; announced: number[]; floodUs: Micros }

/** What is counted for the measures. `sinceUs`: when counting began, −1 before. */
export type Kpis = { sinceUs: Micros; floodUs: Micros; tenMinutes: Bin[]; hours: Bin[] }

export function createKpis(): Kpis {
  return { sinceUs: -1, floodUs: 0, tenMinutes: [], hours: [] }
}

/** Counts what people were told, one by one or folded into a summary. */
export function countAnnounced(kpis: Kpis, severity: AlarmSeverity, nowUs: Micros): void {
  for (const bin of binsAt(kpis, nowUs)) {
    const at = ALARM_SEVERITIES.indexOf(severity)
    bin.announced[at] = bin.announced[at]! + 1
  }
}

/** Counts the time in flood since the input before. Of a step longer than a bin the bin has what it can hold. */
export function countFlood(kpis: Kpis, fromUs: Micros, nowUs: Micros): void {
  kpis.floodUs += nowUs - fromUs
  for (const bin of binsAt(kpis, nowUs)) bin.floodUs += nowUs - Math.max(fromUs, bin.fromUs)
}

function binsAt(kpis: Kpis, nowUs: Micros): readonly Bin[] {
  return [
    binAt(kpis.tenMinutes, nowUs, TEN_MINUTES_US, TEN_MINUTE_BINS_MAX),
    binAt(kpis.hours, nowUs, HOUR_US, HOUR_BINS_MAX),
  ]
}

function binAt(bins: Bin[], nowUs: Micros, widthUs: Micros, most: number): Bin {
  const fromUs = Math.floor(nowUs / widthUs) * widthUs
  const newest = bins[bins.length - 1]
  if (newest?.fromUs === fromUs) return newest
  const bin: Bin = { fromUs, announced: ALARM_SEVERITIES.map(() => 0), floodUs: 0 }
  bins.push(bin)
  if (bins.length > most) bins.shift()
  return bin
}

/** Whether an alarm was raised three times within a minute the last time it was raised. */
export function chatters(recentUs: readonly Micros[]): boolean {
  const [first] = recentUs
  const last = recentUs[recentUs.length - 1]
  return recentUs.length >= CHATTER_RAISES && first !== undefined && last !== undefined && last - first <= MINUTE_US
}

/**
 * Measures of how much an alarm system asks of the people at one position (AL-9). `announced` counts what a person was told.
 * A share is 0 … 1; null where there is nothing to divide by.
 *
 * For comparison, ISA-18.2 and EEMUA 191 for one position: about 1 in 10 minutes (6 an hour) can be dealt with, 2 in 10 minutes
 * (12 an hour) at the most; no more than 10 in any 10 minutes, less than 1 % of the ten-minute bins above that and less than
 * 1 % of the time in flood; no alarm chatters; less than 5 stand longer than a day; low, medium and high priority as 80, 15
 * and 5 of a hundred.
 */
export type AlarmKpis = Readonly<{
  perTenMinutes: Rate
  perHour: Rate
  /** Active and announced now, and those of them that have been so for more than a day. */
  standing: number
  stale: number
  /** Alarms that chattered within the last ten minutes. */
  chattering: readonly string[]
  floodShare: number | null
  /** Share of each severity in what was announced, in the bins of an hour. */
  shares: Readonly<Record<AlarmSeverity, number | null>>
}>

/** Of the bins since counting began, the running one too; `above`: share of the bins with more than can be dealt with. */
export type Rate = Readonly<{ now: number; mean: number | null; peak: number; above: number | null }>

/** What is looked at in an alarm. */
export type Standing = Readonly<{
  id: string
  isStanding: boolean
  raisedUs: Micros
  recentUs: readonly Micros[]
}>

export function kpisOf(kpis: Kpis, standing: readonly Standing[], nowUs: Micros): AlarmKpis {
  const elapsedUs = kpis.sinceUs < 0 ? 0 : nowUs - kpis.sinceUs
  const counts = ALARM_SEVERITIES.map((_, k) => kpis.hours.reduce((sum, { announced }) => sum + announced[k]!, 0))
  const total = counts.reduce((a, b) => a + b, 0)
  const share = (k: number): number | null => (total > 0 ? counts[k]! / total : null)
  const stands = standing.filter(({ isStanding }) => isStanding)
  return {
    perTenMinutes: rateOf(kpis.tenMinutes, TEN_MINUTE_BINS_MAX, { kpis, nowUs, widthUs: TEN_MINUTES_US, most: 10 }),
    perHour: rateOf(kpis.hours, HOUR_BINS_MAX, { kpis, nowUs, widthUs: HOUR_US, most: 12 }),
    standing: stands.length,
    stale: stands.filter(({ raisedUs }) => nowUs - raisedUs > DAY_US).length,
    chattering: standing
      .filter(({ recentUs }) => chatters(recentUs) && nowUs - recentUs[recentUs.length - 1]! <= TEN_MINUTES_US)
      .map(({ id }) => id),
    floodShare: elapsedUs > 0 ? kpis.floodUs / elapsedUs : null,
    shares: { WARNING: share(0), UNKNOWN: share(1), CRITICAL: share(2) },
  }
}

type Span = Readonly<{ kpis: Kpis; nowUs: Micros; widthUs: Micros; most: number }>

function rateOf(bins: readonly Bin[], binsMax: number, { kpis, nowUs, widthUs, most }: Span): Rate {
  const indexOf = (us: Micros): number => Math.floor(us / widthUs)
  const sums = bins.map(({ announced }) => announced.reduce((a, b) => a + b, 0))
  const newest = bins[bins.length - 1]
  const known = kpis.sinceUs < 0 ? 0 : Math.min(binsMax, indexOf(nowUs) - indexOf(kpis.sinceUs) + 1)
  // Bins without anything are not kept, so the oldest kept may lie before the span that is looked at.
  const inSpan = sums.filter((_, k) => indexOf(nowUs) - indexOf(bins[k]!.fromUs) < binsMax)
  const sum = inSpan.reduce((a, b) => a + b, 0)
  return {
    now: newest !== undefined && indexOf(newest.fromUs) === indexOf(nowUs) ? sums[sums.length - 1]! : 0,
    mean: known > 0 ? sum / known : null,
    peak: inSpan.reduce((a, b) => Math.max(a, b), 0),
    above: known > 0 ? inSpan.filter((count) => count > most).length / known : null,
  }
}
