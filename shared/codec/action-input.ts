import { ACTIONS, type Action } from '../model/action.ts'
import {
  ACK_STATUSES,
  type AckInput,
  type ActionParams,
  type ActionStep,
  type ActionTransition,
  ALARM_ORDERS,
  type AlarmOrder,
  type AlarmOrderKind,
  ANSWER_STATUSES,
  BREAK_GLASS_STEPS,
  FOUND_OUTCOMES,
  isAlarmOrder,
  PERM_OFF_STEPS,
  type PolicyInput,
  type PolicyOrder,
  TIMED_STAGES,
} from '../model/action-input.ts'
import { ALARM_SEVERITIES } from '../model/alarm.ts'
import type { Canonical } from '../model/decision.ts'
import type { Micros } from '../units.ts'

/*
 * Fields of the journal inputs about actions, behind `[kind, version, now_us]`. Words are written out, so that a journal
 * can be read without this file and a new word never takes the number of another:
 *
 *   ack                [rig, key, status, from, message]
 *   policy             [rig, order, fields of the order, statements]
 *   fields of an order about an alarm: [alarm, occurrence, severity or null, for_us, one_shot, by, reason]
 *   action_transition  [rig, step, key, word]        word: stage of a timeout, status of an answer, else ''
 */

/** UTF-16 units of any text in here; who writes one cuts it before. */
export const ACTION_TEXT_MAX = 1_024
/** People behind one order, their statements, bytes of each, and parameters of an action. */
export const ORDER_PEOPLE_MAX = 8
export const STATEMENTS_MAX = 8
export const STATEMENT_BYTES_MAX = 16_384
export const ACTION_PARAMS_MAX = 32

const CONFIG_HEX = /^[0-9a-f]{64}$/

export type ActionInput = AckInput | ActionTransition | PolicyInput

/** Fields of an input, as they are written. Its caller sees to it that {@link ACTION_READERS} can read them. */
export function actionFields(input: ActionInput): Canonical[] {
  switch (input.kind) {
    case 'ack':
      return [input.rig, input.key, input.status, input.from, input.message]
    case 'action_transition':
      return [input.rig, input.step.kind, input.step.key, wordOf(input.step)]
    case 'policy':
      return [input.rig, input.order.kind, orderFields(input.order), input.statements]
  }
}

function wordOf(step: ActionStep): string {
  if (step.kind === 'timeout') return step.stage
  return step.kind === 'answer' ? step.status : ''
}

function orderFields(order: PolicyOrder | AlarmOrder): Canonical[] {
  if (isAlarmOrder(order)) {
    const { alarm, occurrence, severity, forUs, oneShot, by, reason } = order
    return [alarm, occurrence, severity, forUs, oneShot, by, reason]
  }
  switch (order.kind) {
    case 'cancel':
      return [order.key, order.by, order.reason]
    case 'approve':
      return [order.key, order.by]
    case 'rearm':
      return [order.rule, order.by]
    case 'arm':
      return [order.config, order.untilUs, order.by]
    case 'disarm':
      return [order.by, order.reason]
    case 'perm_off':
      return [order.rule, order.step, order.by, order.reason]
    case 'inhibit':
      return [order.rule, order.action, order.untilUs, order.by, order.reason]
    case 'uninhibit':
      return [order.rule, order.action, order.by, order.reason]
    case 'off':
    case 'passive':
      return [order.by, order.reason]
    case 'action_ack':
      return [order.key, order.outcome, order.by, order.reason]
    case 'proof':
      return [order.target, order.overdue]
    case 'permit':
      return [order.target, order.lost]
    case 'manual':
    case 'dry_run': {
      const { action, target, params, by, reason } = order
      const pairs = Object.keys(params)
        .sort()
        .map((name): Canonical => [name, params[name]!])
      return [action, target, pairs, by, reason]
    }
    case 'break_glass':
      return [order.step, order.typed, order.config, order.untilUs, order.by, order.reason]
  }
}

/** Readers of the fields; null for fields of another shape. Bounds are shape too. */
export const ACTION_READERS = {
  ack(nowUs: Micros, f: unknown[]): AckInput | null {
    const [rig, key, status, from, message] = f
    if (f.length !== 5 || !texts(rig, key, from, message) || !isOneOf(ACK_STATUSES, status)) return null
    return { kind: 'ack', nowUs, rig, key, status, from, message } as AckInput
  },
  action_transition(nowUs: Micros, f: unknown[]): ActionTransition | null {
    const [rig, kind, key, word] = f
    if (f.length !== 4 || !texts(rig, kind, key, word)) return null
    const step = stepOf({ kind, key, word } as Readonly<{ kind: string; key: string; word: string }>)
    return step === null ? null : { kind: 'action_transition', nowUs, rig: rig as string, step }
  },
  policy(nowUs: Micros, f: unknown[]): PolicyInput | null {
    const [rig, kind, fields, statements] = f
    if (f.length !== 4 || !texts(rig, kind) || !Array.isArray(fields) || !Array.isArray(statements)) return null
    if (statements.length > STATEMENTS_MAX || !statements.every(isStatement)) return null
    // Own names only: a journal that says 'constructor' is refused like any other unknown word.
    const reader = Object.hasOwn(ORDERS, kind as string) ? ORDERS[kind as PolicyOrder['kind']] : undefined
    const order = isOneOf(ALARM_ORDERS, kind) ? alarmOrderOf(kind, fields) : (reader?.(fields) ?? null)
    return order === null ? null : { kind: 'policy', nowUs, rig: rig as string, order, statements }
  },
}

function stepOf({ kind, key, word }: Readonly<{ kind: string; key: string; word: string }>): ActionStep | null {
  if (kind === 'timeout') return isOneOf(TIMED_STAGES, word) ? { kind, key, stage: word } : null
  if (kind === 'answer') return isOneOf(ANSWER_STATUSES, word) ? { kind, key, status: word } : null
  if (kind !== 'release' && kind !== 'sent' && kind !== 'unknown') return null
  return word === '' ? { kind, key } : null
}

const ORDERS: Readonly<Record<PolicyOrder['kind'], (f: unknown[]) => PolicyOrder | null>> = {
  cancel([key, by, reason, ...more]) {
    return more.length === 0 && texts(key, by, reason) ? ({ kind: 'cancel', key, by, reason } as PolicyOrder) : null
  },
  approve([key, by, ...more]) {
    return more.length === 0 && texts(key) && people(by) ? ({ kind: 'approve', key, by } as PolicyOrder) : null
  },
  rearm([rule, by, ...more]) {
    return more.length === 0 && texts(rule) && people(by) ? ({ kind: 'rearm', rule, by } as PolicyOrder) : null
  },
  arm([config, untilUs, by, ...more]) {
    const isArm = more.length === 0 && texts(config) && isTime(untilUs) && people(by)
    return isArm && CONFIG_HEX.test(config as string) ? ({ kind: 'arm', config, untilUs, by } as PolicyOrder) : null
  },
  disarm: (f) => byOne('disarm', f),
  off: (f) => byOne('off', f),
  passive: (f) => byOne('passive', f),
  perm_off([rule, step, by, reason, ...more]) {
    if (more.length > 0 || !texts(rule, by, reason) || !isOneOf(PERM_OFF_STEPS, step)) return null
    return { kind: 'perm_off', rule, step, by, reason } as PolicyOrder
  },
  inhibit([rule, action, untilUs, by, reason, ...more]) {
    const isOfRule = texts(rule) && action === null
    const isOfAction = rule === null && isOneOf(ACTIONS, action)
    if (more.length > 0 || !(isOfRule || isOfAction) || !isTime(untilUs) || !people(by) || !texts(reason)) return null
    return { kind: 'inhibit', rule, action, untilUs, by, reason } as PolicyOrder
  },
  uninhibit([rule, action, by, reason, ...more]) {
    const isOne = (texts(rule) && action === null) || (rule === null && isOneOf(ACTIONS, action))
    if (more.length > 0 || !isOne || !people(by) || !texts(reason)) return null
    return { kind: 'uninhibit', rule, action, by, reason } as PolicyOrder
  },
  action_ack([key, outcome, by, reason, ...more]) {
    if (more.length > 0 || !texts(key, reason) || !isOneOf(FOUND_OUTCOMES, outcome) || !people(by)) return null
    return { kind: 'action_ack', key, outcome, by, reason } as PolicyOrder
  },
  break_glass([step, typed, config, untilUs, by, reason, ...more]) {
    if (more.length > 0 || !isOneOf(BREAK_GLASS_STEPS, step) || !texts(typed, config, by, reason)) return null
    // What is closed is closed whatever is in force.
    if (!isTime(untilUs) || !(step === 'close' ? config === '' : CONFIG_HEX.test(config as string))) return null
    return { kind: 'break_glass', step, typed, config, untilUs, by, reason } as PolicyOrder
  },
  proof([target, overdue, ...more]) {
    if (more.length > 0 || !texts(target) || typeof overdue !== 'boolean') return null
    return { kind: 'proof', target, overdue } as PolicyOrder
  },
  permit([target, lost, ...more]) {
    if (more.length > 0 || !texts(target) || typeof lost !== 'boolean') return null
    return { kind: 'permit', target, lost } as PolicyOrder
  },
  manual: (fields) => byHand('manual', fields),
  dry_run: (fields) => byHand('dry_run', fields),
}

function byHand(
  kind: 'manual' | 'dry_run',
  [action, target, pairs, by, reason, ...more]: unknown[],
): PolicyOrder | null {
  const params = paramsOf(pairs)
  if (more.length > 0 || !isOneOf(ACTIONS, action) || params === null) return null
  if (!texts(target, reason) || !people(by)) return null
  return { kind, action: action as Action, target, params, by, reason } as PolicyOrder
}

function byOne(kind: 'disarm' | 'off' | 'passive', [by, reason, ...more]: unknown[]): PolicyOrder | null {
  return more.length === 0 && texts(by, reason) ? ({ kind, by, reason } as PolicyOrder) : null
}

/** Only a shelf has a time, and only what hides or ends what was seen names it. */
function alarmOrderOf(kind: AlarmOrderKind, fields: unknown[]): AlarmOrder | null {
  const [alarm, occurrence, severity, forUs, oneShot, by, reason] = fields
  if (fields.length !== 7 || !texts(alarm, reason) || !people(by) || typeof oneShot !== 'boolean') return null
  if (!isTime(occurrence) || !isTime(forUs) || !(severity === null || isOneOf(ALARM_SEVERITIES, severity))) return null
  const isOfShelf = kind === 'alarm_shelve'
  const namesNone = kind === 'alarm_out' || kind === 'alarm_in'
  if (!isOfShelf && (forUs !== 0 || oneShot)) return null
  if (namesNone && (occurrence !== 0 || severity !== null)) return null
  return { kind, alarm, occurrence, severity, forUs, oneShot, by, reason } as AlarmOrder
}

/** Parameters of name and value pairs, names in order and each once; null otherwise. */
function paramsOf(pairs: unknown): ActionParams | null {
  if (!Array.isArray(pairs) || pairs.length > ACTION_PARAMS_MAX) return null
  const params: [string, string | number | boolean][] = []
  for (const pair of pairs as unknown[]) {
    if (!Array.isArray(pair) || pair.length !== 2) return null
    const [name, value] = pair as [unknown, unknown]
    const isPlain = typeof value === 'boolean' || isNumber(value) || texts(value)
    if (!texts(name) || !isPlain) return null
    const before = params.at(-1)?.[0]
    if (before !== undefined && !(before < (name as string))) return null
    params.push([name as string, value as string | number | boolean])
  }
  // Not by assignment, which would make something else of the name `__proto__`.
  return Object.fromEntries(params)
}

function isStatement(value: unknown): boolean {
  return value instanceof Uint8Array && value.length > 0 && value.length <= STATEMENT_BYTES_MAX
}

function people(value: unknown): boolean {
  return Array.isArray(value) && value.length >= 1 && value.length <= ORDER_PEOPLE_MAX && texts(...value)
}

function isTime(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

/** Whole numbers are safe ones: larger come back as something else. */
function isNumber(value: unknown): boolean {
  return Number.isFinite(value) && (!Number.isInteger(value) || Number.isSafeInteger(value))
}

function isOneOf<T extends string>(words: readonly T[], value: unknown): value is T {
  return (words as readonly unknown[]).includes(value)
}

function texts(...values: unknown[]): boolean {
  return values.every((value) => typeof value === 'string' && value.length <= ACTION_TEXT_MAX)
}
