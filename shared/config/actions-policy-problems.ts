import { type Action, HARD_ACTIONS } from '../model/action.ts'
import type { ActionOn } from '../model/actions-policy.ts'
import { type Harm, VOTE_CONDITIONS, voteFor } from '../model/hazard-vote.ts'
import { conditionProblems, knownTarget, type PolicyCheck } from './actions-policy-conditions.ts'
import { escalationProblems } from './actions-policy-escalation.ts'
import { hazardProblems, targetProblems } from './actions-policy-hazards.ts'
import type { RuleConfig } from './actions-policy-schema.ts'
import type { Path } from './document.ts'
import type { Problem } from './problems.ts'

/**
 * Mistakes of a policy that no single key shows. All of them refuse the whole file: half a policy protects nobody (SE-39).
 */
export function policyProblems(check: PolicyCheck): void {
  if (check.policy.safety_gate?.require_two_conditions === false)
    check.add(
      ['safety_gate', 'require_two_conditions'],
      'false',
      'true',
      'no single sample, message or person may stop a rig',
    )
  priorityProblems(check)
  targetProblems(check)
  hazardProblems(check)
  ruleProblems(check)
  interlockProblems(check)
  exclusionProblems(check)
  budgetProblems(check)
  escalationProblems(check)
}

function priorityProblems({ policy, add }: PolicyCheck): void {
  policy.priority?.forEach((action, k, all) => {
    if (action !== undefined && all.indexOf(action) < k)
      add(['priority', k], `\`${action}\` a second time`, 'every action once', 'what goes before itself is a cycle')
  })
}

function ruleProblems(check: PolicyCheck): void {
  const { file, policy, add } = check
  const ids = new Set<string>()
  policy.rules?.forEach((rule, k) => {
    const path = ['rules', k]
    if (rule?.id !== undefined && ids.has(rule.id))
      add([...path, 'id'], `\`${rule.id}\` a second time`, 'every rule once')
    if (rule?.id !== undefined) ids.add(rule.id)
    rule?.modes?.forEach((mode, m, all) => {
      if (mode !== undefined && all.indexOf(mode) < m)
        add([...path, 'modes', m], `\`${mode}\` a second time`, 'every mode once')
    })
    rule?.conditions?.forEach((condition, c) => {
      const at = [...path, 'conditions', c]
      if (file.isSound(at)) conditionProblems(check, at, condition as RuleConfig['conditions'][number], true)
    })
    if (!file.isSound(path)) return
    if (knownTarget(check, path, rule as RuleConfig)) voteProblems(check, path, rule as RuleConfig)
    memberProblems(check, path, rule as RuleConfig)
    latchProblems(check, path, rule as RuleConfig)
  })
}

function hazardOf({ policy }: PolicyCheck, { action, target }: ActionOn) {
  return policy.hazards?.find((h) => h?.action === action && h.target === target)
}

function voteProblems(check: PolicyCheck, path: Path, rule: RuleConfig): void {
  const { add } = check
  const hazard = hazardOf(check, rule)
  if (hazard === undefined) {
    add(
      [...path, 'action'],
      `no hazard of ${rule.action} on \`${rule.target}\``,
      'an entry in `hazards` with this `action` and `target`',
      'what nobody weighed is not done: say how bad it is unasked, and when it does not come',
    )
    return
  }
  const { inadvertent, omission } = hazard
  if (inadvertent === undefined || omission === undefined) return
  const harm: Harm = { inadvertent, omission }
  const vote = voteFor(harm)
  if (vote !== null && vote !== rule.vote)
    add(
      [...path, 'vote'],
      `${rule.vote}, with an action that is ${inadvertent} unasked and ${omission} when it does not come`,
      vote,
      VOTE_HINTS[vote],
    )
}

const VOTE_HINTS = {
  '1ooN': 'not doing it is worse: one condition must be enough',
  '2oo2': 'doing it unasked is worse: two conditions must agree',
  '2oo3': 'both are bad: two of three must agree, so that neither one wrong nor one missing witness decides',
} as const

function memberProblems({ add }: PolicyCheck, path: Path, { vote, action, conditions }: RuleConfig): void {
  const wanted = VOTE_CONDITIONS[vote]
  const at = [...path, 'conditions']
  if (wanted !== null && conditions.length !== wanted)
    add(at, `${conditions.length} conditions`, `${wanted}, for ${vote}`)
  else if (HARD_ACTIONS.includes(action) && conditions.length < 2)
    add(at, 'one condition', `at least two, for ${action}`, 'no single sample or message may stop a rig')
  const ids = conditions.map(({ id }, k) => id ?? String(k + 1))
  ids.forEach((id, k) => {
    if (ids.indexOf(id) < k) add([...at, k, 'id'], `\`${id}\` a second time`, 'every condition of a rule once')
  })
  if (vote === '1ooN') return
  conditions.forEach((b, k) => {
    const j = conditions.slice(0, k).findIndex((a) => contradict(a, b))
    if (j < 0) return
    const a = conditions[j]!
    add(
      [...at, k, 'value'],
      `\`${b.metric}\` ${b.op} ${b.value} and ${a.op} ${a.value} at once`,
      'conditions that can hold together',
      'a band is two rules, or a vote of 1ooN',
    )
  })
}

type Bound = RuleConfig['conditions'][number]

/** Two bounds of the same figure that no value passes together. */
function contradict(a: Bound, b: Bound): boolean {
  if (a.metric === undefined || a.metric !== b.metric || a.window_ms !== b.window_ms) return false
  if ((a.of ?? 'mean') !== (b.of ?? 'mean') || a.value === undefined || b.value === undefined) return false
  const [above, below] = a.op === '>' || a.op === '>=' ? [a, b] : [b, a]
  if (above.op !== '>' && above.op !== '>=') return false
  if (below.op !== '<' && below.op !== '<=') return false
  const isTouching = above.op === '>=' && below.op === '<='
  return isTouching ? above.value! > below.value! : above.value! >= below.value!
}

/** After a failover the way back stays shut for a while, or the rig swings to and fro (SE-19). */
function latchProblems({ policy, add }: PolicyCheck, path: Path, { action, target }: ActionOn): void {
  if (action !== 'failover') return
  const budgets = policy.budgets ?? []
  const own = budgets.filter((b) => b?.action === 'failover' && (b.target === undefined || b.target === target))
  if (own.length === 0)
    add(
      [...path, 'action'],
      `failover on \`${target}\` without a budget`,
      'an entry in `budgets` with `latch_ms` above 0',
      'without a latch two sides may take turns for ever',
    )
}

function interlockProblems(check: PolicyCheck): void {
  const { file, policy, add } = check
  const ids = new Set<string>()
  policy.interlocks?.forEach((interlock, k) => {
    const path = ['interlocks', k]
    if (interlock?.id !== undefined && ids.has(interlock.id))
      add([...path, 'id'], `\`${interlock.id}\` a second time`, 'every interlock once')
    if (interlock?.id !== undefined) ids.add(interlock.id)
    for (const key of ['assume', 'guarantee'] as const)
      if (file.isSound([...path, key])) conditionProblems(check, [...path, key], interlock?.[key] as Bound, false)
    onesProblems(check, [...path, 'blocks'], interlock?.blocks)
  })
}

function exclusionProblems(check: PolicyCheck): void {
  check.policy.exclusions?.forEach((set, k) => {
    onesProblems(check, ['exclusions', k, 'actions'], set?.actions)
  })
}

type LooseOn = Readonly<{ action?: Action | undefined; target?: string | undefined }>

/** A list of actions on targets: each known, and each once. */
function onesProblems(check: PolicyCheck, path: Path, ones: readonly (LooseOn | undefined)[] | undefined): void {
  const seen = new Set<string>()
  ones?.forEach((one, k) => {
    if (one?.action === undefined || one.target === undefined) return
    knownTarget(check, [...path, k], { target: one.target })
    const name = `${one.action} on ${one.target}`
    if (seen.has(name)) check.add([...path, k], `${name} a second time`, 'every action once')
    seen.add(name)
  })
}

function budgetProblems(check: PolicyCheck): void {
  const { policy, add } = check
  const seen = new Set<string>()
  policy.budgets?.forEach((budget, k) => {
    if (budget?.action === undefined) return
    const { action, target } = budget
    const path = ['budgets', k]
    if (target !== undefined) knownTarget(check, path, { target })
    const name = `${action} ${target ?? ''}`
    if (seen.has(name)) add(path, `a second budget of ${name.trim()}`, 'one budget of an action on a target')
    seen.add(name)
    if (action === 'failover' && budget.latch_ms === 0)
      add([...path, 'latch_ms'], '0', 'more than 0 for a failover', 'without a latch two sides may take turns for ever')
  })
}

/** Keys of the predecessor that are called otherwise here, or mean something else. */
const GONE: ReadonlyMap<string, string> = new Map([
  ['hb_mode', 'leave it out: whether a rig is armed is said by two people, not by a file'],
  ['critical_actions', 'leave it out: isolate, abort and shutdown always need two independent conditions'],
  [
    'min_baseline_confidence',
    'write `min_confidence`: the confidence of the golden baseline times its decay is the only one',
  ],
  ['min_baseline_confidence_for_critical', 'write `min_confidence` in the rule'],
  ['min_metrics_for_critical', 'leave it out: `vote` of the rule says how many conditions must agree'],
  ['time_persistence_cycles', 'write `persistence` in a condition: slides it must be TRUE in'],
  ['fail_safe_on_timing', 'write `on_unknown: safe_state` in the hazard'],
  ['max_allowed_tier', 'leave it out: `modes` of a rule and the state of arming say what may be done'],
  ['require_two_man_for_tier3', 'leave it out: arming always takes two people'],
  ['status', 'write a condition `overall: [FAIL]`'],
  ['safety_required', 'leave it out: the hazard of the action says so'],
  ['tier', 'leave it out: the action is its tier'],
  ['actions', 'write `action`, `target` and `params`: a rule does one thing, whose hazard decides its vote'],
  ['type', 'write `action`'],
  ['key', 'write `metric`'],
])

/** The same problem with what became of a key of the predecessor. */
export function gone(problem: Problem): Problem {
  const hint = GONE.get(problem.key.split('.').at(-1) ?? '')
  if (problem.found === '"=="' && problem.key.endsWith('.op'))
    return { ...problem, hint: 'a measured value is never exactly another; compare with a bound' }
  if (problem.key === 'version' && problem.found !== 'nothing')
    return { ...problem, hint: 'version 1 is the predecessor’s: `hazards`, `targets` and `vote` are new' }
  return hint === undefined || problem.found !== 'a key that is not known' ? problem : { ...problem, hint }
}
