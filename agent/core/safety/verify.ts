import type { Verify } from '../../../shared/model/actions-policy.ts'
import type { Micros } from '../../../shared/units.ts'
import { followFailure, followSuccess } from './act.ts'
import { advance, type ConditionState, createCondition, memberNow } from './condition.ts'
import { provenanceReason, widthOf } from './grounds.ts'
import { footingOf } from './independence.ts'
import { hazardOf, move, type Run, say } from './run.ts'
import type { OpenAction } from './state.ts'
import { isHard } from './warrant.ts'

/** From when and until when the effect is looked for. What was seen of the effect before that no longer counts. */
export function lookForEffect(run: Run, open: OpenAction, fromUs: Micros): void {
  const verify = hazardOf(run.policy, open.action, open.target)?.verify ?? null
  open.verifyFromUs = fromUs
  open.verifyUntilUs = run.seen.nowUs + (verify?.withinUs ?? 0)
  open.verify = verify === null ? null : createCondition(verify.condition)
}

/**
 * Looks for the effect of an action at a slide (SE-17). Only windows that lie wholly behind its start count: what was so
 * before is no effect. TRUE ends it as VERIFIED; anything else, told apart, as VERIFY_FAILED when its time is over.
 */
export function stepVerify(run: Run, open: OpenAction, gapUs: Micros | null): void {
  const { seen, policy } = run
  const { verifyFromUs, verifyUntilUs } = open
  if (verifyFromUs === null || verifyUntilUs === null) return
  const verify = hazardOf(policy, open.action, open.target)?.verify ?? null
  if (verify === null || open.verify === null) return
  const found = effectOf(run, open, verify, { memory: open.verify, fromUs: verifyFromUs, gapUs })
  if (found === 'TRUE') {
    // Before anybody took it nothing is its effect: the table has no such change.
    if (!move(run, open, 'verified')) return
    followSuccess(run, open)
    return
  }
  if (!(seen.endUs > verifyUntilUs)) return
  if (gapUs !== null && gapUs > verify.condition.freshUs) {
    // Its time passed while nobody could look: that is not known, and no failure.
    lookForEffect(run, open, verifyFromUs)
    const note = `nobody looked for ${Math.floor(gapUs / 1000)} ms; its effect is looked for again`
    say(run, open, open.state, { reasons: ['VERIFY:UNSEEN'], note })
    return
  }
  if (move(run, open, 'verify_failed', { reasons: [`VERIFY:${found}`] })) followFailure(run, open, found)
}

/** TRUE, or in one word why not. */
function effectOf(
  run: Run,
  open: OpenAction,
  { condition }: Verify,
  { memory, fromUs, gapUs }: Readonly<{ memory: ConditionState; fromUs: Micros; gapUs: Micros | null }>,
): string {
  const { seen, policy } = run
  const { look } = condition
  if ((look.kind === 'window' || look.kind === 'verdict') && seen.metric(look.metric) === null) return 'STALE'
  const { groups, declared } = footingOf(condition, seen)
  const peer = groups.find(
    (group) => group === `peer:${open.target}` || group === `publisher:${open.target.toLowerCase()}`,
  )
  if (peer !== undefined) return `NOT_INDEPENDENT:${peer}`
  if (!declared) return 'NOT_INDEPENDENT:undeclared'
  const foreign = isHard(open.action) ? provenanceReason(condition, seen, policy.testbed) : null
  if (foreign !== null) return foreign
  if (!(seen.endUs - widthOf(condition, seen) >= fromUs)) return 'INSUFFICIENT'
  advance(memory, condition, seen, gapUs)
  return memberNow(memory, condition, seen).value
}
