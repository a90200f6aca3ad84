import fc from 'fast-check'
import t from 'tap'
import { type Formula, parseFormula } from '../../../hil-testbed/oracle/formula.ts'
import { judgeFormula, seriesOf, windowExtrema } from '../../../hil-testbed/oracle/robustness.ts'
import { type Trace, traceOf } from '../../../hil-testbed/oracle/truth.ts'

function formulaOf(text: string): Formula {
  const parsed = parseFormula(text)
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems))
  return parsed.formula
}

/** A trace of one sample a second. */
function traceFrom(signals: Readonly<Record<string, readonly number[]>>): Trace {
  const columns = Object.entries(signals).map(([name, values]) => [name, Float64Array.from(values)] as const)
  const tUs = Float64Array.from(columns[0]![1], (_, i) => i * 1_000_000)
  return { tUs, signals: new Map(columns), stepUs: 1_000_000 }
}

const PRESSURE = traceFrom({ p: [5, 6, 9, 7, 5], q: [0, 1, 0, 0, 0], n: [1, Number.NaN, 1, 1, 1] })

/** Formulas at the end of that trace: what they are, robustness, share of the bound, and when it was decided. */
const JUDGED: readonly (readonly [
  text: string,
  is: 'true' | 'false' | 'unknown',
  robustness: number | null,
  share: number | null,
  atS: number | null,
])[] = [
  ['p < 10', 'true', 5, 0.5, 4],
  ['historically[0,4s] p <= 10', 'true', 1, 0.1, 4],
  ['historically p <= 8', 'false', -1, -0.125, 2],
  ['historically[0,1s] p <= 8', 'true', 1, 0.125, 4],
  ['historically[1,2] p <= 8', 'false', -1, -0.125, 2],
  ['once[2s,2s] p > 8', 'true', 1, 0.125, 4],
  ['once[0,1s] p > 8', 'false', -1, -0.125, 4],
  ['always p < 10 and p > 1', 'true', 1, 0.1, 4],
  ['always[0,2s] p < 8', 'false', -1, -0.125, 2],
  ['always[3s,4s] p < 8', 'true', 1, 0.125, 4],
  ['eventually p > 8', 'true', 1, 0.125, 4],
  ['eventually[0,1s] p > 8', 'false', -2, -0.25, 4],
  ['always[0,60s] p < 10', 'unknown', null, null, null],
  ['always[0,60s] p < 8', 'false', -1, -0.125, 2],
  ['eventually[0,60s] p > 8', 'true', 1, 0.125, 4],
  ['once[9s,10s] p > 0', 'unknown', null, null, null],
  ['p > 4 since q > 0', 'true', 1, 0.25, 4],
  ['p > 4 since[0,2s] q > 0', 'false', 0, 0, 4],
  ['p > 4 since[3s,3s] q > 0', 'true', 1, 0.25, 4],
  ['p > 6 since[0,5s] q > 0.5', 'false', -0.5, -1 / 6, 4],
  ['not historically p <= 8', 'true', 1, 0.125, 4],
  ['historically n > 0', 'unknown', null, null, null],
  ['historically (n > 0 or p > 4)', 'true', 1, 0.5, 4],
  ['historically n > 2', 'false', -1, -0.5, 0],
  ['once n > 0', 'true', 1, null, 4],
  ['historically[0,2s] n > 0', 'true', 1, 1, 4],
  ['missing > 0', 'unknown', null, null, null],
  ['p == 5', 'true', null, null, 4],
  ['p != 5', 'false', null, null, 4],
  ['p != 4', 'true', 1, 0.25, 4],
  ['p - q > 1', 'true', 4, 4, 4],
  ['q < p', 'true', 5, 1, 4],
  ['true', 'true', null, null, 4],
]

t.test('formulas are judged with the margin that is left', async (t) => {
  for (const [text, is, robustness, share, atS] of JUDGED) {
    const judged = judgeFormula(formulaOf(text), PRESSURE)
    t.match(judged, { is, robustness, atUs: atS === null ? null : atS * 1_000_000 }, text)
    if (share !== null || is === 'unknown') t.equal(judged.share, share, text)
  }
  t.equal(judgeFormula(formulaOf('true'), traceFrom({ p: [] })).is, 'unknown')
})

const TERM = fc.constantFrom('a', 'b', '1', '0', '-2', 'a + b', 'a * b', 'abs(a)', 'min(a, b, 1)', 'a / b')
const COMPARE = fc.tuple(TERM, fc.constantFrom('<', '<=', '>', '>=', '==', '!='), TERM).map((parts) => parts.join(' '))
const SPAN = fc.oneof(
  fc.constant(''),
  fc.tuple(fc.nat(4), fc.nat(4)).map(([from, more]) => `[${from},${from + more}s]`),
)
const { formula: TEXT } = fc.letrec<{ formula: string }>((tie) => ({
  formula: fc.oneof(
    { maxDepth: 4 },
    COMPARE,
    tie('formula').map((of) => `not (${of})`),
    fc
      .tuple(tie('formula'), fc.constantFrom('and', 'or', 'implies'), tie('formula'))
      .map(([l, o, r]) => `(${l}) ${o} (${r})`),
    fc
      .tuple(fc.constantFrom('historically', 'once', 'always', 'eventually'), SPAN, tie('formula'))
      .map(([kind, span, of]) => `${kind}${span} (${of})`),
    fc.tuple(tie('formula'), SPAN, tie('formula')).map(([l, span, r]) => `(${l}) since${span} (${r})`),
  ),
}))
const VALUE = fc.constantFrom(-3, -1, 0, 1, 2, 5, Number.NaN)
const TRACE = fc
  .array(fc.record({ a: VALUE, b: VALUE, gap: fc.integer({ min: 1, max: 3 }) }), { minLength: 1, maxLength: 12 })
  .map((rows): Trace => {
    let at = 0
    const tUs = Float64Array.from(rows, ({ gap }) => (at += gap * 1_000_000))
    const signals = new Map((['a', 'b'] as const).map((name) => [name, Float64Array.from(rows, (row) => row[name])]))
    return { tUs, signals, stepUs: 1_000_000 }
  })

/** Truth by the definition, in Kleene's logic, looking at every pair of samples. */
function truthAt(formula: Formula, trace: Trace, i: number): number {
  const { tUs } = trace
  const at = (of: Formula, k: number): number => truthAt(of, trace, k)
  const all = [...tUs.keys()]
  const back = ({ fromUs, toUs }: { fromUs: number; toUs: number }): number[] =>
    all.filter((k) => k <= i && tUs[i]! - tUs[k]! >= fromUs && tUs[i]! - tUs[k]! <= toUs)
  const extreme = (of: typeof Math.min, values: number[]): number => (values.length === 0 ? 0 : of(...values))
  switch (formula.kind) {
    case 'not':
      return -at(formula.of, i)
    case 'and':
      return Math.min(at(formula.left, i), at(formula.right, i))
    case 'or':
      return Math.max(at(formula.left, i), at(formula.right, i))
    case 'historically':
      return extreme(
        Math.min,
        back(formula.span).map((k) => at(formula.of, k)),
      )
    case 'once':
      return extreme(
        Math.max,
        back(formula.span).map((k) => at(formula.of, k)),
      )
    case 'always':
    case 'eventually': {
      const { fromUs, toUs } = formula.span
      const inside = all.filter((k) => tUs[k]! >= fromUs && tUs[k]! <= toUs).map((k) => at(formula.of, k))
      const ends = toUs === Number.POSITIVE_INFINITY || tUs.at(-1)! >= toUs - 3_000_000
      return extreme(formula.kind === 'always' ? Math.min : Math.max, ends ? inside : [...inside, 0])
    }
    case 'since': {
      const { span, left, right } = formula
      const heldAfter = (k: number, end: number): number[] =>
        all.filter((m) => m > k && m <= end).map((m) => at(left, m))
      const begunAt = (k: number, end: number): number => Math.min(at(right, k), ...heldAfter(k, end))
      const begun = back(span)
      if (begun.length > 0) return Math.max(...begun.map((k) => begunAt(k, i)))
      // No moment of the window was sampled: unknown, or false when it does not hold up to there or has not held since.
      const last = all.findLast((k) => tUs[i]! - tUs[k]! >= span.fromUs) ?? -1
      const before = last < 0 ? 0 : Math.max(...all.filter((k) => k <= last).map((k) => begunAt(k, last)))
      return Math.min(0, before, ...heldAfter(last, i))
    }
    default:
      return seriesOf(formula, trace, 'absolute').truth[i]!
  }
}

t.test('truth is that of the definition, and robustness has its sign', async (t) => {
  fc.assert(
    fc.property(TEXT, TRACE, (text, trace) => {
      const formula = formulaOf(text)
      const { truth, least, most } = seriesOf(formula, trace, 'absolute')
      const share = seriesOf(formula, trace, 'share')
      t.strictSame(share.truth, truth)
      for (let i = 0; i < truth.length; i += 1) {
        if (truth[i] !== truthAt(formula, trace, i)) return false
        for (const [low, high] of [
          [least[i]!, most[i]!],
          [share.least[i]!, share.most[i]!],
        ] as const) {
          if (!(low <= high)) return false
          if (low > 0 && truth[i] !== 1) return false
          if (high < 0 && truth[i] !== -1) return false
          if (truth[i] === 1 && !(low >= 0)) return false
          if (truth[i] === -1 && !(high <= 0)) return false
        }
      }
      return true
    }),
    { numRuns: 400 },
  )
})

t.test('the extremum of every window is the one that looking at all of it finds', async (t) => {
  const rising = fc.array(fc.nat(4), { minLength: 1, maxLength: 30 })
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: -5, max: 5 }), { minLength: 1, maxLength: 40 }),
      rising,
      rising,
      (list, starts, more) => {
        let [first, last] = [0, -1]
        const windows = starts.map((step, k) => {
          first = Math.min(list.length, first + step)
          last = Math.min(list.length - 1, last + (more[k] ?? 1))
          return [first, last] as const
        })
        const bounds = { from: Int32Array.from(windows, ([a]) => a), to: Int32Array.from(windows, ([, b]) => b) }
        for (const sign of [1, -1] as const) {
          const found = windowExtrema(Float64Array.from(list), bounds, { sign, empty: 99 })
          const sought = windows.map(([a, b]) => {
            const part = list.slice(a, b + 1)
            return part.length === 0 ? 99 : sign * Math.min(...part.map((x) => sign * x))
          })
          t.strictSame(
            [...found].map((x) => x + 0),
            sought.map((x) => x + 0),
          )
        }
      },
    ),
  )
})

t.test('a table of truth is read; holes, blanks and a last line that was cut are not bridged', async (t) => {
  const trace = traceOf('t_us,p,q\n0,1,2\n1000,,x\n2000,3,4\n9000,5,6\n10000,7', 1000)!
  t.strictSame([...trace.tUs], [0, 1000, 2000, 5500, 9000])
  t.strictSame([...trace.signals.get('p')!], [1, Number.NaN, 3, Number.NaN, 5])
  t.strictSame([...trace.signals.get('q')!], [2, Number.NaN, 4, Number.NaN, 6])
  t.equal(traceOf('', 1000), null)
  t.equal(traceOf('time,p\n0,1\n', 1000), null)
  t.equal(traceOf('t_us,p\n0,1\n0,2\n', 1000), null)
  t.equal(traceOf('t_us,p\nx,1\n', 1000), null)
})
