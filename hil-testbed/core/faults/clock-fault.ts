import { invariant } from '../../../shared/lib/assert.ts'
import { noiseAt } from '../../../shared/lib/prng.ts'
import type { Micros } from '../../../shared/units.ts'
import type { WantedFault } from './wanted-fault.ts'

/** What a clock fault makes of a time. `sinceUs` is from its onset. */
type Moment = Readonly<{ atUs: Micros; strength: number; sinceUs: Micros; beginUs: Micros }>
type Turn = (stampUs: Micros, moment: Moment) => Micros

/** Seconds between the day a clock counts from and 1970-01-01. */
const EPOCH_S: Readonly<Record<string, number>> = { gps: 315_964_800, ntp: -2_208_988_800, y2000: 946_684_800 }

/** Clock faults that change times; `time.late` is one of frames. */
export function turnsClock(name: string): boolean {
  return name in TURNS
}

/** A fault of the clock of one acquisition. Asked in order of time. */
export class ClockFault {
  readonly wanted: WantedFault
  private readonly turn: Turn
  private readonly beginUs: Micros

  constructor(wanted: WantedFault, stream: number, beginUs: Micros) {
    this.wanted = wanted
    this.beginUs = beginUs
    const make = TURNS[wanted.fault.class]
    invariant(make !== undefined, `${wanted.fault.class} turns no clock`)
    this.turn = make(wanted, stream)
  }

  /** The time that a sample of `atUs` gets which would get `stampUs`; whole. */
  stamp(stampUs: Micros, atUs: Micros): Micros {
    const strength = this.wanted.strengthAt(atUs)
    if (strength === 0) return stampUs
    const sinceUs = this.wanted.elapsedUs(atUs)
    const turned = Math.floor(this.turn(stampUs, { atUs, strength, sinceUs, beginUs: this.beginUs }))
    if (turned !== stampUs) this.wanted.note(atUs)
    return turned
  }
}

const TURNS: Readonly<Record<string, (wanted: WantedFault, stream: number) => Turn>> = {
  'time.skew': (wanted) => {
    const skewUs = wanted.number('skew_ms') * 1000
    return (stamp, { strength }) => stamp + skewUs * strength
  },
  'time.step': (wanted) => {
    const stepUs = wanted.number('step_ms') * 1000
    const everyUs = wanted.number('every_ms') * 1000
    return (stamp, { sinceUs }) => stamp + stepUs * (everyUs > 0 ? 1 + Math.floor(sinceUs / everyUs) : 1)
  },
  'time.drift': (wanted) => {
    const ppm = wanted.number('ppm')
    return (stamp, { sinceUs }) => stamp + (sinceUs * ppm) / 1_000_000
  },
  'time.leap_second': (wanted) => {
    const how = wanted.text('how')
    const smearUs = wanted.number('smear_s') * 1_000_000
    if (how === 'skip') return (stamp) => stamp + 1_000_000
    if (how === 'smear') return (stamp, { sinceUs }) => stamp - 1_000_000 * Math.min(1, sinceUs / smearUs)
    return (stamp) => stamp - 1_000_000
  },
  'time.backwards': (wanted) => {
    const backUs = wanted.number('back_ms') * 1000
    return (stamp, { sinceUs }) => stamp - 2 * Math.min(sinceUs, backUs)
  },
  'time.wrong_epoch': (wanted) => {
    const from = EPOCH_S[wanted.text('from')]
    return from === undefined ? (stamp, { beginUs }) => stamp - beginUs : (stamp) => stamp - from * 1_000_000
  },
  'time.wrong_unit': (wanted) => {
    const unit = wanted.text('unit')
    if (unit === 'ns') return (stamp) => stamp * 1000
    return (stamp) => stamp / (unit === 's' ? 1_000_000 : 1000)
  },
  'time.clock_loss': (wanted, stream) => {
    const ppm = wanted.number('ppm')
    const wanderUs = wanted.number('wander_us')
    if (wanted.text('how') === 'frozen') return (stamp, { sinceUs }) => stamp - sinceUs
    let seconds = 0
    let wandered = 0
    return (stamp, { sinceUs }) => {
      // A step each second, so that the walk is the same however often it is asked.
      for (; (seconds + 1) * 1_000_000 <= sinceUs; seconds += 1)
        wandered += wanderUs * noiseAt(wanted.seed, stream, seconds)
      return stamp + (sinceUs * ppm) / 1_000_000 + wandered
    }
  },
}
