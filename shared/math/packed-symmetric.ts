/**
 * Symmetric matrices of which only the lower triangle is kept, row by row: element (i, j), j ≤ i, is at
 * `i * (i + 1) / 2 + j`. All sums run in the order of the indices, so that the same matrix gives the same bits everywhere.
 */
export function packedLength(order: number): number {
  return (order * (order + 1)) / 2
}

/**
 * Inverse of a positive definite matrix, by its Cholesky factor.
 *
 * @returns null when it is not positive definite, as far as doubles can tell.
 */
export function inverseOf(matrix: Float64Array, order: number): Float64Array | null {
  const factor = choleskyOf(matrix, order)
  if (factor === null) return null
  invertTriangle(factor, order)
  const inverse = new Float64Array(packedLength(order))
  for (let i = 0; i < order; i += 1) {
    for (let j = 0; j <= i; j += 1) {
      // (L⁻¹)ᵀ L⁻¹: only rows from i on have something in both columns.
      let sum = 0
      for (let k = i; k < order; k += 1) sum += factor[packedLength(k) + i]! * factor[packedLength(k) + j]!
      inverse[packedLength(i) + j] = sum
    }
  }
  return inverse
}

/**
 * Lower triangle L with L Lᵀ = matrix.
 *
 * Source: Golub and Van Loan, "Matrix Computations", 4th edition (2013), 4.2.5.
 */
function choleskyOf(matrix: Float64Array, order: number): Float64Array | null {
  const factor = Float64Array.from(matrix)
  for (let i = 0; i < order; i += 1) {
    const row = packedLength(i)
    for (let j = 0; j <= i; j += 1) {
      const column = packedLength(j)
      let sum = factor[row + j]!
      for (let k = 0; k < j; k += 1) sum -= factor[row + k]! * factor[column + k]!
      if (j < i) factor[row + j] = sum / factor[column + j]!
      else if (sum > 0) factor[row + i] = Math.sqrt(sum)
      else return null
    }
  }
  return factor
}

/** Inverse of a lower triangle, in its place. */
function invertTriangle(factor: Float64Array, order: number): void {
  for (let i = 0; i < order; i += 1) {
    const row = packedLength(i)
    const diagonal = factor[row + i]!
    for (let j = 0; j < i; j += 1) {
      let sum = 0
      for (let k = j; k < i; k += 1) sum += factor[row + k]! * factor[packedLength(k) + j]!
      factor[row + j] = -sum / diagonal
    }
    factor[row + i] = 1 / diagonal
  }
}

/** A matrix of some order that begins at index `at` of a list of numbers. Lists of one kind are twice as fast as of two. */
export type PackedMatrix = Readonly<{ numbers: ArrayLike<number>; at: number; order: number }>

/**
 * Writes matrix × `vector` to `product`. Every element is read once and used for its row and for its column; two rows at a
 * time, which halves the reading and writing of `product` and rounds as one after the other does.
 */
export function multiply({ numbers, at, order }: PackedMatrix, vector: Float64Array, product: Float64Array): void {
  let k = at
  let i = 0
  if (order % 2 === 1) {
    product[0] = numbers[k]! * vector[0]!
    k += 1
    i = 1
  }
  for (; i < order; i += 2) {
    const next = k + i + 1
    const a = vector[i]!
    const b = vector[i + 1]!
    let sum = 0
    let nextSum = 0
    for (let j = 0; j < i; j += 1) {
      const element = numbers[k + j]!
      const below = numbers[next + j]!
      const of = vector[j]!
      sum += element * of
      nextSum += below * of
      product[j] = product[j]! + element * a + below * b
    }
    const beside = numbers[next + i]!
    product[i] = sum + numbers[k + i]! * a + beside * b
    product[i + 1] = nextSum + beside * a + numbers[next + i + 1]! * b
    k = next + i + 2
  }
}

/** Row `row` × `vector`, without the element on the diagonal. */
export function rowProduct({ numbers, at, order }: PackedMatrix, row: number, vector: Float64Array): number {
  let sum = 0
  const start = at + packedLength(row)
  for (let j = 0; j < row; j += 1) sum += numbers[start + j]! * vector[j]!
  for (let i = row + 1; i < order; i += 1) sum += numbers[at + packedLength(i) + row]! * vector[i]!
  return sum
}
