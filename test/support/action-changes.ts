import type { ActionChange } from '../../agent/core/safety/changes.ts'
import type { ActionState } from '../../shared/model/action.ts'

/** A change of an action, with good defaults. */
export function actionChange(change: Partial<ActionChange> & Pick<ActionChange, 'state'>): ActionChange {
  return {
    kind: 'action',
    key: 'k1',
    rig: 'r',
    rule: 'over_pressure',
    episode: 1,
    action: 'shutdown',
    target: 'pump',
    params: { hold: true, level: 0.5 },
    reasons: [],
    endUs: 900_000,
    nowUs: 1_000_000,
    deadlineUs: 1_500_000,
    attempt: 1,
    from: null,
    note: '',
    conditions: [{ id: 'p_a_high', value: 'TRUE' }],
    ...change,
  }
}

/** The states of an action one after the other, a millisecond apart, as the kernel says them. */
export function actionHistory(
  states: readonly ActionState[],
  about: Partial<ActionChange> = {},
): readonly ActionChange[] {
  return states.map((state, k) =>
    actionChange({
      ...about,
      state,
      from: states[k - 1] ?? null,
      nowUs: (about.nowUs ?? 1_000_000) + k * 1000,
    }),
  )
}

/** The way of an action that is done and seen to have had its effect. */
export const WHOLE_WAY: readonly ActionState[] = [
  'PROPOSED',
  'GATE_PASSED',
  'RELEASED',
  'SENT',
  'ACCEPTED',
  'STARTED',
  'COMPLETED',
  'VERIFIED',
]
