import { writeReport } from '../../shared/report/report-folder.ts'
import type { CampaignResult, CaseResult, Outcome } from '../core/result.ts'
import { caseKey, caseName, featureOf, marginOf, repeatCommand } from './case-name.ts'
import type { Standing } from './quarantine.ts'
import { element, xmlText } from './xml-text.ts'

/** Lines of a log that a report of a machine keeps; the rest is in the folder of the run. */
const LOG_LINES_MAX = 40

/**
 * Writes a campaign as JUnit XML, whole or not at all. One suite is one scenario file, one test case one row. With a standing, what is
 * borne in quarantine is skipped with its reason. A campaign that was broken off has a suite of its own that says so and is an error.
 *
 * @throws HbError REPORT_UNWRITABLE
 */
export function writeJunit(result: CampaignResult, file: string, standing?: Standing): void {
  writeReport(file, junitXml(result, standing))
}

/** The same as text. */
export function junitXml(result: CampaignResult, standing?: Standing): string {
  const files = [...new Set(result.cases.map(({ file }) => file))]
  const suites = files.map((file) =>
    suite(
      file,
      result,
      result.cases.filter((one) => one.file === file).map((one) => testcase(one, standing)),
    ),
  )
  const all = result.complete ? suites : [...suites, brokenOff(result)]
  const sum = (key: keyof Counts): number => all.reduce((total, { counts }) => total + counts[key], 0)
  const counts = { tests: sum('tests'), failures: sum('failures'), errors: sum('errors'), skipped: sum('skipped') }
  const body = element(
    'testsuites',
    { name: 'hb hil', ...counts, time: seconds(result.host_ms) },
    all.map(({ xml }) => `\n${xml}`).concat('\n'),
  )
  return `<?xml version="1.0" encoding="UTF-8"?>\n${body}\n`
}

type Counts = Readonly<{ tests: number; failures: number; errors: number; skipped: number }>
type Suite = Readonly<{ xml: string; counts: Counts }>
type TestCase = Readonly<{ xml: string; kind: 'passed' | 'failures' | 'errors' | 'skipped'; ms: number }>

function suite(name: string, result: CampaignResult, cases: readonly TestCase[]): Suite {
  const of = (kind: TestCase['kind']): number => cases.filter((one) => one.kind === kind).length
  const counts = { tests: cases.length, failures: of('failures'), errors: of('errors'), skipped: of('skipped') }
  const ms = cases.reduce((sum, one) => sum + one.ms, 0)
  const about = properties({ commit: result.commit, complete: String(result.complete) })
  const attributes = { name, ...counts, time: seconds(ms), timestamp: result.started_utc.replace(/(\.\d+)?Z?$/, '') }
  return { xml: element('testsuite', attributes, [about, ...cases.map(({ xml }) => `\n${xml}`), '\n']), counts }
}

function brokenOff(result: CampaignResult): Suite {
  const message = `the campaign was broken off after ${result.cases.length} cases`
  const xml = element('testcase', { name: 'complete', classname: 'hb.hil', time: seconds(0) }, [
    element('error', { type: 'ABORTED', message }),
  ])
  return suite('campaign', result, [{ xml, kind: 'errors', ms: 0 }])
}

function testcase(one: CaseResult, standing: Standing | undefined): TestCase {
  const borne = standing?.borne.find((each) => each.case === one)
  const [kind, told] =
    borne === undefined
      ? toldOf(one)
      : skippedFor(
          `${one.verdict}, in quarantine until ${borne.entry.expires} (${borne.entry.owner}): ${borne.entry.reason}`,
        )
  const attributes = {
    name: caseName(one),
    classname: [one.rig, featureOf(one)].map((part) => part.replaceAll('.', '_')).join('.'),
    time: seconds(one.host_ms),
  }
  const out = element('system-out', {}, [xmlText(outputOf(one))])
  return { xml: element('testcase', attributes, [properties(factsOf(one)), ...told, out]), kind, ms: one.host_ms }
}

function skippedFor(message: string): readonly ['skipped', readonly string[]] {
  return ['skipped', [element('skipped', { message })]]
}

/** Under which count a case is, and the element that says it. */
function toldOf(one: CaseResult): readonly [TestCase['kind'], readonly string[]] {
  const { verdict, reason } = one
  if (verdict === 'SKIPPED') return skippedFor(reason)
  if (verdict === 'FAIL') {
    const missed = one.outcomes.filter(({ is, optional }) => is !== 'met' && !optional)
    return [
      'failures',
      [element('failure', { type: verdict, message: reason }, [xmlText(missed.map(lineOf).join('\n'))])],
    ]
  }
  if (verdict === 'INCONCLUSIVE' || verdict === 'ERROR' || verdict === 'ABORTED')
    return [
      'errors',
      [element('error', { type: verdict, message: reason }, [xmlText(one.log_tail.slice(-LOG_LINES_MAX).join('\n'))])],
    ]
  return ['passed', []]
}

function lineOf({ text, is, expected, observed, at_us: at }: Outcome): string {
  const when = at === null ? 'never' : `${(at / 1_000_000).toFixed(6)} s`
  return `${is}: ${text}\n  expected: ${expected}\n  observed: ${observed}\n  at: ${when}`
}

/** What tools filter and plot by. */
function factsOf(one: CaseResult): Readonly<Record<string, string | null>> {
  const { hashes, measures, verdict } = one
  const figure = (value: number | null): string | null => (value === null ? null : String(value))
  return {
    verdict,
    verifies: one.verifies.join(' '),
    tags: one.tags.join(' '),
    seed: String(one.seed),
    config_hash: hashes.config,
    policy_hash: hashes.policy,
    baseline_hash: hashes.baseline,
    software_hash: hashes.software,
    digest: measures.digest,
    fhti_us: figure(measures.fhti_us),
    ftti_us: figure(measures.ftti_us),
    margin: figure(marginOf(one)),
    marginal: verdict === 'MARGINAL' ? one.reason : null,
    xfail: verdict === 'XFAIL' ? one.reason : null,
  }
}

function properties(facts: Readonly<Record<string, string | null>>): string {
  const given = Object.entries(facts).flatMap(([name, value]) =>
    value === null || value === '' ? [] : [element('property', { name, value })],
  )
  return element('properties', {}, given)
}

function outputOf(one: CaseResult): string {
  return [
    `${one.verdict}: ${caseKey(one)}${one.reason === '' ? '' : `: ${one.reason}`}`,
    `evidence: ${one.folder}`,
    `again: ${repeatCommand(one)}`,
    '',
  ].join('\n')
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(3)
}
