import { decodeJournalInput } from '../../shared/codec/journal-input.ts'
import { decodeTelemetry } from '../../shared/codec/telemetry.ts'
import { type Frame, QUALITY } from '../../shared/model/telemetry.ts'
import type { Mode } from '../../shared/model/verdict.ts'
import type { Micros } from '../../shared/units.ts'
import { CHANNEL_LISTS_MAX } from '../core/settings.ts'
import type { Journal } from '../ports.ts'

/** What stands between two cells of a slice; a channel whose name holds it has no column. */
export const SLICE_DELIMITER = ';'
/** Names of channels that are listed as left out; a name beyond those that are remembered is looked at every time it comes. */
const LEFT_OUT_MAX = 20
const LEFT_OUT_KNOWN_MAX = 4096

/** Samples of a rig exactly as they came: those that the agent took in from `fromUs` to `toUs`, by its own time. */
export type SliceSpan = Readonly<{
  rig: string
  /** Channels of the rig, in Unicode NFC. */
  channels: ReadonlySet<string>
  /** Record to begin at: early enough before `fromUs` for channel lists to be known. */
  fromSeq: number
  fromUs: Micros
  toUs: Micros
}>

export type ChannelSeen = { readonly channel: string; readonly source: string; samples: number }

/** What was gathered beside the rows. */
export type SliceFacts = Readonly<{
  channels: readonly ChannelSeen[]
  samples: number
  /** Channels without a column, and why: no channel of the rig, a unit stated with samples, a name that no column can have. */
  leftOut: readonly Readonly<{ channel: string; reason: string }>[]
  leftOutMore: number
  /** Messages that could not be read, and records that are damaged. */
  refused: number
  damaged: number
  /** Changes of mode in the span, in order. */
  modes: readonly Readonly<{ atUs: Micros; mode: Mode }>[]
  /** Times that the agent began again in the span. */
  starts: number
}>

/** One time of one message: the cells of its channels, by index into {@link SliceFacts.channels}. */
export type SliceRow = Readonly<{ timeUs: Micros; takenUs: Micros; cells: readonly (readonly [number, string])[] }>

/**
 * Reads the journal for what a decision was made from. Rows come in the order in which they were taken in, raw: under the
 * name and in the unit in which the rig sends them.
 */
export class SliceReader {
  private readonly seen: ChannelSeen[] = []
  private readonly columns = new Map<string, number>()
  private readonly lists = new Map<string, readonly string[]>()
  private readonly out = new Map<string, string>()
  private readonly modes: { atUs: Micros; mode: Mode }[] = []
  private counts = { samples: 0, refused: 0, damaged: 0, starts: 0 }

  /** Samples that were given out so far. */
  get samples(): number {
    return this.counts.samples
  }

  get facts(): SliceFacts {
    const leftOut = [...this.out].map(([channel, reason]) => ({ channel, reason }))
    return {
      ...this.counts,
      channels: this.seen,
      leftOut: leftOut.slice(0, LEFT_OUT_MAX),
      leftOutMore: Math.max(0, leftOut.length - LEFT_OUT_MAX),
      modes: this.modes,
    }
  }

  async *rows(journal: Pick<Journal, 'read'>, span: SliceSpan): AsyncGenerator<SliceRow> {
    for await (const record of journal.read(span.fromSeq)) {
      if (record.kind === 'damage') {
        this.counts.damaged += record.toSeq - record.fromSeq + 1
        continue
      }
      const input = decodeJournalInput(record.body)
      const { nowUs } = input
      if (nowUs > span.toUs) return
      const isInside = nowUs >= span.fromUs
      // The start that a slice begins with is that of its run.
      const isStart = input.kind === 'operator' && input.command === 'agent_start'
      if (isInside && isStart && this.counts.samples > 0) this.counts.starts += 1
      if (isInside && input.kind === 'mode' && input.rig === span.rig)
        this.modes.push({ atUs: nowUs, mode: input.mode })
      if (input.kind !== 'frame' || input.rig !== span.rig) continue
      const { messages, kind: _, ...about } = input
      for (const message of messages) {
        const result = decodeTelemetry({ ...about, message })
        if (!result.ok) {
          if (isInside) this.counts.refused += 1
          continue
        }
        this.noteList(result.frame)
        if (isInside) yield* this.rowsOf(result.frame, nowUs, span)
      }
    }
  }

  private noteList({ channels, cid }: Frame): void {
    if (channels !== null && cid !== null && this.lists.size < CHANNEL_LISTS_MAX) this.lists.set(cid, channels)
  }

  private *rowsOf(frame: Frame, takenUs: Micros, { channels }: SliceSpan): Generator<SliceRow> {
    const names = frame.channels ?? this.lists.get(frame.cid ?? '') ?? []
    const wanted = names.flatMap((name, row) => {
      const column = this.columnOf(name, frame, channels)
      return column < 0 ? [] : [[row, column] as const]
    })
    const count = frame.timeUs.length
    for (let i = 0; i < count; i += 1) {
      // Refused then and now; a slice has whole times.
      if (!Number.isSafeInteger(frame.timeUs[i])) continue
      const cells = wanted.flatMap(([row, column]): [number, string][] => {
        const quality = frame.quality?.[row * count + i] ?? QUALITY.good
        if (quality === QUALITY.missing) return []
        const value = String(frame.value[row * count + i]!)
        this.seen[column]!.samples += 1
        this.counts.samples += 1
        return [[column, quality === QUALITY.good ? value : `${value}@${quality}`]]
      })
      if (cells.length > 0) yield { timeUs: frame.timeUs[i]!, takenUs, cells }
    }
  }

  private columnOf(name: string, { source, unit }: Frame, channels: ReadonlySet<string>): number {
    const known = this.columns.get(name)
    if (known !== undefined) return known
    const reason = !channels.has(name.normalize('NFC'))
      ? 'no channel of the rig'
      : unit !== undefined
        ? 'its samples state a unit'
        : /[;"]/.test(name)
          ? 'a name that no column can have'
          : ''
    if (reason !== '' && this.out.size >= LEFT_OUT_KNOWN_MAX) return -1
    if (reason !== '') this.out.set(name, reason)
    const column = reason === '' ? this.seen.length : -1
    if (reason === '') this.seen.push({ channel: name, source, samples: 0 })
    this.columns.set(name, column)
    return column
  }
}
