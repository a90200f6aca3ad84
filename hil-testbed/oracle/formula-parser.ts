import type { Comparison, Formula, Span, Term } from './formula.ts'
import type { FormulaProblem, Token } from './formula-tokens.ts'

/** Deepest nesting of a formula. */
const DEPTH_MAX = 64
const COMPARISONS: readonly string[] = ['<', '<=', '>', '>=', '==', '!=']
const FUNCTIONS: readonly string[] = ['min', 'max', 'abs']
const WINDOWED: readonly string[] = ['historically', 'once', 'always', 'eventually']
const RESERVED: ReadonlySet<string> = new Set([
  ...FUNCTIONS,
  ...WINDOWED,
  ...['and', 'or', 'not', 'implies', 'since', 'true', 'false'],
])
const UNIT_US: Readonly<Record<string, number>> = { us: 1, ms: 1e3, s: 1e6, min: 6e7, h: 3.6e9 }

/** What stands between two operators before it is known whether it is a number or a truth value. */
type Node = Readonly<{ column: number } & ({ is: 'term'; term: Term } | { is: 'formula'; formula: Formula })>

/** Thrown inside the parser only. */
export class FormulaRefused {
  readonly problem: FormulaProblem
  constructor(problem: FormulaProblem) {
    this.problem = problem
  }
}

/**
 * Reads a formula by recursive descent, loosest first: implies, or, and, since, not and windows, comparison, sum, product.
 * Throws {@link FormulaRefused} at the first token that does not fit.
 */
export class FormulaParser {
  private at = 0
  private depth = 0
  private readonly tokens: readonly Token[]

  constructor(tokens: readonly Token[]) {
    this.tokens = tokens
  }

  whole(): Formula {
    const formula = this.truth(this.implication())
    if (this.next.kind !== 'end') this.refuse(this.next, 'an operator or the end')
    return formula
  }

  private get next(): Token {
    return this.tokens[this.at]!
  }

  private implication(): Node {
    const left = this.chain('or', () => this.chain('and', () => this.since()))
    if (!this.took('implies')) return left
    const right = this.truth(this.deeper(() => this.implication()))
    return truthAt(left.column, { kind: 'or', left: { kind: 'not', of: this.truth(left) }, right })
  }

  private chain(kind: 'and' | 'or', operand: () => Node): Node {
    let left = operand()
    while (this.took(kind)) {
      const right = this.truth(operand())
      left = truthAt(left.column, { kind, left: this.truth(left), right })
    }
    return left
  }

  private since(): Node {
    const left = this.prefixed()
    if (!this.took('since')) return left
    const span = this.span()
    const right = this.truth(this.prefixed())
    return truthAt(left.column, { kind: 'since', span, left: this.truth(left), right })
  }

  private prefixed(): Node {
    const { text, kind, column } = this.next
    if (kind !== 'name') return this.comparison()
    if (this.took('not')) return truthAt(column, { kind: 'not', of: this.truth(this.deeper(() => this.prefixed())) })
    if (!WINDOWED.includes(text)) return this.comparison()
    this.at += 1
    const span = this.span()
    const of = this.truth(this.deeper(() => this.prefixed()))
    return truthAt(column, { kind: text as 'historically' | 'once' | 'always' | 'eventually', span, of })
  }

  private comparison(): Node {
    const left = this.sum()
    const operator = this.next
    if (!COMPARISONS.includes(operator.text)) return left
    this.at += 1
    const right = this.term(this.sum())
    if (COMPARISONS.includes(this.next.text)) this.refuse(this.next, 'two comparisons joined by and')
    const formula = { kind: 'compare', op: operator.text as Comparison, left: this.term(left), right } as const
    return truthAt(left.column, formula)
  }

  private sum(): Node {
    return this.arithmetic(['+', '-'], () => this.arithmetic(['*', '/'], () => this.factor()))
  }

  private arithmetic(operators: readonly string[], operand: () => Node): Node {
    let left = operand()
    while (this.next.kind === 'symbol' && operators.includes(this.next.text)) {
      const op = this.next.text as '+' | '-' | '*' | '/'
      this.at += 1
      const right = this.term(operand())
      left = { is: 'term', column: left.column, term: { kind: 'binary', op, left: this.term(left), right } }
    }
    return left
  }

  private factor(): Node {
    const token = this.next
    const { kind, text, column } = token
    this.at += 1
    if (kind === 'number') {
      if (!Number.isFinite(Number(text))) this.refuse(token, 'a number that is not infinite')
      return { is: 'term', column, term: { kind: 'number', value: Number(text) } }
    }
    if (text === '-' && kind === 'symbol') {
      const of = this.term(this.deeper(() => this.factor()))
      return { is: 'term', column, term: { kind: 'negate', of } }
    }
    if (text === '(' && kind === 'symbol') {
      const inner = this.deeper(() => this.implication())
      this.expect(')')
      return { ...inner, column }
    }
    if (kind !== 'name') this.refuse(token, 'a signal, a number or (')
    if (text === 'true' || text === 'false') return truthAt(column, { kind: 'constant', value: text === 'true' })
    if (FUNCTIONS.includes(text)) return this.call(text as 'min' | 'max' | 'abs', column)
    if (RESERVED.has(text)) this.refuse(token, 'a signal, a number or (')
    return { is: 'term', column, term: { kind: 'signal', name: text, column } }
  }

  private call(name: 'min' | 'max' | 'abs', column: number): Node {
    this.expect('(')
    const args = [this.term(this.deeper(() => this.sum()))]
    while (this.took(',')) args.push(this.term(this.deeper(() => this.sum())))
    if (name === 'abs' && args.length !== 1)
      this.refuse({ kind: 'name', text: `abs of ${args.length}`, column }, 'abs of one value')
    this.expect(')')
    return { is: 'term', column, term: { kind: 'call', name, args } }
  }

  /** `[a,b]`, a ≤ b, in seconds unless a unit is given; without it everything. */
  private span(): Span {
    const open = this.next
    if (!this.took('[')) return { fromUs: 0, toUs: Number.POSITIVE_INFINITY }
    const fromUs = this.duration()
    this.expect(',')
    const toUs = this.duration()
    this.expect(']')
    if (!(fromUs <= toUs)) this.refuse({ ...open, text: 'bounds that end before they begin' }, '[a,b] with a ≤ b')
    return { fromUs, toUs }
  }

  private duration(): number {
    const token = this.next
    if (token.kind !== 'number') this.refuse(token, 'a time such as 2, 2s or 500ms')
    this.at += 1
    const unit = this.next
    if (unit.kind !== 'name') return this.wholeMicros(token, 1e6)
    if (UNIT_US[unit.text] === undefined) this.refuse(unit, 'us, ms, s, min or h')
    this.at += 1
    return this.wholeMicros(token, UNIT_US[unit.text]!)
  }

  private wholeMicros(token: Token, unitUs: number): number {
    const us = Math.round(Number(token.text) * unitUs)
    if (!Number.isSafeInteger(us)) this.refuse(token, 'a time of whole microseconds below 2^53')
    return us
  }

  private took(text: string): boolean {
    if (this.next.text !== text || this.next.kind === 'end') return false
    this.at += 1
    return true
  }

  private expect(text: string): void {
    if (!this.took(text)) this.refuse(this.next, text)
  }

  private deeper<T>(read: () => T): T {
    this.depth += 1
    if (this.depth > DEPTH_MAX) this.refuse(this.next, `at most ${DEPTH_MAX} levels of nesting`)
    const value = read()
    this.depth -= 1
    return value
  }

  private truth(node: Node): Formula {
    if (node.is === 'formula') return node.formula
    return this.refuse({ kind: 'name', text: 'a number', column: node.column }, 'a comparison, such as p_bar > 9.5')
  }

  private term(node: Node): Term {
    if (node.is === 'term') return node.term
    return this.refuse({ kind: 'name', text: 'a comparison', column: node.column }, 'a number or a signal')
  }

  private refuse({ text, column }: Token, expected: string): never {
    throw new FormulaRefused({ column, found: text, expected })
  }
}

function truthAt(column: number, formula: Formula): Node {
  return { is: 'formula', column, formula }
}
