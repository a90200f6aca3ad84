import type { Micros } from '../../shared/units.ts'

const UNITS_US: Readonly<Record<string, number>> = { us: 1, ms: 1e3, s: 1e6, min: 6e7 }
const TIME = '\\d{1,9}(\\.\\d{1,6})?(us|ms|s|min)'

/** A time with its unit, as `5s`, `250ms`, `1.5min`. */
export const TIME_PATTERN = `^${TIME}$`
export const TIME_FORM = 'a time with its unit, as 5s, 250ms or 1.5min'
/** The same after something: `2s of F1`; alone, after the start. */
export const WITHIN_PATTERN = `^${TIME}( of [A-Za-z0-9_-]{1,63})?$`
export const WITHIN_FORM = 'a time with its unit, of the start or of a fault or mark, as 5s or 900ms of hazard_onset'

/** Whole µs of a text that {@link TIME_PATTERN} takes; parts of a µs are rounded. */
export function microsOf(text: string): Micros {
  const [, number, unit] = /^([\d.]+)([a-z]+)$/.exec(text) ?? []
  return Math.round(Number(number) * (UNITS_US[unit ?? ''] ?? Number.NaN))
}

/** Seconds and milliseconds of a key that says its unit, in whole µs. */
export function microsOfSeconds(seconds: number): Micros {
  return Math.round(seconds * 1e6)
}

export function microsOfMillis(ms: number): Micros {
  return Math.round(ms * 1e3)
}

/** `2s of F1` in its parts. */
export function withinOf(text: string): { us: Micros; of: string } {
  const [time, of = 'start'] = text.split(' of ')
  return { us: microsOf(time!), of }
}

/** A time for people: `5 s`, `250 ms`. */
export function timeText(us: Micros): string {
  if (us % 1_000_000 === 0) return `${us / 1_000_000} s`
  return us % 1000 === 0 ? `${us / 1000} ms` : `${us} µs`
}
