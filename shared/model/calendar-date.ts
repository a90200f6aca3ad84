import type { Micros } from '../units.ts'

const DAY_US: Micros = 86_400_000_000
const DAYS_OF_MONTHS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] as const

/** A date as it is written in a certificate of calibration: `2026-03-31`. */
export const DATE_PATTERN = '^\\d{4}-\\d{2}-\\d{2}$'

/** Days from 1970-01-01 to a date `YYYY-MM-DD`; null for a text that is no date, or none of the calendar. */
export function dayOf(text: string): number | null {
  const parts = /^(\d{4})-(\d{2})-(\d{2})$/.exec(text)
  if (parts === null) return null
  const [year, month, day] = parts.slice(1).map(Number) as [number, number, number]
  const isLeap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0
  const length = (DAYS_OF_MONTHS[month - 1] ?? 0) + (isLeap && month === 2 ? 1 : 0)
  if (day < 1 || day > length) return null
  const before = year - 1
  const leapDays = Math.floor(before / 4) - Math.floor(before / 100) + Math.floor(before / 400)
  let days = before * 365 + leapDays - 719_162
  for (let m = 1; m < month; m += 1) days += DAYS_OF_MONTHS[m - 1]! + (isLeap && m === 2 ? 1 : 0)
  return days + day - 1
}

/** Whether the day on which something was due is over, in UTC. A date that is none is never due. */
export function isOverdue(due: string, nowUs: Micros): boolean {
  const day = dayOf(due)
  return day !== null && nowUs >= (day + 1) * DAY_US
}

/** Days of 400 years of the Gregorian calendar, and from 0000-03-01 to 1970-01-01. */
const ERA_DAYS = 146_097
const EPOCH_DAYS = 719_468

/**
 * A time for people, `2026-03-31T08:15:00Z`, the fraction of the second left out.
 *
 * Source: days to dates as Howard Hinnant's `civil_from_days` has it (chrono-compatible low-level date algorithms).
 */
export function utcText(us: Micros): string {
  const day = Math.floor(us / DAY_US)
  const second = Math.floor((us - day * DAY_US) / 1_000_000)
  const days = day + EPOCH_DAYS
  const era = Math.floor(days / ERA_DAYS)
  const ofEra = days - era * ERA_DAYS
  const leapDays = Math.floor(ofEra / 1460) - Math.floor(ofEra / 36_524) + Math.floor(ofEra / (ERA_DAYS - 1))
  const year = Math.floor((ofEra - leapDays) / 365)
  const ofYear = ofEra - (365 * year + Math.floor(year / 4) - Math.floor(year / 100))
  // Months from March, so that the day that comes and goes is the last one.
  const month = Math.floor((5 * ofYear + 2) / 153)
  const date = [
    year + 400 * era + (month < 10 ? 0 : 1),
    month < 10 ? month + 3 : month - 9,
    ofYear - Math.floor((153 * month + 2) / 5) + 1,
  ]
  const time = [Math.floor(second / 3600), Math.floor(second / 60) % 60, second % 60]
  const two = (n: number): string => String(n).padStart(2, '0')
  return `${String(date[0]).padStart(4, '0')}-${two(date[1]!)}-${two(date[2]!)}T${time.map(two).join(':')}Z`
}
