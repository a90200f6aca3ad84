import { HbError } from '../../shared/errors/hb-error.ts'
import { fromUtc } from '../../shared/lib/command-output.ts'
import type { Micros } from '../../shared/units.ts'

/** First time of a recording that nobody gave another. */
export const RECORDING_BEGIN = '2026-01-01T00:00:00Z'

/** A number given on the command line. @throws HbError USAGE */
export function numberIn(text: string, option: string, { min, max }: Readonly<{ min: number; max: number }>): number {
  const value = Number(text)
  if (!(text.trim() !== '' && value >= min && value <= max))
    throw new HbError('USAGE', { option, found: text, expected: `a number from ${min} to ${max}` })
  return value
}

/** A time given on the command line, UTC. @throws HbError USAGE */
export function timeIn(text: string, option: string): Micros {
  const us = fromUtc(text)
  if (us === null)
    throw new HbError('USAGE', { option, found: text, expected: `a UTC time such as ${RECORDING_BEGIN}` })
  return us
}

/** One JSON line on standard output. */
export function say(facts: Readonly<Record<string, unknown>>): void {
  process.stdout.write(`${JSON.stringify(facts)}\n`)
}
