import { BUNDLE_REASON_CHARS_MAX } from '../../shared/codec/bundle-manifest.ts'
import { HbError } from '../../shared/errors/hb-error.ts'
import { fromUtc, numberOption } from '../../shared/lib/command-output.ts'
import { signersNeeded } from '../../shared/model/config-bundle.ts'
import type { Micros } from '../../shared/units.ts'

/** The time as a number that people can read, and that rises by itself. @throws HbError USAGE */
export function bundleNumber(text: string | undefined, nowUs: Micros): number {
  if (text === undefined) return Number(new Date(nowUs / 1000).toISOString().replace(/\D/g, '').slice(0, 14))
  const number = numberOption(text, '--number', { min: 1, max: Number.MAX_SAFE_INTEGER })
  if (!Number.isSafeInteger(number))
    throw new HbError('USAGE', { option: '--number', found: text, expected: 'a whole number' })
  return number
}

/** @throws HbError USAGE */
export function endOf(text: string | undefined, nowUs: Micros): Micros {
  if (text === undefined) return 0
  const us = fromUtc(text)
  if (us !== null && us > nowUs) return us
  throw new HbError('USAGE', {
    option: '--not-after',
    found: text,
    expected: 'a UTC time to come, such as 2027-01-31T12:00:00Z',
  })
}

/** @throws HbError USAGE */
export function reasonFor(text: string): string {
  if (text.length <= BUNDLE_REASON_CHARS_MAX) return text
  throw new HbError('USAGE', { option: '--reason', expected: `at most ${BUNDLE_REASON_CHARS_MAX} characters` })
}

/** Signatures that a bundle will need wherever the configuration before it has no policy. */
export function neededFor(holdsPolicy: boolean): number {
  return signersNeeded({ holdsPolicy, replacesPolicy: false })
}
