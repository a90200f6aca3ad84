import type { CampaignResult, CaseResult } from '../core/result.ts'
import { isGood } from '../report/case-name.ts'
import { compareCampaigns } from '../report/compare-campaigns.ts'
import { type Criterion, type CriterionType, isCriterionType } from './gates.ts'
import type { Analysis, Reports } from './reports.ts'

/** unknown: what it asks for was not there. It is never met then. */
export type CriterionOutcome = Readonly<{ id: string; type: string; is: 'met' | 'missed' | 'unknown'; reason: string }>
type Found = Pick<CriterionOutcome, 'is' | 'reason'>

export type GateInput = Readonly<{
  reports: Reports
  /** Of whose readiness is asked; null where all reports are of one. */
  program: string | null
  /** Rigs whose cases count for it; null: all. */
  rigs: readonly string[] | null
  /** What the newest campaign must be no worse than. */
  base: CampaignResult | null
  /** Why what was left of a failure is no evidence of it; null where it is. */
  evidenceOf: Readonly<{
    campaign(path: string, one: CaseResult): string | null
    analysis(path: string, runId: string): string | null
  }>
}>

const RUNS_DEFAULT = 10
const TAG_DEFAULT = 'golden'
/** Reasons that one criterion gives; the rest is counted. */
const NAMED_MAX = 5

const EVALUATED: Readonly<
  Record<CriterionType, (params: NonNullable<Criterion['params']>, input: GateInput) => Found>
> = {
  no_fail_in_runs: ({ runs = RUNS_DEFAULT }, input) => noFail(runs, input),
  baseline_tag_set: ({ tag = TAG_DEFAULT }, input) => tagSet(tag, input),
  no_critical_metric_drift: ({ runs = RUNS_DEFAULT, metrics = [] }, input) => noCriticalDrift(runs, metrics, input),
  evidence_pack_if_fail: ({ runs }, input) => evidenceKept(runs ?? null, input),
  no_open_baseline_requests: (_, input) => noOpenRequests(input),
  requirements_shown: (_, input) => requirementsShown(input),
  no_regression: (_, input) => noRegression(input),
}

/** Looks at what one criterion asks for. What nobody here knows how to look at is unknown. */
export function evaluateCriterion({ id, type, params = {} }: Criterion, input: GateInput): CriterionOutcome {
  const found: Found = isCriterionType(type)
    ? EVALUATED[type](params, input)
    : { is: 'unknown', reason: 'this type of criterion is not known here' }
  return { id, type, ...found }
}

const met = (reason: string): Found => ({ is: 'met', reason })
const missed = (reason: string): Found => ({ is: 'missed', reason })
const unknown = (reason: string): Found => ({ is: 'unknown', reason })

/** A run of anything that gives a verdict. */
type Run = Readonly<{ name: string; at: string | null; is: 'good' | 'failed' | 'unknown'; why: string }>

function runsOf(input: GateInput): Run[] {
  const campaigns = campaignsOf(input).map(({ path, report }): Run => {
    const bad = report.cases.filter(({ verdict }) => !isGood(verdict))
    const failed = bad.filter(({ verdict }) => verdict === 'FAIL')
    const why = [
      ...(bad.length > 0 ? [named(bad.map(({ id, verdict }) => `${id} ${verdict}`))] : []),
      ...(report.complete ? [] : ['it was broken off']),
      ...(report.cases.every(({ verdict }) => verdict === 'SKIPPED')
        ? ['no case of it was run for what counts here']
        : []),
    ].join('; ')
    return {
      name: path,
      at: report.started_utc,
      is: failed.length > 0 ? 'failed' : why === '' ? 'good' : 'unknown',
      why,
    }
  })
  const analyses = analysesOf(input).map(({ path, report }): Run => {
    const { status, run_id: id, run_start_utc: at } = report
    const isGoodRun = status === 'PASS' || status === 'PASS_WITH_DRIFT'
    const is = status === 'FAIL' ? 'failed' : isGoodRun ? 'good' : 'unknown'
    return { name: `${id} (${path})`, at: at ?? null, is, why: status }
  })
  return [...campaigns, ...analyses]
}

/** The newest of some runs. Without the time of each nobody can tell which those are, unless all are asked for. */
function newest<T extends Readonly<{ at: string | null }>>(runs: readonly T[], most: number): readonly T[] | Found {
  if (runs.length < most) return unknown(`${runs.length} of ${most} runs are there`)
  if (runs.length === most) return runs
  const timed = runs.map((run) => ({ run, ms: Date.parse(run.at ?? '') }))
  if (!timed.every(({ ms }) => Number.isFinite(ms)))
    return unknown(`${runs.length} runs are there and not every one says when it was: which are the newest ${most}?`)
  return timed
    .sort((a, b) => b.ms - a.ms)
    .slice(0, most)
    .map(({ run }) => run)
}

function noFail(most: number, input: GateInput): Found {
  const runs = newest(runsOf(input), most)
  if ('is' in runs) return runs
  const failed = runs.filter(({ is }) => is === 'failed')
  if (failed.length > 0) return missed(`failed: ${named(failed.map(({ name, why }) => `${name}: ${why}`))}`)
  const open = runs.filter(({ is }) => is === 'unknown')
  if (open.length > 0) return unknown(`not shown: ${named(open.map(({ name, why }) => `${name}: ${why}`))}`)
  return met(`the newest ${runs.length} ${runs.length === 1 ? 'run is' : 'runs are'} good`)
}

function tagSet(tag: string, { reports, program }: GateInput): Found {
  if (reports.baselines.length === 0) return unknown('no report of `hb baseline list --json`')
  const rows = reports.baselines.flatMap(({ report }) => report.baselines).filter((row) => isOf(program, row.program))
  const set = rows.filter((row) => row.in_force && (row.tags.includes(tag) || row.kind === tag))
  if (set.length > 0) return met(`in force: ${named(set.map(({ digest, rig }) => `${digest.slice(0, 12)} of ${rig}`))}`)
  return missed(`none of ${rows.length} baselines is in force as ${tag}`)
}

function noCriticalDrift(most: number, more: readonly string[], input: GateInput): Found {
  const all = analysesOf(input).map(({ report }) => ({ ...report, at: report.run_start_utc ?? null }))
  if (all.length === 0) return unknown('no report of `hb analyze`')
  const runs = newest(all, most)
  if ('is' in runs) return runs
  const silent = runs.filter(({ critical_metrics: critical }) => critical === undefined)
  if (silent.length > 0)
    return unknown(`${silent[0]!.run_id} does not say which metrics are critical: analyse it again`)
  const drifted = runs.flatMap((run) => of(run, more, [...moved(run), ...run.fail_metrics]))
  if (drifted.length > 0) return missed(`drifted or failed: ${named(drifted)}`)
  const open = runs.flatMap((run) => of(run, more, [...run.no_test_metrics, ...run.no_baseline_metrics]))
  if (open.length > 0) return unknown(`not judged: ${named(open)}`)
  const unjudged = runs.filter(({ status }) => status === 'NO_METRICS' || status === 'NO_BASELINE')
  if (unjudged.length > 0) return unknown(`${unjudged[0]!.run_id} is ${unjudged[0]!.status}`)
  return met(`no critical metric drifts in ${runs.length} ${runs.length === 1 ? 'run' : 'runs'}`)
}

function moved({ drift_metrics: drifts, distribution_drifts: others }: Analysis): string[] {
  return [...drifts, ...others].map(({ metric }) => metric)
}

/** Which of some metrics are critical in a run, each once. */
function of(run: Analysis, more: readonly string[], metrics: readonly string[]): string[] {
  const critical = new Set([...(run.critical_metrics ?? []), ...more])
  return [...new Set(metrics)].filter((metric) => critical.has(metric)).map((metric) => `${metric} in ${run.run_id}`)
}

function evidenceKept(most: number | null, input: GateInput): Found {
  const { evidenceOf } = input
  const campaigns = campaignsOf(input).map(({ path, report }) => ({
    at: report.started_utc,
    failures: report.cases
      .filter(({ verdict }) => !isGood(verdict))
      .map((one) => ({
        name: one.id,
        problem: one.folder === '' ? 'it left no folder' : evidenceOf.campaign(path, one),
      })),
  }))
  const analyses = analysesOf(input).map(({ path, report }) => ({
    at: report.run_start_utc ?? null,
    failures:
      report.status === 'FAIL' ? [{ name: report.run_id, problem: evidenceOf.analysis(path, report.run_id) }] : [],
  }))
  const all = [...campaigns, ...analyses]
  if (all.length === 0) return unknown('no report of a run')
  const runs = most === null ? all : newest(all, most)
  if ('is' in runs) return runs
  const failures = runs.flatMap((run) => run.failures)
  const bare = failures.flatMap(({ name, problem }) => (problem === null ? [] : [`${name}: ${problem}`]))
  if (bare.length > 0) return missed(`without evidence: ${named(bare)}`)
  return met(failures.length === 0 ? 'nothing failed' : `${failures.length} failures have their evidence`)
}

function noOpenRequests({ reports, program }: GateInput): Found {
  if (reports.requests.length === 0) return unknown('no report of `hb baseline requests --json`')
  const programOf = new Map(
    reports.baselines.flatMap(({ report }) => report.baselines.map((row) => [row.digest, row.program])),
  )
  const open = reports.requests
    .flatMap(({ report }) => report.requests)
    // A request for a baseline that no list names may be of this programme.
    .filter(
      ({ status, digest }) =>
        ['proposed', 'reviewed'].includes(status) && isOf(program, programOf.get(digest) ?? program),
    )
  if (open.length === 0) return met('no request is open')
  return missed(`open: ${named(open.map(({ request, status }) => `${request.slice(0, 12)} ${status}`))}`)
}

function requirementsShown({ reports }: GateInput): Found {
  if (reports.traces.length === 0) return unknown('no report of `hb hil trace --json`')
  const problems = reports.traces.flatMap(({ report }) => report.problems)
  const open = reports.traces.flatMap(({ report }) => report.requirements.filter(({ shown }) => !shown))
  const count = reports.traces.reduce((sum, { report }) => sum + report.requirements.length, 0)
  if (problems.length > 0) return missed(named(problems.map(({ reason, what }) => `${what} ${reason}`)))
  if (open.length > 0) return missed(`not shown: ${named(open.map(({ id }) => id))}`)
  return count === 0 ? unknown('there are no requirements') : met(`${count} requirements are shown`)
}

function noRegression(input: GateInput): Found {
  const { base } = input
  if (base === null) return unknown('nothing to compare with: --against BASE')
  const campaigns = campaignsOf(input).map((one) => ({ ...one, at: one.report.started_utc }))
  const runs = newest(campaigns, 1)
  if ('is' in runs) return runs
  const { path, report } = runs[0]!
  if (!report.complete) return unknown(`${path} was broken off`)
  const { changes } = compareCampaigns(withRigs(base, input.rigs), report)
  const worse = changes.filter(({ is }) => is === 'worse' || is === 'gone')
  if (worse.length > 0)
    return missed(named(worse.map(({ key, is, now }) => `${key} ${is === 'gone' ? 'is gone' : now}`)))
  return met(`nothing is worse than ${base.commit || base.started_utc}`)
}

function analysesOf({ reports, program }: GateInput): Reports['analyses'] {
  return reports.analyses.filter(({ report }) => isOf(program, report.program ?? null))
}

function campaignsOf({ reports, rigs }: GateInput): Reports['campaigns'] {
  return reports.campaigns.map(({ path, report }) => ({ path, report: withRigs(report, rigs) }))
}

function withRigs(campaign: CampaignResult, rigs: readonly string[] | null): CampaignResult {
  return rigs === null ? campaign : { ...campaign, cases: campaign.cases.filter(({ rig }) => rigs.includes(rig)) }
}

/** What does not say of which programme it is counts for every one. */
function isOf(program: string | null, found: string | null): boolean {
  return program === null || found === null || found === program
}

function named(names: readonly string[]): string {
  const shown = names.slice(0, NAMED_MAX).join(', ')
  return names.length > NAMED_MAX ? `${shown} and ${names.length - NAMED_MAX} more` : shown
}
