import { HbError } from '../errors/hb-error.ts'
import type { Micros } from '../units.ts'

const UNITS_US = { s: 1_000_000, m: 60_000_000, h: 3_600_000_000, d: 86_400_000_000 } as const

/** `30m`, `24h` or `7d` given on the command line, in µs. @throws HbError USAGE */
export function spanOption(text: string, option: string): Micros {
  const match = /^(\d{1,6})([smhd])$/.exec(text)
  if (match === null) throw new HbError('USAGE', { option, found: text, expected: 'such as 30m, 24h or 7d' })
  return Number(match[1]) * UNITS_US[match[2] as keyof typeof UNITS_US]
}
