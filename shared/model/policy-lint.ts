import { HARD_ACTIONS } from './action.ts'
import type { Hazard, Look, MetricProvenance, RigPolicy, Rule } from './actions-policy.ts'
import { isAtLeast, isMustWork } from './hazard-vote.ts'
import { sharedByConditions } from './provenance.ts'
import {
  escalationBudget,
  FTTI_SHARE,
  isAtOnce,
  type Measured,
  type ReactionBudget,
  type RigTiming,
  ruleBudget,
  visibleAfterUs,
} from './reaction-budget.ts'

/** What is looked for, by the requirement that asks for it. */
export const POLICY_LINT = {
  not_independent: 'SE-06',
  no_confidence: 'SE-11',
  verify_too_slow: 'SE-17',
  no_budget: 'SE-19',
  too_many_approvals: 'SE-28',
  fast_path: 'SE-29',
  reaction_budget: 'SE-29',
  loss_of_permit: 'SE-34',
  no_second_layer: 'SE-44',
} as const satisfies Readonly<Record<string, string>>
export type PolicyLintRule = keyof typeof POLICY_LINT

/** An `error` refuses the policy, a `warning` is for people. `path` is where in the file it stands. */
export type PolicyFinding = Readonly<{
  rule: PolicyLintRule
  severity: 'error' | 'warning'
  path: readonly (string | number)[]
  found: string
  expected: string
  hint?: string
}>

/** A compiled policy with what it is held against. */
export type PolicyUnderLint = Readonly<{
  policy: RigPolicy
  provenance: readonly MetricProvenance[]
  timing: RigTiming
  measured: Measured
}>

/** Approvals an hour that one position can give and still think about (ISA-18.2's rate of alarms). */
export const APPROVALS_PER_HOUR_MAX = 6
const HOUR_US = 3_600_000_000

/** Everything that is dangerous or a trap in a policy that has no mistakes. Pure, in the order of the file. */
export function lintPolicy(under: PolicyUnderLint): PolicyFinding[] {
  const { policy } = under
  return [
    ...policy.hazards.flatMap((hazard, k) => hazardFindings(hazard, k, under)),
    ...policy.rules.flatMap((rule, k) => ruleFindings(rule, k, under)),
    ...approvalFindings(policy),
  ]
}

function hazardFindings(hazard: Hazard, k: number, { policy, timing }: PolicyUnderLint): PolicyFinding[] {
  const found: PolicyFinding[] = []
  const path = ['hazards', k]
  const { omission, secondLayer, lossOfPermit, lossOfPermitReason, verify } = hazard
  if (omission === 'catastrophic' && secondLayer === null)
    found.push({
      rule: 'no_second_layer',
      severity: 'error',
      path: [...path, 'second_layer'],
      found: `nothing, though a missing ${hazard.action} is catastrophic`,
      expected: 'the hardwired layer that protects without the agent',
      hint: 'the agent is no emergency stop and no certified safety function',
    })
  const lacks = [
    ...(lossOfPermitReason === undefined ? ['`loss_of_permit_reason`'] : []),
    ...(lossOfPermit === 'hold_last' && secondLayer === null ? ['`second_layer`'] : []),
  ]
  const needsWords = lossOfPermit === 'hold_last' || (lossOfPermit === 'none' && isAtLeast(omission, 'critical'))
  if (needsWords && lacks.length > 0)
    found.push({
      rule: 'loss_of_permit',
      severity: 'error',
      path: [...path, 'loss_of_permit'],
      found: `${lossOfPermit} without ${lacks.join(' and ')}`,
      expected: 'why the hardware may go on when the agent no longer says that it is well',
      hint: '`de_energise` needs no reason',
    })
  const target = policy.targets.find(({ name }) => name === hazard.target)
  if (verify !== null && target !== undefined)
    found.push(
      ...verifyFindings(hazard, path, {
        leastUs: visibleAfterUs(verify.condition, timing),
        completeUs: target.stages.completeUs,
      }),
    )
  return found
}

type Seeing = Readonly<{ leastUs: number; completeUs: number }>

function verifyFindings(
  { verify }: Hazard,
  path: PolicyFinding['path'],
  { leastUs, completeUs }: Seeing,
): PolicyFinding[] {
  if (verify === null || verify.withinUs >= leastUs + completeUs) return []
  const isHopeless = !(verify.withinUs >= leastUs)
  return [
    {
      rule: 'verify_too_slow',
      severity: isHopeless ? 'error' : 'warning',
      path: [...path, 'verify', 'within_ms'],
      found: `${ms(verify.withinUs)}`,
      expected: `at least ${ms(leastUs + completeUs)}: the target takes up to ${ms(completeUs)}, and then it shows after up to ${ms(leastUs)}`,
      hint: isHopeless ? 'shorter, and every success is taken for a failure' : 'a slow success is taken for a failure',
    },
  ]
}

function ruleFindings(rule: Rule, k: number, under: PolicyUnderLint): PolicyFinding[] {
  const { policy } = under
  const found = [...independenceFindings(rule, k, under.provenance), ...fastPathFindings(rule, k)]
  for (const budget of [ruleBudget(rule, under), escalationBudget(rule, under)])
    if (budget !== null) found.push(...budgetFindings(budget, k, policy))
  const isHard = HARD_ACTIONS.includes(rule.action)
  if (isHard && !(rule.minConfidence > 0))
    found.push({
      rule: 'no_confidence',
      severity: 'warning',
      path: ['rules', k, 'min_confidence'],
      found: '0',
      expected: 'more than 0 for a hard action',
      hint: 'a baseline that nobody believes in would do',
    })
  const isBounded = policy.budgets.some(
    (b) => b.action === rule.action && (b.target === '' || b.target === rule.target),
  )
  if (isHard && !isBounded)
    found.push({
      rule: 'no_budget',
      severity: 'warning',
      path: ['rules', k, 'action'],
      found: `${rule.action} on \`${rule.target}\` without a budget`,
      expected: 'an entry in `budgets`',
      hint: 'how often may it happen before somebody has to look?',
    })
  return found
}

/** Every pair of a 2oo2 or 2oo3 is independent; of a hard 1ooN they should be, or there is one witness and not several. */
function independenceFindings(rule: Rule, k: number, provenance: readonly MetricProvenance[]): PolicyFinding[] {
  const isVote = rule.vote !== '1ooN'
  if (!isVote && !HARD_ACTIONS.includes(rule.action)) return []
  return rule.conditions.flatMap((b, j) =>
    rule.conditions.slice(0, j).flatMap((a): PolicyFinding[] => {
      const shared = sharedByConditions(a, b, provenance)
      if (shared.length === 0) return []
      const isUndeclared = shared.includes('undeclared')
      return [
        {
          rule: 'not_independent',
          severity: isVote ? 'error' : 'warning',
          path: ['rules', k, 'conditions', j],
          found: `\`${b.id}\` is not independent of \`${a.id}\`: ${shared.join(', ')}`,
          expected: 'conditions that share no source and no common-cause group',
          hint: isUndeclared
            ? 'give their metrics `source`, `publisher` and every kind of `ccg` in the registry; the rig as a whole is never independent'
            : 'one thing that breaks would speak for both',
        },
      ]
    }),
  )
}

/** On the fast path a slide is judged before all of it is there: only what later samples cannot take back may be asked for. */
function fastPathFindings({ fastPath, conditions }: Rule, k: number): PolicyFinding[] {
  if (!fastPath) return []
  return conditions.flatMap(({ id, look }, j): PolicyFinding[] => {
    if (isAtOnce(look)) return []
    return [
      {
        rule: 'fast_path',
        severity: 'error',
        path: ['rules', k, 'conditions', j],
        found: `\`${id}\` looks at ${lookedAt(look)}, which later samples can change`,
        expected: '`of: max` with `>` or `>=`, or `of: min` with `<` or `<=`, under `fast_path: true`',
        hint: 'leave `fast_path` out, and the rule waits for the slide; or look at an extreme and ask for it in more than one slide',
      },
    ]
  })
}

function lookedAt(look: Look): string {
  if (look.kind === 'window') return `the ${look.of} ${look.op} a limit`
  return look.kind === 'event' ? 'the event streams' : `${look.kind === 'overall' ? 'the' : 'a'} verdict`
}

function budgetFindings(budget: ReactionBudget, k: number, policy: RigPolicy): PolicyFinding[] {
  const hazard = policy.hazards.find((h) => h.action === budget.action && h.target === budget.target)
  if (hazard === undefined || hazard.omission === 'none' || budget.totalUs <= budget.allowedUs) return []
  return [
    {
      rule: 'reaction_budget',
      severity: isMustWork(hazard) ? 'error' : 'warning',
      path: budget.kind === 'rule' ? ['rules', k] : ['rules', k, 'escalation'],
      found: `${ms(budget.totalUs)} from the fault to the end of ${budget.action}: ${sumOf(budget)}`,
      expected: `at most ${ms(budget.allowedUs)}: ${FTTI_SHARE} × \`ftti_ms\``,
      hint: 'shorten the largest of them, or protect by other means',
    },
  ]
}

/** `250 window + 200 lateness + …`, in milliseconds, with what is assumed said so. Zeros are left out. */
function sumOf({ terms }: ReactionBudget): string {
  const shown = terms.filter(({ us }) => us !== 0)
  return shown
    .map(({ name, us, basis }) => `${us / 1000} ${name}${basis === 'configured' ? '' : ` (${basis})`}`)
    .join(' + ')
}

/** Whoever arms a rule again after each episode reads what is asked only if it is not asked all the time. */
function approvalFindings(policy: RigPolicy): PolicyFinding[] {
  const asking = policy.rules.filter(({ rearm, dryRun }) => rearm !== 'auto' && !dryRun)
  const perHour = asking.reduce((sum, rule) => sum + rateOf(rule, policy), 0)
  if (perHour <= APPROVALS_PER_HOUR_MAX) return []
  return [
    {
      rule: 'too_many_approvals',
      severity: 'warning',
      path: ['rules'],
      found: `up to ${Math.floor(perHour * 10) / 10} approvals an hour (${asking.map(({ id }) => id).join(', ')})`,
      expected: `at most ${APPROVALS_PER_HOUR_MAX}`,
      hint: 'tighter `budgets`, an honest `expected_per_hour`, or `rearm: auto` where it does no harm',
    },
  ]
}

/** Episodes an hour: as expected, else as many as budgets and the time to clear permit. */
function rateOf(rule: Rule, policy: RigPolicy): number {
  if (rule.expectedPerHour !== undefined) return rule.expectedPerHour
  const own = policy.budgets.filter((b) => b.action === rule.action && (b.target === '' || b.target === rule.target))
  return Math.min(HOUR_US / Math.max(1_000_000, rule.clearUs), ...own.map((b) => (b.most * HOUR_US) / b.windowUs))
}

function ms(us: number): string {
  return `${us / 1000} ms`
}
