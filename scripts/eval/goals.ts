import { readFileSync } from 'node:fs'
import { EvaluationError } from './evaluation-error.ts'

/** What a figure must be: at least, at most. */
export type Bound = Readonly<{ min?: number; max?: number }>
type Goals = Readonly<Record<string, Readonly<Record<string, Bound>>>>

export type GoalResult = Readonly<{ figure: string; value: number | null; bound: Bound; met: boolean }>

/** Bounds for what is evaluated, by the path of the figure in the result: `skab.self`, `skab.history`, `tep`. */
export function readGoals(path: string, section: string): ReadonlyMap<string, Bound> {
  let goals: Goals
  try {
    goals = JSON.parse(readFileSync(path, 'utf8')) as Goals
  } catch (cause) {
    throw new EvaluationError(66, `goals file ${path}: ${(cause as Error).message}`, { cause })
  }
  if (!Object.hasOwn(goals, section))
    throw new EvaluationError(
      65,
      `goals file ${path} has nothing for ${section}, only for ${Object.keys(goals).join(', ')}`,
    )
  return new Map(Object.entries(goals[section]!))
}

/** Stated as what must hold: a figure that is missing meets no goal. */
export function checkGoals(result: Readonly<Record<string, unknown>>, goals: ReadonlyMap<string, Bound>): GoalResult[] {
  return [...goals].map(([figure, bound]) => {
    const value = figure.split('.').reduce<unknown>((at, key) => (at as Record<string, unknown> | null)?.[key], result)
    const { min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY } = bound
    const met = typeof value === 'number' && value >= min && value <= max
    return { figure, value: typeof value === 'number' ? value : null, bound, met }
  })
}
