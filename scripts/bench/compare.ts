import { readFileSync } from 'node:fs'

/** Results of a bench, and how fast the machine was that it ran on. */
export type Figures = Readonly<{ yardstick: number; results: Readonly<Record<string, number>> }>

/** More loss than this, against the last landed figures, is a regression when two more runs agree. */
export const LOSS_MAX = 0.2
/** Results that are rates: more is better, and they follow the speed of the machine. Only these are compared. */
const RATE = /_per_s(_|$)|_x_realtime$/

/**
 * How fast this machine is, in rounds a second of a fixed piece of work: sums over doubles, bytes copied, numbers
 * sorted. A rate divided by it can be compared with one of another machine, roughly.
 */
export function yardstick(): number {
  let best = 0
  for (let k = 0; k < 5; k += 1) {
    const startMs = performance.now()
    let rounds = 0
    for (; performance.now() - startMs < 150; rounds += 1) if (Number.isNaN(oneRound())) return Number.NaN
    best = Math.max(best, (rounds * 1000) / (performance.now() - startMs))
  }
  return best
}

const doubles = Float64Array.from({ length: 16_384 }, (_, i) => Math.sin(i))
const bytes = new Uint8Array(262_144)

/** The sums are handed back, so that no compiler leaves them out. */
function oneRound(): number {
  let sum = 0
  let squares = 0
  for (let i = 0; i < doubles.length; i += 1) {
    const v = doubles[i]!
    sum += v
    squares += v * v
  }
  bytes.copyWithin(131_072, 0, 131_072)
  const sorted = Array.from(doubles.subarray(0, 512)).sort((a, b) => a - b)
  return sum + squares + sorted[0]!
}

/** The figures that landed last. */
export function landedFigures(path: string): Figures {
  return JSON.parse(readFileSync(path, 'utf8')) as Figures
}

export type Loss = Readonly<{ name: string; ratio: number }>

/** Results that lost more than {@link LOSS_MAX}, as ratios to the landed ones at equal speed of the machine. */
export function lossesOf(now: Figures, landed: Figures): Loss[] {
  const losses: Loss[] = []
  for (const [name, value] of Object.entries(now.results)) {
    const before = landed.results[name]
    if (before === undefined || !RATE.test(name)) continue
    const ratio = value / now.yardstick / (before / landed.yardstick)
    // Stated as what must hold: a result that is no number has lost.
    if (!(ratio >= 1 - LOSS_MAX)) losses.push({ name, ratio })
  }
  return losses
}
