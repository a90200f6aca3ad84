import { PREFIXES, REFUSED, UNITS, unitOfSymbol } from '../model/unit-table.ts'
import { parseUnit } from '../model/units.ts'
import { nearest } from './problems.ts'

/** Prefixes that sensors have, the likelier one first: `MBAR` was meant as a millibar. */
const USUAL_PREFIXES = ['k', 'm', 'M', 'u', 'µ', 'n', 'c', 'h', 'd', 'G', 'p', 'T']
/** Shorter symbols are near to everything. */
const LETTERS_MIN = 3

const SYMBOLS = [...UNITS.keys()]
const PREFIXED = USUAL_PREFIXES.filter((prefix) => PREFIXES.has(prefix)).flatMap((prefix) =>
  SYMBOLS.map((symbol) => `${prefix}${symbol}`).filter((symbol) => unitOfSymbol(symbol) !== undefined),
)

/** A unit of the table that an unknown one was probably meant to be, as a sentence; undefined when none is near. */
export function didYouMeanUnit(text: string): string | undefined {
  const meant = text.trim().replace(/[^\s\d()*·⋅/^⁰¹²³⁴⁵⁶⁷⁸⁹⁻+-]+/gu, (symbol) => likeSymbol(symbol) ?? symbol)
  return meant !== text.trim() && parseUnit(meant).ok ? `did you mean \`${meant}\`?` : undefined
}

function likeSymbol(symbol: string): string | undefined {
  if (unitOfSymbol(symbol) !== undefined || REFUSED.has(symbol)) return undefined
  const letters = symbol.toLowerCase()
  const sameLetters = [...SYMBOLS, ...PREFIXED].find((known) => known.toLowerCase() === letters)
  if (sameLetters !== undefined || symbol.length < LETTERS_MIN) return sameLetters
  return nearest(symbol, SYMBOLS)
}
