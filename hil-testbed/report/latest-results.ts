import { type Static, Type } from 'typebox'
import { Value } from 'typebox/value'
import { closed } from '../../shared/config/schema-parts.ts'
import { HbError } from '../../shared/errors/hb-error.ts'
import { CASE_VERDICTS, type CampaignResult, type CaseVerdict } from '../core/result.ts'
import { readReport } from './campaign-file.ts'

/** Where it lies in the project. */
export const LATEST_FILE = 'hil-testbed/latest-results.json'
const RESULTS_MAX = 20_000

const text = Type.String({ maxLength: 500 })

/** `latest-results.json`: the newest verdict of every scenario, and of what files it is the verdict. */
export const LatestSchema = closed({
  v: Type.Literal(1),
  results: Type.Array(
    closed({
      scenario: text,
      row: Type.Integer({ minimum: 0 }),
      verdict: Type.Unsafe<CaseVerdict>(Type.Enum([...CASE_VERDICTS])),
      commit: text,
      /** Of the scenario, its rig and its rules, as they were when it ran. */
      digest: text,
      /** When, UTC. */
      at: text,
      /** Who says so where no run does, and on which day. */
      manual: Type.Optional(closed({ by: Type.Optional(text), on: Type.Optional(text), why: Type.Optional(text) })),
    }),
    { maxItems: RESULTS_MAX },
  ),
})
export type LatestResults = Static<typeof LatestSchema>
export type LatestResult = LatestResults['results'][number]

/** @throws HbError HIL_REPORT_MISSING, HIL_REPORT_SHAPE */
export function readLatest(path: string): LatestResults {
  const value = readReport(path)
  if (Value.Check(LatestSchema, value)) return value
  const first = Value.Errors(LatestSchema, value)[0]
  throw new HbError('HIL_REPORT_SHAPE', { path, at: first?.instancePath ?? '', reason: first?.message ?? '' })
}

/**
 * The results after a campaign: of every row that ran in it, its verdict in place of the one from before. Verdicts of other rows stay
 * as long as they are of the same files. What was broken off says nothing of what it did not run.
 *
 * @param digestOf of the files of a scenario, by its id; null where there is no such scenario any more
 */
export function latestAfter(
  before: LatestResults,
  { cases, commit }: CampaignResult,
  digestOf: (scenario: string) => string | null,
): LatestResults {
  const ran = cases.filter(({ verdict }) => verdict !== 'ABORTED')
  const results = ran.flatMap(({ id, row, verdict, started_utc: at }) => {
    const digest = digestOf(id)
    return digest === null ? [] : [{ scenario: id, row, verdict, commit, digest, at }]
  })
  const kept = before.results.filter(({ scenario, row, digest }) => {
    const again = results.filter((result) => result.scenario === scenario)
    return again.every((result) => result.row !== row && result.digest === digest)
  })
  return { v: 1, results: [...kept, ...results].sort(inOrder) }
}

function inOrder(a: LatestResult, b: LatestResult): number {
  return a.scenario === b.scenario ? a.row - b.row : a.scenario < b.scenario ? -1 : 1
}
