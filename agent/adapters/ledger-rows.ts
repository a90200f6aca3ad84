import { canonicalBytes } from '../../shared/codec/canonical.ts'
import { DIGEST_BYTES, DOMAIN, digestOf, equalBytes } from '../../shared/crypto/digest.ts'
import { type Action, type ActionState, hasEnded } from '../../shared/model/action.ts'
import type { ActionParams } from '../../shared/model/action-input.ts'
import type { Canonical } from '../../shared/model/decision.ts'
import type { SqlRow, SqlValue } from '../../shared/sqlite/database.ts'
import type { ActionChange } from '../core/safety/changes.ts'
import type { LedgerAction, LedgerTransition } from '../pipeline/action-ledger.ts'

export type ActionRow = Readonly<{ action: LedgerAction; head: Uint8Array }>
export type TransitionRow = LedgerTransition & Readonly<{ key: string; content: Uint8Array }>

export const ACTION_COLUMNS = [
  'key',
  'rig',
  'rule',
  'episode',
  'action',
  'target',
  'params',
  'state',
  'is_open',
  'end_us',
  'first_us',
  'last_us',
  'deadline_us',
  'attempt',
  'transitions',
  'head',
] as const
export const TRANSITION_COLUMNS = [
  'key',
  'n',
  'state',
  'from_state',
  'now_us',
  'end_us',
  'deadline_us',
  'attempt',
  'reasons',
  'note',
  'conditions',
  'content',
  'prev',
  'digest',
] as const

type Subject = Pick<LedgerAction, 'key' | 'rig' | 'rule' | 'episode' | 'action' | 'target' | 'params'>

/** What the chain of an action begins with: the digest of everything about it that never changes. */
function subjectDigest({ key, rig, rule, episode, action, target, params }: Subject): Uint8Array {
  return digestOf(DOMAIN.action, canonicalBytes([key, rig, rule, episode, action, target, params]))
}

type Content = Omit<LedgerTransition, 'n' | 'prev' | 'digest'>

/** What a transition says, wherever it stands: the same change again has the same. */
export function contentDigest(change: Content): Uint8Array {
  const { state, from, nowUs, endUs, deadlineUs, attempt, reasons, note, conditions } = change
  const values = conditions.map(({ id, value }): Canonical => [id, value])
  const content: Canonical = [state, from, nowUs, endUs, deadlineUs, attempt, reasons, note, values]
  return digestOf(DOMAIN.actionChange, canonicalBytes(content))
}

function transitionDigest(prev: Uint8Array, n: number, content: Uint8Array): Uint8Array {
  return digestOf(DOMAIN.actionTransition, prev, canonicalBytes(n), content)
}

/** The action after one more change. An end stays the end: what comes late is a row beside it (SE-16). */
export function withChange(before: ActionRow | null, change: ActionChange): { row: ActionRow; added: TransitionRow } {
  const { state, from, nowUs, endUs, deadlineUs, attempt, reasons, note, conditions, key } = change
  const prev = before?.head ?? subjectDigest(change)
  const n = (before?.action.transitions ?? 0) + 1
  const content = contentDigest(change)
  const digest = transitionDigest(prev, n, content)
  const added = {
    ...{ key, n, state, from, nowUs, endUs, deadlineUs, attempt, reasons, note, conditions },
    ...{ content, prev, digest },
  }
  return { row: { action: actionAfter(before?.action ?? null, change), head: digest }, added }
}

function actionAfter(before: LedgerAction | null, change: ActionChange): LedgerAction {
  const { key, rig, rule, episode, action, target, params, state, nowUs, endUs, deadlineUs, attempt } = change
  if (before === null) {
    const times = { endUs, firstUs: nowUs, lastUs: nowUs, deadlineUs }
    return { key, rig, rule, episode, action, target, params, state, ...times, attempt, transitions: 1 }
  }
  const transitions = before.transitions + 1
  const lastUs = Math.max(before.lastUs, nowUs)
  // What comes after an end, or was kept back by a full disk and is older than what is here, says nothing of today.
  if (hasEnded(before.state) || nowUs < before.lastUs) return { ...before, transitions, lastUs }
  return { ...before, state, transitions, lastUs: nowUs, deadlineUs, attempt }
}

export function actionValues({ action: a, head }: ActionRow): SqlValue[] {
  const isOpen = hasEnded(a.state) ? 0 : 1
  const subject = [a.key, a.rig, a.rule, a.episode, a.action, a.target, paramsText(a.params)]
  return [...subject, a.state, isOpen, a.endUs, a.firstUs, a.lastUs, a.deadlineUs, a.attempt, a.transitions, head]
}

export function transitionValues(row: TransitionRow): SqlValue[] {
  const { key, n, state, from, nowUs, endUs, deadlineUs, attempt, reasons, note, conditions } = row
  const values = conditions.map(({ id, value }) => [id, value])
  const texts = [JSON.stringify(reasons), JSON.stringify(note), JSON.stringify(values)]
  const { content, prev, digest } = row
  return [key, n, state, from, nowUs, endUs, deadlineUs, attempt, ...texts, content, prev, digest]
}

function paramsText(params: ActionParams): string {
  const names = Object.keys(params).sort()
  return JSON.stringify(names.map((name) => [name, params[name]]))
}

/** Throws SyntaxError or TypeError for a row that was not written like this: somebody changed it. */
export function actionFrom(row: SqlRow): ActionRow {
  const params = Object.fromEntries(JSON.parse(row['params'] as string) as [string, string | number | boolean][])
  const action: LedgerAction = {
    key: row['key'] as string,
    rig: row['rig'] as string,
    rule: row['rule'] as string,
    episode: row['episode'] as number,
    action: row['action'] as Action,
    target: row['target'] as string,
    params,
    state: row['state'] as ActionState,
    endUs: row['end_us'] as number,
    firstUs: row['first_us'] as number,
    lastUs: row['last_us'] as number,
    deadlineUs: row['deadline_us'] as number,
    attempt: row['attempt'] as number,
    transitions: row['transitions'] as number,
  }
  return { action, head: bytesOf(row['head']) }
}

/** Throws as {@link actionFrom}. */
export function transitionFrom(row: SqlRow): TransitionRow {
  const values = JSON.parse(row['conditions'] as string) as [string, LedgerTransition['conditions'][number]['value']][]
  return {
    key: row['key'] as string,
    n: row['n'] as number,
    state: row['state'] as ActionState,
    from: row['from_state'] as ActionState | null,
    nowUs: row['now_us'] as number,
    endUs: row['end_us'] as number,
    deadlineUs: row['deadline_us'] as number,
    attempt: row['attempt'] as number,
    reasons: JSON.parse(row['reasons'] as string) as string[],
    note: JSON.parse(row['note'] as string) as string,
    conditions: values.map(([id, value]) => ({ id, value })),
    content: bytesOf(row['content']),
    prev: bytesOf(row['prev']),
    digest: bytesOf(row['digest']),
  }
}

function bytesOf(value: unknown): Uint8Array {
  const bytes = value as Uint8Array
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/** Whether the transitions of an action, in order, chain from what it is about to its head and come to what its row says. */
export function isWhole({ action, head }: ActionRow, transitions: readonly TransitionRow[]): boolean {
  let before: ActionRow | null = null
  for (const found of transitions) {
    const { row, added }: { row: ActionRow; added: TransitionRow } = withChange(before, {
      ...{ kind: 'action', key: action.key, rig: action.rig, rule: action.rule, episode: action.episode },
      ...{ action: action.action, target: action.target, params: action.params },
      ...{ state: found.state, from: found.from, nowUs: found.nowUs, endUs: found.endUs },
      ...{ deadlineUs: found.deadlineUs, attempt: found.attempt, reasons: found.reasons, note: found.note },
      conditions: found.conditions,
    })
    const same =
      found.key === action.key &&
      found.n === added.n &&
      equalBytes(found.content, added.content) &&
      equalBytes(found.prev, added.prev) &&
      equalBytes(found.digest, added.digest)
    if (!same) return false
    before = row
  }
  if (before === null || !equalBytes(before.head, head)) return false
  return equalBytes(canonicalBytes(valuesOf(before.action)), canonicalBytes(valuesOf(action)))
}

function valuesOf(action: LedgerAction): Canonical {
  return { ...action }
}

/** Adds a head to the sum of all heads, or takes it out again: exclusive or, so that the order does not matter. */
export function toggleHead(heads: Uint8Array, head: Uint8Array): Uint8Array {
  const sum = new Uint8Array(DIGEST_BYTES)
  for (let k = 0; k < DIGEST_BYTES; k += 1) sum[k] = heads[k]! ^ head[k]!
  return sum
}
