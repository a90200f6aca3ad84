import type { Fault } from '../core/fault.ts'
import type { Layout } from './layout.ts'
import { type Wish, type WishOptions, wishOf } from './wishes.ts'

/** What the options of the predecessor's `inject` say, as it had them; undefined where one was not given. */
export type PredecessorOptions = Readonly<{
  noiseScale?: number | undefined
  offset?: number | undefined
  value?: number | undefined
  scale?: number | undefined
  skewSeconds?: number | undefined
  driftPerRow?: number | undefined
  count?: number | undefined
  repeatSpike?: boolean | undefined
}>

type Alias = Readonly<{
  /** Options it takes, as they are typed. */
  options: readonly string[]
  /** Whether it needs a metric. */
  needsMetric: boolean
  parts(options: PredecessorOptions, layout: Layout, channels: readonly string[] | null): readonly Part[]
}>
/** One fault of the catalogue that stands for it, and whether it acts on one row of each metric only. */
type Part = Readonly<{ class: string; params: Fault['params']; once?: boolean }>

/**
 * The predecessor's faults by its names, with its defaults, as faults of the catalogue. It counted rows: so do these. Its
 * noise had no seed, and `missing` was planned only.
 */
export const PREDECESSOR_FAULTS: Readonly<Record<string, Alias>> = {
  value_corruption: {
    options: ['noiseScale', 'offset'],
    needsMetric: false,
    parts: ({ noiseScale = 0.1, offset = 0 }) => [
      ...(noiseScale > 0 ? [{ class: 'sensor.noise', params: { sd: noiseScale } }] : []),
      ...(offset === 0 ? [] : [{ class: 'sensor.bias', params: { offset } }]),
    ],
  },
  schema_change: {
    options: [],
    needsMetric: true,
    parts: (_, __, channels) => [
      { class: 'recording.rename_column', params: { column: channels![0]!, to: `${channels![0]}_renamed` } },
    ],
  },
  time_skew: {
    options: ['skewSeconds'],
    needsMetric: false,
    parts: ({ skewSeconds = 0 }) => [{ class: 'time.skew', params: { skew_ms: skewSeconds * 1000 } }],
  },
  stuck_at: {
    options: ['value'],
    needsMetric: true,
    parts: ({ value }) => [{ class: 'sensor.stuck_at', params: { value: value ?? 'hold_last' } }],
  },
  spike: {
    options: ['scale', 'repeatSpike'],
    needsMetric: true,
    parts: ({ scale = 2, repeatSpike = false }) => [
      { class: 'sensor.gain', params: { gain: scale }, once: !repeatSpike },
    ],
  },
  sensor_drift: {
    options: ['driftPerRow'],
    needsMetric: true,
    parts: ({ driftPerRow = 0.01 }) => [{ class: 'sensor.drift', params: { rate: driftPerRow } }],
  },
  duplication: {
    options: ['count'],
    needsMetric: false,
    parts: ({ count = 2 }) => [{ class: 'comms.repeat', params: { share: 1, copies: count - 1 } }],
  },
  missing: {
    options: [],
    needsMetric: false,
    // 30 % of the rows, or everything of one metric: its qualification case Q1.
    parts: (_, __, channels) => [
      channels === null ? { class: 'comms.lose', params: { share: 0.3 } } : { class: 'sensor.dropout', params: {} },
    ],
  },
}

/** A row counts as a second, and one of them is a pulse this long. */
const ROW_US = 1_000_000

export function predecessorWish(
  name: string,
  options: PredecessorOptions,
  { layout, wish }: Readonly<{ layout: Layout; wish: WishOptions }>,
): Wish {
  const parts = PREDECESSOR_FAULTS[name]!.parts(options, layout, wish.channels)
  const faults = parts.flatMap(({ class: of, params, once }) => {
    const timing = once === true ? { ...wish.timing, shape: 'pulse' as const, pulseUs: ROW_US } : wish.timing
    return wishOf(of, layout, { ...wish, params, timing }).faults
  })
  return { name, faults, rowClock: true }
}
