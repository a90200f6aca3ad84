import type { Micros } from '../../shared/units.ts'
import type { Effect } from '../core/step.ts'
import type { Journal } from '../ports.ts'
import type { TimeIndex } from './time-index.ts'

/** Journal kept around what is not PASS: this long before. What comes after is pinned while it lasts and this long on. */
const PIN_AROUND_US: Micros = 30_000_000
/** Whether what is around an effect stays: what is not PASS, and what the safety kernel put into the evidence (K8). */
function isNotable(effect: Effect): boolean {
  return effect.kind === 'decided'
    ? effect.decision.verdict !== 'PASS'
    : effect.kind === 'safety' && effect.seq !== null
}

/** Records between two with late samples that are kept along with them, so that lateness does not use up the spans. */
const LATE_NEAR_RECORDS = 1024

/**
 * Which records stay longer than others: around every decision that is not PASS, every slide that was revised and everything
 * that happened to an action, an arming, a bypass or an alarm of them, and those with late samples, when the late policy keeps them. Spans are bounded by the journal, and pinned records go too when
 * nothing else is left: a rig whose samples are late all the time keeps what any journal keeps.
 */
export class Pins {
  private readonly journal: Pick<Journal, 'pin'>
  private readonly times: TimeIndex
  /** First journal record of this life of the process. */
  private readonly startSeq: number
  private untilUs = 0
  private lateSeq = Number.NEGATIVE_INFINITY

  constructor(options: Readonly<{ journal: Pick<Journal, 'pin'>; times: TimeIndex; startSeq: number }>) {
    this.journal = options.journal
    this.times = options.times
    this.startSeq = options.startSeq
  }

  /** Takes what came of the input `seq`. */
  take(effects: readonly Effect[], nowUs: Micros, seq: number): void {
    for (const effect of effects) {
      if (effect.kind === 'late') this.pinLate(seq)
      else if (effect.kind === 'revised') this.pinFrom(effect.decision.timeUs - PIN_AROUND_US, seq)
      else if (isNotable(effect)) this.untilUs = nowUs + PIN_AROUND_US
    }
    if (nowUs < this.untilUs) this.pinFrom(nowUs - PIN_AROUND_US, seq)
  }

  private pinFrom(timeUs: Micros, seq: number): void {
    this.journal.pin(this.times.before(timeUs) ?? this.startSeq, seq)
  }

  private pinLate(seq: number): void {
    this.journal.pin(seq - this.lateSeq <= LATE_NEAR_RECORDS ? this.lateSeq : seq, seq)
    this.lateSeq = seq
  }
}
