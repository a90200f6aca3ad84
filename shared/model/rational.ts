/**
 * Exact fractions of whole numbers. Factors of units are products of decimal numbers that somebody defined, so they are
 * calculated exactly and rounded once, at the end: the same bits on every machine, and as near as a double can be.
 */
export type Rational = Readonly<{ n: bigint; d: bigint }>

export const ONE: Rational = { n: 1n, d: 1n }
export const ZERO: Rational = { n: 0n, d: 1n }

export function times(a: Rational, b: Rational): Rational {
  return reduced(a.n * b.n, a.d * b.d)
}

export function over(a: Rational, b: Rational): Rational {
  return reduced(a.n * b.d, a.d * b.n)
}

export function minus(a: Rational, b: Rational): Rational {
  return reduced(a.n * b.d - b.n * a.d, a.d * b.d)
}

/** Whole powers, negative ones too. */
export function toThe(a: Rational, exponent: number): Rational {
  let power = ONE
  for (let k = 0; k < Math.abs(exponent); k += 1) power = times(power, a)
  return exponent < 0 ? over(ONE, power) : power
}

/** Reads `0.45359237`, `1e-24`, and products and quotients of such: `0.45359237*9.80665/0.00064516`, from left to right. */
export function rational(text: string): Rational {
  return text.split(/(?=[*/])/).reduce((value, part) => {
    const number = decimal(part.replace(/^[*/]/, ''))
    return part.startsWith('/') ? over(value, number) : times(value, number)
  }, ONE)
}

function decimal(text: string): Rational {
  const parts = /^(-?)(\d+)(?:\.(\d+))?(?:e(-?\d+))?$/.exec(text)
  if (parts === null) throw new Error(`not a decimal number: ${text}`)
  const [, sign, whole, fraction = '', power = '0'] = parts
  const digits = BigInt(`${sign}${whole}${fraction}`)
  return times(reduced(digits, 1n), toThe(TEN, Number(power) - fraction.length))
}

const TEN: Rational = { n: 10n, d: 1n }

/** Bits of a quotient before it is rounded: enough that one more below them stands for all the rest. */
const QUOTIENT_BITS = 64

/** The nearest double, ties to even; an infinity or zero where it is beyond what a double holds. */
export function toNumber({ n, d }: Rational): number {
  if (n === 0n) return 0
  const size = n < 0n ? -n : n
  const shift = QUOTIENT_BITS + bitsOf(d) - bitsOf(size)
  const [top, bottom] = shift >= 0 ? [size << BigInt(shift), d] : [size, d << BigInt(-shift)]
  // What is left over may only tip a tie: it becomes the lowest bit, far below those that are kept.
  const quotient = (top / bottom) | (top % bottom === 0n ? 0n : 1n)
  let value = Number(quotient)
  for (let k = 0; k < Math.abs(shift); k += 1) value = shift > 0 ? value / 2 : value * 2
  return n < 0n ? -value : value
}

function bitsOf(value: bigint): number {
  return value.toString(2).length
}

function reduced(n: bigint, d: bigint): Rational {
  let [a, b] = [n < 0n ? -n : n, d < 0n ? -d : d]
  while (b !== 0n) [a, b] = [b, a % b]
  const by = (a === 0n ? 1n : a) * (d < 0n ? -1n : 1n)
  return { n: n / by, d: d / by }
}
