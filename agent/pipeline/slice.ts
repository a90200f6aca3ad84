import { decodeJournalInput } from '../../shared/codec/journal-input.ts'
import { decodeTelemetry } from '../../shared/codec/telemetry.ts'
import { convertValue } from '../../shared/model/conversion.ts'
import type { Frame } from '../../shared/model/telemetry.ts'
import type { Micros } from '../../shared/units.ts'
import { conversionOf } from '../core/convert.ts'
import { CHANNEL_LISTS_MAX, type EvaluatorSettings, type MetricSettings } from '../core/settings.ts'
import type { Journal } from '../ports.ts'

/** Widest slice, and most samples of one channel, that are sent for looking at. Beyond, every n-th would mislead: it is cut and said. */
export const SLICE_SPAN_MAX_US: Micros = 600_000_000
export const SLICE_SAMPLES_MAX = 20_000
/** Records read before others get a turn. */
const RECORDS_AT_ONCE = 200
/** Journal records read for one slice. */
export const SLICE_RECORDS_MAX = 200_000

export type SliceRequest = Readonly<{ rig: string; fromUs: Micros; toUs: Micros }>
export type SliceChannel = Readonly<{ channel: string; unit: string; time_us: Float64Array; value: Float64Array }>
export type Slice = Readonly<
  { ok: true; channels: readonly SliceChannel[]; cut: boolean } | { ok: false; reason: string }
>

/**
 * The samples of a rig in a span of event time, read back from the journal and converted as they were for evaluation, sorted
 * by time. Those that nothing converts are left out. For looking; what was decided from stands in the digest of the decision.
 */
export async function readSlice(
  journal: Journal,
  settings: EvaluatorSettings,
  request: SliceRequest & { fromSeq: number; untilNowUs: Micros; pause(): Promise<void> },
): Promise<Slice> {
  const rig = settings.rigs.find((r) => r.rig === request.rig)
  if (rig === undefined) return { ok: false, reason: 'unknown_rig' }
  if (!(request.toUs > request.fromUs && request.toUs - request.fromUs <= SLICE_SPAN_MAX_US))
    return { ok: false, reason: 'span_too_wide' }
  // Only channels of the rig: names that a publisher makes up cost nothing.
  const gathered: Gathered = new Map(
    rig.metrics.flatMap((metric) => metric.channels.map((channel) => [channel, { metric, samples: [] }])),
  )
  const lists = new Map<string, readonly string[]>()
  let records = 0
  let cut = false
  for await (const record of journal.read(request.fromSeq)) {
    records += 1
    // The evaluation goes first: reading back is done in the gaps between inputs.
    if (records % RECORDS_AT_ONCE === 0) await request.pause()
    if (records > SLICE_RECORDS_MAX) {
      cut = true
      break
    }
    if (record.kind === 'damage') continue
    const input = decodeJournalInput(record.body)
    if (input.nowUs > request.untilNowUs) break
    if (input.kind !== 'frame' || input.rig !== request.rig) continue
    const { messages, kind: _, ...about } = input
    for (const message of messages) {
      const result = decodeTelemetry({ ...about, message })
      if (result.ok) cut = gather(result.frame, lists, gathered, request) || cut
    }
  }
  const channels: SliceChannel[] = []
  for (const metric of rig.metrics) {
    for (const channel of metric.channels) {
      const samples = gathered.get(channel)?.samples
      if (samples === undefined || samples.length === 0) continue
      samples.sort((a, b) => a.time - b.time)
      channels.push({
        channel,
        unit: metric.unit,
        time_us: Float64Array.from(samples, (s) => s.time),
        value: Float64Array.from(samples, (s) => s.value),
      })
    }
  }
  return channels.length === 0 ? { ok: false, reason: 'no_samples' } : { ok: true, channels, cut }
}

type Gathered = Map<string, { metric: MetricSettings; samples: { time: number; value: number }[] }>

/** @returns true when a channel had more samples than are sent. */
function gather(frame: Frame, lists: Map<string, readonly string[]>, into: Gathered, span: SliceRequest): boolean {
  if (frame.channels !== null && frame.cid !== null && lists.size < CHANNEL_LISTS_MAX)
    lists.set(frame.cid, frame.channels)
  const names = frame.channels ?? lists.get(frame.cid ?? '') ?? []
  const n = frame.timeUs.length
  let cut = false
  names.forEach((name, row) => {
    const known = into.get(name)
    if (known === undefined) return
    const { metric, samples } = known
    const by = conversionOf(metric, name, frame.unit)
    if ('reason' in by) return
    for (let i = 0; i < n; i += 1) {
      const time = frame.timeUs[i]!
      if (!(time >= span.fromUs && time < span.toUs)) continue
      if (samples.length >= SLICE_SAMPLES_MAX) {
        cut = true
        break
      }
      samples.push({ time, value: convertValue(by, frame.value[row * n + i]!) })
    }
  })
  return cut
}
