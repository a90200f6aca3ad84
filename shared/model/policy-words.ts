import { HARD_ACTIONS } from './action.ts'
import type { ActionOn, Condition, Hazard, MetricProvenance, RigPolicy, Rule } from './actions-policy.ts'
import { VOTE_WORDS } from './hazard-vote.ts'
import { sharedByConditions } from './provenance.ts'
import type { ReactionBudget } from './reaction-budget.ts'

/** What a sentence is made of beside the rule. */
export type RuleContext = Readonly<{
  policy: RigPolicy
  provenance: readonly MetricProvenance[]
  budget: ReactionBudget | null
  /** Unit of each metric. */
  units: ReadonlyMap<string, string>
}>

/** A rule as a requirement that a person can hold against what was meant: scope, condition, who shall do what, how soon, how it is seen. */
export function ruleSentence(rule: Rule, { policy, provenance, budget, units }: RuleContext): string {
  const hazard = policy.hazards.find((h) => h.action === rule.action && h.target === rule.target)
  const when = whenWords(rule, units, provenance)
  const isLooked = HARD_ACTIONS.includes(rule.action)
  const sure = isLooked ? `, and the golden baseline is believed to at least ${rule.minConfidence}` : ''
  const shall = rule.dryRun ? 'shall only record that it would' : 'shall'
  const soon = budget === null ? '' : ` within ${timeWords(budget.totalUs)}`
  const next = rule.escalation === null ? 'an alarm is raised' : `the agent shall ${doWords(rule.escalation)}`
  const seen = seenWords(hazard, units, next)
  const early = rule.fastPath ? ', judged on samples as they arrive and again when their slide has closed' : ''
  return `In mode ${orWords(rule.modes)}, when ${when}${sure}${early}, the agent ${shall} ${doWords(rule)}${soon}; ${seen}.`
}

/** Which architecture the vote is, in words (SE-02). */
export function voteWords({ vote }: Rule): string {
  return VOTE_WORDS[vote]
}

function whenWords(rule: Rule, units: RuleContext['units'], provenance: RuleContext['provenance']): string {
  const parts = rule.conditions.map((condition) => conditionWords(condition, units))
  if (parts.length === 1) return parts[0]!
  const count = { '1ooN': 'any of', '2oo2': 'both of', '2oo3': 'two of' }[rule.vote]
  const listed = parts.map((part, k) => `(${rule.conditions[k]!.id}) ${part}`).join(', ')
  if (rule.vote === '1ooN') return `${count} ${listed}`
  const shared = [
    ...new Set(
      rule.conditions.flatMap((b, j) =>
        rule.conditions.slice(0, j).flatMap((a) => sharedByConditions(a, b, provenance)),
      ),
    ),
  ]
  const how = shared.length === 0 ? 'independently' : `NOT independently (${shared.join(', ')})`
  return `${count} ${listed} hold, ${how} and within ${timeWords(rule.coincidenceUs)} of each other`
}

/** A condition in words, such as `mean of p_a over 250 ms > 8 bar for 2 of 3 slides`. */
export function conditionWords({ look, persistence: { k, n } }: Condition, units: RuleContext['units']): string {
  const lasts = n === 1 ? '' : k === n ? ` for ${n} slides in a row` : ` for ${k} of ${n} slides`
  if (look.kind === 'overall') return `the verdict of the rig is ${orWords(look.verdicts)}${lasts}`
  if (look.kind === 'event') return `the event streams are in alarm${lasts}`
  if (look.kind === 'verdict') return `the verdict of ${look.metric} is ${orWords(look.verdicts)}${lasts}`
  const { of, metric, windowUs, op, value } = look
  const unit = units.get(metric)
  return `${of} of ${metric} over ${timeWords(windowUs)} ${op} ${value}${unit === undefined ? '' : ` ${unit}`}${lasts}`
}

function seenWords(hazard: Hazard | undefined, units: RuleContext['units'], next: string): string {
  if (hazard === undefined || hazard.verify === null) return 'nothing on the rig shows whether it was'
  const { condition, withinUs } = hazard.verify
  return `it is seen by ${conditionWords(condition, units)} within ${timeWords(withinUs)}, or else ${next}`
}

const DO_WORDS: Readonly<Record<ActionOn['action'], string>> = {
  notify: 'notify',
  degrade: 'degrade',
  failover: 'fail over',
  rate_limit: 'limit the rate of',
  isolate: 'isolate',
  abort: 'abort',
  shutdown: 'shut down',
}

function doWords({ action, target }: ActionOn): string {
  return `${DO_WORDS[action]} ${target}`
}

function orWords(words: readonly string[]): string {
  return words.length < 2 ? (words[0] ?? 'none') : `${words.slice(0, -1).join(', ')} or ${words[words.length - 1]}`
}

/** `250 ms`, `2 s`, `1 h`: the largest unit that leaves a whole number. */
export function timeWords(us: number): string {
  for (const [unit, size] of UNITS) if (us >= size && us % size === 0) return `${us / size} ${unit}`
  return `${us / 1000} ms`
}

const UNITS: readonly (readonly [string, number])[] = [
  ['h', 3_600_000_000],
  ['min', 60_000_000],
  ['s', 1_000_000],
]

/** What a rule would need to have acted: TRUE slides of each condition, and how many conditions. */
export type RuleNeeds = Readonly<{
  conditions: number
  of: number
  slides: readonly Readonly<{ condition: string; true_slides: number; of_slides: number }>[]
  /** Least time from the first TRUE slide to the decision. */
  leastUs: number
}>

/** Holds a would-have-done against what was to be expected of it. */
export function ruleNeeds({ vote, conditions }: Rule, slideUs: number): RuleNeeds {
  const wanted = vote === '1ooN' ? 1 : 2
  const sorted = conditions.map(({ persistence: { k } }) => k).sort((a, b) => a - b)
  return {
    conditions: wanted,
    of: conditions.length,
    slides: conditions.map(({ id, persistence: { k, n } }) => ({ condition: id, true_slides: k, of_slides: n })),
    leastUs: ((sorted[wanted - 1] ?? 1) - 1) * slideUs,
  }
}
