import type { Path } from '../../shared/config/document.ts'
import type { Notes } from './notes.ts'

export const METRIC_WITHOUT = 'a metric of the registry'

/** The words of a list item, of which there must be one. Notes what is wrong. @returns null then */
export function oneWordOf(
  notes: Notes,
  path: Path,
  item: Readonly<Record<string, unknown>>,
  words: readonly string[],
): string | null {
  const found = words.filter((word) => item[word] !== undefined)
  if (found.length === 1) return found[0]!
  if (found.length === 0) notes.add(path, 'no word', `one of ${words.join(', ')}`)
  else
    notes.add(
      [...path, found[1]!],
      `\`${found.join('` and `')}\` in one item`,
      'one of them; the other as an item of its own',
    )
  return null
}

/** Notes every id that is there a second time. @returns each once */
export function namedOnce(
  notes: Notes,
  named: readonly Readonly<{ name: string; path: Path }>[],
  what: string,
): string[] {
  const seen = new Set<string>()
  for (const { name, path } of named) {
    if (seen.has(name)) notes.add(path, `\`${name}\` a second time`, `every ${what} once`)
    seen.add(name)
  }
  return [...seen]
}
