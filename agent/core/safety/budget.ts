import type { Action } from '../../../shared/model/action.ts'
import type { Budget } from '../../../shared/model/actions-policy.ts'
import type { Micros } from '../../../shared/units.ts'

/** Most releases that one budget can count; a budget that permits more is exhausted here. */
export const BUDGET_SPENDS_MAX = 1000

/** What has been spent of one budget, in agent time. Plain data; it survives restarts with the rest of the state (SE-19). */
export type BudgetState = {
  /** Releases inside the window, oldest first. */
  spentUs: Micros[]
  /** Newest release of the action on any target: the latch holds after a change of any of them. */
  latchedUs: Micros | null
}

export function createBudgets(budgets: readonly Budget[]): BudgetState[] {
  return budgets.map(() => ({ spentUs: [], latchedUs: null }))
}

function covers(budget: Budget, action: Action, target: string): boolean {
  return budget.action === action && (budget.target === '' || budget.target === target)
}

/** Why budgets do not permit a release now; empty when they do. A clock that went back permits nothing. */
export function budgetReasons(
  budgets: readonly Budget[],
  states: readonly BudgetState[],
  { action, target, nowUs }: Readonly<{ action: Action; target: string; nowUs: Micros }>,
): string[] {
  const reasons: string[] = []
  budgets.forEach((budget, index) => {
    if (!covers(budget, action, target)) return
    const { spentUs, latchedUs } = states[index]!
    const of = `BUDGET:${action}:${budget.target || '*'}`
    const spent = spentUs.filter((at) => !(nowUs - at >= budget.windowUs)).length
    const most = Math.min(budget.most, BUDGET_SPENDS_MAX)
    if (!(spent < most)) reasons.push(`${of} ${spent}/${most} in ${ms(budget.windowUs)}ms`)
    const newest = spentUs[spentUs.length - 1]
    if (newest !== undefined && !(nowUs - newest >= budget.spacingUs))
      reasons.push(`${of} spacing ${ms(nowUs - newest)}ms<${ms(budget.spacingUs)}`)
    if (latchedUs !== null && !(nowUs - latchedUs >= budget.latchUs))
      reasons.push(`${of} latch ${ms(nowUs - latchedUs)}ms<${ms(budget.latchUs)}`)
  })
  return reasons
}

/** Whether a reason is that a budget is used up; spacing and latch spare what is moved, and are none of it. */
export function isUsedUp(reason: string): boolean {
  return reason.startsWith('BUDGET:') && !reason.includes(' spacing ') && !reason.includes(' latch ')
}

/** Books one release. */
export function spend(
  budgets: readonly Budget[],
  states: readonly BudgetState[],
  { action, target, nowUs }: Readonly<{ action: Action; target: string; nowUs: Micros }>,
): void {
  budgets.forEach((budget, index) => {
    const state = states[index]!
    if (budget.action === action) state.latchedUs = nowUs
    if (!covers(budget, action, target)) return
    // The newest is kept beyond its window: the spacing may be longer than that.
    const open = state.spentUs.filter((at) => !(nowUs - at >= budget.windowUs))
    state.spentUs = [...open, nowUs].slice(-BUDGET_SPENDS_MAX)
  })
}

function ms(us: Micros): number {
  return Math.floor(us / 1000)
}
