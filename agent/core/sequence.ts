import { invariant } from '../../shared/lib/assert.ts'
import type { Decision } from '../../shared/model/decision.ts'
import type { OverallVerdict } from '../../shared/model/verdict.ts'
import { decisionValues, isLimitsOnly, type Numbered, type Slide, sayingKey } from './decide.ts'
import { recordDecision, recordRevision } from './record.ts'
import type { Revision } from './revise.ts'
import type { RigOutcome } from './rig-step.ts'
import { isEvidence, safetyValues } from './safety-record.ts'
import { type Digests, metricsIn } from './settings.ts'
import type { EvaluatorState } from './state.ts'
import type { Effect } from './step.ts'

/** A decision of the slower evaluation, and the number of the first decision of its slide, which it corrects. */
export type RevisedDecision = Decision & Readonly<{ revises: number }>

/** What late samples would have changed. */
export type RevisedEffect = Readonly<{ kind: 'revised'; decision: RevisedDecision; was: OverallVerdict }>

/**
 * Gives what happened on the rigs its place: rigs are evaluated apart, but an agent has one sequence of decisions. Called
 * in order of inputs, and within one input in order of rigs, it is the same whoever evaluated them.
 *
 * `index` is the place of the rig in the state.
 */
export function sequenceOutcome(state: EvaluatorState, index: number, outcome: RigOutcome, digests: Digests): Effect[] {
  const { rig } = state.rigs[index]!.settings
  switch (outcome.kind) {
    case 'slide':
      return sequenceSlide(state, index, outcome, digests)
    case 'revision':
      return sequenceRevision(state, index, outcome, digests)
    case 'late':
      return [{ ...outcome, rig }]
    case 'safety':
      return sequenceSafety(state, { ...outcome, rig }, digests)
    case 'gap': {
      // What was decided before a gap is not looked at a second time.
      state.firsts[index] = []
      const { kind, fromUs, toUs, reason, dropped } = outcome
      return [{ kind, rig, fromUs, toUs, reason, dropped }]
    }
  }
}

function sequenceSlide(
  state: EvaluatorState,
  index: number,
  { slide, judgements }: Extract<RigOutcome, { kind: 'slide' }>,
  digests: Digests,
): Effect[] {
  const { endUs, verdict } = slide
  state.decisionSeq += 1
  const seq = state.decisionSeq
  noteNumber(state, index, { endUs, seq })
  // Asked for once when a failure begins, not every 50 ms while it lasts.
  const action = verdict === 'FAIL' && !state.records[index]!.key.startsWith('["FAIL"') ? ('notify' as const) : null
  const decision = decisionOf(state, index, slide, { seq, action })
  const { rig, values } = decision
  const said = { index, rig, seq, endUs, key: sayingKey(slide), verdict, values }
  const effects: Effect[] = recordDecision(state, said, digests).map((item) => ({ kind: 'item', item }))
  if (action !== null) effects.push({ kind: 'request_action', rig, seq, action, outcome: 'would_have_done' })
  effects.push({ kind: 'decided', decision, judgements })
  return effects
}

/**
 * What the safety kernel said about a rig, in its order: each is a record of its own in the sequence of decisions, so that
 * it is signed, kept and proved like them.
 */
export function sequenceSafety(
  state: EvaluatorState,
  { rig, nowUs, mode, changes }: Omit<Extract<RigOutcome, { kind: 'safety' }>, 'kind'> & Readonly<{ rig: string }>,
  digests: Digests,
): Effect[] {
  const config = state.settings!.configDigest
  return changes.flatMap((change): Effect[] => {
    if (!isEvidence(change)) return [{ kind: 'safety', rig, seq: null, change }]
    state.decisionSeq += 1
    const seq = state.decisionSeq
    const values = safetyValues({ seq, rig, nowUs, mode, config }, change)
    const items = recordRevision(state, { seq, values }, digests)
    return [...items.map((item): Effect => ({ kind: 'item', item })), { kind: 'safety', rig, seq, change }]
  })
}

function sequenceRevision(state: EvaluatorState, index: number, { slide, was }: Revision, digests: Digests): Effect[] {
  const revises = state.firsts[index]!.find(({ endUs }) => endUs === slide.endUs)?.seq
  invariant(revises !== undefined, 'a slide that is revised was decided before')
  state.decisionSeq += 1
  const seq = state.decisionSeq
  const decision = decisionOf(state, index, slide, { seq, action: null, revises })
  const items = recordRevision(state, { seq, values: decision.values }, digests)
  return [
    ...items.map((item): Effect => ({ kind: 'item', item })),
    { kind: 'revised', decision: { ...decision, revises }, was },
  ]
}

function decisionOf(state: EvaluatorState, index: number, slide: Slide, numbered: Numbered): Decision {
  const { settings } = state.rigs[index]!
  const { endUs: timeUs, verdict, mode, findings, run } = slide
  const values = decisionValues(state.settings!, settings, slide, numbered)
  return {
    seq: numbered.seq,
    rig: settings.rig,
    timeUs,
    verdict,
    mode,
    limitsOnly: isLimitsOnly(metricsIn(settings, mode)),
    findings,
    run,
    values,
  }
}

/** Remembers the number of a decision for as long as it can be revised. */
function noteNumber(state: EvaluatorState, index: number, first: EvaluatorState['firsts'][number][number]): void {
  const { reviseWithinUs, slideUs } = state.rigs[index]!.settings
  if (reviseWithinUs === 0) return
  const firsts = state.firsts[index]!
  firsts.push(first)
  while (firsts[0]!.endUs < first.endUs - reviseWithinUs - slideUs) firsts.shift()
}
