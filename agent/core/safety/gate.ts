import type { Action } from '../../../shared/model/action.ts'
import type { ActionOn, Hazard, Interlock, RigPolicy, Rule } from '../../../shared/model/actions-policy.ts'
import { mayArm } from '../../../shared/model/baseline-arming.ts'
import { armReasons } from './arming.ts'
import { glassOf } from './break-glass.ts'
import { budgetReasons, isUsedUp } from './budget.ts'
import { isKnown, type Member, memberNow } from './condition.ts'
import { groundsOf, type View } from './grounds.ts'
import { isCommitted } from './lifecycle.ts'
import type { Run } from './run.ts'
import type { Seen } from './seen.ts'
import type { Basis, OpenAction, RuleState, SafetyState } from './state.ts'
import { isHard, orderedWarrant, type Proof, twoPersons, type Warrant, warrantOf } from './warrant.ts'

/** What the gates say. `denied` empty and `passive` not: it would have been done. Both empty: there is a warrant. */
export type Gates = Readonly<{
  denied: readonly string[]
  /** Why it is only said and not done: nobody armed the rig, or the rule is for show. */
  passive: readonly string[]
  proofs: readonly Proof[]
  warrant: Warrant | null
  /** What a break-glass passed, as reasons; absent for nothing. */
  passed?: readonly string[]
}>

/** What the gates are asked about. `self` is the action itself when it is open already: it does not stand in its own way. */
export type Asked = ActionOn & Readonly<{ hazard: Hazard | null; self: OpenAction | null }>

/** All gates of a rule's own action (SE-07). Every one is evaluated, so that a denial names all that is wrong. */
export function gatesOfRule(run: Run, view: View, memory: RuleState, asked: Asked): Gates {
  const { state, policy, seen } = run
  const { rule } = view
  const { testbed } = policy
  const { proofs, reasons } = groundsOf(view, { hard: isHard(rule.action), testbed })
  // What may follow a gentle action may be hard; it then inherits only what a hard one may rest on.
  const isHarder = rule.escalation !== null && isHard(rule.escalation.action)
  const inherited = isHarder ? groundsOf(view, { hard: true, testbed }).proofs : proofs
  const denied = [
    ...reasons,
    ...shotReasons(memory, asked.self),
    ...modeReasons(rule, seen),
    ...baselineReasons(rule, seen, proofs.length),
    ...inhibitReasons(state, `rule:${rule.id}`),
    ...preemptedReasons(run, asked),
    ...commonReasons(run, asked),
  ]
  const passive = ruleArmReasons(run, rule, memory)
  return settle(denied, passive, inherited, warrantOf(rule.action, proofs, twoPersons(state.arm.by)))
}

/** Gates of what follows when an action failed: it rests on the proofs of that one, and is not asked for by a vote again. */
export function gatesOfEscalation(
  run: Run,
  asked: Asked,
  proofs: readonly Proof[],
  { rule, memory }: Readonly<{ rule: Rule; memory: RuleState }>,
): Gates {
  const { state, seen } = run
  const denied = [
    ...baselineReasons({ action: asked.action, minConfidence: rule.minConfidence }, seen, proofs.length),
    ...inhibitReasons(state, `rule:${rule.id}`),
    ...commonReasons(run, asked),
  ]
  const passive = ruleArmReasons(run, rule, memory)
  return settle(denied, passive, proofs, warrantOf(asked.action, proofs, twoPersons(state.arm.by)))
}

/**
 * Gates of what people ordered (SE-23): the rig is armed, and nothing physical stands against it. Under break-glass (SE-26) one
 * person is enough and a budget may be used up; nothing else is passed.
 */
export function gatesOfOrder(run: Run, asked: Asked, by: readonly string[]): Gates {
  const { state, seen } = run
  const reasons = [...preemptedReasons(run, asked), ...commonReasons(run, asked)]
  const glass = glassOf(state, seen, by)
  const counts = glass === null ? [] : reasons.filter(isUsedUp)
  const denied = reasons.filter((reason) => !counts.includes(reason))
  const gates = settle(denied, armReasons(state, seen), [], orderedWarrant(asked, by, glass))
  if (gates.warrant?.kind === 'break_glass') counts.unshift('SECOND_PERSON')
  return counts.length === 0 ? gates : { ...gates, passed: counts.map((reason) => `BREAK_GLASS:${reason}`) }
}

function settle(
  denied: readonly string[],
  passive: readonly string[],
  proofs: readonly Proof[],
  warrant: Warrant | null,
): Gates {
  if (denied.length > 0 || passive.length > 0) return { denied, passive, proofs, warrant: null }
  return { denied: warrant === null ? ['NO_WARRANT'] : [], passive, proofs, warrant }
}

/** What holds for every action, whoever asks for it. */
function commonReasons(run: Run, asked: Asked): string[] {
  const { state, policy, seen } = run
  const { action, target, hazard } = asked
  return [
    ...(seen.clockStepped ? ['CLOCK_STEP'] : []),
    ...(hazard === null ? [`UNDECLARED:${action}:${target}`] : []),
    ...(policy.targets.some(({ name }) => name === target) ? [] : [`NO_TARGET:${target}`]),
    ...inhibitReasons(state, `action:${action}`),
    ...interlockReasons(run, asked),
    ...exclusionReasons(run, asked),
    ...budgetReasons(policy.budgets, state.budgets, { action, target, nowUs: seen.nowUs }),
  ]
}

function shotReasons({ shot }: RuleState, self: OpenAction | null): string[] {
  if (shot === 'ready' || self !== null) return []
  return [shot === 'cleared' ? 'SHOT_SPENT:awaits rearming' : 'SHOT_SPENT']
}

function modeReasons(rule: Rule, { mode }: Seen): string[] {
  return rule.modes.includes(mode) ? [] : [`MODE:${mode}`]
}

/** Anything beyond telling and degrading needs a golden baseline, and a hard action one that enough is known of (SE-11). */
export function baselineReasons(
  { action, minConfidence }: Pick<Rule, 'action' | 'minConfidence'>,
  { baseline }: Seen,
  streams: number,
): string[] {
  const confidence = baseline?.confidence ?? 0
  const reasons = confidence >= minConfidence ? [] : [`CONF ${confidence}<${minConfidence}`]
  if (action === 'notify') return reasons
  if (baseline === null) return ['BASELINE:none', ...reasons]
  const { kind, basis } = baseline
  const isEnough = kind === 'golden' || (kind === 'rolling' && action === 'degrade')
  if (!isEnough) reasons.push(`BASELINE:${kind}`)
  if (!(confidence > 0)) reasons.push('BASELINE:no_confidence')
  if (basis === undefined || basis === null) return reasons
  const arming = mayArm(basis, action, streams)
  if (!arming.allowed) reasons.push(`BASELINE:${arming.reason.slice('baseline_'.length)}`)
  return [...new Set(reasons)]
}

function ruleArmReasons({ state, seen }: Run, { dryRun }: Rule, { permOff }: RuleState): string[] {
  return [...armReasons(state, seen), ...(permOff ? ['NOT_ARMED:PERM_OFF'] : []), ...(dryRun ? ['DRY_RUN'] : [])]
}

/** Those whose time is over were ended before anything is judged. */
export function inhibitReasons({ inhibits }: SafetyState, subject: string): string[] {
  return inhibits.some((one) => one.subject === subject) ? [`INHIBITED:${subject}`] : []
}

/** `assume => guarantee` (SE-10). Unknown is 'unknown' unless the other half decides alone. */
export function interlockVerdict(
  assume: Member['value'],
  guarantee: Member['value'],
): 'inactive' | 'verified' | 'violated' | 'unknown' {
  if (assume === 'FALSE') return 'inactive'
  if (guarantee === 'TRUE') return 'verified'
  return assume === 'TRUE' && guarantee === 'FALSE' ? 'violated' : 'unknown'
}

function interlockReasons({ policy, state, seen }: Run, asked: Asked): string[] {
  return policy.interlocks.flatMap((interlock, index) => {
    if (!interlock.blocks.some((one) => isSame(one, asked))) return []
    const memory = state.interlocks[index]!
    const assume = memberNow(memory.assume, interlock.assume, seen)
    const guarantee = memberNow(memory.guarantee, interlock.guarantee, seen)
    const verdict = interlockVerdict(assume.value, guarantee.value)
    if (verdict === 'inactive' || verdict === 'verified') return []
    return [blockedBy(interlock, isKnown(guarantee.value) && !isKnown(assume.value) ? assume : guarantee)]
  })
}

/** The half that keeps it from being known or true, by the channel it looks at. */
function blockedBy({ id }: Interlock, { condition, value }: Member): string {
  const { look } = condition
  const channel = look.kind === 'window' || look.kind === 'verdict' ? look.metric : look.kind
  return `INTERLOCK:${id} ${channel} ${value}`
}

export function isSame(a: ActionOn, b: ActionOn): boolean {
  return a.action === b.action && a.target === b.target
}

/** One open action of a set at a time, and of an action on a target in any case; what would be pre-empted does not count. */
function exclusionReasons({ policy, state }: Run, asked: Asked): string[] {
  return state.open.flatMap((one) => {
    if (one === asked.self || !isCommitted(one.state) || preempts(policy, asked, one)) return []
    const isTwice = isSame(one, asked)
    const excludes = policy.exclusions.some(
      (set) => set.some((item) => isSame(item, asked)) && set.some((item) => isSame(item, one)),
    )
    return isTwice || excludes ? [`EXCLUSION:${one.action}:${one.target}`] : []
  })
}

/**
 * Whether an action cancels another that is open (SE-20): one of higher priority on the same target, and a hard one every
 * gentler one of the rig. Nobody is kept from being told.
 */
export function preempts(policy: RigPolicy, higher: ActionOn, lower: ActionOn): boolean {
  if (lower.action === 'notify') return false
  if (!(priorityOf(policy, higher.action) < priorityOf(policy, lower.action))) return false
  return higher.target === lower.target || (isHard(higher.action) && !isHard(lower.action))
}

/** 0 is the highest; what a policy does not name comes last. */
export function priorityOf({ priority }: RigPolicy, action: Action): number {
  const index = priority.indexOf(action)
  return index < 0 ? priority.length : index
}

/**
 * A lower action does not come beside a higher one that is open, and a gentle one not after a hard one has acted until that
 * one is armed again: nothing resumes after safing (SE-20).
 */
function preemptedReasons({ policy, state }: Run, asked: Asked): string[] {
  const open = state.open.find((one) => one !== asked.self && isCommitted(one.state) && preempts(policy, one, asked))
  const safed = policy.rules.find(
    (rule, index) =>
      isHard(rule.action) && !isHard(asked.action) && state.rules[index]!.acted && preempts(policy, rule, asked),
  )
  const by = open ?? safed
  return by === undefined ? [] : [`PREEMPTED:${by.action}:${by.target}`]
}

/** What a proposal rests on beside its conditions. */
export function basisOf({ state, seen }: Run): Basis {
  const { arm } = state
  return {
    config: seen.config,
    mode: seen.mode,
    baseline: seen.baseline?.kind ?? 'none',
    arm: `${arm.state} ${arm.untilUs}`,
  }
}

/** What is no longer as it was at the proposal (SE-09). */
export function basisReasons(then: Basis, now: Basis): string[] {
  const reasons: string[] = []
  if (then.config !== now.config) reasons.push('CONFIG_CHANGED')
  if (then.mode !== now.mode) reasons.push(`MODE_CHANGED:${then.mode}>${now.mode}`)
  if (then.baseline !== now.baseline) reasons.push(`BASELINE_CHANGED:${then.baseline}>${now.baseline}`)
  if (then.arm !== now.arm) reasons.push('ARM_CHANGED')
  return reasons
}
