import { type Html, html, shownNumber } from '../../shared/report/html-text.ts'
import type { Micros } from '../../shared/units.ts'
import type { CaseResult } from '../core/result.ts'
import type { RunSeries } from './run-series.ts'
import type { ThinnedSeries } from './thinned-series.ts'
import { type Lane, type LaneMark, lanesOf, marksOf } from './timeline.ts'

const WIDTH = 960
const LEFT = 168
const RIGHT = 16
const PANEL = 96
const PANEL_GAP = 18
const LANE = 22
const AXIS = 26
const MARKS_TOP = 16
/** Panels of one plot; the signals of the hazard and of the faults come first. */
const PANELS_MAX = 6
/** Lines of telemetry in one panel. */
const CHANNELS_MAX = 4
/** Width of a letter in the plot. */
const LETTER = 6.4
const LABEL_LETTERS = 24

type Panel = Readonly<{
  title: string
  truth: ThinnedSeries | null
  channels: readonly Readonly<{ channel: string; series: ThinnedSeries }>[]
  limits: readonly number[]
}>

/** What the plant did, what the agent was told, and below it what was injected, said and done; on one axis of time. */
export function timelinePlot(one: CaseResult, series: RunSeries | null): Html | null {
  const events = series?.events ?? []
  const lanes = lanesOf(one, events)
  const panels = series === null ? [] : panelsOf(one, series)
  if (panels.length === 0 && lanes.length === 0) return null
  const spanUs = Math.max(1, one.simulated_us)
  const x = (us: Micros): number => LEFT + Math.min(1, Math.max(0, us / spanUs)) * (WIDTH - LEFT - RIGHT)
  const lanesTop = MARKS_TOP + panels.length * (PANEL + PANEL_GAP)
  const bottom = lanesTop + lanes.length * LANE + 4
  const label = `${one.id}: ${panels.length} plots of the plant and its telemetry and ${lanes.length} lanes over ${seconds(spanUs)} s; the table below says what happened when`
  return html`<svg role="img" class="timeline" viewBox="0 0 ${WIDTH} ${bottom + AXIS}" aria-label="${label}"><title>${label}</title>
${timeAxis(spanUs, { x, bottom })}${markLines(marksOf(events), { x, bottom })}
${panels.map((panel, k) => panelSvg(panel, MARKS_TOP + k * (PANEL + PANEL_GAP)))}
${lanes.map((lane, k) => laneSvg(lane, { x, top: lanesTop + k * LANE }))}
</svg>`
}

function panelsOf(one: CaseResult, { rig, truth, telemetry }: RunSeries): Panel[] {
  const shown = (signal: string) =>
    rig.sensors
      .filter(({ of }) => of === signal)
      .flatMap(({ channel }) => {
        const series = telemetry.get(channel)
        return series === undefined ? [] : [{ channel, series }]
      })
  const placed = new Set(rig.sensors.filter(({ of }) => truth.has(of)).map(({ channel }) => channel))
  const ofTruth = [...truth].map(([signal, series]) => ({
    ...{
      title: signal,
      truth: series,
      channels: shown(signal).slice(0, CHANNELS_MAX),
      limits: limitsOf(rig.hazard, signal),
    },
  }))
  const alone = [...telemetry]
    .filter(([channel]) => !placed.has(channel))
    .map(([channel, series]) => ({ title: channel, truth: null, channels: [{ channel, series }], limits: [] }))
  const targets = new Set(one.faults.map(({ target }) => target))
  const rank = (panel: Panel): number =>
    (panel.limits.length > 0 ? 4 : 0) +
    (panel.channels.some(({ channel }) => targets.has(channel)) ? 2 : 0) +
    (panel.channels.length > 0 ? 1 : 0)
  return [...ofTruth, ...alone]
    .filter((panel) =>
      [panel.truth, ...panel.channels.map(({ series }) => series)].some((s) => s !== null && s.count > 0),
    )
    .sort((a, b) => rank(b) - rank(a))
    .slice(0, PANELS_MAX)
}

/** Numbers that a hazard such as `p_bar > 10 or p_bar < 0` holds a signal against. */
function limitsOf(hazard: string, signal: string): number[] {
  const name = signal.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
  const found = hazard.matchAll(new RegExp(`(?<![\\w.])${name}\\s*[<>]=?\\s*(-?\\d+(?:\\.\\d+)?(?:e-?\\d+)?)`, 'g'))
  return [...found].map(([, number]) => Number(number)).slice(0, 4)
}

/** What a panel shows: the plant and its limits whole, and of what was told as much again on either side. */
function rangeOf({ truth, channels, limits }: Panel): { least: number; greatest: number; beyond: readonly number[] } {
  const told = channels.map(({ series }) => series).filter(({ count }) => count > 0)
  const toldLeast = Math.min(...told.map((series) => series.least))
  const toldGreatest = Math.max(...told.map((series) => series.greatest))
  if (truth === null || truth.count === 0) return { least: toldLeast, greatest: toldGreatest, beyond: [] }
  const low = Math.min(truth.least, ...limits)
  const high = Math.max(truth.greatest, ...limits)
  const room = Math.max(high - low, Math.abs(high) * 0.1)
  const beyond = [...(toldLeast < low - room ? [toldLeast] : []), ...(toldGreatest > high + room ? [toldGreatest] : [])]
  const least = Math.max(low - room, Math.min(low, toldLeast))
  return { least, greatest: Math.min(high + room, Math.max(high, toldGreatest)), beyond }
}

function panelSvg(panel: Panel, top: number): Html {
  const { title, truth, channels, limits } = panel
  const { least, greatest, beyond } = rangeOf(panel)
  const room = greatest > least ? (greatest - least) * 0.06 : Math.max(Math.abs(greatest) * 0.01, 1e-6)
  const y = (value: number): number =>
    top + Math.min(1, Math.max(0, (greatest + room - value) / (greatest - least + 2 * room))) * PANEL
  const right = WIDTH - RIGHT
  const lines = limits.map(
    (limit) => html`<line class="harm" x1="${LEFT}" x2="${right}" y1="${at(y(limit))}" y2="${at(y(limit))}"/>
<text x="${right - 2}" y="${at(y(limit) + (y(limit) > top + 14 ? -3 : 12))}" text-anchor="end">harm: ${shownNumber(limit)}</text>`,
  )
  const gaps = channels.reduce((sum, { series }) => sum + series.notFinite, 0)
  const asides = [
    ...beyond.map((value) => `reaches ${shownNumber(Number(value.toPrecision(4)))}`),
    ...(gaps === 0 ? [] : [`${gaps} not a number`]),
  ]
  return html`<rect class="frame" x="${LEFT}" y="${top}" width="${right - LEFT}" height="${PANEL}"/>
<text class="name" x="0" y="${top + 12}">${shortened(title)}<title>${title}</title></text>
${channels.map(({ channel }, k) => html`<path class="told told-${k}" d="M0,${top + 22 + k * 14}h18"/><text x="24" y="${top + 26 + k * 14}">${shortened(channel, LABEL_LETTERS - 6)}<title>${channel}</title></text>`)}
${asides.length === 0 ? null : html`<text x="0" y="${top + PANEL - 2}">${asides.join(', ')}</text>`}
${axisText([greatest, least], { top, y })}${lines}
${truth === null ? null : html`<path class="truth" d="${pathOf(truth, y)}"/>`}
${channels.map(({ series }, k) => html`<path class="told told-${k}" d="${pathOf(series, y)}"/>`)}`
}

function axisText(
  [greatest, least]: readonly [number, number],
  { top, y }: Readonly<{ top: number; y(value: number): number }>,
): Html[] {
  const values = greatest > least ? [greatest, least] : [greatest]
  return values.map((value, k) => {
    const place = Math.min(top + PANEL - 1, Math.max(top + 9, y(value) + (k === 0 ? 8 : 0)))
    return html`<text class="scale" x="${LEFT - 4}" y="${at(place)}" text-anchor="end">${shownNumber(Number(value.toPrecision(4)))}</text>`
  })
}

/** A line through first, least, greatest and last of each column, in as few letters as it takes. */
function pathOf(series: ThinnedSeries, y: (value: number) => number): string {
  let path = ''
  let before = Number.NaN
  for (const [place, first, least, greatest, last] of series.columns()) {
    const x = at(LEFT + place * (WIDTH - LEFT - RIGHT))
    for (const value of first <= last ? [first, least, greatest, last] : [first, greatest, least, last]) {
      const next = Math.round(y(value) * 10) / 10
      const isNew = !path.endsWith(`${x},${next}`)
      if (isNew) path += `${path === '' ? 'M' : 'L'}${x},${next}`
      before = next
    }
  }
  return Number.isNaN(before) ? 'M0,0' : path
}

type Across = Readonly<{ x(us: Micros): number }>

function laneSvg({ label, spans, omitted }: Lane, { x, top }: Across & Readonly<{ top: number }>): Html {
  const name = omitted === 0 ? label : `${label} (+${omitted} more)`
  return html`<text class="name" x="0" y="${top + 14}">${shortened(name)}<title>${name}</title></text>
<line class="rail" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${top + LANE - 3}" y2="${top + LANE - 3}"/>
${spans.map((span, k) => spanSvg(span, { x, top, untilUs: spans[k + 1]?.fromUs ?? span.toUs }))}`
}

/** A good state is a low bar and every other one a high one: the colour is not the only sign. A word stands in it where it fits. */
function spanSvg(
  { fromUs, toUs, text, tone }: LaneMark,
  { x, top, untilUs }: Across & Readonly<{ top: number; untilUs: Micros }>,
): Html {
  const left = x(fromUs)
  const width = Math.max(1.5, x(toUs) - left)
  const height = tone === 'good' ? 5 : LANE - 6
  const room = Math.max(width, x(Math.max(untilUs, toUs)) - left)
  const isShown = text.length * LETTER + 6 <= room
  const word = isShown ? html`<text class="word" x="${at(left + 4)}" y="${top + 13}">${text}</text>` : null
  return html`<rect class="span ${tone}" x="${at(left)}" y="${top + LANE - 3 - height}" width="${at(width)}" height="${height}"><title>${text}, ${seconds(fromUs)} s to ${seconds(toUs)} s</title></rect>${word}`
}

function markLines(
  marks: readonly Readonly<{ atUs: Micros; name: string }>[],
  { x, bottom }: Across & Readonly<{ bottom: number }>,
): Html[] {
  let free = 0
  return marks.map(({ atUs, name }) => {
    const place = x(atUs)
    const isShown = place >= free
    if (isShown) free = place + name.length * LETTER + 8
    const anchor = place + name.length * LETTER > WIDTH ? 'end' : 'start'
    return html`<line class="mark" x1="${at(place)}" x2="${at(place)}" y1="4" y2="${bottom}"><title>${name}, ${seconds(atUs)} s</title></line>
${isShown ? html`<text x="${at(place + (anchor === 'end' ? -3 : 3))}" y="11" text-anchor="${anchor}">${name}</text>` : null}`
  })
}

function timeAxis(spanUs: Micros, { x, bottom }: Across & Readonly<{ bottom: number }>): Html {
  const stepUs = niceStep(spanUs / 8)
  const ticks = Array.from({ length: Math.floor(spanUs / stepUs) + 1 }, (_, k) => k * stepUs)
  return html`${ticks.map(
    (us) => html`<line class="tick" x1="${at(x(us))}" x2="${at(x(us))}" y1="${MARKS_TOP}" y2="${bottom + 4}"/>
<text x="${at(x(us))}" y="${bottom + 16}" text-anchor="middle">${seconds(us)}</text>`,
  )}<text x="0" y="${bottom + 16}">time in s</text>`
}

/** The smallest of 1, 2, 5 times a power of ten that is no less. */
function niceStep(us: number): number {
  for (let step = 1; ; step *= 10) for (const times of [1, 2, 5]) if (step * times >= us) return step * times
}

function seconds(us: Micros): string {
  return shownNumber(us / 1_000_000)
}

/** Names of one kind begin alike, so that it is the end that tells them apart. */
function shortened(name: string, letters = LABEL_LETTERS): string {
  const begin = Math.floor(letters / 3)
  return name.length > letters ? `${name.slice(0, begin)}…${name.slice(begin + 1 - letters)}` : name
}

function at(place: number): string {
  return String(Math.round(place * 10) / 10)
}
