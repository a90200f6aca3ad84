import { checkRecord } from '../shared/codec/checked-record.ts'
import { isHbError } from '../shared/errors/hb-error.ts'
import type { Clock } from '../shared/lib/clock.ts'
import { type CurrentLevel, DECAY_EVERY_US, type Decay, decayOf } from '../shared/model/baseline-decay.ts'
import type { BaselineSubject } from '../shared/model/baseline-statement.ts'
import type { Micros, Millis } from '../shared/units.ts'
import type { BaselineBook } from './baselines.ts'
import type { Fleet } from './fleet.ts'
import type { BaselineStore, StoredDecay } from './store/baselines.ts'

/** What the schedule last found of one baseline. */
export type DecayFound = Decay & Readonly<{ checkedUs: Micros }>
export type DecayChange = Readonly<{ digest: string; rig: string; factor: number; was: number; reasons: string }>

export type DecayWatchOptions = Readonly<{
  book: BaselineBook
  store: BaselineStore
  fleet: Pick<Fleet, 'vitals'>
  clock: Pick<Clock, 'after' | 'nowUs'>
  /** A confidence became less, or more again. */
  changed(change: DecayChange): void
  /** A round is over. */
  looked(): void
  broken(error: unknown): void
}>

/** How long after a start the first look is: by then agents have said how their rigs are. */
const FIRST_AFTER_MS: Millis = 5_000
const EVERY_MS: Millis = DECAY_EVERY_US / 1000
/** A factor that differs by less is the same: age alone would speak every hour. */
const TELL_RATIO = 0.05

/**
 * Looks at every baseline in force once an hour: how old it is, how far its levels may have wandered, and, where vitals
 * of the rig are there, how many have moved. For people: what an agent decides with changes by signed statements alone.
 */
export class DecayWatch {
  readonly found = new Map<string, DecayFound>()
  private readonly options: DecayWatchOptions
  private readonly told = new Map<string, number>()
  private cancel: () => void = () => undefined
  private running: Promise<void> = Promise.resolve()
  private stopped = false
  private looking = false
  private again = false

  constructor(options: DecayWatchOptions) {
    this.options = options
  }

  async start(): Promise<void> {
    for (const { digest, checkedUs, body } of await this.options.store.decays()) {
      const before = JSON.parse(body) as Decay
      this.found.set(digest, { ...before, checkedUs })
      this.told.set(digest, before.factor)
    }
    this.next(FIRST_AFTER_MS)
  }

  async stop(): Promise<void> {
    this.stopped = true
    this.cancel()
    await this.running
  }

  /** Looks at once: a baseline has come into force. */
  soon(): void {
    if (this.looking) this.again = true
    else this.next(0)
  }

  private next(ms: Millis): void {
    this.cancel()
    if (this.stopped) return
    this.cancel = this.options.clock.after(ms, () => {
      this.looking = true
      this.running = this.look()
        .catch((error: unknown) => this.options.broken(error))
        .finally(() => this.looked())
    })
  }

  /** One timer at a time: what came into force meanwhile is looked at in the next round. */
  private looked(): void {
    this.looking = false
    const isDue = this.again
    this.again = false
    this.next(isDue ? 0 : EVERY_MS)
  }

  private async look(): Promise<void> {
    const { book, store, clock, looked } = this.options
    const nowUs = clock.nowUs()
    const written: StoredDecay[] = []
    for (const { digest } of book.inForce(nowUs)) {
      const decay = await this.decayed(digest, nowUs)
      if (decay === null) continue
      this.found.set(digest, { ...decay, checkedUs: nowUs })
      written.push({ digest, checkedUs: nowUs, body: JSON.stringify(decay) })
      this.tell(digest, decay)
    }
    if (written.length === 0) return
    await store.noteDecay(written)
    looked()
  }

  private async decayed(digest: string, nowUs: Micros): Promise<Decay | null> {
    try {
      const { book } = this.options
      const { record, rules } = checkRecord(await book.stored(digest), book.trust.qualityPolicy)
      return decayOf(record, { nowUs, current: this.levelsOf(record) }, rules.decay)
    } catch (error) {
      if (!isHbError(error)) throw error
      this.options.broken(error)
      return null
    }
  }

  private tell(digest: string, { factor, reasons }: Decay): void {
    const was = this.told.get(digest) ?? 1
    if (Math.abs(factor - was) < TELL_RATIO && (factor === 0) === (was === 0)) return
    this.told.set(digest, factor)
    const { rig, family } = this.options.book.records.get(digest)!.facts
    this.options.changed({ digest, rig: rig === '' ? family : rig, factor, was, reasons: reasons.join('; ') })
  }

  /** Means of the widest windows of a rig that is well and in the mode of the baseline; null when nobody knows. */
  private levelsOf({ program, rig, mode }: BaselineSubject): CurrentLevel[] | null {
    const vitals = this.options.fleet.vitals().find((one) => one['program'] === program && one['rig'] === rig)
    if (vitals === undefined || vitals['verdict'] !== 'PASS' || vitals['mode'] !== mode) return null
    if (!Array.isArray(vitals['channels'])) return null
    return (vitals['channels'] as unknown[]).flatMap(levelOf)
  }
}

function levelOf(channel: unknown): CurrentLevel[] {
  const { metric, windows } = (channel ?? {}) as { metric?: unknown; windows?: unknown }
  if (typeof metric !== 'string' || !Array.isArray(windows)) return []
  const judged = (windows as { state?: unknown; mean?: unknown }[]).filter((w) => w?.state === 'judged')
  const mean = judged.at(-1)?.mean
  return typeof mean === 'number' ? [{ metric, mean }] : []
}
