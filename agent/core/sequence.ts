import type { Decision } from '../../shared/model/decision.ts'
import { decisionValues, isLimitsOnly, sayingKey } from './decide.ts'
import { recordDecision } from './record.ts'
import type { RigOutcome } from './rig-step.ts'
import type { Digests } from './settings.ts'
import type { EvaluatorState } from './state.ts'
import type { Effect } from './step.ts'

/**
 * Gives what happened on the rigs its place: rigs are evaluated apart, but an agent has one sequence of decisions. Called
 * in order of inputs, and within one input in order of rigs, it is the same whoever evaluated them.
 *
 * `index` is the place of the rig in the state.
 */
export function sequenceOutcome(state: EvaluatorState, index: number, outcome: RigOutcome, digests: Digests): Effect[] {
  const { rig } = state.rigs[index]!.settings
  if (outcome.kind === 'slide') return sequenceSlide(state, index, outcome, digests)
  const { fromUs, toUs, reason, dropped } = outcome
  return [{ kind: 'gap', rig, fromUs, toUs, reason, dropped }]
}

function sequenceSlide(
  state: EvaluatorState,
  index: number,
  { slide, judgements }: Extract<RigOutcome, { kind: 'slide' }>,
  digests: Digests,
): Effect[] {
  const settings = state.rigs[index]!.settings
  const { rig } = settings
  const { endUs, verdict, mode, findings, run } = slide
  state.decisionSeq += 1
  const seq = state.decisionSeq
  // Asked for once when a failure begins, not every 50 ms while it lasts.
  const action = verdict === 'FAIL' && !state.records[index]!.key.startsWith('["FAIL"') ? ('notify' as const) : null
  const values = decisionValues(state.settings!, settings, slide, { seq, action })
  const said = { index, rig, seq, endUs, key: sayingKey(slide), verdict, values }
  const effects: Effect[] = recordDecision(state, said, digests).map((item) => ({ kind: 'item', item }))
  if (action !== null) effects.push({ kind: 'request_action', rig, seq, action, outcome: 'would_have_done' })
  const limitsOnly = isLimitsOnly(settings)
  const decision: Decision = { seq, rig, timeUs: endUs, verdict, mode, limitsOnly, findings, run, values }
  effects.push({ kind: 'decided', decision, judgements })
  return effects
}
