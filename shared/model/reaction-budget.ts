import type { Micros } from '../units.ts'
import { HARD_ACTIONS } from './action.ts'
import type { ActionOn, Condition, Hazard, Look, RigPolicy, Rule, Target } from './actions-policy.ts'
import { dominanceOf } from './hazard-vote.ts'

/** What of a rig decides how soon a condition is known. */
export type RigTiming = Readonly<{
  slideUs: Micros
  latenessUs: Micros
  /** Windows that each metric is judged by, narrowest first. */
  judgedUs: ReadonlyMap<string, readonly Micros[]>
}>

/** 99th percentiles that were measured; what is absent is assumed. */
export type Measured = Readonly<{ evalP99Us?: Micros; gateP99Us?: Micros; fsyncP99Us?: Micros }>

/** What is assumed without a measurement: one slide of a rig, its gates, and a durable write on an ordinary disk. */
export const ASSUMED: Readonly<Required<Measured>> = { evalP99Us: 5000, gateP99Us: 1000, fsyncP99Us: 20_000 }

/** Share of the FTTI that a reaction may take (SE-29): the rest is for what the budget does not know. */
export const FTTI_SHARE = 0.5

/** Slides behind the newest closed one that a rule on the fast path is judged by; what lies further ahead is looked at when it is nearer. */
export const EARLY_SLIDES_MAX = 128

/** How long samples wait before a rule is judged by them: for late ones, or not on the fast path unless they are too far ahead. */
function waitUs({ fastPath }: Rule, { latenessUs, slideUs }: RigTiming): Micros {
  return fastPath ? Math.max(0, latenessUs - (EARLY_SLIDES_MAX - 1) * slideUs) : latenessUs
}

export type BudgetTerm = Readonly<{
  name: string
  us: Micros
  basis: 'configured' | 'assumed' | 'measured'
  text: string
}>

/** From a fault to the end of the action, at worst. `of` is a rule, or what it escalates to. */
export type ReactionBudget = ActionOn &
  Readonly<{
    kind: 'rule' | 'escalation'
    fttiUs: Micros
    allowedUs: Micros
    totalUs: Micros
    terms: readonly BudgetTerm[]
  }>

type About = Readonly<{ policy: RigPolicy; timing: RigTiming; measured: Measured }>

/** The budget of a rule's own action; null where hazard or target are not there, which is a mistake of the policy. */
export function ruleBudget(rule: Rule, about: About): ReactionBudget | null {
  const slowest = slowestOf(rule.conditions, about.timing)
  const { slideUs } = about.timing
  const detection = [
    configured('window', slowest.fillUs, `until the window of condition \`${slowest.id}\` shows it`),
    configured(
      'lateness',
      waitUs(rule, about.timing),
      rule.fastPath ? 'fast_path judges samples as they arrive' : 'waiting for late samples',
    ),
    configured(
      'slide_hop',
      slideUs,
      rule.fastPath ? 'until the slide is full enough to be judged' : 'a fault just after a slide waits for the next',
    ),
    configured('slide_close', rule.fastPath ? 0 : slideUs, 'a slide with a silent channel closes by the clock'),
    configured('persistence', slowest.persistenceUs, `slides that condition \`${slowest.id}\` must last`),
    configured('single_sample', aloneUs(rule, about), 'one condition alone must last its window before a hard action'),
    ...evaluation(about.measured),
    configured('veto_window', rule.vetoUs, 'in which an operator may cancel'),
  ]
  return budgetOf('rule', rule, { about, detection })
}

/** The budget of what a rule escalates to: from the moment its own action was to be seen. */
export function escalationBudget(rule: Rule, about: About): ReactionBudget | null {
  const verify = hazardOf(about.policy, rule)?.verify
  if (rule.escalation === null || verify === null || verify === undefined) return null
  const detection = [
    configured('verify_within', verify.withinUs, `until ${rule.action} on \`${rule.target}\` has failed`),
    configured('slide_hop', about.timing.slideUs, 'the slide at which that is noticed'),
    ...evaluation(about.measured),
  ]
  return budgetOf('escalation', rule.escalation, { about, detection })
}

type Detected = Readonly<{ about: About; detection: readonly BudgetTerm[] }>

function budgetOf(kind: ReactionBudget['kind'], on: ActionOn, { about, detection }: Detected): ReactionBudget | null {
  const hazard = hazardOf(about.policy, on)
  const target = about.policy.targets.find(({ name }) => name === on.target)
  if (hazard === undefined || target === undefined) return null
  const terms = [...detection, ...transport(target)]
  const { action, target: name } = on
  const totalUs = terms.reduce((sum, { us }) => sum + us, 0)
  return { kind, action, target: name, fttiUs: hazard.fttiUs, allowedUs: hazard.fttiUs * FTTI_SHARE, totalUs, terms }
}

function hazardOf(policy: RigPolicy, { action, target }: ActionOn): Hazard | undefined {
  return policy.hazards.find((h) => h.action === action && h.target === target)
}

/**
 * How long a condition must last that has a hard action to itself (SE-04): where any one is enough, and where two of three
 * become one of two because not acting is what is worse.
 */
function aloneUs(rule: Rule, { policy, timing }: About): Micros {
  const hazard = hazardOf(policy, rule)
  const isAlone =
    rule.vote === '1ooN' || (rule.vote === '2oo3' && hazard !== undefined && dominanceOf(hazard) === 'must_work')
  if (!HARD_ACTIONS.includes(rule.action) || !isAlone) return 0
  const widthOf = ({ look }: Condition): Micros => {
    if (look.kind === 'window') return look.windowUs
    return look.kind === 'verdict' ? (timing.judgedUs.get(look.metric)?.at(-1) ?? 0) : 0
  }
  return Math.max(0, ...rule.conditions.map(widthOf))
}

function evaluation(measured: Measured): BudgetTerm[] {
  const term = (name: string, key: keyof Measured, text: string): BudgetTerm => {
    const us = measured[key]
    return us === undefined ? { name, us: ASSUMED[key], basis: 'assumed', text } : { name, us, basis: 'measured', text }
  }
  return [
    term('eval_p99', 'evalP99Us', 'evaluating the slide'),
    term('gate_p99', 'gateP99Us', 'asking the gates, twice'),
    term('fsync_p99', 'fsyncP99Us', 'making it durable before it is sent'),
  ]
}

/** Handing over until the last try is acknowledged, and what the target then takes. */
function transport({ stages, retries, backOffUs, nonIdempotent }: Target): BudgetTerm[] {
  const tries = nonIdempotent ? 1 : 1 + retries
  let pauses = 0
  for (let k = 1; k < tries; k += 1) pauses = pauses * 2 + backOffUs
  return [
    configured('transport', (stages.sendUs + stages.acceptUs) * tries, `${tries} × (send + accept timeout)`),
    configured('back_off', pauses, 'pauses between them'),
    configured('actuator_start', stages.startUs, 'start timeout'),
    configured('actuator_complete', stages.completeUs, 'complete timeout'),
  ]
}

function configured(name: string, us: Micros, text: string): BudgetTerm {
  return { name, us, basis: 'configured', text }
}

type Slow = Readonly<{ id: string; fillUs: Micros; persistenceUs: Micros }>

/** The condition that takes longest: a faster one may be the one that is unknown. */
function slowestOf(conditions: readonly Condition[], timing: RigTiming): Slow {
  return conditions
    .map((c): Slow => ({ id: c.id, fillUs: fillUs(c, timing), persistenceUs: (c.persistence.n - 1) * timing.slideUs }))
    .reduce((a, b) => (b.fillUs + b.persistenceUs > a.fillUs + a.persistenceUs ? b : a))
}

/**
 * How long a window hides a step of any size: a mean, and an extreme against its own direction, until it is full of it; a
 * maximum above a limit, and a minimum below one, shows it with the first sample. A verdict comes with the narrowest window.
 */
function fillUs({ look }: Condition, { judgedUs, slideUs }: RigTiming): Micros {
  if (look.kind === 'verdict') return judgedUs.get(look.metric)?.[0] ?? slideUs
  if (look.kind !== 'window') return Math.max(slideUs, ...[...judgedUs.values()].map((widths) => widths[0] ?? slideUs))
  return isAtOnce(look) ? 0 : look.windowUs
}

/**
 * Whether one sample makes it TRUE and no later one FALSE again: a maximum above a limit, a minimum below one. Only such a
 * look may be taken before its slide has closed (SE-29).
 */
export function isAtOnce(look: Look): boolean {
  if (look.kind !== 'window') return false
  const isAbove = look.op === '>' || look.op === '>='
  return look.of === (isAbove ? 'max' : 'min')
}

/** From a change on the rig to a condition that shows it, at worst. */
export function visibleAfterUs(condition: Condition, timing: RigTiming): Micros {
  const { fillUs: fill, persistenceUs } = slowestOf([condition], timing)
  return fill + timing.latenessUs + 2 * timing.slideUs + persistenceUs
}
