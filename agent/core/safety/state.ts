import type { Action, ActionState, ArmState } from '../../../shared/model/action.ts'
import type { ActionParams } from '../../../shared/model/action-input.ts'
import type { RigPolicy } from '../../../shared/model/actions-policy.ts'
import type { Micros } from '../../../shared/units.ts'
import { type BudgetState, createBudgets } from './budget.ts'
import type { AlarmSeverity } from './changes.ts'
import { type ConditionState, createCondition } from './condition.ts'

/** Actions ordered by people that may be open at once; another order is refused. Rules have one action and one escalation each. */
export const MANUAL_OPEN_MAX = 8
/** Ended actions that are remembered, so that late acknowledgements find them; the oldest are forgotten. */
export const DONE_MAX = 256
/** Late acknowledgements that are noted of one ended action; further ones are counted alone. */
export const LATE_NOTED_MAX = 4
/** Reports of progress that are noted of one action; further ones are refused. */
export const PROGRESS_NOTED_MAX = 16
/** Different denials of a rule that are recorded in one episode; further ones change nothing. */
export const DENIALS_NOTED_MAX = 8
/** Actions that one rule proposes in one episode: who is cancelled more often than this at its release never gets through. */
export const PROPOSALS_MAX = 1000
/** Bypasses that may be in force at once. */
export const INHIBITS_MAX = 32

/** Where a rule's one shot of the episode is: `cleared` waits for a person (SE-18). */
export type Shot = 'ready' | 'spent' | 'cleared'

export type RuleState = {
  id: string
  members: ConditionState[]
  /** Counts demands; the shot is one an episode. */
  episode: number
  /** Event time at which the episode began. */
  startUs: Micros
  inEpisode: boolean
  /** Event time since which the cause is known to be gone; null while it is not. */
  clearFromUs: Micros | null
  shot: Shot
  /** The spent shot was really released, not withdrawn before. */
  acted: boolean
  /** Its effect was not seen: no cause that ends by itself arms it again (SE-17). */
  needsPerson: boolean
  /** Actions proposed in this episode. */
  proposals: number
  /** Denials recorded in this episode, without their figures. */
  said: string[]
  /** The escalation was proposed in this episode. */
  escalated: boolean
  /** Its action that was proposed before the slide that it is about had closed; null when that is so of none. */
  early: { key: string; endUs: Micros } | null
  permOff: boolean
  /** Agent time at which PERM_OFF was asked for; null when it was not. */
  permAskedUs: Micros | null
}

/** What must still be as it was at the proposal when the action is released (SE-09). */
export type Basis = { config: string; mode: string; baseline: string; arm: string }

export type OpenAction = {
  key: string
  origin: 'rule' | 'escalation' | 'manual'
  rule: string
  episode: number
  action: Action
  target: string
  params: ActionParams
  state: ActionState
  attempt: number
  endUs: Micros
  proposedUs: Micros
  deadlineUs: Micros
  /** Before this agent time it is not released (SE-24). */
  vetoUntilUs: Micros
  basis: Basis
  /** Conditions that were proved when the gates passed last, or those that an escalation inherits. */
  proofs: string[]
  /** Who ordered and approved it. */
  by: string[]
  reason: string
  /** The arrival that it was proposed on, before its slide had closed; '' for what waited for that. */
  arrival: string
  progress: number
  /** From and until when its effect is looked for (SE-17); null before there can be one. */
  verifyFromUs: Micros | null
  verifyUntilUs: Micros | null
  /** What was seen of its effect; null when no channel shows it. */
  verify: ConditionState | null
}

export type DoneAction = {
  key: string
  rule: string
  episode: number
  action: Action
  target: string
  params: ActionParams
  state: ActionState
  attempt: number
  endUs: Micros
  deadlineUs: Micros
  /** Acknowledgements that came after the end. */
  lates: number
}

export type Inhibit = { subject: string; untilUs: Micros; by: string[]; reason: string }

/** What one person may do alone for a while (SE-26), and under what it was opened. */
export type BreakGlass = { by: string; reason: string; untilUs: Micros; config: string }

/** All that the kernel remembers of a rig. Plain data: a deep copy of it goes on exactly as it would have. */
export type SafetyState = {
  rig: string
  endUs: Micros | null
  arm: { state: Exclude<ArmState, 'PERM_OFF'>; untilUs: Micros; config: string; by: string[] }
  /** In the order of the policy's rules, as are the interlocks and the budgets of theirs. */
  rules: RuleState[]
  interlocks: { id: string; assume: ConditionState; guarantee: ConditionState }[]
  budgets: BudgetState[]
  open: OpenAction[]
  done: DoneAction[]
  inhibits: Inhibit[]
  /** Bypasses that there ever were. */
  inhibited: number
  /** The break-glass that is in force, and one that was asked for and when; null for none. */
  glass: BreakGlass | null
  glassAsked: (BreakGlass & { askedUs: Micros }) | null
  /** Break-glasses that there ever were. */
  glasses: number
  /** Orders that became an action. */
  manuals: number
  /** Alarms that stand. */
  /** `seenUs`: when what it is about was last seen, of those that end by themselves. */
  alarms: { id: string; severity: AlarmSeverity; seenUs?: Micros }[]
  /** Acknowledgements of ended actions that were counted and not noted. */
  latesDropped: number
}

/** The state of a rig that has seen nothing: PASSIVE, every shot there, no budget spent. */
export function createSafety(policy: RigPolicy): SafetyState {
  return {
    rig: policy.rig,
    endUs: null,
    arm: { state: 'PASSIVE', untilUs: 0, config: '', by: [] },
    rules: policy.rules.map(({ id, conditions }) => ({
      id,
      members: conditions.map(createCondition),
      episode: 0,
      startUs: 0,
      inEpisode: false,
      clearFromUs: null,
      shot: 'ready',
      acted: false,
      needsPerson: false,
      proposals: 0,
      said: [],
      escalated: false,
      early: null,
      permOff: false,
      permAskedUs: null,
    })),
    interlocks: policy.interlocks.map(({ id, assume, guarantee }) => ({
      id,
      assume: createCondition(assume),
      guarantee: createCondition(guarantee),
    })),
    budgets: createBudgets(policy.budgets),
    open: [],
    done: [],
    inhibits: [],
    inhibited: 0,
    glass: null,
    glassAsked: null,
    glasses: 0,
    manuals: 0,
    alarms: [],
    latesDropped: 0,
  }
}
