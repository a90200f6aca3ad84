import fc from 'fast-check'
import t from 'tap'
import { FIELD, joinRows, joinSpans, MOMENTS_FIELDS, momentsAt, sampleVariance } from '../../../shared/math/moments.ts'

/** Numbers whose squares neither overflow nor vanish. */
const VALUE = fc.double({ min: -1e6, max: 1e6, noNaN: true }).map((v) => (Math.abs(v) < 1e-100 ? 0 : v))

/** A row of one sample. */
function rowOf(value: number, invalid = 0): Float64Array {
  return Float64Array.from([1, value, 0, value, value, value, value, invalid])
}

function joined(rows: readonly Float64Array[]): Float64Array {
  const into = new Float64Array(MOMENTS_FIELDS)
  for (const row of rows) joinRows(into, 0, row, 0, into, 0)
  return into
}

/** Mean and sum of squared deviations in exact rational arithmetic, rounded once. */
function exact(values: readonly number[]): { mean: number; m2: number } {
  // Every double is a whole multiple of 2^-1074; scaled by 2^1074 it is a whole number.
  const whole = values.map(scaled)
  const n = BigInt(whole.length)
  const sum = whole.reduce((a, b) => a + b, 0n)
  const squares = whole.reduce((a, b) => a + b * b, 0n)
  return { mean: ratio(sum, n << 1074n), m2: ratio(n * squares - sum * sum, n << 2148n) }
}

function scaled(value: number): bigint {
  const view = new DataView(new ArrayBuffer(8))
  view.setFloat64(0, value)
  const bits = view.getBigUint64(0)
  const exponent = (bits >> 52n) & 0x7ffn
  const fraction = bits & 0xfffffffffffffn
  const magnitude = exponent === 0n ? fraction : (fraction | (1n << 52n)) << (exponent - 1n)
  return bits >> 63n === 1n ? -magnitude : magnitude
}

/** Quotient to 60 bits and more, without going through infinities. */
function ratio(a: bigint, b: bigint): number {
  if (a === 0n) return 0
  const sign = a < 0n ? -1 : 1
  const positive = a < 0n ? -a : a
  const shift = BigInt(b.toString(2).length - positive.toString(2).length + 64)
  const quotient = shift >= 0n ? (positive << shift) / b : positive / (b << -shift)
  return sign * Number(quotient) * 2 ** -Number(shift)
}

t.test('joined sets have the moments of all their samples', async () => {
  fc.assert(
    fc.property(fc.array(VALUE, { minLength: 1, maxLength: 60 }), fc.nat(59), (values, at) => {
      const split = at % (values.length + 1)
      const left = joined(values.slice(0, split).map((v) => rowOf(v)))
      const right = joined(values.slice(split).map((v) => rowOf(v)))
      const m = momentsAt(joined([left, right]), 0)
      const e = exact(values)
      const scale = Math.max(...values.map(Math.abs))
      return (
        m.count === values.length &&
        m.min === Math.min(...values) &&
        m.max === Math.max(...values) &&
        m.first === values[0] &&
        m.last === values[values.length - 1] &&
        Math.abs(m.mean - e.mean) <= 1e-13 * scale &&
        Math.abs(m.m2 - e.m2) <= 1e-12 * e.m2 + 1e-26 * scale * scale * values.length
      )
    }),
    { numRuns: 2000, seed: 50 },
  )
})

t.test('a small spread on a large level keeps its digits', async (t) => {
  const values = Array.from({ length: 1000 }, (_, k) => 1e8 + (k % 10))
  const m = momentsAt(joined(values.map((v) => rowOf(v))), 0)
  t.ok(Math.abs(m.m2 - 8250) < 8250 * 1e-8, `${m.m2}`)
  t.ok(Math.abs(m.mean - (1e8 + 4.5)) < 1e-6)
})

t.test('an empty set joined on either side changes nothing but the count of what was invalid', async (t) => {
  const some = joined([rowOf(3), rowOf(5)])
  const nothing = new Float64Array(MOMENTS_FIELDS)
  nothing[FIELD.invalid] = 2
  for (const rows of [
    [some, nothing],
    [nothing, some],
  ]) {
    const both = joined(rows)
    t.same(Array.from(both.subarray(0, 7)), Array.from(some.subarray(0, 7)))
    t.equal(both[FIELD.invalid], 2)
  }
  t.same(momentsAt(joined([nothing, nothing]), 0), {
    count: 0,
    mean: 0,
    m2: 0,
    min: 0,
    max: 0,
    first: 0,
    last: 0,
    invalid: 4,
  })
})

t.test('the result may stand in the place of either part', async (t) => {
  const rows = () =>
    Float64Array.from([...joined([rowOf(1), rowOf(4)]), ...joined([rowOf(9, 1)]), ...new Float64Array(MOMENTS_FIELDS)])
  const apart = rows()
  joinRows(apart, 0, apart, 1, apart, 2)
  for (const place of [0, 1]) {
    const same = rows()
    joinRows(same, 0, same, 1, same, place)
    t.same(momentsAt(same, place), momentsAt(apart, 2))
  }
})

t.test('the variance of fewer than two samples is not said, and none is negative', async (t) => {
  t.equal(sampleVariance(momentsAt(new Float64Array(8), 0)), null)
  t.equal(sampleVariance(momentsAt(rowOf(3), 0)), null)
  t.equal(sampleVariance(momentsAt(joined([rowOf(1), rowOf(3)]), 0)), 2)
  t.equal(sampleVariance({ ...momentsAt(joined([rowOf(1), rowOf(3)]), 0), m2: -1e-20 }), 0)
  t.equal(sampleVariance({ ...momentsAt(rowOf(3), 0), count: Number.NaN }), null)
})

t.test('spans joined at once are, bit for bit, the rows joined one after the other: count, mean and m2', (t) => {
  const pane = fc.array(VALUE, { maxLength: 4 })
  fc.assert(
    fc.property(fc.array(fc.tuple(pane, fc.nat(2)), { minLength: 2, maxLength: 24 }), (panes) => {
      // Two channels a span: the second stands behind the first.
      const spans = Math.floor(panes.length / 2)
      const rows = new Float64Array(spans * 2 * MOMENTS_FIELDS)
      const wanted = new Float64Array(2 * MOMENTS_FIELDS)
      for (let k = 0; k < spans * 2; k += 1) {
        const [values, invalid] = panes[k]!
        const row = joined(values.map((value) => rowOf(value)))
        row[FIELD.invalid] = invalid
        rows.set(row, k * MOMENTS_FIELDS)
        joinRows(wanted, k % 2, rows, k, wanted, k % 2)
      }
      const found = new Float64Array(2 * MOMENTS_FIELDS)
      joinSpans(
        rows,
        Array.from({ length: spans }, (_, k) => 2 * k),
        found,
      )
      return found.every((value, k) => k % MOMENTS_FIELDS > FIELD.m2 || Object.is(value, wanted[k]))
    }),
    { seed: 7, numRuns: 2_000 },
  )
  t.pass('2000 sets of spans')
  t.end()
})
