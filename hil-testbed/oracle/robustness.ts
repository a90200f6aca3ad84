import { compared, type Formula, type Span, signalsIn, termValue } from './formula.ts'
import { reaches, type Trace } from './truth.ts'

/**
 * A formula over a trace, at every sample. `truth` is 1, −1 or 0 (unknown); the robustness lies between `least` and `most`,
 * which differ where something is unknown. A robustness above 0 means true, below 0 false; on 0 `truth` decides.
 */
export type Series = Readonly<{ truth: Float64Array; least: Float64Array; most: Float64Array }>

/** In the unit of what is compared, or as a share of the bound: of the side that is a constant, else of the larger one. */
export type Scale = 'absolute' | 'share'

/**
 * Quantitative semantics of signal temporal logic, by the samples of the trace.
 *
 * Robustness: Fainekos and Pappas, "Robustness of temporal logic specifications for continuous-time signals" (2009); Donzé and
 * Maler, "Robust satisfaction of temporal logic over real-valued signals" (FORMATS 2010). Windows by a monotone queue, and since
 * by its unbounded form and a window: Donzé, Ferrère and Maler, "Efficient robust monitoring for STL" (CAV 2013). Intervals for
 * what is unknown: Deshmukh et al., "Robust online monitoring of STL" (2017). Linear in samples times size of the formula.
 */
export function seriesOf(formula: Formula, trace: Trace, scale: Scale): Series {
  switch (formula.kind) {
    case 'constant': {
      const value = formula.value ? 1 : -1
      return filled(trace, value, value * Number.POSITIVE_INFINITY)
    }
    case 'compare':
      return comparisonOf(formula, trace, scale)
    case 'not': {
      const { truth, least, most } = seriesOf(formula.of, trace, scale)
      return { truth: truth.map((x) => -x), least: most.map((x) => -x), most: least.map((x) => -x) }
    }
    case 'and':
    case 'or': {
      const [left, right] = [seriesOf(formula.left, trace, scale), seriesOf(formula.right, trace, scale)]
      return joined(formula.kind === 'and' ? Math.min : Math.max, left, right)
    }
    case 'historically':
    case 'once': {
      const windows = windowsBack(trace.tUs, formula.span)
      return windowed(seriesOf(formula.of, trace, scale), windows, formula.kind === 'historically' ? 1 : -1)
    }
    case 'always':
    case 'eventually':
      return overRun(formula, trace, scale)
    case 'since':
      return sinceOf(formula, trace, scale)
  }
}

type Windows = Readonly<{ from: Int32Array; to: Int32Array }>

function comparisonOf(
  { op, left, right }: Extract<Formula, Readonly<{ kind: 'compare' }>>,
  trace: Trace,
  scale: Scale,
): Series {
  const series = filled(trace, 0, 0)
  const fixed = signalsIn(left).length === 0 ? 'left' : signalsIn(right).length === 0 ? 'right' : null
  for (let i = 0; i < trace.tUs.length; i += 1) {
    const read = (name: string): number => trace.signals.get(name)?.[i] ?? Number.NaN
    const [a, b] = [termValue(left, read), termValue(right, read)]
    const truth = compared(op, a, b)
    series.truth[i] = truth
    if (truth === 0) {
      series.least[i] = Number.NEGATIVE_INFINITY
      series.most[i] = Number.POSITIVE_INFINITY
      continue
    }
    const bound = Math.abs(fixed === 'left' ? a : fixed === 'right' ? b : 0)
    const unit = scale === 'absolute' ? 1 : bound > 0 ? bound : Math.max(Math.abs(a), Math.abs(b))
    const robustness = marginOf(op, a, b) / (unit > 0 ? unit : 1)
    series.least[i] = robustness
    series.most[i] = robustness
  }
  return series
}

/** How far a comparison is from changing. What is equal and should be has no bound to be near to. */
function marginOf(op: string, a: number, b: number): number {
  if (op === '<' || op === '<=') return b - a
  if (op === '>' || op === '>=') return a - b
  const apart = Math.abs(a - b)
  if (op === '!=') return apart === 0 ? Number.NEGATIVE_INFINITY : apart
  return apart === 0 ? Number.POSITIVE_INFINITY : -apart
}

function overRun(
  { kind, span, of }: Extract<Formula, Readonly<{ kind: 'always' | 'eventually' }>>,
  trace: Trace,
  scale: Scale,
): Series {
  const { tUs } = trace
  const from = tUs.findIndex((at) => at >= span.fromUs)
  const to = tUs.findLastIndex((at) => at <= span.toUs)
  const sign = kind === 'always' ? 1 : -1
  const windows = {
    from: new Int32Array(tUs.length).fill(from < 0 ? tUs.length : from),
    to: new Int32Array(tUs.length).fill(to),
  }
  const series = windowed(seriesOf(of, trace, scale), windows, sign)
  if (span.toUs === Number.POSITIVE_INFINITY || reaches(trace, span.toUs)) return series
  const rest = filled(trace, 0, 0)
  rest.least.fill(Number.NEGATIVE_INFINITY)
  rest.most.fill(Number.POSITIVE_INFINITY)
  return joined(sign > 0 ? Math.min : Math.max, series, rest)
}

/** φ since[a,b] ψ: ψ was between a and b ago, and φ ever since. It is once[a,b] ψ, and φ since[a,∞) ψ. */
function sinceOf(
  { span, left, right }: Extract<Formula, Readonly<{ kind: 'since' }>>,
  trace: Trace,
  scale: Scale,
): Series {
  const held = seriesOf(left, trace, scale)
  const begun = seriesOf(right, trace, scale)
  const { from, to } = windowsBack(trace.tUs, span)
  const unbounded = mapSeries((part) => {
    const [hold, begin] = [held[part], begun[part]]
    const since = new Float64Array(begin.length)
    begin.forEach((value, i) => {
      since[i] = i === 0 ? value : Math.max(value, Math.min(hold[i]!, since[i - 1]!))
    })
    return since
  })
  const ever = windowed(held, { from: to.map((last) => last + 1), to: to.map((_, i) => i) }, 1, HELD)
  const earlier = windowed(unbounded, { from: to, to }, 1)
  return joined(Math.min, windowed(begun, { from, to }, -1), joined(Math.min, earlier, ever))
}

/** First and last sample between `fromUs` and `toUs` before each; the last is before the first where there is none. */
function windowsBack(tUs: Float64Array, { fromUs, toUs }: Span): Windows {
  const from = new Int32Array(tUs.length)
  const to = new Int32Array(tUs.length)
  let first = 0
  let last = -1
  for (let i = 0; i < tUs.length; i += 1) {
    while (first < tUs.length && tUs[first]! < tUs[i]! - toUs) first += 1
    while (last + 1 < tUs.length && tUs[last + 1]! <= tUs[i]! - fromUs) last += 1
    from[i] = first
    to[i] = last
  }
  return { from, to }
}

const PARTS = ['truth', 'least', 'most'] as const
/** What an empty window comes to: unknown; or, of what has to hold in it, that it does. */
const UNKNOWN = { truth: 0, least: Number.NEGATIVE_INFINITY, most: Number.POSITIVE_INFINITY }
const HELD = { truth: 1, least: Number.POSITIVE_INFINITY, most: Number.POSITIVE_INFINITY }

function windowed(series: Series, windows: Windows, sign: 1 | -1, empty = UNKNOWN): Series {
  return mapSeries((part) => windowExtrema(series[part], windows, { sign, empty: empty[part] }))
}

/**
 * Smallest (sign 1) or largest (−1) value of each window, by a queue of candidates that only rise. Windows must not go back:
 * neither end falls from one to the next.
 */
export function windowExtrema(
  values: Float64Array,
  { from, to }: Windows,
  { sign, empty }: Readonly<{ sign: 1 | -1; empty: number }>,
): Float64Array {
  const out = new Float64Array(from.length)
  const queue = new Int32Array(values.length)
  let [head, tail, next] = [0, 0, 0]
  for (let i = 0; i < from.length; i += 1) {
    for (next = Math.max(next, Math.min(from[i]!, values.length)); next <= to[i]!; next += 1) {
      while (tail > head && sign * values[queue[tail - 1]!]! >= sign * values[next]!) tail -= 1
      queue[tail] = next
      tail += 1
    }
    while (tail > head && queue[head]! < from[i]!) head += 1
    out[i] = tail > head ? values[queue[head]!]! : empty
  }
  return out
}

function filled({ tUs }: Trace, truth: number, robustness: number): Series {
  const of = (value: number): Float64Array => new Float64Array(tUs.length).fill(value)
  return { truth: of(truth), least: of(robustness), most: of(robustness) }
}

function joined(of: (a: number, b: number) => number, left: Series, right: Series): Series {
  return mapSeries((part) => left[part].map((value, i) => of(value, right[part][i]!)))
}

function mapSeries(of: (part: (typeof PARTS)[number]) => Float64Array): Series {
  return { truth: of('truth'), least: of('least'), most: of('most') }
}

/** What a formula comes to at the end of a run. `robustness` and `share` are null where nothing bounds it or it is unknown. */
export type Judged = Readonly<{
  is: 'true' | 'false' | 'unknown'
  robustness: number | null
  share: number | null
  /** Sample at which it was decided: the first that breaks what should hold, else the end. */
  atUs: number | null
}>

/** Judges a formula at the last sample of a trace. */
export function judgeFormula(formula: Formula, trace: Trace): Judged {
  const absolute = seriesOf(formula, trace, 'absolute')
  const last = trace.tUs.length - 1
  const truth = last < 0 ? 0 : absolute.truth[last]!
  if (truth === 0) return { is: 'unknown', robustness: null, share: null, atUs: null }
  const side = truth > 0 ? 'least' : 'most'
  const share = seriesOf(formula, trace, 'share')
  return {
    is: truth > 0 ? 'true' : 'false',
    robustness: finiteOrNull(absolute[side][last]!),
    share: finiteOrNull(share[side][last]!),
    atUs: trace.tUs[truth > 0 ? last : brokenAt(formula, trace, last)]!,
  }
}

function finiteOrNull(value: number): number | null {
  return Number.isFinite(value) ? value : null
}

/** First sample that made a formula false at the end of a run, as far as one sample did. */
function brokenAt(formula: Formula, trace: Trace, last: number): number {
  if (formula.kind === 'and') {
    const isFalse = (part: Formula): boolean => seriesOf(part, trace, 'absolute').truth[last]! < 0
    return brokenAt(isFalse(formula.left) ? formula.left : formula.right, trace, last)
  }
  if (formula.kind !== 'historically' && formula.kind !== 'always') return last
  const { truth } = seriesOf(formula.of, trace, 'absolute')
  const { fromUs, toUs } = formula.span
  const endUs = trace.tUs[last]!
  const isIn = (at: number): boolean =>
    formula.kind === 'always' ? at >= fromUs && at <= toUs : at >= endUs - toUs && at <= endUs - fromUs
  const first = truth.findIndex((value, i) => value < 0 && isIn(trace.tUs[i]!))
  return first < 0 ? last : first
}
