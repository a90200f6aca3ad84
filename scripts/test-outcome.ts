import type { Ended } from './process-group.ts'

/** What one job adds to the counts. `reason` is empty unless something is wrong beyond the tests themselves. */
export type Outcome = Readonly<{ passed: number; failed: number; skipped: number; reason: string }>

/** The line by which tap sums up a whole program; nested ones are indented. */
const SUMMARY = /^# \{ (total: .*) \}$/gm
const PLAN = /^1\.\.\d+/m

/** What a test has to tell beside its assertions, such as how often an agent was killed: `t.comment('counted: …')`. */
export function countedIn(output: string): string[] {
  return [...output.matchAll(/^\s*# counted: (.*)$/gm)].map((found) => found[1]!)
}

/** An assertion that did not hold, and the tests that it is in: they come after it. */
const NOT_HELD = /^\s*not ok \d+ - (.*)$/gm
/** Said of one program; the others are in its output. */
const NOT_HELD_TOLD = 5

/** What a program that failed says of it, for the end of a long list. */
export function failuresIn(output: string): string[] {
  const names = [...output.matchAll(NOT_HELD)].map((found) => found[1]!)
  const more = names.length > NOT_HELD_TOLD ? [`and ${names.length - NOT_HELD_TOLD} more`] : []
  return [...names.slice(0, NOT_HELD_TOLD), ...more]
}

/** A check counts as one. */
export function outcomeOfStep(ended: Ended): Outcome {
  const reason = wrongEnd(ended)
  return reason === '' ? { passed: 1, failed: 0, skipped: 0, reason } : { passed: 0, failed: 1, skipped: 0, reason }
}

/**
 * A test program counts by its assertions. It failed as well when it ended wrongly although every assertion held, when
 * it ended without having summed up, and when it tested nothing.
 */
export function outcomeOfTests(ended: Ended): Outcome {
  const counts = summaryCounts(ended.output)
  if (counts === null) {
    const missing = PLAN.test(ended.output) ? 'no summary of the tests' : 'the tests did not reach their end'
    return { passed: 0, failed: 1, skipped: 0, reason: [missing, wrongEnd(ended)].filter(Boolean).join('; ') }
  }
  const skipped = counts.skip + counts.todo
  const reason = counts.total === 0 ? 'it tests nothing' : wrongEnd(ended)
  const failed = counts.fail === 0 && reason !== '' ? 1 : counts.fail
  return { passed: counts.pass, failed, skipped, reason }
}

function summaryCounts(output: string): Record<'total' | 'pass' | 'fail' | 'skip' | 'todo', number> | null {
  const last = [...output.matchAll(SUMMARY)].at(-1)?.[1]
  if (last === undefined) return null
  const counts = { total: 0, pass: 0, fail: 0, skip: 0, todo: 0 }
  for (const part of last.split(', ')) {
    const [name, value] = part.split(': ')
    if (name !== undefined && Object.hasOwn(counts, name)) counts[name as keyof typeof counts] = Number(value)
  }
  return counts
}

function wrongEnd(ended: Ended): string {
  if (ended.timedOut) return `it took longer than ${ended.seconds.toFixed(0)} s and was ended`
  if (ended.leftOthers) return 'it left processes behind; they have been ended'
  if (ended.signal !== null) return `it was ended by ${ended.signal}`
  return ended.code === 0 ? '' : `exit code ${ended.code ?? 'unknown'}`
}
