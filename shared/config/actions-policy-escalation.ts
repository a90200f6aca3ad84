import type { ActionOn } from '../model/actions-policy.ts'
import { knownTarget, type PolicyCheck } from './actions-policy-conditions.ts'
import type { RuleConfig } from './actions-policy-schema.ts'

const CYCLE_SHOWN_MAX = 6

/** What follows a failure leads to another action, whose hazard is known, and never back (SE-17, SE-20). */
export function escalationProblems(check: PolicyCheck): void {
  const { file, policy, add } = check
  const sound = (policy.rules ?? []).flatMap((rule, k) =>
    file.isSound(['rules', k]) ? [{ rule: rule as RuleConfig, k }] : [],
  )
  for (const { rule, k } of sound) {
    const next = rule.escalation
    if (next === undefined) continue
    const path = ['rules', k, 'escalation']
    const isWeighed = policy.hazards?.some((h) => h?.action === next.action && h.target === next.target) === true
    if (knownTarget(check, path, next) && !isWeighed)
      add([...path, 'action'], `no hazard of ${nameOf(next)}`, 'an entry in `hazards` with this `action` and `target`')
    const cycle = cycleFrom(
      rule,
      sound.map((one) => one.rule),
    )
    if (cycle !== null)
      add(
        path,
        `a cycle: ${cycle.slice(0, CYCLE_SHOWN_MAX).join(' → ')}`,
        'an escalation that ends',
        'what failed once is not what helps when the next thing fails',
      )
  }
}

/** The way from what a rule does back to it; null when there is none. */
function cycleFrom(rule: RuleConfig, rules: readonly RuleConfig[]): string[] | null {
  const start = nameOf(rule)
  const way: { name: string; trail: string[] }[] = [{ name: nameOf(rule.escalation!), trail: [start] }]
  const seen = new Set<string>()
  for (const { name, trail } of way) {
    if (name === start) return [...trail, name]
    if (seen.has(name)) continue
    seen.add(name)
    for (const other of rules)
      if (nameOf(other) === name && other.escalation !== undefined)
        way.push({ name: nameOf(other.escalation), trail: [...trail, name] })
  }
  return null
}

function nameOf({ action, target }: ActionOn): string {
  return `${action} ${target}`
}
