import { HbError } from '../../shared/errors/hb-error.ts'

/** A number from the command line. @throws HbError USAGE */
export function numberOption(text: string, option: string, min: number, max: number): number {
  const value = Number(text)
  if (!(text.trim() !== '' && value >= min && value <= max))
    throw new HbError('USAGE', { option, found: text, expected: `a number from ${min} to ${max}` })
  return value
}

/** One line of JSON on standard output: who drives a bench reads them. */
export function say(facts: Record<string, unknown>): void {
  process.stdout.write(`${JSON.stringify(facts)}\n`)
}
