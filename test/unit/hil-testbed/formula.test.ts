import t from 'tap'
import { compileCondition, parseCondition, parseFormula } from '../../../hil-testbed/oracle/formula.ts'

/** Text, and column and expectation of its first problem. */
const REFUSED: readonly (readonly [text: string, column: number, expected: RegExp])[] = [
  ['', 1, /a signal/],
  ['p_bar', 1, /a comparison/],
  ['p_bar >', 8, /a signal/],
  ['p_bar > > 3', 9, /a signal/],
  ['1 < p_bar < 2', 11, /joined by and/],
  ['(p_bar > 1', 11, /\)/],
  ['p_bar > 1)', 10, /an operator or the end/],
  ['p_bar > 1 p', 11, /an operator or the end/],
  ['p_bar $ 1', 7, /a number, a name/],
  ['(p_bar > 1) + 2 > 3', 1, /a number or a signal/],
  ['not 3', 5, /a comparison/],
  ['p_bar > 1 and 3', 15, /a comparison/],
  ['historically[2,1] p_bar > 1', 13, /a ≤ b/],
  ['historically[0,1 p_bar > 1', 18, /us, ms, s/],
  ['once[0] p_bar > 1', 7, /,/],
  ['once[x,1] p_bar > 1', 6, /a time/],
  ['abs(p_bar, 2) > 1', 1, /abs of one/],
  ['p_bar > 1e999', 9, /not infinite/],
  ['p_bar > since', 9, /a signal/],
  [`${'('.repeat(80)}p_bar > 1${')'.repeat(80)}`, 66, /levels of nesting/],
  [`p_bar > 1${' '.repeat(5000)}`, 4097, /at most 4096/],
]

t.test('what is no formula is refused where it stops being one', async (t) => {
  for (const [text, column, expected] of REFUSED) {
    const parsed = parseFormula(text)
    t.equal(parsed.ok, false, text.slice(0, 60))
    if (parsed.ok) continue
    t.equal(parsed.problems[0]?.column, column, text.slice(0, 60))
    t.match(parsed.problems[0]?.expected, expected, text.slice(0, 60))
  }
})

t.test('all signals that a plant does not have are named at once', async (t) => {
  const parsed = parseFormula('p_bar > 1 and once[0,2s] (flow < t.c)', ['p_bar'])
  t.match(parsed, {
    ok: false,
    problems: [
      { column: 27, found: 'flow' },
      { column: 34, found: 't.c' },
    ],
  })
  t.equal(parseFormula('p_bar > 1 and once[0,2s] (flow < t.c)', ['p_bar', 'flow', 't.c']).ok, true)
})

t.test('a condition is about one moment', async (t) => {
  t.match(parseCondition('p > 1 and once[0,1] p > 2'), { ok: false, problems: [{ column: 11, found: 'once' }] })
  t.equal(parseCondition('p > 1 and (p < 2 or not q >= 3)').ok, true)
  t.throws(() => compileCondition('p >'), /column 4/)
  t.throws(() => compileCondition('always p > 1'), /one moment/)
})

/** Conditions over a = 2, b = -3, z = 0, n = not a number, and whether they hold. */
const CONDITIONS: readonly (readonly [text: string, holds: boolean])[] = [
  ['a > 1', true],
  ['a > 2', false],
  ['a >= 2', true],
  ['a == 2 and b != 2', true],
  ['a + b * 2 == -4', true],
  ['(a + b) * 2 == -2', true],
  ['a - b - 1 == 4', true],
  ['-b / a == 1.5', true],
  ['abs(b) > max(a, z, 2.5)', true],
  ['min(a, b) == b', true],
  ['a > 5 or b < 0', true],
  ['a > 5 or b < 0 and a > 5', false],
  ['not a > 5 and not (b > 0 or z > 0)', true],
  ['a > 1 implies b > 0', false],
  ['a > 5 implies b > 0', true],
  ['true and not false', true],
  ['n > 1', false],
  ['not n > 1', false],
  ['n != 1', false],
  ['n == n', false],
  ['n > 1 or a > 1', true],
  ['n > 1 and a > 1', false],
  ['not (n > 1 and a > 5)', true],
  ['a / z > 1', false],
  ['not a / z > 1', false],
  ['max(n, a) > 1', false],
  ['missing > 1 or not missing > 1', false],
]

t.test('a condition holds only when it is known to', async (t) => {
  const values: Readonly<Record<string, number>> = { a: 2, b: -3, z: 0, n: Number.NaN }
  for (const [text, holds] of CONDITIONS)
    t.equal(
      compileCondition(text)((name) => values[name] ?? Number.NaN),
      holds,
      text,
    )
})
