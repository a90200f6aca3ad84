import { type Static, Type } from 'typebox'
import { Value } from 'typebox/value'
import { HbError } from '../../shared/errors/hb-error.ts'
import type { CampaignResult } from '../core/result.ts'
import { campaignOf, readReport } from '../report/campaign-file.ts'

const text = Type.String()
const nullable = Type.Union([text, Type.Null()])
const texts = Type.Array(text)
const named = Type.Array(Type.Object({ metric: text }))

/** What is read of `drift_report.json`. Reports from before had no programme, time and critical metrics. */
const AnalysisSchema = Type.Object({
  schema_version: Type.Literal('1.0'),
  run_id: text,
  status: Type.Enum(['PASS', 'PASS_WITH_DRIFT', 'FAIL', 'NO_TEST', 'NO_BASELINE', 'NO_METRICS']),
  drift_metrics: named,
  distribution_drifts: named,
  fail_metrics: texts,
  no_test_metrics: texts,
  no_baseline_metrics: texts,
  program: Type.Optional(nullable),
  run_start_utc: Type.Optional(nullable),
  critical_metrics: Type.Optional(texts),
})
/** `hb baseline list --json` */
const BaselinesSchema = Type.Object({
  baselines: Type.Array(
    Type.Object({ digest: text, program: text, rig: text, kind: text, tags: texts, in_force: Type.Boolean() }),
  ),
})
/** `hb baseline requests --json` */
const RequestsSchema = Type.Object({
  requests: Type.Array(Type.Object({ request: text, digest: text, status: text })),
})
/** `hb hil trace --json` */
const TraceSchema = Type.Object({
  problems: Type.Array(Type.Object({ reason: text, what: text, found: text })),
  requirements: Type.Array(Type.Object({ id: text, shown: Type.Boolean() })),
})

export type Analysis = Static<typeof AnalysisSchema>
/** Reports by what they are, each with the path it was read from. */
export type Reports = Readonly<{
  campaigns: readonly Readonly<{ path: string; report: CampaignResult }>[]
  analyses: readonly Readonly<{ path: string; report: Analysis }>[]
  baselines: readonly Readonly<{ path: string; report: Static<typeof BaselinesSchema> }>[]
  requests: readonly Readonly<{ path: string; report: Static<typeof RequestsSchema> }>[]
  traces: readonly Readonly<{ path: string; report: Static<typeof TraceSchema> }>[]
}>

/** Reports of one gate. */
const REPORTS_MAX = 1000

/** Reads reports of any kind, each known by its keys. @throws HbError HIL_REPORT_MISSING, HIL_REPORT_SHAPE, USAGE */
export function readReports(paths: readonly string[]): Reports {
  if (paths.length > REPORTS_MAX)
    throw new HbError('USAGE', {
      option: '--report',
      found: `${paths.length} files`,
      expected: `at most ${REPORTS_MAX}`,
    })
  const read = eachOnce(paths.map((path) => ({ path, value: readReport(path) })))
  const of = <T>(is: (value: unknown) => value is T): { path: string; report: T }[] =>
    read.flatMap(({ path, value }) => (is(value) ? [{ path, report: value }] : []))
  const campaigns = read.flatMap(({ path, value }) =>
    isCampaign(value) ? [{ path, report: campaignOf(value, path) }] : [],
  )
  const reports = {
    campaigns,
    analyses: of((value) => Value.Check(AnalysisSchema, value)),
    baselines: of((value) => Value.Check(BaselinesSchema, value)),
    requests: of((value) => Value.Check(RequestsSchema, value)),
    traces: of((value) => Value.Check(TraceSchema, value)),
  }
  const known = new Set(Object.values(reports).flatMap((list) => list.map(({ path }) => path)))
  const unknown = read.find(({ path }) => !known.has(path))
  if (unknown === undefined) return reports
  throw new HbError('HIL_REPORT_SHAPE', {
    path: unknown.path,
    expected: 'a report of `hb hil run`, `hb analyze`, `hb hil trace`, `hb baseline list` or `hb baseline requests`',
  })
}

/** A copy of a report is no second run. */
function eachOnce<T extends Readonly<{ value: unknown }>>(reports: readonly T[]): T[] {
  return [...new Map(reports.map((report) => [JSON.stringify(report.value), report] as const)).values()]
}

function isCampaign(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'cases' in value && 'v' in value
}
