import type { CaseResult, CaseVerdict, Outcome } from '../core/result.ts'
import type { AlarmTold } from '../core/run-record.ts'
import { faultResults, measuresOf } from './detection.ts'
import { judgeExpectation } from './expectation.ts'
import { lanesOf } from './lanes.ts'
import { type Run, readRun } from './run-folder.ts'
import { seconds } from './run-times.ts'

/** Passed by less than this share of a bound is MARGINAL. */
const MARGIN_LEAST = 0.1

type Verdict = Readonly<{ verdict: CaseVerdict; reason: string }>

/**
 * Judges a run by what it left: the truth of its plant, what the bench did, and the signed records of the agent.
 *
 * @throws RunUnreadable for a folder that no run was left in
 */
export function judge(folder: string): CaseResult {
  const run = readRun(folder)
  const { row, facts } = run
  const outcomes = row.skip === '' ? row.expect.map((expectation) => judgeExpectation(run, expectation)) : []
  const { id, title, file, params, rig, verifies, tags, seed } = row
  const { hashes, started_utc, host_ms, simulated_us, log_tail } = facts
  return {
    ...{ id, title, file, row: row.row, params, rig: rig.name, verifies, tags, seed },
    ...verdictOf(run, outcomes),
    ...{ outcomes, faults: faultResults(run), measures: measuresOf(run), lanes: lanesOf(run) },
    ...{ hashes, started_utc, host_ms, simulated_us, folder, log_tail },
  }
}

function verdictOf(run: Run, outcomes: readonly Outcome[]): Verdict {
  const { skip, xfail } = run.row
  if (skip !== '') return { verdict: 'SKIPPED', reason: skip }
  const problem = run.facts.broken === null ? evidenceProblem(run) : null
  // Nobody expects that of a run: what is known to be broken must be shown to be.
  if (problem !== null) return { verdict: 'FAIL', reason: `the evidence does not hold: ${problem}` }
  const judged = judgedVerdict(run, outcomes)
  if (xfail === '') return judged
  if (judged.verdict === 'FAIL') return { verdict: 'XFAIL', reason: `${xfail}: ${judged.reason}` }
  const hasPassed = judged.verdict === 'PASS' || judged.verdict === 'MARGINAL'
  return hasPassed ? { verdict: 'FAIL', reason: `it passed, and was expected not to: ${xfail}` } : judged
}

/** Broken before everything; then what is not known; then what was missed. */
function judgedVerdict(run: Run, outcomes: readonly Outcome[]): Verdict {
  const { broken } = run.facts
  if (broken !== null) return { verdict: broken.verdict, reason: `${broken.code}: ${broken.detail}` }
  const vain = run.events.flatMap((event) => (event.kind === 'never_came' ? [event.what] : []))
  if (vain.length > 0)
    return { verdict: 'INCONCLUSIVE', reason: `what steps waited for never came: ${vain.join(', ')}` }
  const unseen = unseenFaults(run)
  if (unseen.length > 0) return { verdict: 'INCONCLUSIVE', reason: `not seen as injected: ${unseen.join(', ')}` }
  const required = outcomes.filter(({ optional }) => !optional)
  if (required.length === 0) return { verdict: 'INCONCLUSIVE', reason: 'nothing is expected of it' }
  const unknown = required.filter(({ is }) => is === 'unknown')
  if (unknown.length > 0) return { verdict: 'INCONCLUSIVE', reason: reasonOf(unknown) }
  const missed = required.filter(({ is }) => is === 'missed')
  if (missed.length > 0) return { verdict: 'FAIL', reason: reasonOf(missed) }
  const marginal = required.filter(({ margin }) => margin !== null && !(margin >= MARGIN_LEAST))
  if (marginal.length > 0) return { verdict: 'MARGINAL', reason: reasonOf(marginal) }
  return { verdict: 'PASS', reason: '' }
}

function evidenceProblem(run: Run): string | null {
  const { evidence, row } = run
  const [problem] = evidence.problems
  if (problem !== undefined) return problem
  const hasBegun = run.events.some((event) => event.kind === 'agent' && event.is === 'started')
  const isRefused = !hasBegun && row.expect.some(({ kind }) => kind === 'start_refused')
  if (evidence.batches === 0 && !isRefused) return 'the outbox holds no signed record'
  return alarmOfNothing(run)
}

/**
 * What people were told of an alarm and does not follow from the record, or the other way round; null: there is none. An agent
 * that was killed may have come to something that it had no time to tell.
 */
function alarmOfNothing({ events, facts }: Run): string | null {
  if (facts.alarms_again === null) return null
  const again = countedKeys(facts.alarms_again)
  const told = countedKeys(events.filter((event) => event.kind === 'alarm') as readonly AlarmTold[])
  for (const [key, { one, count }] of told)
    if (count > (again.get(key)?.count ?? 0))
      return `alarm ${one.id} ${one.change} at ${seconds(one.t_us)} was told, and does not follow from the record`
  const wasKilled = events.some((event) => event.kind === 'agent' && (event.is === 'killed' || event.is === 'exited'))
  for (const [key, { one, count }] of wasKilled ? [] : again)
    if (count > (told.get(key)?.count ?? 0))
      return `alarm ${one.id} ${one.change} at ${seconds(one.t_us)} follows from the record, and nobody was told`
  return null
}

function countedKeys(all: readonly AlarmTold[]): Map<string, { one: AlarmTold; count: number }> {
  const counts = new Map<string, { one: AlarmTold; count: number }>()
  for (const one of all) {
    const key = [one.t_us, one.id, one.severity, one.change].join(' ')
    const { count } = counts.get(key) ?? { count: 0 }
    counts.set(key, { one, count: count + 1 })
  }
  return counts
}

/** Faults of the row that changed nothing on their way to the agent, or that nobody looked for. */
function unseenFaults({ row, facts }: Run): readonly string[] {
  const steps = [...row.setup, ...row.steps.flatMap((timed) => timed.steps)]
  const wanted = steps.flatMap((step) => (step.do === 'inject' ? [step.fault.id] : []))
  const seen = new Set(facts.faults.filter(({ count }) => count > 0).map(({ id }) => id))
  return [...new Set([...wanted, ...facts.faults.map(({ id }) => id)])].filter((id) => !seen.has(id))
}

function reasonOf(outcomes: readonly Outcome[]): string {
  return outcomes.map(({ text, observed }) => `${text}: ${observed}`).join('; ')
}
