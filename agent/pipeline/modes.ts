import type { JournalInput } from '../../shared/codec/journal-input.ts'
import { HbError } from '../../shared/errors/hb-error.ts'
import { MODE_CHANGES, type ModeAuthority, modeChange } from '../../shared/model/mode.ts'
import type { Order } from '../../shared/model/order.ts'
import { MODES, type Mode } from '../../shared/model/verdict.ts'
import type { Micros } from '../../shared/units.ts'
import type { EvaluatorState } from '../core/state.ts'

/** Where the order of a person stands in a journal input. */
export const ORDER_SOURCE = 'order'

type ModeInput = Extract<JournalInput, { kind: 'mode' }>
/** The rigs and modes that orders are about. */
export type Rigs = Pick<EvaluatorState, 'rigs'>

/** Whether an order for another mode needs a second person: leaving `emergency` does. False for what is refused anyway. */
export function modeNeedsTwo(state: Rigs, { rig, value }: Pick<Order, 'rig' | 'value'>): boolean {
  const from = state.rigs.find((r) => r.settings.rig === rig)?.mode
  return from !== undefined && isMode(value) && MODE_CHANGES[from][value] === 'approver'
}

/**
 * The journal input that carries out an order for another mode. Who confirmed it is named too.
 *
 * @throws HbError RIG_UNKNOWN, MODE_REFUSED
 */
export function modeInput(
  state: Rigs,
  { rig, value, reason }: Pick<Order, 'rig' | 'value' | 'reason'>,
  { by, nowUs }: { by: readonly string[]; nowUs: Micros },
): ModeInput {
  const found = state.rigs.find((r) => r.settings.rig === rig)
  if (found === undefined)
    throw new HbError('RIG_UNKNOWN', { rig, known: state.rigs.map((r) => r.settings.rig).join(', ') })
  if (!isMode(value)) throw new HbError('MODE_REFUSED', { rig, found: value, expected: MODES.join(', ') })
  const authority: ModeAuthority = by.length > 1 ? 'approver' : 'operator'
  const change = modeChange(found.mode, value, authority)
  if (!change.ok)
    throw new HbError('MODE_REFUSED', {
      ...{ rig, from: change.from, to: change.to, reason: change.reason },
      expected: permitted(found.mode).join(', ') || 'no other mode',
    })
  return { kind: 'mode', nowUs, rig, mode: value, reason, operator: by.join(' and '), source: ORDER_SOURCE }
}

/** Modes that people may order from a mode; what takes two is marked. */
export function permitted(from: Mode): string[] {
  return Object.entries(MODE_CHANGES[from]).map(([to, needs]) => (needs === 'approver' ? `${to} (two people)` : to))
}

function isMode(value: string): value is Mode {
  return (MODES as readonly string[]).includes(value)
}
