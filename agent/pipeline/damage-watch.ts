import type { Clock } from '../../shared/lib/clock.ts'
import type { Gap } from './recovery.ts'

type RecordSpan = Readonly<{ from: number; to: number }>

export type DamageWatchOptions = Readonly<{
  journal: {
    isNews(span: RecordSpan): boolean
    saveTold(spans: readonly RecordSpan[]): void
    scrub(pause: () => Promise<void>): AsyncGenerator<RecordSpan>
  }
  clock: Clock
  /** Into the header of the next batch. */
  gap(gap: Gap): void
  found(span: RecordSpan): void
  broken(error: unknown): void
}>

/** When the journal is read through after a start, how often then, and the rest after each MiB of it. */
const SCRUB_AFTER_MS = 60_000
const SCRUB_EVERY_MS = 24 * 3_600_000
const SCRUB_PAUSE_MS = 250
/** Spans on their way into a batch header. */
export const DAMAGE_UNTOLD_MAX = 256

/**
 * Looks whether journal records can still be read, also those the evaluation needs no more: raw evidence that rots on a
 * disk must not be found out years later. What is damaged is said once, in the log and in the header of a batch.
 */
export class DamageWatch {
  /** Records that were found unreadable in this life. */
  unreadable = 0
  private readonly options: DamageWatchOptions
  /** On their way into a batch header. */
  private readonly untold: RecordSpan[] = []
  private scrubbing = false
  private stopped = false

  constructor(options: DamageWatchOptions) {
    this.options = options
  }

  /** @returns cancels */
  start(): () => void {
    const { clock } = this.options
    const cancels = [
      clock.after(SCRUB_AFTER_MS, () => void this.scrub()),
      clock.every(SCRUB_EVERY_MS, () => void this.scrub()),
    ]
    return () => {
      this.stopped = true
      for (const cancel of cancels) cancel()
    }
  }

  tell(spans: readonly RecordSpan[]): void {
    const { journal, gap, found } = this.options
    for (const span of spans) {
      const isComing = this.untold.some(({ from, to }) => from <= span.from && to >= span.to)
      if (isComing || !journal.isNews(span)) continue
      found(span)
      gap({ ...span, reason: 'journal_lost' })
      // Of more the newest are told as one, with what lies between them.
      const spare = this.untold.length < DAMAGE_UNTOLD_MAX ? undefined : this.untold.pop()
      this.untold.push({ from: spare?.from ?? span.from, to: span.to })
      this.unreadable += span.to - span.from + 1
    }
  }

  /** Every gap is in a batch by now: nothing of it is said again by the next start. */
  told(): void {
    this.options.journal.saveTold(this.untold.splice(0))
  }

  async scrub(): Promise<void> {
    const { journal, clock, broken } = this.options
    if (this.scrubbing) return
    this.scrubbing = true
    try {
      for await (const span of journal.scrub(() => clock.sleep(SCRUB_PAUSE_MS))) {
        if (this.stopped) return
        this.tell([span])
      }
    } catch (error) {
      broken(error)
    } finally {
      this.scrubbing = false
    }
  }
}
