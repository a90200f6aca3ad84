/**
 * Numbers that carry their unit in the type. A plain number may be used where one is asked for; a number of another
 * unit may not, so milliseconds cannot be handed to something that expects microseconds.
 */
export type Micros = number & { readonly unit?: 'us' }
/** Milliseconds. Configuration speaks in these; the evaluator never does. */
export type Millis = number & { readonly unit?: 'ms' }
/** A count of bytes. */
export type Bytes = number & { readonly unit?: 'B' }

/** Largest event time that is still an exact whole number: 2^53 − 1 µs, in the year 2255. */
export const EVENT_TIME_MAX_US = Number.MAX_SAFE_INTEGER

/**
 * What the clock of a machine may say, from 2026 to 2100: before there was no such program, and a clock that says so was
 * never set; after it, certificates make no sense.
 */
export const EARLIEST_US: Micros = 1_767_225_600_000_000
export const LATEST_US: Micros = 4_102_444_800_000_000

/** Milliseconds to microseconds; exact for whole milliseconds up to the year 2255. */
export function microsFromMillis(ms: Millis): Micros {
  return Math.floor(ms * 1000)
}

/** Microseconds to milliseconds, rounded towards the past so that a deadline is never moved later than it was. */
export function millisFromMicros(us: Micros): Millis {
  return Math.floor(us / 1000)
}
