import type { Micros } from '../units.ts'
import { ALARM_ORDERS } from './action-input.ts'

/** Said in every output: what signatures prove and what not. */
export const PERSONS_NOTE = 'keys distinct, persons unproven'
/** Said wherever an arming is looked at (SE-44). */
export const NOT_AN_E_STOP = 'not an E-stop, not a certified safety function: a hardwired layer must exist'

/**
 * What people order of a running agent. Each is signed by the key of who orders it; what takes two people is confirmed by an
 * order of another key that names it.
 */
export const ORDER_KINDS = [
  'mode',
  'arm',
  'disarm',
  'perm_off',
  'inhibit',
  'uninhibit',
  'off',
  'passive',
  'approve',
  'cancel',
  'rearm',
  'manual',
  'dry_run',
  'action_ack',
  'break_glass',
  ...ALARM_ORDERS,
  'confirm',
] as const
export type OrderKind = (typeof ORDER_KINDS)[number]

/**
 * Orders that do nothing until another person has confirmed them (SE-22, SE-27); others may by what they are about. An alarm
 * that is taken out of service is hidden without an end of its own, so one person does not do that either; nor does one person
 * say what came of an action, which closes it or leads to the next one.
 */
export const TWO_PERSON_ORDERS: readonly OrderKind[] = [
  'arm',
  'inhibit',
  'uninhibit',
  'approve',
  'action_ack',
  'alarm_out',
]

/**
 * An order as it was signed. `boot` names one start of one agent, so that no order counts for another or again after a
 * restart. Fields that a kind has no use for are ''.
 */
export type Order = Readonly<{
  /** Identity of the signed bytes. */
  id: string
  kind: OrderKind
  deployment: string
  agent: string
  boot: string
  rig: string
  /** What it is about: an action's key, a rule, an action's name, an alarm, or the order that is confirmed. */
  subject: string
  /** To what: a mode, the target of an action, or what was seen of an alarm (`3/CRITICAL`, and `/once` for a shelf). */
  value: string
  /** Digest of everything in force that the person was shown; '' for orders that do not depend on it. */
  config: string
  reason: string
  atUs: Micros
  /** Until when what is ordered holds; 0: no end of its own. */
  untilUs: Micros
  /** Id of the key that signed it. */
  by: string
}>

/** Name by which orders call the collector, in the place of an agent's; its start is named by `boot` as well. */
export const COLLECTOR = 'collector'

/** Who orders what no person does. No person is called so: configurations refuse it. */
export const AGENT = 'agent'

/** Longest time for which an arming holds (SE-22). */
export const ARM_SPAN_MAX_US: Micros = 12 * 3_600_000_000
/** Longest time for which actions may be inhibited before somebody has to say so again (SE-27). */
export const INHIBIT_SPAN_MAX_US: Micros = 8 * 3_600_000_000
/** Longest time for which a break-glass of actions is in force (SE-26). */
export const ACTION_GLASS_SPAN_MAX_US: Micros = 15 * 60_000_000
/** An order that waits for its confirmation is forgotten after this (SE-23). */
export const CONFIRM_WITHIN_US: Micros = 120_000_000
/** How far the time of an order may be from that of the agent. */
export const ORDER_AGE_MAX_US: Micros = 120_000_000
/** Longest reason, in characters. */
export const ORDER_REASON_CHARS_MAX = 512

/** Controls, marks that turn the writing direction, and other ends of lines: text with them passes for text of somebody else. */
const MISLEADING = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/

/** Whether what people sign is on one line and reads as it is written. */
export function isPlain(text: string): boolean {
  return !MISLEADING.test(text)
}
