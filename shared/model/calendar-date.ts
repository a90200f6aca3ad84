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
