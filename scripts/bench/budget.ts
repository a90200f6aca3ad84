import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from '../sources.ts'

/** A bound of a result: the least it may be, or the most. */
export type Bound = Readonly<{ min?: number; max?: number; unit: string }>

/** The numbers to hold, from `scripts/bench-budgets.json`. */
export function boundsOf(): ReadonlyMap<string, Bound> {
  const text = readFileSync(join(ROOT, 'scripts', 'bench-budgets.json'), 'utf8')
  return new Map(Object.entries(JSON.parse(text) as Record<string, Bound>))
}

/** Whether a result keeps its bound; null without one. Stated as what must hold: a result that is no number keeps none. */
export function holds(value: number | undefined, bound: Bound | undefined): boolean | null {
  if (bound === undefined) return null
  if (value === undefined) return false
  return value >= (bound.min ?? Number.NEGATIVE_INFINITY) && value <= (bound.max ?? Number.POSITIVE_INFINITY)
}

/** The results for people: value, bound, and by how much a bound is missed. */
export function table(
  results: Readonly<Record<string, number>>,
  bounds: ReadonlyMap<string, Bound>,
  machine: Readonly<Record<string, unknown>>,
): string {
  const lines = Object.entries(results).map(([name, value]) => {
    const bound = bounds.get(name)
    const limit = bound === undefined ? '' : bound.min === undefined ? `≤ ${bound.max}` : `≥ ${bound.min}`
    const kept = holds(value, bound)
    const word = kept === null ? '' : kept ? 'holds' : `MISSED ×${missedBy(value, bound!).toFixed(2)}`
    return `${name.padEnd(34)} ${number(value).padStart(14)} ${(bound?.unit ?? '').padEnd(12)} ${limit.padEnd(14)} ${word}`
  })
  const about = Object.entries(machine).map(([key, value]) => `${key} ${String(value)}`)
  return `${lines.join('\n')}\n\nmachine: ${about.join(', ')}\n`
}

/** How many times too small or too large a result is. */
function missedBy(value: number, { min, max }: Bound): number {
  return min !== undefined && value < min ? min / value : value / (max ?? value)
}

function number(value: number): string {
  return Math.abs(value) >= 1000 ? Math.round(value).toLocaleString('en') : value.toFixed(value < 10 ? 3 : 1)
}
