import { useEffect, useRef, useState } from 'preact/hooks'
import uPlot from 'uplot'
import type { PageClock } from './page-clock.ts'
import { formatCount, formatUtc, formatValue } from './quantities.ts'
import { fetchSlice, type SliceChannel, type SliceState } from './slice.ts'
import type { ChannelVitals, DecisionJson, FindingJson } from './wire-types.ts'

const HEIGHT_PX = 220
/** A baseline band is shown whole up to this many times the span of the samples. */
const BAND_SPANS_MAX = 4
const INK = '#c6ced8'
const GRID = '#2c3540'
const LINE = '#2dccff'
const EDGE = '#ff9d1c'
const BAND = 'rgba(143, 154, 168, 0.22)'
const MARK = '#ff4d4d'

type PlotProps = Readonly<{
  decision: DecisionJson
  finding: FindingJson
  channel: ChannelVitals | null
  clock: PageClock
  onChange(): void
}>

/** The raw samples around a finding, with the limits and the baseline band they were held against, and the moment of the decision. */
export function SlicePlot({ decision, finding, channel, clock, onChange }: PlotProps) {
  const [state, setState] = useState<SliceState>({ phase: 'asking', note: 'asked for' })
  const place = useRef<HTMLDivElement>(null)
  useEffect(
    () =>
      fetchSlice(decision.id, clock, (next) => {
        setState(next)
        onChange()
      }),
    [decision.id],
  )
  const samples = state.phase === 'there' ? state.channels.find((c) => c.channel === finding.channel) : undefined
  useEffect(() => {
    const element = place.current
    if (samples === undefined || element === null) return
    const plot = new uPlot(
      optionsFor({ decision, finding, channel, samples, width: element.clientWidth || 480 }),
      [samples.timeS, samples.value],
      element,
    )
    const fit = new ResizeObserver(() => plot.setSize({ width: element.clientWidth || plot.width, height: HEIGHT_PX }))
    fit.observe(element)
    return () => {
      fit.disconnect()
      plot.destroy()
    }
  }, [samples])
  return (
    <figure class="slice">
      <figcaption>
        raw samples of {finding.channel} around the decision
        {samples === undefined ? '' : `: ${formatCount(samples.value.length)} samples`}
        <span class="legend">
          <i class="key key-band" /> baseline band <i class="key key-limit" /> limit <i class="key key-mark" /> decision
        </span>
      </figcaption>
      {state.phase === 'asking' && (
        <p class="quiet" role="status">
          Raw samples: {state.note} …
        </p>
      )}
      {state.phase === 'none' && (
        <p class="quiet" role="status">
          No raw samples: {state.note}.
        </p>
      )}
      {state.phase === 'there' && samples === undefined && (
        <p class="quiet" role="status">
          The agent sent no samples of this channel: it was silent.
        </p>
      )}
      <div class="plot" ref={place} data-samples={samples?.value.length ?? 0} />
    </figure>
  )
}

type Drawn = Omit<PlotProps, 'clock' | 'onChange'> & Readonly<{ samples: SliceChannel; width: number }>

function optionsFor({ decision, finding, channel, samples, width }: Drawn): uPlot.Options {
  const band = bandOf(finding, channel)
  const axis = {
    stroke: INK,
    grid: { stroke: GRID, width: 1 },
    ticks: { stroke: GRID, width: 1 },
    font: '11px system-ui, sans-serif',
  }
  return {
    width,
    height: HEIGHT_PX,
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), 'UTC'),
    legend: { show: false },
    cursor: { y: false },
    scales: { y: { range: (_plot, min, max) => padded([min, max, ...shownLevels(finding, band, max - min)]) } },
    axes: [
      { ...axis, size: 28, values: (_plot, ticks) => ticks.map((tick) => formatUtc(tick * 1_000_000, 0)) },
      {
        ...axis,
        size: 64,
        values: (_plot, ticks) => ticks.map((tick) => formatValue(tick)),
        label: samples.unit,
        labelSize: 16,
        labelFont: '11px system-ui, sans-serif',
      },
    ],
    series: [{}, { stroke: LINE, width: 1.25, points: { show: samples.value.length < 200, size: 4 } }],
    hooks: {
      drawClear: [(plot) => drawBand(plot, band)],
      draw: [(plot) => drawMarks(plot, decision.time_us / 1_000_000, finding)],
    },
  }
}

/** What was allowed around the baseline when it was decided; from the finding where it says so, else from the rig's present band. */
function bandOf(finding: FindingJson, channel: ChannelVitals | null): readonly [number, number] | null {
  if (
    finding.baseline_mean !== null &&
    finding.baseline_spread !== null &&
    finding.deviation !== null &&
    finding.ratio !== null &&
    finding.ratio > 0
  ) {
    const reach = Math.abs(finding.deviation * finding.baseline_spread) / finding.ratio
    return [finding.baseline_mean - reach, finding.baseline_mean + reach]
  }
  return channel?.baseline == null ? null : [channel.baseline.low, channel.baseline.high]
}

/** A limit is drawn when the finding is about it; one far away would flatten the samples. */
function limitOf(finding: FindingJson): number | null {
  return ['invariant_max', 'invariant_min', 'invariant_eq', 'fail_max', 'fail_min'].includes(finding.ground)
    ? finding.limit
    : null
}

/** What the axis must reach beside the samples; a band that dwarfs them is cut, or they would be a flat line. */
function shownLevels(finding: FindingJson, band: readonly [number, number] | null, span: number): number[] {
  const edges = band !== null && band[1] - band[0] < BAND_SPANS_MAX * span ? band : []
  return [limitOf(finding), finding.baseline_mean, ...edges].filter((level): level is number => level !== null)
}

function padded(levels: readonly (number | null)[]): [number, number] {
  const known = levels.filter((level): level is number => level !== null && Number.isFinite(level))
  if (known.length === 0) return [0, 1]
  const [low, high] = [Math.min(...known), Math.max(...known)]
  const room = (high - low || Math.abs(high) || 1) * 0.08
  return [low - room, high + room]
}

function drawBand(plot: uPlot, band: readonly [number, number] | null): void {
  if (band === null) return
  const { left, width } = plot.bbox
  const top = plot.valToPos(band[1], 'y', true)
  const bottom = plot.valToPos(band[0], 'y', true)
  plot.ctx.save()
  plot.ctx.beginPath()
  plot.ctx.rect(plot.bbox.left, plot.bbox.top, plot.bbox.width, plot.bbox.height)
  plot.ctx.clip()
  plot.ctx.fillStyle = BAND
  plot.ctx.fillRect(left, top, width, bottom - top)
  plot.ctx.restore()
}

function drawMarks(plot: uPlot, decidedS: number, finding: FindingJson): void {
  const { left, top, width, height } = plot.bbox
  const limit = limitOf(finding)
  plot.ctx.save()
  plot.ctx.lineWidth = 2
  if (limit !== null) {
    const y = plot.valToPos(limit, 'y', true)
    plot.ctx.strokeStyle = EDGE
    plot.ctx.setLineDash([8, 4])
    line(plot.ctx, [left, y], [left + width, y])
  }
  const x = plot.valToPos(decidedS, 'x', true)
  plot.ctx.strokeStyle = MARK
  plot.ctx.setLineDash([2, 3])
  line(plot.ctx, [x, top], [x, top + height])
  plot.ctx.restore()
}

function line(
  ctx: CanvasRenderingContext2D,
  [x0, y0]: readonly [number, number],
  [x1, y1]: readonly [number, number],
): void {
  ctx.beginPath()
  ctx.moveTo(x0, y0)
  ctx.lineTo(x1, y1)
  ctx.stroke()
}
