import { type Html, html } from '../../shared/report/html-text.ts'
import type { Reaction } from './statistics.ts'

const WIDTH = 960
const LEFT = 168
const RIGHT = 190
const ROW = 30
const HEAD = 22
/** Times beyond this share of the FTTI are cut, with a mark. */
const SHARE_MAX = 1.25

/** From fault to detection to effect, each scenario as a share of its own FTTI; the line at 100 % is harm. */
export function reactionChart(reactions: readonly Reaction[]): Html | null {
  const shown = reactions.filter(({ fttiUs, fdti, fhti }) => fttiUs !== null && fttiUs > 0 && (fdti ?? fhti) !== null)
  if (shown.length === 0) return null
  const height = HEAD + shown.length * ROW + 6
  const x = (share: number): number => LEFT + (Math.min(share, SHARE_MAX) / SHARE_MAX) * (WIDTH - LEFT - RIGHT)
  const line = (share: number, text: string, name: string): Html =>
    html`<line class="${name}" x1="${at(x(share))}" x2="${at(x(share))}" y1="${HEAD - 4}" y2="${height}"/><text x="${at(x(share))}" y="12" text-anchor="middle">${text}</text>`
  const label =
    'From fault to detection and to effect, as a share of the fault tolerant time; the table has the figures'
  return html`<svg role="img" class="timeline" viewBox="0 0 ${WIDTH} ${height}" aria-label="${label}"><title>${label}</title>
${line(0, 'fault', 'tick')}${line(0.5, 'half', 'tick')}${line(1, 'FTTI', 'harm')}
${shown.map((reaction, k) => row(reaction, { x, top: HEAD + k * ROW }))}
</svg>`
}

type Place = Readonly<{ x(share: number): number; top: number }>

function row({ id, fdti, fhti, fttiUs }: Reaction, { x, top }: Place): Html {
  const share = (us: number): number => us / fttiUs!
  const detected = fdti === null ? 0 : share(fdti.p50)
  const effect = fhti === null ? null : share(fhti.p50)
  const most = share(fhti?.max ?? fdti?.max ?? 0)
  const words = `${id}: ${fdti === null ? 'not detected' : `detected after ${ms(fdti.p50)} ms`}, ${fhti === null ? 'no effect measured' : `effect after ${ms(fhti.p50)} ms, at most ${ms(fhti.max)} ms`} of ${ms(fttiUs!)} ms`
  const edge = x(Math.max(most, effect ?? detected))
  return html`<text class="name" x="0" y="${top + 15}">${id}</text>
<rect class="span fault" x="${at(x(0))}" y="${top + 6}" width="${at(Math.max(1, x(detected) - x(0)))}" height="14"><title>${words}</title></rect>
${effect === null ? null : html`<rect class="span step" x="${at(x(detected))}" y="${top + 9}" width="${at(Math.max(1, x(effect) - x(detected)))}" height="8"><title>${words}</title></rect>`}
<line class="most" x1="${at(x(effect ?? detected))}" x2="${at(x(most))}" y1="${top + 13}" y2="${top + 13}"/><line class="most" x1="${at(x(most))}" x2="${at(x(most))}" y1="${top + 8}" y2="${top + 18}"/>
<text x="${at(Math.max(edge, x(1)) + 8)}" y="${top + 17}">${fhti === null ? ms(fdti?.max ?? 0) : ms(fhti.max)} of ${ms(fttiUs!)} ms (${Math.round(most * 100)} %)</text>`
}

export function ms(us: number): string {
  const value = us / 1000
  return value >= 100 ? String(Math.round(value)) : String(Number(value.toPrecision(3)))
}

function at(place: number): string {
  return String(Math.round(place * 10) / 10)
}
