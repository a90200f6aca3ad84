import type { Rule } from '../../../shared/model/actions-policy.ts'
import type { Micros } from '../../../shared/units.ts'
import { type Proposal, subjectOf } from './act.ts'
import type { Gates } from './gate.ts'
import type { View } from './grounds.ts'
import { lower, type Run } from './run.ts'
import { DENIALS_NOTED_MAX, type RuleState } from './state.ts'
import { isHard } from './warrant.ts'

/** What the rules of one slide share: how many actions passed (SE-32). */
export type Slide = { passed: number }

/** Whether the action of a rule has not ended yet. */
export function isUnderWay({ state }: Run, { id }: Rule): boolean {
  return state.open.some((one) => one.origin === 'rule' && one.rule === id)
}

/** What a rule proposes on what it was judged by; `arrival` is '' when that was a closed slide. */
export function proposalOf(
  { seen }: Run,
  { rule, hazard, seen: { endUs } }: View,
  memory: RuleState,
  arrival: string,
): Proposal {
  const { id, action, target, params, vetoUs } = rule
  const { episode, startUs, proposals } = memory
  return {
    ...{
      origin: 'rule',
      rule: id,
      episode,
      startUs,
      number: proposals,
      action,
      target,
      params,
      hazard,
      endUs,
      arrival,
    },
    ...{ deadlineUs: seen.nowUs + (hazard?.fttiUs ?? 0), vetoUs, by: [], reason: '' },
  }
}

/** Beyond the bound of one slide gentle actions wait for the next; what is hard never does (SE-32). */
export function shed({ policy }: Run, { action }: Rule, gates: Gates, { passed }: Slide): Gates {
  if (gates.warrant === null) return gates
  if (isHard(action) || passed < policy.releasesMax) return gates
  return { ...gates, denied: [`SHED:${policy.releasesMax}`], warrant: null }
}

/** Whether this denial, figures aside, was not recorded in this episode yet. Takes it down. */
export function isNew(memory: RuleState, { denied, passive }: Gates): boolean {
  const short = [...denied, '|', ...passive].map((reason) => reason.split(' ')[0]).join(',')
  if (memory.said.includes(short) || memory.said.length >= DENIALS_NOTED_MAX) return false
  memory.said.push(short)
  return true
}

/**
 * Follows the demand through its episode (SE-18): it begins with the demand, and ends when the cause is known to be gone for
 * as long as the rule asks. What is unknown neither ends it nor counts towards its end.
 */
export function followEpisode(run: Run, { rule, tally, demand }: View, memory: RuleState): void {
  const { endUs } = run.seen
  if (demand !== null) {
    memory.clearFromUs = null
    if (!memory.inEpisode) beginEpisode(memory, endUs)
    return
  }
  // What was told early is not over before its own slide has closed.
  if (!memory.inEpisode || memory.early !== null) return
  if (!tally.gone) memory.clearFromUs = null
  else memory.clearFromUs ??= endUs
  const isOpen = run.state.open.some((one) => one.rule === rule.id)
  if (memory.clearFromUs === null || isOpen || !(endUs - memory.clearFromUs >= rule.clearUs)) return
  memory.inEpisode = false
  memory.clearFromUs = null
  if (memory.shot !== 'spent') return
  if (rule.rearm === 'auto' && !memory.needsPerson) rearm(run, memory, [], 'the cause is gone')
  else memory.shot = 'cleared'
}

export function beginEpisode(memory: RuleState, startUs: Micros): void {
  memory.inEpisode = true
  memory.episode += 1
  memory.startUs = startUs
  memory.proposals = 0
  memory.said = []
  memory.escalated = false
}

/** Gives a rule its shot back. */
export function rearm(run: Run, memory: RuleState, by: readonly string[], reason: string): void {
  memory.shot = 'ready'
  memory.acted = false
  memory.needsPerson = false
  run.out.push({ kind: 'rule', rule: memory.id, is: 'rearmed', by, reason })
  // Where nobody knows what came of it, somebody has to look.
  const ended = waiting(run, memory).filter((id) => by.length > 0 || !id.startsWith('unknown_outcome'))
  for (const id of [...ended, `denied:${memory.id}`]) lower(run, id, reason)
}

/** Alarms of a rule that stand until it is armed again, or until its action works. */
export function waiting({ state }: Run, { id }: RuleState): string[] {
  const isOpen = (subject: string): boolean => state.open.some((one) => subjectOf(one) === subject)
  const next = `${id}/escalation`
  const ids = [id, next].flatMap((subject) => [
    ...[`verify_failed:${subject}`, `action_failed:${subject}`],
    ...(isOpen(subject) ? [] : [`unknown_outcome:${subject}`]),
  ])
  return [...ids, `denied:${next}`].filter((one) => state.alarms.some((alarm) => alarm.id === one))
}
