import { BandSwatch } from './baseline-badge.tsx'
import { Chip } from './glyph.tsx'
import { metricLook } from './look.ts'
import { channelRatio } from './margin.ts'
import { formatAge, formatSigma, formatValue, formatWidth, NO_NUMBER } from './quantities.ts'
import type { BaselineBand, ChannelVitals, Vitals, WindowVitals } from './wire-types.ts'

/** Every channel with value, age, limits, baseline band and windows; the worst first, so that a long table needs no search. */
export function ChannelTable({ vitals }: { vitals: Vitals }) {
  const channels = [...vitals.channels].sort((a, b) => rank(b) - rank(a) || (a.metric < b.metric ? -1 : 1))
  const widths = [...new Set(channels.flatMap((channel) => channel.windows.map((window) => window.width_us)))].sort(
    (a, b) => a - b,
  )
  return (
    <table class="channels">
      <thead>
        <tr>
          <th scope="col">channel</th>
          <th scope="col">state</th>
          <th scope="col" class="right">
            value
          </th>
          <th scope="col">unit</th>
          <th scope="col" class="right">
            age
          </th>
          <th scope="col">
            within limits
            <Legend channels={channels} />
          </th>
          {widths.map((width) => (
            <th scope="col" class="right" key={width}>
              mean of {formatWidth(width)}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {channels.map((channel) => (
          <Row key={channel.metric} channel={channel} widths={widths} />
        ))}
      </tbody>
    </table>
  )
}

/** Which drawing is which band, of those that are there: told apart by their form. */
function Legend({ channels }: { channels: readonly ChannelVitals[] }) {
  return (
    <span class="bands">
      {channels.some(({ baseline }) => baseline !== null) && (
        <span>
          <BandSwatch form="golden" /> golden
        </span>
      )}
      {channels.some(({ rolling }) => rolling !== null) && (
        <span>
          <BandSwatch form="rolling" /> rolling
        </span>
      )}
      {channels.some(({ level }) => level !== null) && (
        <span title="where the detector expects the channel now, and how far one limit is from it">
          <BandSwatch form="level" /> expected now
        </span>
      )}
    </span>
  )
}

/** From good to bad. A word that is not here is unknown, and stands where it is seen: right below FAIL. */
const SEVERITY = ['PASS', 'DRIFT', 'NO_BASELINE', 'INSUFFICIENT', 'STALE', 'INVALID', '?', 'FAIL']
/** Those of which the value can be believed. */
const KNOWN = ['PASS', 'DRIFT', 'NO_BASELINE', 'FAIL']

function rank(channel: ChannelVitals): number {
  const word = SEVERITY.includes(channel.verdict) ? channel.verdict : '?'
  return SEVERITY.indexOf(word) * 1000 + Math.min(999, channelRatio(channel) ?? 0)
}

function Row({ channel, widths }: { channel: ChannelVitals; widths: readonly number[] }) {
  const unknown = !KNOWN.includes(channel.verdict)
  const age = channel.age_us === null ? null : channel.age_us / 1000
  return (
    <tr class={unknown ? 'unknown-row' : ''} data-metric={channel.metric}>
      <th scope="row" title={channel.metric}>
        {channel.channel}
      </th>
      <td>
        <Chip look={metricLook(channel.verdict)} />
      </td>
      <td class="num right">{formatValue(channel.value)}</td>
      <td>{channel.unit === '1' ? '' : channel.unit}</td>
      <td class="num right">{formatAge(age)}</td>
      <td>
        <LimitBar channel={channel} />
      </td>
      {widths.map((width) => (
        <Window key={width} window={channel.windows.find((window) => window.width_us === width)} />
      ))}
    </tr>
  )
}

function Window({ window }: { window: WindowVitals | undefined }) {
  if (window === undefined || window.state === 'na')
    return (
      <td class="num right quiet" title="not judged for this channel: its rate cannot fill this window">
        n/a
      </td>
    )
  if (window.state === 'filling')
    return (
      <td class="num right quiet" title={`${window.count} samples so far`}>
        filling
      </td>
    )
  const range = `${formatValue(window.min)} to ${formatValue(window.max)}, ${window.count} samples`
  return (
    <td class="num right" title={range}>
      {formatValue(window.mean)}{' '}
      <span class="sigma">{window.deviation === null ? '' : formatSigma(window.deviation)}</span>
    </td>
  )
}

const WIDTH = 200
const HEIGHT = 18

function isOut({ value, limit_min: min, limit_max: max }: ChannelVitals): boolean {
  return value !== null && ((min !== null && value < min) || (max !== null && value > max))
}

/**
 * The newest value between its limits (heavy ends), over the bands that it is compared with: golden filled, rolling hollow,
 * and in brackets where the detector expects it. What is not declared is not drawn.
 */
function LimitBar({ channel }: { channel: ChannelVitals }) {
  const { value, limit_min: min, limit_max: max, baseline, rolling, level } = channel
  const ends = [baseline, rolling, level].flatMap((band) => (band === null ? [] : [band.low, band.high]))
  const known = [min, max, value, ...ends].filter((v): v is number => v !== null && Number.isFinite(v))
  if (known.length < 2) return <span class="quiet">{NO_NUMBER}</span>
  const low = Math.min(...known)
  const span = Math.max(...known) - low || 1
  const x = (v: number): number => 4 + ((v - low) / span) * (WIDTH - 8)
  const text = [
    `limits ${formatValue(min)} to ${formatValue(max)}`,
    `golden ${bandText(baseline)}`,
    ...(rolling === null ? [] : [`rolling ${bandText(rolling)}`]),
    ...(level === null ? [] : [`expected now ${formatValue(level.mean)}, ${bandText(level)}`]),
  ].join('; ')
  return (
    <svg class="limit-bar" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label={text}>
      <title>{text}</title>
      <line class="bar-axis" x1={x(low)} x2={x(low + span)} y1={HEIGHT / 2} y2={HEIGHT / 2} />
      {baseline !== null && (
        <rect
          class="bar-band"
          x={x(baseline.low)}
          width={Math.max(1, x(baseline.high) - x(baseline.low))}
          y={4}
          height={HEIGHT - 8}
        />
      )}
      {rolling !== null && (
        <rect
          class="bar-rolling"
          x={x(rolling.low)}
          width={Math.max(1, x(rolling.high) - x(rolling.low))}
          y={2}
          height={HEIGHT - 4}
        />
      )}
      {level !== null && <path class="bar-level" d={bracketsOf(x(level.low), x(level.high), x(level.mean))} />}
      {min !== null && <line class="bar-limit" x1={x(min)} x2={x(min)} y1={1} y2={HEIGHT - 1} />}
      {max !== null && <line class="bar-limit" x1={x(max)} x2={x(max)} y1={1} y2={HEIGHT - 1} />}
      {value !== null && <path class={isOut(channel) ? 'bar-out' : 'bar-value'} d={`M${x(value)} 2l4 7-4 7-4-7z`} />}
    </svg>
  )
}

/** Square brackets around what is expected, and a tick where. */
function bracketsOf(low: number, high: number, mean: number): string {
  const [top, bottom] = [1, HEIGHT - 1]
  return `M${low + 3} ${top}H${low}V${bottom}H${low + 3}M${high - 3} ${top}H${high}V${bottom}H${high - 3}M${mean} 6V${HEIGHT - 6}`
}

function bandText(band: BaselineBand | null): string {
  return band === null ? NO_NUMBER : `${formatValue(band.low)} to ${formatValue(band.high)} (${band.kind})`
}
