import type { Clock } from '../../shared/lib/clock.ts'
import type { Bytes, Micros } from '../../shared/units.ts'
import type { Thinned, Thinning } from '../ports.ts'
import type { Batcher } from './batcher.ts'
import { createPassDetail } from './pass-detail.ts'

/** Shares of `outbox.bytes_max`, in percent, past which somebody is told that the outbox fills up, and with what urgency. */
export const OUTBOX_ALARMS_PERCENT = [80, 95] as const
/** An alarm is over when the share has fallen this far below it: one batch more or less is no news. */
const ALARM_BACK_PERCENT = 5
/** The rate is that of the last hour, from marks a minute apart; earlier ones go. Less than ten seconds say nothing. */
export const RATE_MARKS_MAX = 60
const RATE_MARK_US: Micros = 60_000_000
const RATE_LEAST_US: Micros = 10_000_000
const DAY_US: Micros = 86_400_000_000

export type OutboxFill = Readonly<{
  /** Bytes that only receipts can free. */
  heldBytes: Bytes
  bytesMax: Bytes
  percent: number
  /** Until the bound at the rate of the last hour; null while the rate is not known or nothing is added. */
  daysLeft: number | null
  /** The alarm that is on: 0, or one of {@link OUTBOX_ALARMS_PERCENT}. */
  alarm: number
}>

/** What is watched. */
export type WatchedOutbox = {
  readonly held: Bytes
  readonly bytesMax: Bytes
  readonly thinnedWaiting: number
  watcher: { appended(bytes: Bytes): void; full(): void } | null
  readonly thinner: {
    readonly untold: readonly { from: number; to: number }[]
    told(): void
    oldest(how: Thinning): Promise<Thinned | null>
  }
}

export type OutboxNews = Readonly<{
  outboxFilling(facts: {
    alarm: number
    percent: number
    held: Bytes
    bytes_max: Bytes
    days_left: number | null
  }): void
  outboxEased(facts: { percent: number }): void
  detailThinned(facts: { from: number; to: number; batches: number; freed: Bytes }): void
  thinningFailed(error: unknown): void
}>

type Around = Readonly<{
  clock: Pick<Clock, 'monotonicUs'>
  events: OutboxNews
  batcher: Pick<Batcher, 'gap' | 'gapsWaiting'>
}>

/**
 * Watches the outbox fill up while the collector is away: says so early, with the days that are left, and sheds in the
 * declared order. Raw samples have a bound of their own; here the detail of what only repeated PASS goes next, oldest
 * first, and nothing else ever does.
 */
export class OutboxWatch {
  /** Batches whose detail was thinned in this life. */
  thinned = 0
  private readonly outbox: WatchedOutbox
  private readonly thinAtPercent: number
  private around: Around | null = null
  private alarm = 0
  private written: Bytes = 0
  private readonly marks: { us: Micros; written: Bytes }[] = []
  private thinning: Promise<void> | null = null
  private stopped = false

  constructor(outbox: WatchedOutbox, { thinAtPercent }: { thinAtPercent: number }) {
    this.outbox = outbox
    this.thinAtPercent = thinAtPercent
  }

  begin(around: Around): void {
    this.around = around
    this.mark()
    for (const span of this.outbox.thinner.untold) around.batcher.gap(gapOf(span))
    this.outbox.watcher = {
      appended: (bytes) => {
        this.written += bytes
        this.mark()
        // Gaps go into the next header all at once: with none waiting, this batch or one before it has told them.
        if (around.batcher.gapsWaiting === 0) this.outbox.thinner.told()
        this.look()
      },
      full: () => {
        this.look()
        this.thin(true)
      },
    }
    this.look()
  }

  async stop(): Promise<void> {
    this.stopped = true
    await this.settled()
  }

  /** Settles when what is being thinned is. */
  async settled(): Promise<void> {
    await this.thinning
  }

  fill(): OutboxFill {
    const { held, bytesMax } = this.outbox
    return {
      heldBytes: held,
      bytesMax,
      percent: (100 * held) / bytesMax,
      daysLeft: this.daysLeft(bytesMax - held),
      alarm: this.alarm,
    }
  }

  /** What is not wrong yet: the agent is ready with it, and somebody should act. */
  warnings(): { code: string; detail: string }[] {
    const { percent, daysLeft, alarm } = this.fill()
    const { thinnedWaiting } = this.outbox
    const left = daysLeft === null ? 'the rate is not known yet' : `about ${leftOf(daysLeft)} left`
    const filling = `${Math.floor(percent)} % of outbox.bytes_max wait for receipts; ${left}`
    return [
      ...(alarm === 0 ? [] : [{ code: 'OUTBOX_FILLING', detail: filling }]),
      ...(thinnedWaiting === 0
        ? []
        : [
            { code: 'DETAIL_THINNED', detail: `${thinnedWaiting} batches that repeated PASS keep only what is signed` },
          ]),
    ]
  }

  private mark(): void {
    const us = this.around!.clock.monotonicUs()
    const last = this.marks.at(-1)
    if (last !== undefined && us - last.us < RATE_MARK_US) return
    this.marks.push({ us, written: this.written })
    if (this.marks.length > RATE_MARKS_MAX) this.marks.shift()
  }

  private daysLeft(room: Bytes): number | null {
    const [first] = this.marks
    if (this.around === null || first === undefined) return null
    const overUs = this.around.clock.monotonicUs() - first.us
    const added = this.written - first.written
    if (overUs < RATE_LEAST_US || added === 0) return null
    return (Math.max(0, room) * overUs) / added / DAY_US
  }

  private look(): void {
    const fill = this.fill()
    const above = OUTBOX_ALARMS_PERCENT.filter((at) => fill.percent >= at - (at <= this.alarm ? ALARM_BACK_PERCENT : 0))
    const alarm = Math.max(0, ...above)
    if (alarm !== this.alarm) {
      const rose = alarm > this.alarm
      this.alarm = alarm
      const percent = Math.floor(fill.percent)
      const facts = { alarm, percent, held: fill.heldBytes, bytes_max: fill.bytesMax, days_left: fill.daysLeft }
      if (rose) this.around!.events.outboxFilling(facts)
      else if (alarm === 0) this.around!.events.outboxEased({ percent })
    }
    if (this.isPastThinning()) this.thin()
  }

  private isPastThinning(): boolean {
    const { held, bytesMax } = this.outbox
    return !this.stopped && (100 * held) / bytesMax >= this.thinAtPercent
  }

  /** `full`: there was no room for a batch, whatever share it is that something is thinned at. */
  private thin(full = false): void {
    this.thinning ??= this.thinOn(full)
      .catch((error: unknown) => this.around!.events.thinningFailed(error))
      .finally(() => {
        this.thinning = null
      })
  }

  private async thinOn(full: boolean): Promise<void> {
    const { events, batcher } = this.around!
    for (let needed = full; !this.stopped && (needed || this.isPastThinning()); ) {
      const done = await this.outbox.thinner.oldest({
        isRepetition: createPassDetail(),
        pause: () => new Promise((resolve) => setImmediate(resolve)),
        tell: (span) => batcher.gap(gapOf(span)),
      })
      if (done === null) return
      if (done.batches === 0) continue
      needed = false
      this.thinned += done.batches
      events.detailThinned(done)
    }
  }
}

/** Days as somebody would say them: in hours or minutes when it is urgent. */
function leftOf(days: number): string {
  const [value, unit] = days >= 2 ? [days, 'days'] : days >= 1 / 12 ? [days * 24, 'hours'] : [days * 1440, 'minutes']
  return `${value < 10 ? value.toFixed(1) : Math.floor(value)} ${unit}`
}

function gapOf({ from, to }: { from: number; to: number }): { from: number; to: number; reason: string } {
  return { from, to, reason: 'pass_detail_thinned' }
}
