import type { BookState } from '../../shared/model/baseline-book.ts'

/** One row of what the statements of a book come to: kind and key name it, `body` is JSON with its keys in order. */
export type BookRow = Readonly<{ kind: 'request' | 'slot' | 'tag' | 'decay'; key: string; body: string }>

/** What statements come to as rows, for searching and for holding the stored against the computed. */
export function bookRows({ requests, slots, tags, decay }: BookState): BookRow[] {
  const rows = (kind: BookRow['kind'], map: ReadonlyMap<string, unknown>): BookRow[] =>
    [...map].map(([key, value]) => ({ kind, key, body: JSON.stringify(inOrder(value)) }))
  return [...rows('request', requests), ...rows('slot', slots), ...rows('tag', tags), ...rows('decay', decay)]
}

/** Rows that are new or other than before. Nothing ever leaves a book. */
export function changedRows(before: BookState, after: BookState): BookRow[] {
  const known = new Map(bookRows(before).map((row) => [nameOf(row), row.body]))
  return bookRows(after).filter((row) => known.get(nameOf(row)) !== row.body)
}

/** What differs between rows that are stored and those that are computed, in words. */
export function rowDifferences(stored: readonly BookRow[], computed: readonly BookRow[]): string[] {
  const wanted = new Map(computed.map((row) => [nameOf(row), row.body]))
  const there = new Set(stored.map(nameOf))
  return [
    ...stored.flatMap((row) => {
      const body = wanted.get(nameOf(row))
      if (body === undefined) return [`${nameOf(row)} is stored, but no statement says so`]
      return body === row.body ? [] : [`${nameOf(row)} is not what the statements come to`]
    }),
    ...computed.flatMap((row) => (there.has(nameOf(row)) ? [] : [`${nameOf(row)} is missing`])),
  ]
}

function nameOf({ kind, key }: BookRow): string {
  return `${kind} ${key}`
}

/** The same value with the keys of every object sorted, so that equal values have equal text. */
function inOrder(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inOrder)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  return Object.fromEntries(entries.map(([key, part]) => [key, inOrder(part)]))
}
