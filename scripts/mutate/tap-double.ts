import { isDeepStrictEqual } from 'node:util'

/**
 * Stands in for tap while mutants are tried: the same tests in the same process, many times over. The first assertion that
 * does not hold ends the test.
 */
type Test = (t: Double) => unknown
type Double = typeof double

const tests: { name: string; run: Test }[] = []

class NotHeld extends Error {
  override readonly name = 'NotHeld'
}

function hold(condition: boolean, what: string): void {
  if (!condition) throw new NotHeld(what)
}

/** What a test gets for tap. */
export const double = {
  test(name: string, run: Test): void {
    tests.push({ name, run })
  },
  ok: (found: unknown, what = ''): void => hold(Boolean(found), what),
  notOk: (found: unknown, what = ''): void => hold(!found, what),
  equal: (found: unknown, wanted: unknown, what = ''): void => hold(Object.is(found, wanted), what),
  not: (found: unknown, wanted: unknown, what = ''): void => hold(!Object.is(found, wanted), what),
  same: (found: unknown, wanted: unknown, what = ''): void => hold(isDeepStrictEqual(found, wanted), what),
  strictSame: (found: unknown, wanted: unknown, what = ''): void => hold(isDeepStrictEqual(found, wanted), what),
  match: (found: unknown, wanted: unknown, what = ''): void => hold(matches(found, wanted), what),
  pass: (): void => undefined,
  comment: (): void => undefined,
}

/** As tap matches: what is wanted must be there, more may be. */
function matches(found: unknown, wanted: unknown): boolean {
  if (wanted instanceof RegExp) return typeof found === 'string' && wanted.test(found)
  if (typeof wanted !== 'object' || wanted === null) return Object.is(found, wanted)
  if (typeof found !== 'object' || found === null || Array.isArray(found) !== Array.isArray(wanted)) return false
  if (Array.isArray(wanted) && wanted.length !== (found as unknown[]).length) return false
  return Object.entries(wanted).every(([name, one]) => matches((found as Record<string, unknown>)[name], one))
}

/** Runs what test files have registered, up to the first failure. @returns the name of the test that failed, or null. */
export async function runRegistered(): Promise<string | null> {
  const all = tests.splice(0)
  for (const { name, run } of all) {
    try {
      await run(double)
    } catch {
      return name
    }
  }
  return null
}
