/**
 * Rows in which every two values of two parameters meet at least once: the greedy all-pairs construction. Deterministic.
 *
 * @param sizes how many values each parameter has, 1 or more.
 * @returns for each row the place of the value of each parameter.
 */
export function pairwiseRows(sizes: readonly number[]): number[][] {
  if (sizes.length < 2) return combinations(sizes)
  const open = allPairs(sizes)
  const rows: number[][] = []
  for (let next = firstOf(open); next !== null; next = firstOf(open)) {
    const row = filled(next, sizes, open)
    rows.push(row)
    for (let a = 0; a < row.length; a += 1)
      for (let b = a + 1; b < row.length; b += 1) open.delete(pairKey(a, row[a]!, b, row[b]!))
  }
  return rows
}

/** Every combination, the last parameter changing first. */
export function combinations(sizes: readonly number[]): number[][] {
  let rows: number[][] = [[]]
  for (const size of sizes) rows = rows.flatMap((row) => Array.from({ length: size }, (_, k) => [...row, k]))
  return rows
}

type Pair = Readonly<{ a: number; va: number; b: number; vb: number }>

function pairKey(a: number, va: number, b: number, vb: number): string {
  return `${a}:${va}:${b}:${vb}`
}

function allPairs(sizes: readonly number[]): Map<string, Pair> {
  const open = new Map<string, Pair>()
  for (let a = 0; a < sizes.length; a += 1)
    for (let b = a + 1; b < sizes.length; b += 1)
      for (let va = 0; va < sizes[a]!; va += 1)
        for (let vb = 0; vb < sizes[b]!; vb += 1) open.set(pairKey(a, va, b, vb), { a, va, b, vb })
  return open
}

function firstOf(open: ReadonlyMap<string, Pair>): Pair | null {
  for (const [, pair] of open) return pair
  return null
}

/** A row with this pair; each other parameter, in order, gets the value that meets most others for the first time. */
function filled({ a, va, b, vb }: Pair, sizes: readonly number[], open: ReadonlyMap<string, Pair>): number[] {
  const row = sizes.map((_, k) => (k === a ? va : k === b ? vb : -1))
  sizes.forEach((size, k) => {
    if (row[k] !== -1) return
    let most = -1
    for (let value = 0; value < size; value += 1) {
      const met = row.filter(
        (other, j) => other !== -1 && open.has(j < k ? pairKey(j, other, k, value) : pairKey(k, value, j, other)),
      ).length
      if (met > most) [most, row[k]] = [met, value]
    }
  })
  return row
}
