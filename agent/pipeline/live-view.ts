import type { OverallVerdict } from '../../shared/model/verdict.ts'
import type { Vitals } from '../../shared/protocol/messages.ts'
import type { Micros } from '../../shared/units.ts'
import type { EvaluatorState } from '../core/state.ts'
import type { Effect } from '../core/step.ts'
import { totalCounts } from '../core/totals.ts'
import type { OutboxPending } from '../ports.ts'
import { DecayGauge, type DecayTold } from './decay-gauge.ts'
import { vitalsOf } from './vitals.ts'

/** Twice a second of the clock that people look by. */
const VITALS_EVERY_US: Micros = 500_000

type Decided = Extract<Effect, { kind: 'decided' }>
export type VerdictChange = Readonly<{ decided: Decided; was: OverallVerdict | null }>

export type LiveViewOptions = Readonly<{
  program(rig: string): string
  family(rig: string): string
  simulation(rig: string): boolean
  clock: 'system' | 'recording' | 'external'
  nowUs(): Micros
  pending(): OutboxPending
  vitals(vitals: Vitals): void
  changed(change: VerdictChange): void
  /** A baseline says less of its rig than before, or more again. */
  decayed(what: DecayTold): void
}>

/** What people see of the agent: vitals of every rig, and every change of verdict. It has no way back to the evaluation. */
export interface LiveView {
  decided(state: EvaluatorState, effect: Decided): void
  /** Decisions by rig and verdict since the start. */
  readonly counts: ReadonlyMap<string, number>
  verdictOf(rig: string): OverallVerdict | null
  /** What was last shown of a rig, at most half a second old while it is evaluated. */
  lastVitals(rig: string): Vitals | null
}

export function createLiveView(options: LiveViewOptions): LiveView {
  const rigs = new Map<string, { verdict: OverallVerdict; sentUs: Micros; received: number; vitals: Vitals | null }>()
  const counts = new Map<string, number>()
  const gauge = new DecayGauge(options.decayed)
  return {
    counts,
    verdictOf: (rig) => rigs.get(rig)?.verdict ?? null,
    lastVitals: (rig) => rigs.get(rig)?.vitals ?? null,
    decided(state, effect) {
      const { decision, judgements } = effect
      const key = `${decision.rig} ${decision.verdict}`
      counts.set(key, (counts.get(key) ?? 0) + 1)
      const known = rigs.get(decision.rig) ?? { verdict: decision.verdict, sentUs: 0, received: 0, vitals: null }
      const isNew = !rigs.has(decision.rig)
      rigs.set(decision.rig, known)
      const changed = isNew || known.verdict !== decision.verdict
      if (changed) options.changed({ decided: effect, was: isNew ? null : known.verdict })
      known.verdict = decision.verdict
      const wallUs = options.nowUs()
      if (judgements === null || (!changed && wallUs - known.sentUs < VITALS_EVERY_US)) return
      const rig = state.rigs.find((r) => r.settings.rig === decision.rig)!
      gauge.look(rig, decision.timeUs, decision.verdict)
      const received = totalCounts(rig).received
      const spanUs = wallUs - known.sentUs
      const samplesPerS = known.sentUs === 0 || spanUs <= 0 ? 0 : ((received - known.received) * 1_000_000) / spanUs
      known.sentUs = wallUs
      known.received = received
      known.vitals = vitalsOf(rig, decision, judgements, {
        program: options.program(decision.rig),
        family: options.family(decision.rig),
        wallUs,
        clock: options.clock,
        simulation: options.simulation(decision.rig),
        samplesPerS,
        outbox: options.pending(),
        decay: (role) => gauge.of(rig, role),
      })
      options.vitals(known.vitals)
    },
  }
}
