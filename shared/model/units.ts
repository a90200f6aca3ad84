import { minus, ONE, over, type Rational, times, toNumber, toThe, ZERO } from './rational.ts'
import { BASES, type Dimension, dimensionName, REFUSED, unitOfSymbol } from './unit-table.ts'

/** A unit that was read. `value × factor + offset` is the value in base units; spreads and differences take no offset. */
export type Unit = Readonly<{
  text: string
  dimension: Dimension
  factor: number
  offset: number
  /** The same without rounding. */
  exact: Readonly<{ factor: Rational; offset: Rational }>
}>

/** How a value in one unit becomes one in another: `value × factor + offset`. */
export type Affine = Readonly<{ factor: number; offset: number }>

export type UnitReading = Readonly<{ ok: true; unit: Unit }> | UnitProblem
/** `unknown`: no unit of the table; `refused`: one that no factor converts; `dimension`: another quantity. `detail` says it to people. */
export type UnitProblem = Readonly<{ ok: false; problem: 'unknown' | 'refused' | 'dimension'; detail: string }>

/** Longest text that is read as a unit, and what may stand in it. */
export const UNIT_TEXT_MAX = 64
const TERMS_MAX = 16
const BRACKETS_MAX = 4
const EXPONENT_MAX = 9

/**
 * Reads a unit: `mbar`, `m/s`, `m3/h`, `N·m`, `kg m-1 s-2`, `W/(m2·K)`, `1/min`, `m/s²`. Letter for letter: `mW` is not
 * `MW`, and `m/s` is a quotient, never `ms`. Whatever is not understood is a problem, not a guess.
 */
export function parseUnit(text: string): UnitReading {
  const trimmed = text.trim()
  const why = REFUSED.get(trimmed)
  if (why !== undefined) return { ok: false, problem: 'refused', detail: `\`${trimmed}\`: ${why}` }
  if (trimmed === '' || trimmed.length > UNIT_TEXT_MAX) return unknown(trimmed, 'no unit is written like this')
  const reader = new Reader(trimmed)
  const read = reader.whole()
  if (typeof read === 'string') return unknown(trimmed, read)
  const { factor, dimension } = read
  const offset = read.exponent === 1 ? read.offset : ZERO
  const unit: Unit = {
    text: trimmed,
    dimension,
    factor: toNumber(factor),
    offset: toNumber(offset),
    exact: { factor, offset },
  }
  return Number.isFinite(unit.factor) && unit.factor > 0
    ? { ok: true, unit }
    : unknown(trimmed, 'its factor is beyond what a number holds')
}

/** What turns a value in one unit into one in another, rounded once; or why nothing does. */
export function convertUnit(from: string, to: string): (Affine & Readonly<{ ok: true }>) | UnitProblem {
  if (from.trim() === to.trim()) return { ok: true, factor: 1, offset: 0 }
  const source = parseUnit(from)
  if (!source.ok) return source
  const target = parseUnit(to)
  return target.ok ? conversionBetween(source.unit, target.unit) : target
}

export function conversionBetween(from: Unit, to: Unit): (Affine & Readonly<{ ok: true }>) | UnitProblem {
  if (!sameDimension(from.dimension, to.dimension)) {
    const detail = `\`${from.text}\` is ${dimensionName(from.dimension)}, \`${to.text}\` is ${dimensionName(to.dimension)}`
    const gram = from.text === 'g' || to.text === 'g' ? '; `g` is the gram, an acceleration is in `gn`' : ''
    const counted = from.dimension[SECONDS] === -1 && isSameInSi(from.dimension, to.dimension)
    const turns = counted ? '; say what is counted, as in `rev/s` or `count/s`' : ''
    return { ok: false, problem: 'dimension', detail: `${detail}${gram}${turns}` }
  }
  const factor = over(from.exact.factor, to.exact.factor)
  const offset = over(minus(from.exact.offset, to.exact.offset), to.exact.factor)
  const [by, plus] = [toNumber(factor), toNumber(offset)]
  if (!Number.isFinite(by) || by === 0) return unknown(from.text, 'its factor is beyond what a number holds')
  return { ok: true, factor: by, offset: plus }
}

export function sameDimension(a: Dimension, b: Dimension): boolean {
  return a.every((exponent, k) => exponent === b[k])
}

/** Whether the SI tells two dimensions apart: to it angles and counts are 1, so only somebody who knows the rig may equate them. */
export function isSameInSi(a: Dimension, b: Dimension): boolean {
  return a.every((exponent, k) => exponent === b[k] || BASES[k] === 'rad' || BASES[k] === 'count')
}

function unknown(text: string, reason: string): UnitProblem {
  return { ok: false, problem: 'unknown', detail: `\`${text}\` is no unit of the table: ${reason}` }
}

type Part = Readonly<{ factor: Rational; offset: Rational; dimension: Dimension; exponent: number }>

const SECONDS = BASES.indexOf('s')
const NONE: Dimension = BASES.map(() => 0)
const SUPERSCRIPTS = '⁰¹²³⁴⁵⁶⁷⁸⁹'

/** Reads products and quotients of symbols. A reading that fails is the reason, in words. */
class Reader {
  private terms = 0
  private readonly text: string
  private at = 0

  constructor(text: string) {
    this.text = text
  }

  whole(): Part | string {
    const read = this.product(0)
    if (typeof read === 'string') return read
    return this.at < this.text.length ? `\`${this.text.slice(this.at)}\` is not understood` : read
  }

  /** `a·b/c`: from left to right. A product behind a slash could mean two things, so it wants brackets. */
  private product(depth: number): Part | string {
    let value = this.term(depth)
    let divided = false
    for (;;) {
      if (typeof value === 'string') return value
      const operator = this.operator()
      if (operator === null) return value
      if (operator === '·' && divided) return 'a product behind `/` wants brackets, as in `W/(m2·K)`'
      divided ||= operator === '/'
      const next = this.term(depth)
      if (typeof next === 'string') return next
      value = joined(value, next, operator === '/' ? -1 : 1)
    }
  }

  private operator(): '·' | '/' | null {
    const found = /^(?: *([*·⋅/]) *| +(?=[^\s)*·⋅/]))/.exec(this.text.slice(this.at))
    if (found === null) return null
    this.at += found[0].length
    return found[1] === '/' ? '/' : '·'
  }

  private term(depth: number): Part | string {
    this.terms += 1
    if (this.terms > TERMS_MAX) return `more than ${TERMS_MAX} units in one`
    if (this.text[this.at] === '(') return this.brackets(depth)
    const rest = this.text.slice(this.at)
    // `mmH2O` has a digit inside; `m2` is a metre with an exponent.
    const withDigits = /^[^\s()*·⋅/^⁰¹²³⁴⁵⁶⁷⁸⁹⁻+-]+/u.exec(rest)?.[0]
    const isWhole = withDigits !== undefined && (unitOfSymbol(withDigits) ?? REFUSED.get(withDigits)) !== undefined
    const symbol = isWhole ? withDigits : /^[^\s\d()*·⋅/^⁰¹²³⁴⁵⁶⁷⁸⁹⁻+-]+/u.exec(rest)?.[0]
    if (symbol === undefined) return rest === '' ? 'something is missing at its end' : `\`${rest}\` begins no unit`
    // First: `dB` would be a tenth of a byte.
    const why = REFUSED.get(symbol)
    if (why !== undefined) return `\`${symbol}\` is ${why}`
    const unit = unitOfSymbol(symbol)
    if (unit === undefined) return `\`${symbol}\` is not known (the case counts)`
    this.at += symbol.length
    return this.raised(unit)
  }

  private brackets(depth: number): Part | string {
    if (depth >= BRACKETS_MAX) return `more than ${BRACKETS_MAX} brackets in each other`
    this.at += 1
    const inside = this.product(depth + 1)
    if (typeof inside === 'string') return inside
    if (this.text[this.at] !== ')') return 'a bracket is not closed'
    this.at += 1
    return this.raised(inside)
  }

  /** An exponent in any of its spellings: `2`, `-1`, `^2`, `²`, `⁻¹`. */
  private raised({ factor, offset, dimension }: Omit<Part, 'exponent'>): Part | string {
    const found = /^(?:\^?([+-]?\d+)|([⁻]?[⁰¹²³⁴⁵⁶⁷⁸⁹]+))/u.exec(this.text.slice(this.at))
    if (found === null) return { factor, offset, dimension, exponent: 1 }
    this.at += found[0].length
    const digits = found[1] ?? [...found[2]!].map((c) => (c === '⁻' ? '-' : SUPERSCRIPTS.indexOf(c))).join('')
    const exponent = Number(digits)
    if (exponent === 0 || Math.abs(exponent) > EXPONENT_MAX) return `an exponent of ${exponent}`
    return { factor: toThe(factor, exponent), offset, dimension: dimension.map((n) => n * exponent), exponent }
  }
}

function joined(a: Part, b: Part, sign: 1 | -1): Part {
  const dimension = NONE.map((_, k) => a.dimension[k]! + sign * b.dimension[k]!)
  const factor = sign > 0 ? times(a.factor, b.factor) : over(a.factor, b.factor)
  return { factor, offset: ZERO, dimension, exponent: 1 }
}

/** The unit of a plain number. */
export const NO_UNIT: Unit = {
  text: '1',
  dimension: NONE,
  factor: 1,
  offset: 0,
  exact: { factor: ONE, offset: ZERO },
}
