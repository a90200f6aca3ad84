import { HbError } from '../../shared/errors/hb-error.ts'

/** A number given on the command line. @throws HbError USAGE */
export function numberIn(text: string, option: string, { min, max }: Readonly<{ min: number; max: number }>): number {
  const value = Number(text)
  if (!(text.trim() !== '' && value >= min && value <= max))
    throw new HbError('USAGE', { option, found: text, expected: `a number from ${min} to ${max}` })
  return value
}

/** One JSON line on standard output. */
export function say(facts: Readonly<Record<string, unknown>>): void {
  process.stdout.write(`${JSON.stringify(facts)}\n`)
}
