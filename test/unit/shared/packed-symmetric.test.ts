import t from 'tap'
import { createPrng } from '../../../shared/lib/prng.ts'
import { inverseOf, multiply, packedLength, rowProduct } from '../../../shared/math/packed-symmetric.ts'

/** Row × row of random numbers with something added to the diagonal: positive definite, and every element differs. */
function definite(order: number, seed: number): Float64Array {
  const prng = createPrng(seed)
  const rows = Array.from({ length: order }, () => Array.from({ length: order }, () => prng.normal()))
  const packed = new Float64Array(packedLength(order))
  for (let i = 0; i < order; i += 1)
    for (let j = 0; j <= i; j += 1) {
      let sum = i === j ? 1 : 0
      for (let k = 0; k < order; k += 1) sum += rows[i]![k]! * rows[j]![k]!
      packed[packedLength(i) + j] = sum
    }
  return packed
}

function elementOf(packed: ArrayLike<number>, i: number, j: number): number {
  return i >= j ? packed[packedLength(i) + j]! : packed[packedLength(j) + i]!
}

t.test('the inverse of a matrix of two is what it is by hand', async (t) => {
  t.same([...inverseOf(Float64Array.of(4, 2, 5), 2)!], [5 / 16, -2 / 16, 4 / 16])
  t.same([...inverseOf(Float64Array.of(0.25), 1)!], [4])
})

t.test('what is not positive definite has none', async (t) => {
  t.equal(inverseOf(Float64Array.of(1, 1, 1), 2), null, 'a channel that repeats another')
  t.equal(inverseOf(Float64Array.of(1, 2, 1), 2), null)
  t.equal(inverseOf(Float64Array.of(0), 1), null)
  t.equal(inverseOf(Float64Array.of(1, Number.NaN, 1), 2), null)
})

t.test('a matrix times its inverse is one', async (t) => {
  for (const order of [1, 2, 3, 8, 31]) {
    const matrix = definite(order, order)
    const inverse = inverseOf(matrix, order)!
    let worst = 0
    for (let i = 0; i < order; i += 1)
      for (let j = 0; j < order; j += 1) {
        let sum = i === j ? -1 : 0
        for (let k = 0; k < order; k += 1) sum += elementOf(matrix, i, k) * elementOf(inverse, k, j)
        worst = Math.max(worst, Math.abs(sum))
      }
    t.ok(worst < 1e-9, `order ${order}: ${worst}`)
  }
})

t.test('a product is the sum over each row, wherever in a list the matrix begins', async (t) => {
  for (let order = 1; order <= 9; order += 1) {
    const packed = definite(order, 100 + order)
    const vector = Float64Array.from({ length: order }, (_, k) => k - 1.5)
    const numbers = [7, 7, 7, ...packed]
    const product = new Float64Array(order).fill(Number.NaN)
    multiply({ numbers, at: 3, order }, vector, product)
    for (let i = 0; i < order; i += 1) {
      let sum = 0
      for (let j = 0; j < order; j += 1) sum += elementOf(packed, i, j) * vector[j]!
      t.ok(Math.abs(product[i]! - sum) < 1e-12, `order ${order}, row ${i}`)
      const rest = rowProduct({ numbers, at: 3, order }, i, vector)
      t.ok(Math.abs(rest - (sum - elementOf(packed, i, i) * vector[i]!)) < 1e-12)
    }
  }
})
