import t from 'tap'
import { fuzz, refusedSeeds } from '../support/fuzz.ts'
import { fuzzTargets } from '../support/fuzz-targets.ts'

/** Of all executions in `npm test`; the slow lane has fifty times as many, from another seed. */
const EXECUTIONS = 20_000
const SEED = 7
/** Far above what any takes: only something that does not end meets it. */
const SLOWEST_MS = 1_000

t.test('whatever comes is taken or refused with a code', async (t) => {
  let [executions, accepted] = [0, 0]
  for (const target of fuzzTargets()) {
    t.same(refusedSeeds(target), [])
    const result = fuzz(target, { executions: Math.ceil((EXECUTIONS * target.share) / 1000), seed: SEED })
    t.same(result.failures, [], target.name)
    t.ok(result.slowestMs < SLOWEST_MS, `${target.name}: ${result.slowestMs.toFixed(1)} ms at most`)
    executions += result.executions
    accepted += result.accepted
  }
  t.comment(`counted: fuzzed inputs, short | ${executions} | ${accepted} taken, the others refused with a code`)
})
