import t from 'tap'
import { fuzz } from '../support/fuzz.ts'
import { fuzzTargets } from '../support/fuzz-targets.ts'

t.setTimeout(0)

const EXECUTIONS = 1_050_000
/** Another one with HB_FUZZ_SEED, for who has time. */
const SEED = Number(process.env['HB_FUZZ_SEED'] ?? 20_261_124)
const SLOWEST_MS = 1_000

t.test(`a million inputs from seed ${SEED} are taken or refused with a code`, async (t) => {
  let executions = 0
  for (const target of fuzzTargets()) {
    const result = fuzz(target, { executions: Math.ceil((EXECUTIONS * target.share) / 1000), seed: SEED })
    t.same(result.failures, [], target.name)
    t.ok(result.slowestMs < SLOWEST_MS, `${target.name}: ${result.slowestMs.toFixed(1)} ms at most, ${result.slowest}`)
    executions += result.executions
    t.comment(
      `counted: fuzzed, ${target.name} | ${result.executions} | ${result.accepted} taken, slowest ${result.slowestMs.toFixed(1)} ms`,
    )
  }
  t.ok(executions >= 1_000_000)
})
