import type { Decision } from '../../shared/model/decision.ts'
import type { OverallVerdict } from '../../shared/model/verdict.ts'
import { DRIFT_STATUSES } from '../../shared/protocol/peer-contract.ts'
import type { Micros } from '../../shared/units.ts'
import { decisionSnapshot, driftEvent, driftMetrics, healthEvent, type Sender } from './peer-messages.ts'
import type { PeerEvent } from './peer-queue.ts'

/** Least time between two DRIFT_EVENTs of a rig whose verdict stays the same: metrics that flutter are told together. */
export const DRIFT_SPACING_US: Micros = 250_000

export type OutletOptions = Readonly<{
  /** Longest time between two HEALTH_EVENTs of a rig that is decided about. */
  healthEveryUs: Micros
  monotonicUs(): Micros
  sender(): Sender
  offer(event: PeerEvent): void
}>

type Told = { verdict: OverallVerdict | null; healthUs: Micros; drift: string | null; driftUs: Micros }

/**
 * Tells a peer of decisions: every change of a verdict or of what drifts, and how a rig is again while decisions are made.
 * No timer repeats it: when nothing is decided any more, the peer hears nothing, and that says so.
 */
export class PeerOutlet {
  private readonly options: OutletOptions
  private readonly rigs = new Map<string, Told>()

  constructor(options: OutletOptions) {
    this.options = options
  }

  decided(decision: Decision, isArmed: boolean): void {
    const nowUs = this.options.monotonicUs()
    const told = this.rigs.get(decision.rig) ?? {
      verdict: null,
      healthUs: 0,
      drift: 'PASS',
      driftUs: -DRIFT_SPACING_US,
    }
    this.rigs.set(decision.rig, told)
    const changed = told.verdict !== decision.verdict
    if (changed || nowUs - told.healthUs >= this.options.healthEveryUs) {
      told.healthUs = nowUs
      this.options.offer(healthEvent(decision, this.options.sender(), changed))
    }
    this.tellDrift(decision, { told, isArmed, nowUs, changed })
    if (changed) this.options.offer(decisionSnapshot(decision, this.options.sender(), isArmed))
    told.verdict = decision.verdict
  }

  private tellDrift(
    decision: Decision,
    { told, isArmed, nowUs, changed }: { told: Told; isArmed: boolean; nowUs: Micros; changed: boolean },
  ): void {
    // What came before a time that nobody knows of is said again after it.
    const drift = driftOf(decision)
    if (drift === told.drift || !(changed || nowUs - told.driftUs >= DRIFT_SPACING_US)) return
    told.drift = drift
    const event = drift === null ? null : driftEvent(decision, this.options.sender(), isArmed)
    if (event === null) return
    told.driftUs = nowUs
    this.options.offer(event)
  }
}

/** Equal when a DRIFT_EVENT would say the same; null for a verdict that none is of. */
function driftOf(decision: Decision): string | null {
  if (!DRIFT_STATUSES.some((status) => status === decision.verdict)) return null
  return [decision.verdict, ...driftMetrics(decision)].join('\u0000')
}
