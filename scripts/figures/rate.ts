/** Events in an hour, with their 95 % confidence interval. */
export type Rate = Readonly<{ count: number; hours: number; perHour: number; low: number; high: number }>

/** Two-sided 95 %: what each side leaves out. */
const TAIL = 0.025
/** Halvings after which the interval is exact to a double. */
const HALVINGS = 200

/**
 * The exact interval of a Poisson rate (Garwood 1936): the rates at which so many events, or so few, would come by chance in one
 * of forty. Of none in h hours the upper end is 3.7/h: seeing nothing is no proof of nothing.
 */
export function rateOf(count: number, hours: number): Rate {
  const low = count === 0 ? 0 : meanAt((mean) => 1 - upTo(count - 1, mean) > TAIL)
  const high = meanAt((mean) => upTo(count, mean) < TAIL)
  return { count, hours, perHour: count / hours, low: low / hours, high: high / hours }
}

/** Chance of at most `count` events where `mean` are expected. */
function upTo(count: number, mean: number): number {
  let term = Math.exp(-mean)
  let sum = term
  for (let k = 1; k <= count; k += 1) {
    term *= mean / k
    sum += term
  }
  return sum
}

/** The least mean from which on something holds. */
function meanAt(holds: (mean: number) => boolean): number {
  let [low, high] = [0, 1]
  while (!holds(high)) high *= 2
  for (let k = 0; k < HALVINGS; k += 1) {
    const middle = (low + high) / 2
    if (holds(middle)) high = middle
    else low = middle
  }
  return high
}
