import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { type Html, html, shownNumber } from '../../shared/report/html-text.ts'
import { pageHtml } from '../../shared/report/page-html.ts'
import { writeReport } from '../../shared/report/report-folder.ts'
import { CASE_VERDICTS, type CampaignResult, type CaseResult } from '../core/result.ts'
import { caseHtml, verdictHtml } from './case-html.ts'
import { caseKey, caseName, failingFirst, marginOf } from './case-name.ts'
import { type Comparison, compareCampaigns, words } from './compare-campaigns.ts'
import { CAMPAIGN_STYLE } from './html-style.ts'
import { campaignExit, type Standing } from './quarantine.ts'
import { ms, reactionChart } from './reaction-chart.ts'
import type { Requirements } from './requirements.ts'
import { type RunSeries, readRunSeries } from './run-series.ts'
import { type Coverage, coverageOf, type Reaction, reactionsOf, type Spread } from './statistics.ts'

/** Letters of the cases of one page: what a browser still opens at once. Later cases are named and not shown. */
export const PAGE_CHARS_MAX = 24 * 1024 * 1024

export type HtmlOptions = Readonly<{
  /** Where the folders of the runs are. */
  folder: string
  file: string
  against?: CampaignResult
  standing?: Standing
  /** With their texts, and the ones that nothing verifies. */
  requirements?: Requirements
}>

/** Writes a campaign as one page that needs nothing else. @throws HbError REPORT_UNWRITABLE */
export function writeHtml(result: CampaignResult, options: HtmlOptions): void {
  writeReport(options.file, campaignHtml(result, options))
}

/** The same as text. */
export function campaignHtml(
  result: CampaignResult,
  { folder, against, standing, requirements }: Omit<HtmlOptions, 'file'>,
): string {
  const stands = standing ?? campaignExit(result, [], '')
  const numbers = new Map(result.cases.map((one, k) => [one, k + 1]))
  const word = { 0: 'PASS', 20: 'FAIL', 30: 'NOT SHOWN' }[stands.exit]
  return pageHtml(
    `HIL campaign: ${word}`,
    html`<main><h1>HIL campaign</h1>
${headHtml(result, stands, word)}
${against === undefined ? null : comparisonHtml(compareCampaigns(against, result))}
<h2>Cases</h2>${indexHtml(result, numbers)}
${reactionsHtml(reactionsOf(result.cases))}
${coverageHtml(coverageOf(result.cases))}
${traceHtml(result, numbers, requirements)}
<h2>Each case</h2>${casesHtml(result, { folder, stands, numbers })}
<footer>Harmony Bridge. Commit ${result.commit || 'unknown'}. The same as data: the report that <code>--json</code> writes.</footer></main>`,
    CAMPAIGN_STYLE,
  )
}

type Numbers = ReadonlyMap<CaseResult, number>

function headHtml(result: CampaignResult, { exit, borne, problems, notes }: Standing, word: string): Html {
  const counts = CASE_VERDICTS.map((verdict) => ({
    verdict,
    count: result.cases.filter((one) => one.verdict === verdict).length,
  }))
  return html`<p class="verdict ${exit === 0 ? 'PASS' : exit === 20 ? 'FAIL' : 'NO_TEST'}">${word}</p>
${result.complete ? null : html`<p><strong>The campaign was broken off: cases are missing.</strong></p>`}
<ul class="counts">${counts.filter(({ count }) => count > 0).map(({ verdict, count }) => html`<li>${verdictHtml(verdict)} ${count}</li>`)}</ul>
<p class="soft">${result.cases.length} cases, begun ${result.started_utc}, ${shownNumber(result.host_ms / 1000)} s, commit ${result.commit || 'unknown'}</p>
${borne.map(({ case: one, entry }) => html`<p>In quarantine until ${entry.expires} (${entry.owner}): ${caseKey(one)}: ${entry.reason}</p>`)}
${[...problems, ...notes].map((text) => html`<p>Quarantine: ${text}</p>`)}`
}

function comparisonHtml({ base, changes, same }: Comparison): Html {
  return html`<h2>Against ${base.commit || base.started_utc}</h2>
<p class="soft">The campaign of ${base.started_utc}; the same: ${same} cases.</p>
${
  changes.length === 0
    ? html`<p>Nothing changed.</p>`
    : html`<table><thead><tr><th scope="col">Is</th><th scope="col">Case</th><th scope="col">Before</th><th scope="col">Now</th><th scope="col">Other</th><th scope="col">Why</th></tr></thead><tbody>
${changes.map(
  ({ key, is, before, now, digestChanged, hashes, reason }) =>
    html`<tr><td><span class="is ${is}">${words(is)}</span></td><td>${key}</td><td>${before === null ? '–' : verdictHtml(before)}</td><td>${now === null ? '–' : verdictHtml(now)}</td><td>${[...(digestChanged ? ['decisions'] : []), ...hashes].join(', ') || '–'}</td><td>${reason}</td></tr>`,
)}</tbody></table>`
}`
}

function indexHtml(result: CampaignResult, numbers: Numbers): Html {
  if (result.cases.length === 0) return html`<p>No case was run.</p>`
  return html`<table class="tight"><thead><tr><th scope="col">Verdict</th><th scope="col">Case</th><th scope="col">Rig</th><th scope="col" class="n">FHTI</th><th scope="col" class="n">Margin</th><th scope="col" class="n">Took</th></tr></thead><tbody>
${failingFirst(result.cases).map((one) => {
  const margin = marginOf(one)
  return html`<tr><td>${verdictHtml(one.verdict)}</td><td><a href="#case-${numbers.get(one)}">${caseName(one)}</a></td><td class="w">${one.rig}</td><td class="n">${one.measures.fhti_us === null ? '–' : `${ms(one.measures.fhti_us)} ms`}</td><td class="n">${margin === null ? '–' : `${Math.round(margin * 100)} %`}</td><td class="n">${shownNumber(Number((one.host_ms / 1000).toFixed(1)))} s</td></tr>`
})}</tbody></table>`
}

function reactionsHtml(reactions: readonly Reaction[]): Html | null {
  if (reactions.length === 0) return null
  const cells = (spread: Spread | null): Html =>
    spread === null
      ? html`<td class="n">–</td>`
      : html`<td class="n">${spread.count === 1 ? ms(spread.max) : `${ms(spread.p50)} / ${ms(spread.p95)} / ${ms(spread.max)}`}</td>`
  return html`<h2>Reaction</h2>
<p class="soft">From fault to detection (FDTI), to the effect on the plant (FHTI), and to harm (FTTI). p50 / p95 / most over the rows, in ms. The bars are medians, the whisker is the most.</p>
${reactionChart(reactions)}
<table class="tight"><thead><tr><th scope="col">Scenario</th><th scope="col" class="n">Rows</th><th scope="col" class="n">FDTI</th><th scope="col" class="n">FRTI</th><th scope="col" class="n">FHTI</th><th scope="col" class="n">FTTI</th></tr></thead><tbody>
${reactions.map(
  ({ id, fdti, frti, fhti, fttiUs }) =>
    html`<tr><th scope="row">${id}</th><td class="n">${(fdti ?? fhti)?.count}</td>${cells(fdti)}${cells(frti)}${cells(fhti)}<td class="n">${fttiUs === null ? '–' : ms(fttiUs)}</td></tr>`,
)}</tbody></table>`
}

function coverageHtml(coverage: readonly Coverage[]): Html | null {
  if (coverage.length === 0) return null
  const percent = (share: number): string => (Number.isFinite(share) ? `${(share * 100).toFixed(0)} %` : '–')
  return html`<h2>Diagnostic coverage</h2>
<p class="soft">Detected among injected, by class of fault, with the 95 % interval of Wilson. What was wanted and not seen to be injected counts on neither side.</p>
<table class="tight"><thead><tr><th scope="col">Class</th><th scope="col" class="n">Wanted</th><th scope="col" class="n">Injected</th><th scope="col" class="n">Detected</th><th scope="col" class="n">Coverage</th><th scope="col" class="n">95 % interval</th></tr></thead><tbody>
${coverage.map(
  ({ class: name, wanted, detected: { count, of, share, low, high } }) =>
    html`<tr><th scope="row">${name}</th><td class="n">${wanted}</td><td class="n">${of}</td><td class="n">${count}</td><td class="n">${percent(share)}</td><td class="n">${percent(low)} to ${percent(high)}</td></tr>`,
)}</tbody></table>`
}

function traceHtml({ cases }: CampaignResult, numbers: Numbers, requirements: Requirements | undefined): Html | null {
  const known = requirements === undefined ? [] : [...requirements.hazards, ...requirements.requirements]
  const texts = new Map(known.map(({ id, text }) => [id, text]))
  const ids = [...new Set(cases.flatMap(({ verifies }) => verifies))].sort((a, b) => (a < b ? -1 : 1))
  if (ids.length === 0) return null
  return html`<h2>Trace matrix</h2>
<table class="tight"><thead><tr><th scope="col">Requirement</th><th scope="col">What</th><th scope="col">Cases</th></tr></thead><tbody>
${ids.map((id) => {
  const of = cases.filter(({ verifies }) => verifies.includes(id))
  // What was skipped or is expected to fail shows nothing of it, though it does not fail the campaign.
  const told = of.filter(({ verdict }) => verdict !== 'PASS' && verdict !== 'MARGINAL')
  const passed = of.filter((one) => !told.includes(one))
  const link = (one: CaseResult): Html =>
    html`<a href="#case-${numbers.get(one)}">${caseKey(one)}</a> ${verdictHtml(one.verdict)}`
  const shown = passed.length > LINKS_MAX ? [] : passed
  const rest = passed.length > LINKS_MAX ? html`<li>${passed.length} that passed</li>` : null
  return html`<tr><th scope="row">${id}</th><td>${texts.get(id) ?? (requirements === undefined ? '' : 'not known')}</td><td><ul class="plain">${[...told, ...shown].map((one) => html`<li>${link(one)}</li>`)}${rest}</ul></td></tr>`
})}</tbody></table>`
}

/** Cases that passed, of one requirement, by name. */
const LINKS_MAX = 4

type CasesOptions = Readonly<{ folder: string; stands: Standing; numbers: Numbers }>

function casesHtml(result: CampaignResult, { folder, stands, numbers }: CasesOptions): Html[] {
  const shown: Html[] = []
  let chars = 0
  const cases = failingFirst(result.cases)
  for (const [k, one] of cases.entries()) {
    if (chars > PAGE_CHARS_MAX) {
      const left = cases.slice(k)
      shown.push(
        html`<p>${left.length} cases are not shown, because the page is as large as it may be. They are in the report as data.</p><ul>${left.map((each) => html`<li id="case-${numbers.get(each)}">${verdictHtml(each.verdict)} ${caseName(each)}</li>`)}</ul>`,
      )
      break
    }
    const borne = stands.borne.find((each) => each.case === one)?.entry ?? null
    const part = caseHtml({ one, number: numbers.get(one)!, series: seriesOf(one, folder), borne })
    chars += part.text.length
    shown.push(part)
  }
  return shown
}

/** null where the folder of the run was not kept. */
function seriesOf(one: CaseResult, folder: string): RunSeries | null {
  if (one.folder === '') return null
  const path = join(folder, one.folder)
  return existsSync(join(path, 'truth.csv')) || existsSync(join(path, 'events.jsonl'))
    ? readRunSeries(path, one.simulated_us)
    : null
}
