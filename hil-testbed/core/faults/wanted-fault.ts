import { invariant } from '../../../shared/lib/assert.ts'
import { streamOf, uniformAt } from '../../../shared/lib/prng.ts'
import type { Micros } from '../../../shared/units.ts'
import type { Fault, FaultSeen } from '../fault.ts'
import { faultKind, paramOf } from './catalogue.ts'
import type { FaultKind } from './kind.ts'

export const COMMON_CAUSE = 'sensor.common_cause'

/** A fault that was injected: when it acts and how strongly, what it takes, its chances, and how often it was seen. */
export class WantedFault {
  readonly fault: Fault
  readonly kind: FaultKind
  /** What it does: that of the fault that a common cause spreads, else its own kind. */
  readonly acts: FaultKind
  /** Seed of its chances: those of another fault are others. */
  readonly seed: number
  private endUs: Micros
  private count = 0
  private firstUs: Micros | null = null
  private lastUs: Micros | null = null

  constructor(fault: Fault, seed: number) {
    const kind = faultKind(fault.class)
    invariant(kind !== undefined, `there is no fault ${fault.class}`)
    this.fault = fault
    this.kind = kind
    const spread = fault.class === COMMON_CAUSE ? faultKind(String(paramOf(kind, fault.params, 'fault'))) : kind
    invariant(spread !== undefined, `${fault.id} spreads no fault`)
    this.acts = spread
    this.seed = seed ^ streamOf(fault.id)
    this.endUs = fault.durationUs === null ? Number.POSITIVE_INFINITY : fault.onsetUs + fault.durationUs
    if (fault.shape === 'pulse') this.endUs = Math.min(this.endUs, fault.onsetUs + fault.pulseUs)
  }

  clear(atUs: Micros): void {
    this.endUs = Math.min(this.endUs, atUs)
  }

  isOver(atUs: Micros): boolean {
    return atUs >= this.endUs
  }

  elapsedUs(atUs: Micros): Micros {
    return atUs - this.fault.onsetUs
  }

  /** 0: it does not act; 1: in full; between: a ramp on its way. */
  strengthAt(atUs: Micros): number {
    const { onsetUs, durationUs, shape, periodUs, pulseUs } = this.fault
    if (!(atUs >= onsetUs && atUs < this.endUs)) return 0
    if (shape === 'ramp') return Math.min(1, (atUs - onsetUs) / durationUs!)
    if (shape === 'periodic') return (atUs - onsetUs) % periodUs < pulseUs ? 1 : 0
    return 1
  }

  /** When it ceases to act as it does at `atUs`. */
  actEndUs(atUs: Micros): Micros {
    const { onsetUs, shape, periodUs, pulseUs } = this.fault
    if (shape !== 'periodic') return this.endUs
    return Math.min(this.endUs, onsetUs + Math.floor((atUs - onsetUs) / periodUs) * periodUs + pulseUs)
  }

  /** A number it was given, or has by itself. */
  number(name: string): number {
    const value = this.param(name)
    invariant(typeof value === 'number', `${this.fault.id}: ${name} is no number`)
    return value
  }

  text(name: string): string {
    return String(this.param(name))
  }

  param(name: string): number | string | null {
    return paramOf(this.acts, this.fault.params, name)
  }

  /** [0, 1): the same for the same place, in whatever order it is asked for. */
  chance(stream: number, index: number): number {
    return uniformAt(this.seed, stream, index)
  }

  /** It changed something at this time. */
  note(atUs: Micros): void {
    this.count += 1
    this.firstUs = Math.min(this.firstUs ?? atUs, atUs)
    this.lastUs = Math.max(this.lastUs ?? atUs, atUs)
  }

  seen(): FaultSeen {
    return { id: this.fault.id, count: this.count, firstUs: this.firstUs, lastUs: this.lastUs }
  }
}
