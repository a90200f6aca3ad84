import type { Micros } from '../units.ts'
import type { Action } from './action.ts'
import type { AlarmSeverity } from './alarm.ts'

/** What a peer says about an action it was asked for. */
export const ACK_STATUSES = ['accepted', 'rejected', 'started', 'progress', 'completed', 'failed'] as const
export type AckStatus = (typeof ACK_STATUSES)[number]

/** What a peer answers who is asked about an action after a restart: what it acknowledged last, or that it knows of none. */
export const ANSWER_STATUSES = [...ACK_STATUSES, 'unknown_key'] as const
export type AnswerStatus = (typeof ANSWER_STATUSES)[number]

/** Stages that have a time limit of their own (SE-16): handing over, and the three things a peer says. */
export const TIMED_STAGES = ['send', 'accept', 'start', 'complete'] as const
export type TimedStage = (typeof TIMED_STAGES)[number]

/** Parameters of an action, in the order of their names. */
export type ActionParams = Readonly<Record<string, string | number | boolean>>

/**
 * What the shell tells the safety kernel about an action it carries out: it asks for the release, is handing it over, saw
 * a time limit pass, found after a restart that nobody knows the outcome, or had an answer to that.
 */
export type ActionStep =
  | Readonly<{ kind: 'release'; key: string }>
  | Readonly<{ kind: 'sent'; key: string }>
  | Readonly<{ kind: 'timeout'; key: string; stage: TimedStage }>
  | Readonly<{ kind: 'unknown'; key: string }>
  | Readonly<{ kind: 'answer'; key: string; status: AnswerStatus }>

/** An acknowledgement, with the verified identity of who sent it. */
export type ActionAck = Readonly<{ kind: 'ack'; key: string; status: AckStatus; from: string; message: string }>

/** An item is taken out of service for good in two steps (SE-21). */
export const PERM_OFF_STEPS = ['ask', 'confirm'] as const

/** What people may say that came of an action (`hb actions ack`). */
export const FOUND_OUTCOMES = ['completed', 'failed'] as const

/** A break-glass is opened by two acts of one person, and closed by one of anybody (SE-26). */
export const BREAK_GLASS_STEPS = ['ask', 'confirm', 'close'] as const

/** What people order about actions. `by` names who: of an order that takes two, both. `config` is a digest in hex. */
export type PolicyOrder =
  | Readonly<{ kind: 'cancel'; key: string; by: string; reason: string }>
  | Readonly<{ kind: 'approve'; key: string; by: readonly string[] }>
  | Readonly<{ kind: 'rearm'; rule: string; by: readonly string[] }>
  | Readonly<{ kind: 'arm'; config: string; untilUs: Micros; by: readonly string[] }>
  | Readonly<{ kind: 'disarm'; by: string; reason: string }>
  | Readonly<{
      kind: 'perm_off'
      rule: string
      step: (typeof PERM_OFF_STEPS)[number]
      by: string
      reason: string
    }>
  /** One of a rule and an action is named, the other is null. */
  | Readonly<{
      kind: 'inhibit'
      rule: string | null
      action: Action | null
      untilUs: Micros
      by: readonly string[]
      reason: string
    }>
  /** The bypass of a rule or an action is over before its time. */
  | Readonly<{ kind: 'uninhibit'; rule: string | null; action: Action | null; by: readonly string[]; reason: string }>
  /** Rules are not judged any more, and then they are again. */
  | Readonly<{ kind: 'off' | 'passive'; by: string; reason: string }>
  /** A dry run goes through the same gates and ends before it is released. */
  | Readonly<{
      kind: 'manual' | 'dry_run'
      action: Action
      target: string
      params: ActionParams
      by: readonly string[]
      reason: string
    }>
  /** What people found of an action that was handed over and whose peer does not say it. */
  | Readonly<{
      kind: 'action_ack'
      key: string
      outcome: (typeof FOUND_OUTCOMES)[number]
      by: readonly string[]
      reason: string
    }>
  /** `typed` is the rig as the person wrote it. */
  | Readonly<{
      kind: 'break_glass'
      step: (typeof BREAK_GLASS_STEPS)[number]
      typed: string
      config: string
      untilUs: Micros
      by: string
      reason: string
    }>
  /** The agent itself says that a proof test is overdue, or no longer (SE-42). */
  | Readonly<{ kind: 'proof'; target: string; overdue: boolean }>
  /** The agent itself says that the permit of an actuator was lost, or is held (SE-33). */
  | Readonly<{ kind: 'permit'; target: string; lost: boolean }>

/** What people order about alarms. None of it reaches the safety kernel (SE-27). */
export const ALARM_ORDERS = [
  'alarm_ack',
  'alarm_confirm',
  'alarm_shelve',
  'alarm_unshelve',
  'alarm_out',
  'alarm_in',
] as const
export type AlarmOrderKind = (typeof ALARM_ORDERS)[number]

/**
 * An order about one alarm. `occurrence` and `severity` are what the person saw (AL-5); 0 and null for `alarm_out` and
 * `alarm_in`, which are about whatever comes. `forUs` and `oneShot` are of a shelf, else 0 and false.
 */
export type AlarmOrder = Readonly<{
  kind: AlarmOrderKind
  alarm: string
  occurrence: number
  severity: AlarmSeverity | null
  forUs: Micros
  oneShot: boolean
  by: readonly string[]
  reason: string
}>

export function isAlarmOrder(order: PolicyOrder | AlarmOrder): order is AlarmOrder {
  return (ALARM_ORDERS as readonly string[]).includes(order.kind)
}

/** An acknowledgement as it is journaled. */
export type AckInput = ActionAck & Readonly<{ nowUs: Micros; rig: string }>
/** A step of the shell as it is journaled. */
export type ActionTransition = Readonly<{ kind: 'action_transition'; nowUs: Micros; rig: string; step: ActionStep }>
/** An order of people as it is journaled, with the signed bytes of their statements. */
export type PolicyInput = Readonly<{
  kind: 'policy'
  nowUs: Micros
  rig: string
  order: PolicyOrder | AlarmOrder
  statements: readonly Uint8Array[]
}>
