import { type Html, html, shownNumber } from '../../shared/report/html-text.ts'
import type { CaseResult, CaseVerdict, FaultResult, Outcome } from '../core/result.ts'
import { caseName, isGood, repeatCommand } from './case-name.ts'
import type { Quarantined } from './quarantine.ts'
import { ms } from './reaction-chart.ts'
import type { RunSeries } from './run-series.ts'
import { happeningsOf } from './timeline.ts'
import { timelinePlot } from './timeline-plot.ts'

const SIGNS: Readonly<Record<CaseVerdict, string>> = {
  ...{ PASS: '✓', MARGINAL: '≈', FAIL: '✗', INCONCLUSIVE: '?', ERROR: '!', ABORTED: '■', SKIPPED: '–', XFAIL: '○' },
}
const LOG_LINES_MAX = 40
const LOG_LINE_CHARS_MAX = 400
/** Of what was observed; all of it is in the report as data. */
const OBSERVED_CHARS_MAX = 240

/** A verdict as a sign and a word. */
export function verdictHtml(verdict: CaseVerdict): Html {
  return html`<span class="is ${verdict}"><span aria-hidden="true">${SIGNS[verdict]} </span>${verdict}</span>`
}

export type ShownCase = Readonly<{
  one: CaseResult
  /** Its place in the campaign: `case-N` is its anchor. */
  number: number
  series: RunSeries | null
  borne: Quarantined | null
}>

/** All of one case. What is good is folded; headings and tables are the same. */
export function caseHtml(shown: ShownCase): Html {
  const { one, number } = shown
  const heading = html`<h3>${verdictHtml(one.verdict)} ${caseName(one)}</h3>`
  const body = caseBody(shown)
  return isGood(one.verdict)
    ? html`<section class="case" id="case-${number}"><details><summary>${heading}</summary>${body}</details></section>`
    : html`<section class="case bad" id="case-${number}">${heading}${body}</section>`
}

function caseBody({ one, series, borne }: ShownCase): Html {
  return html`${one.reason === '' ? null : html`<p>${one.reason}</p>`}
${borne === null ? null : html`<p>In quarantine until ${borne.expires}, ${borne.owner} sees to it: ${borne.reason}</p>`}
${outcomesHtml(one.outcomes)}
${timelineHtml(one, series)}
${faultsHtml(one.faults)}
${reactionHtml(one)}
${logHtml(one)}
${repeatHtml(one, series !== null)}`
}

/** Open where the run itself went wrong; where an expectation was missed the plot says more. */
function logHtml({ log_tail: log, verdict }: CaseResult): Html | null {
  if (log.length === 0) return null
  const lines = log.slice(-LOG_LINES_MAX).map((line) => cut(line, LOG_LINE_CHARS_MAX))
  const isOpen = verdict === 'ERROR' || verdict === 'ABORTED'
  return html`${isOpen ? html`<details open>` : html`<details>`}<summary>Last lines of the log (${lines.length})</summary><pre>${lines.join('\n')}</pre></details>`
}

function cut(text: string, most: number): string {
  return text.length > most ? `${text.slice(0, most)}…` : text
}

const OUTCOME_SIGNS = { met: '✓', missed: '✗', unknown: '?' } as const

function outcomesHtml(outcomes: readonly Outcome[]): Html | null {
  if (outcomes.length === 0) return null
  const order = ['missed', 'unknown', 'met'] as const
  const sorted = order.flatMap((is) => outcomes.filter((outcome) => outcome.is === is))
  return html`<h4>Expectations</h4>
<table class="tight"><thead><tr><th scope="col">Is</th><th scope="col" class="what">What</th><th scope="col">Expected</th><th scope="col">Observed</th><th scope="col" class="n">At</th><th scope="col" class="n">Margin</th></tr></thead><tbody>
${sorted.map(
  ({ is, text, expected, observed, at_us: atUs, margin, optional }) =>
    html`<tr><td><span class="is ${is}"><span aria-hidden="true">${OUTCOME_SIGNS[is]} </span>${is}</span>${optional ? ' (optional)' : null}</td><td>${text}</td><td>${expected}</td><td>${cut(observed, OBSERVED_CHARS_MAX)}</td><td class="n">${atUs === null ? '–' : `${shownNumber(atUs / 1_000_000)} s`}</td><td class="n">${margin === null ? '–' : `${Math.round(margin * 100)} %`}</td></tr>`,
)}</tbody></table>`
}

function timelineHtml(one: CaseResult, series: RunSeries | null): Html | null {
  const plot = timelinePlot(one, series)
  const { all, more } = happeningsOf(one, series?.events ?? [])
  const isKept = series !== null
  const notes = isKept ? series.notes : ['plant and telemetry are not drawn: the folder of this run was not kept']
  if (plot === null && all.length === 0 && one.folder === '') return null
  return html`<h4>Timeline</h4>
${plot}
${plot === null || !isKept ? null : html`<p class="soft">Black: the plant. Coloured: what the agent was told. A low bar: as it should be; a high one: anything else.</p>`}
${notes.map((note) => html`<p class="soft">${note}</p>`)}
${
  all.length === 0
    ? null
    : html`<details><summary>What happened when (${all.length}${more === 0 ? null : ` of ${all.length + more}`})</summary>
<table class="tight"><thead><tr><th scope="col" class="n">Time in s</th><th scope="col">Who</th><th scope="col">What</th></tr></thead><tbody>
${all.map(({ atUs, who, what }) => html`<tr><td class="n">${shownNumber(atUs / 1_000_000)}</td><td>${who}</td><td>${what}</td></tr>`)}</tbody></table></details>`
}`
}

function faultsHtml(faults: readonly FaultResult[]): Html | null {
  if (faults.length === 0) return null
  return html`<h4>Faults</h4>
<table class="tight"><thead><tr><th scope="col">Fault</th><th scope="col">Class</th><th scope="col">Target</th><th scope="col" class="n">Seen</th><th scope="col" class="n">Onset</th><th scope="col" class="n">Detected after</th></tr></thead><tbody>
${faults.map(
  ({ id, class: name, target, seen, onset_us: onset, detected_us: detected }) =>
    html`<tr><td>${id}</td><td>${name}</td><td>${target}</td><td class="n">${seen === 0 ? 'never' : `${seen} times`}</td><td class="n">${onset === null ? '–' : `${shownNumber(onset / 1_000_000)} s`}</td><td class="n">${seen === 0 ? '–' : detected === null ? 'not detected' : onset === null ? 'detected' : `${ms(detected - onset)} ms`}</td></tr>`,
)}</tbody></table>`
}

function reactionHtml({ measures }: CaseResult): Html | null {
  const { fdti_us: fdti, frti_us: frti, fhti_us: fhti, ftti_us: ftti } = measures
  if (fdti === null && fhti === null) return null
  const said = (name: string, value: number | null): string =>
    `${name} ${value === null ? 'not measured' : `${ms(value)} ms`}`
  const share = fhti === null || ftti === null || ftti === 0 ? '' : ` (${Math.round((fhti / ftti) * 100)} % of it)`
  return html`<p>Reaction: ${said('detection (FDTI)', fdti)}, ${said('reaction (FRTI)', frti)}, ${said('handling (FHTI)', fhti)}${share}; ${ftti === null ? 'no FTTI is declared' : said('tolerated (FTTI)', ftti)}.</p>`
}

function repeatHtml(one: CaseResult, isKept: boolean): Html {
  const { hashes, measures, seed, rig, tags, verifies } = one
  const rows = [
    ['Again', repeatCommand(one)],
    ['Evidence', one.folder === '' ? 'none: it was not run' : isKept ? one.folder : `${one.folder}: not kept`],
    ['Seed', String(seed)],
    ['Digest of decisions', measures.digest],
    ['Configuration', hashes.config],
    ['Policy', hashes.policy],
    ['Baseline', hashes.baseline],
    ['Software', hashes.software],
  ] as const
  return html`<h4>To repeat it</h4>
<p class="soft">Rig ${rig}; verifies ${verifies.join(', ') || 'nothing'}${tags.length === 0 ? null : `; tags ${tags.join(', ')}`}; ${measures.decisions} decisions, ${measures.alarms} alarms, ${measures.actions} actions in ${shownNumber(one.simulated_us / 1_000_000)} s of the plant, ${shownNumber(one.host_ms / 1000)} s here.</p>
<table class="tight"><tbody>${rows.map(([name, value]) => html`<tr><th scope="row">${name}</th><td><code>${value === '' ? '–' : value}</code></td></tr>`)}</tbody></table>`
}
