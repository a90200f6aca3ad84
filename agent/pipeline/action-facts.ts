import type { RigPolicy, Target } from '../../shared/model/actions-policy.ts'
import type { Micros } from '../../shared/units.ts'
import type { ActionChange } from '../core/safety/changes.ts'

/** What the policy says about carrying out one action. */
export type ActionFacts = Readonly<{
  /** Its omission is critical or worse: late is better than never, and logged late better than not done. */
  mustWork: boolean
  fttiUs: Micros
  /** Any operator may cancel so long before the release (SE-24). */
  vetoUs: Micros
  stages: Target['stages']
  backOffUs: Micros
}>

type About = Pick<ActionChange, 'rig' | 'rule' | 'action' | 'target'>

/** @returns null when no policy in force knows the action on this target: nobody can say how it is to be done */
export function actionFacts(policies: readonly RigPolicy[], { rig, rule, action, target }: About): ActionFacts | null {
  const policy = policies.find((one) => one.rig === rig)
  const hazard = policy?.hazards.find((one) => one.action === action && one.target === target)
  const to = policy?.targets.find((one) => one.name === target)
  if (policy === undefined || hazard === undefined || to === undefined) return null
  const { omission, fttiUs } = hazard
  return {
    mustWork: omission === 'critical' || omission === 'catastrophic',
    fttiUs,
    vetoUs: policy.rules.find((one) => one.id === rule)?.vetoUs ?? 0,
    stages: to.stages,
    backOffUs: to.backOffUs,
  }
}
