import { type Html, html, shownNumber } from '../../shared/report/html-text.ts'
import type { MetricDetail } from './drift-report.ts'

const WIDTH = 640
const HEIGHT = 140
const LEFT = 64
const RIGHT = 8
const TOP = 8
const BOTTOM = 20

/** Samples of a run and, paler, those of its baseline, over the band in which it lets them be. */
export function seriesChart(detail: MetricDetail): Html {
  const { metric, unit, samples_current: samples, samples_baseline: before, baseline, low, high } = detail
  const levels = [...samples, ...before, ...[baseline, low, high].flatMap((l) => (l === null ? [] : [l]))]
  const [least, greatest] = rangeOf(levels)
  const last = Math.max(1, samples.length - 1, before.length - 1)
  const x = (index: number) => LEFT + (index / last) * (WIDTH - LEFT - RIGHT)
  const y = (value: number) => TOP + ((greatest - value) / (greatest - least)) * (HEIGHT - TOP - BOTTOM)
  const line = (value: number | null, name: string) =>
    value === null
      ? null
      : html`<line class="${name}" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${at(y(value))}" y2="${at(y(value))}"/>`
  const band =
    low === null || high === null
      ? null
      : html`<rect class="band" x="${LEFT}" y="${at(y(high))}" width="${WIDTH - LEFT - RIGHT}" height="${at(Math.max(0.5, y(low) - y(high)))}"/>`
  const points = (values: readonly number[]) =>
    values.map((value, index) => `${at(x(index))},${at(y(value))}`).join(' ')
  const label = `${metric}: ${samples.length} samples${unit === null ? '' : ` in ${unit}`}, baseline ${shownNumber(baseline)}, band ${shownNumber(low)} to ${shownNumber(high)}`
  return html`<svg role="img" viewBox="0 0 ${WIDTH} ${HEIGHT}" aria-label="${label}"><title>${label}</title>
${band}${line(low, 'edge')}${line(high, 'edge')}${line(baseline, 'base')}
${before.length < 2 ? null : html`<polyline class="before" points="${points(before)}"/>`}<polyline class="run" points="${points(samples)}"/>
${axisText(y, [least, greatest, ...(baseline === null ? [] : [baseline])])}
<text x="${LEFT}" y="${HEIGHT - 4}">0</text><text x="${WIDTH - RIGHT}" y="${HEIGHT - 4}" text-anchor="end">${last}</text>
</svg>`
}

/** `text` stands behind the bar. */
export type Bar = Readonly<{ name: string; value: number; mark: string; text: string }>

const BAR_HEIGHT = 20
const BAR_LEFT = 220
const BAR_VALUE = 170

/** Bars of how far each metric is past its limit; the line stands at the limit itself. */
export function barChart(bars: readonly Bar[]): Html {
  const greatest = Math.max(1.25, ...bars.map(({ value }) => value))
  const scale = (value: number) => (Math.min(value, greatest) / greatest) * (WIDTH - BAR_LEFT - BAR_VALUE)
  const height = bars.length * BAR_HEIGHT + 4
  const limit = BAR_LEFT + scale(1)
  const rows = bars.map(({ name, value, mark, text }, k) => {
    const top = k * BAR_HEIGHT + 4
    return html`<text x="${BAR_LEFT - 6}" y="${top + 11}" text-anchor="end">${shortened(name)}<title>${name}</title></text>
<rect class="bar ${mark}" x="${BAR_LEFT}" y="${top}" width="${at(Math.max(1, scale(value)))}" height="${BAR_HEIGHT - 6}"/>
<text x="${at(BAR_LEFT + scale(value) + 6)}" y="${top + 11}">${text}</text>`
  })
  return html`<svg role="img" viewBox="0 0 ${WIDTH} ${height}" aria-label="distance of each metric from its baseline in limits">
<line class="limit" x1="${at(limit)}" x2="${at(limit)}" y1="0" y2="${height}"/>${rows}</svg>`
}

/** The scale of a chart: what it has to show, and a little room. A constant channel gets room as well. */
function rangeOf(values: readonly number[]): [number, number] {
  let [least, greatest] = [values[0] ?? 0, values[0] ?? 0]
  for (const value of values) {
    least = Math.min(least, value)
    greatest = Math.max(greatest, value)
  }
  const room = greatest > least ? (greatest - least) * 0.08 : Math.max(Math.abs(greatest) * 0.01, 1e-6)
  return [least - room, greatest + room]
}

/** Values at the axis, without those that would stand on each other. */
function axisText(y: (value: number) => number, values: readonly number[]): Html[] {
  const taken: number[] = []
  return values.flatMap((value) => {
    const place = y(value)
    if (taken.some((other) => Math.abs(other - place) < 12)) return []
    taken.push(place)
    return [html`<text x="${LEFT - 6}" y="${at(place + 4)}" text-anchor="end">${shownNumber(value)}</text>`]
  })
}

const NAME_SHOWN_MAX = 32

function shortened(name: string): string {
  return name.length > NAME_SHOWN_MAX ? `${name.slice(0, NAME_SHOWN_MAX - 1)}…` : name
}

function at(place: number): string {
  return String(Math.round(place * 10) / 10)
}
