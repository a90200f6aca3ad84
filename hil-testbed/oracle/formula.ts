import { FormulaParser, FormulaRefused } from './formula-parser.ts'
import { type FormulaProblem, tokensOf } from './formula-tokens.ts'

export type Comparison = '<' | '<=' | '>' | '>=' | '==' | '!='
/** Bounds of a window, µs, both included; `toUs` is Infinity where there is none. */
export type Span = Readonly<{ fromUs: number; toUs: number }>

export type Term =
  | Readonly<{ kind: 'number'; value: number }>
  | Readonly<{ kind: 'signal'; name: string; column: number }>
  | Readonly<{ kind: 'negate'; of: Term }>
  | Readonly<{ kind: 'binary'; op: '+' | '-' | '*' | '/'; left: Term; right: Term }>
  | Readonly<{ kind: 'call'; name: 'min' | 'max' | 'abs'; args: readonly Term[] }>

/**
 * A formula of bounded signal temporal logic. `historically`, `once` and `since` look back from where they are evaluated;
 * `always` and `eventually` are about the run, from its start.
 */
export type Formula =
  | Readonly<{ kind: 'constant'; value: boolean }>
  | Readonly<{ kind: 'compare'; op: Comparison; left: Term; right: Term }>
  | Readonly<{ kind: 'not'; of: Formula }>
  | Readonly<{ kind: 'and' | 'or'; left: Formula; right: Formula }>
  | Readonly<{ kind: 'historically' | 'once'; span: Span; of: Formula }>
  | Readonly<{ kind: 'always' | 'eventually'; span: Span; of: Formula }>
  | Readonly<{ kind: 'since'; span: Span; left: Formula; right: Formula }>

export type ParsedFormula =
  | Readonly<{ ok: true; formula: Formula }>
  | Readonly<{ ok: false; problems: readonly FormulaProblem[] }>

/** Reads a formula; with `signals`, every name that is not one of them is a problem. The grammar is in docs/operating/hil-oracle.md. */
export function parseFormula(text: string, signals?: Iterable<string>): ParsedFormula {
  const tokens = tokensOf(text)
  if ('found' in tokens) return { ok: false, problems: [tokens] }
  let formula: Formula
  try {
    formula = new FormulaParser(tokens).whole()
  } catch (thrown) {
    if (thrown instanceof FormulaRefused) return { ok: false, problems: [thrown.problem] }
    throw thrown
  }
  if (signals === undefined) return { ok: true, formula }
  const known = new Set(signals)
  const problems = signalsOf(formula)
    .filter(({ name }) => !known.has(name))
    .map(({ name, column }) => ({ column, found: name, expected: `a signal: ${[...known].join(', ')}` }))
  return problems.length === 0 ? { ok: true, formula } : { ok: false, problems }
}

/** As {@link parseFormula}, of what is asked of one moment: windows are refused. For `when:`, `await:`, `never:` and hazard lines. */
export function parseCondition(text: string, signals?: Iterable<string>): ParsedFormula {
  const parsed = parseFormula(text, signals)
  if (!parsed.ok || !looksBack(parsed.formula)) return parsed
  const found = /\b(historically|once|always|eventually|since)\b/.exec(text)
  const problem = { column: (found?.index ?? 0) + 1, found: found?.[0] ?? text, expected: 'a condition of one moment' }
  return { ok: false, problems: [problem] }
}

/**
 * A condition made ready to be asked often. A signal that is not a finite number makes what rests on it unknown, and
 * unknown is false, under `not` too.
 *
 * @throws Error for a text that {@link parseCondition} refuses: it was to be checked before.
 */
export function compileCondition(text: string): (read: (name: string) => number) => boolean {
  const parsed = parseCondition(text)
  if (!parsed.ok) {
    const [{ column, found, expected }] = parsed.problems as [FormulaProblem]
    throw new Error(`no condition: ${text}: column ${column}: found ${found}, expected ${expected}`)
  }
  const { formula } = parsed
  return (read) => truthNow(formula, read) > 0
}

/** Truth of one moment: 1 true, −1 false, 0 unknown (Kleene's strong logic, as minimum and maximum). */
function truthNow(formula: Formula, read: (name: string) => number): number {
  switch (formula.kind) {
    case 'constant':
      return formula.value ? 1 : -1
    case 'compare':
      return compared(formula.op, termValue(formula.left, read), termValue(formula.right, read))
    case 'not':
      return -truthNow(formula.of, read)
    case 'and':
      return Math.min(truthNow(formula.left, read), truthNow(formula.right, read))
    case 'or':
      return Math.max(truthNow(formula.left, read), truthNow(formula.right, read))
    default:
      return 0
  }
}

/** Whether two values compare so: 1 true, −1 false, 0 when one of them is not a finite number. */
export function compared(op: Comparison, left: number, right: number): number {
  if (!(Number.isFinite(left) && Number.isFinite(right))) return 0
  const isSo =
    op === '<'
      ? left < right
      : op === '<='
        ? left <= right
        : op === '>'
          ? left > right
          : op === '>='
            ? left >= right
            : op === '=='
              ? left === right
              : left !== right
  return isSo ? 1 : -1
}

/** Value of a term; NaN when anything in it is not a finite number. */
export function termValue(term: Term, read: (name: string) => number): number {
  switch (term.kind) {
    case 'number':
      return term.value
    case 'signal':
      return finite(read(term.name))
    case 'negate':
      return -termValue(term.of, read)
    case 'binary': {
      const left = termValue(term.left, read)
      const right = termValue(term.right, read)
      if (term.op === '+') return finite(left + right)
      if (term.op === '-') return finite(left - right)
      return finite(term.op === '*' ? left * right : left / right)
    }
    case 'call': {
      const args = term.args.map((arg) => termValue(arg, read))
      return term.name === 'abs' ? Math.abs(args[0]!) : term.name === 'min' ? Math.min(...args) : Math.max(...args)
    }
  }
}

function finite(value: number): number {
  return Number.isFinite(value) ? value : Number.NaN
}

/** Signals of a formula, where they stand. */
export function signalsOf(formula: Formula): readonly Readonly<{ name: string; column: number }>[] {
  switch (formula.kind) {
    case 'constant':
      return []
    case 'compare':
      return [...signalsIn(formula.left), ...signalsIn(formula.right)]
    case 'and':
    case 'or':
    case 'since':
      return [...signalsOf(formula.left), ...signalsOf(formula.right)]
    default:
      return signalsOf(formula.of)
  }
}

/** Signals of a term. */
export function signalsIn(term: Term): readonly Readonly<{ name: string; column: number }>[] {
  switch (term.kind) {
    case 'number':
      return []
    case 'signal':
      return [term]
    case 'negate':
      return signalsIn(term.of)
    case 'binary':
      return [...signalsIn(term.left), ...signalsIn(term.right)]
    case 'call':
      return term.args.flatMap(signalsIn)
  }
}

function looksBack(formula: Formula): boolean {
  switch (formula.kind) {
    case 'constant':
    case 'compare':
      return false
    case 'not':
      return looksBack(formula.of)
    case 'and':
    case 'or':
      return looksBack(formula.left) || looksBack(formula.right)
    default:
      return true
  }
}
