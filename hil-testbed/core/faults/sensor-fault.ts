import { invariant } from '../../../shared/lib/assert.ts'
import { noiseAt } from '../../../shared/lib/prng.ts'
import type { Micros } from '../../../shared/units.ts'
import { nearestStep } from '../sensor.ts'
import type { WantedFault } from './wanted-fault.ts'

/** One sample on its way out. `isMissing`: it is not sent as a value. */
export type Reading = { value: number; isMissing: boolean }

/** What a sensor fault may know of the channel it is on. */
export type FaultyChannel = Readonly<{
  /** Of its chances and its noise. */
  stream: number
  /** The value it would say; of the other channel for `swap`. */
  other: () => number
}>

/** A sample as an act sees it. */
type Moment = Readonly<{ atUs: Micros; strength: number; sinceUs: Micros; intervalUs: number; held: number }>
type Act = (value: number, moment: Moment) => number | null

/** A sensor fault on one channel. */
export class SensorFault {
  readonly wanted: WantedFault
  private readonly act: Act
  /** What came in before it began to act; for an act that holds on to it. */
  private held: number | null

  /** `before`: what the channel said last, null when it has said nothing yet. */
  constructor(wanted: WantedFault, channel: FaultyChannel, before: number | null) {
    this.wanted = wanted
    this.held = before
    const make = ACTS[wanted.acts.name]
    invariant(make !== undefined, `${wanted.acts.name} is no sensor fault`)
    this.act = make(wanted, channel)
  }

  /** Takes a sample. @returns whether the fault changed it */
  apply(reading: Reading, atUs: Micros, intervalUs: number): boolean {
    if (reading.isMissing) return false
    const strength = this.wanted.strengthAt(atUs)
    const before = reading.value
    if (strength === 0) {
      this.held = before
      return false
    }
    this.held ??= before
    const sinceUs = this.wanted.elapsedUs(atUs)
    const after = this.act(before, { atUs, strength, sinceUs, intervalUs, held: this.held })
    reading.isMissing = after === null
    reading.value = after ?? Number.NaN
    const changed = after === null || !Object.is(after, before)
    if (changed) this.wanted.note(atUs)
    return changed
  }
}

/** What each fault makes of a value; null: nothing is said. */
const ACTS: Readonly<Record<string, (wanted: WantedFault, channel: FaultyChannel) => Act>> = {
  'sensor.stuck_at': (wanted) => {
    const value = wanted.param('value')
    if (value === 'hold_last') return (_, { held }) => held
    const stuck = value === 'rail' ? wanted.number('rail') : wanted.number('value')
    return () => stuck
  },
  'sensor.bias': (wanted) => {
    const offset = wanted.number('offset')
    return (value, { strength }) => value + offset * strength
  },
  'sensor.gain': (wanted) => {
    const gain = wanted.number('gain')
    return (value, { strength }) => value * (1 + (gain - 1) * strength)
  },
  'sensor.drift': (wanted) => {
    const rate = wanted.number('rate')
    return (value, { sinceUs }) => value + (rate * sinceUs) / 1_000_000
  },
  'sensor.noise': (wanted, { stream }) => {
    const sd = wanted.number('sd')
    return (value, { atUs, strength }) => value + sd * strength * noiseAt(wanted.seed, stream, atUs)
  },
  'sensor.spike': (wanted, { stream }) => {
    const rate = wanted.number('rate')
    const amp = wanted.number('amp')
    return (value, { atUs, strength, intervalUs }) =>
      wanted.chance(stream, atUs) < (rate * intervalUs) / 1_000_000 ? value + amp * strength : value
  },
  'sensor.quantise': (wanted) => {
    const step = wanted.number('step')
    return (value, { strength }) => nearestStep(value, step * strength)
  },
  'sensor.saturation': (wanted) => {
    const low = wanted.number('low')
    const high = wanted.number('high')
    return (value) => Math.min(high, Math.max(low, value))
  },
  'sensor.dropout': () => () => null,
  'sensor.intermittent': (wanted, { stream }) => {
    const share = wanted.number('share')
    const cellUs = wanted.number('cell_ms') * 1000
    return (value, { sinceUs, strength }) =>
      wanted.chance(stream, Math.floor(sinceUs / cellUs)) < share * strength ? null : value
  },
  'sensor.swap': (_, { other }) => other,
  'sensor.unit_error': (wanted) => {
    const factor = wanted.number('factor')
    const offset = wanted.number('offset')
    return (value) => value * factor + offset
  },
  'sensor.lag': (wanted) => {
    const tauUs = wanted.number('tau_ms') * 1000
    let said: number | null = null
    let saidUs = Number.NEGATIVE_INFINITY
    return (value, { atUs, strength, intervalUs, held }) => {
      // Begins where the channel was, and again after a pause.
      if (said === null || atUs - saidUs > 1.5 * intervalUs) said = held
      said += ((value - said) * intervalUs) / (tauUs * strength + intervalUs)
      saidUs = atUs
      return said
    }
  },
  'sensor.nan': (wanted, channel) => always(wanted, channel, Number.NaN),
  'sensor.inf': (wanted, channel) =>
    always(wanted, channel, wanted.text('sign') === 'minus' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY),
  'sensor.minus_zero': (wanted, channel) => always(wanted, channel, -0),
  'sensor.plausible': (wanted) => {
    const level = wanted.number('value')
    return (value, { held }) => level + (value - held)
  },
  'sensor.frozen':
    () =>
    (_, { held }) =>
      held,
}

/** One value for a share of the samples. */
function always(wanted: WantedFault, { stream }: FaultyChannel, said: number): Act {
  const share = wanted.number('share')
  return (value, { atUs, strength }) => (wanted.chance(stream, atUs) < share * strength ? said : value)
}
