import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, relative, sep } from 'node:path'

/** Folder of the project. The bundle of a script that old versions of Node run lies one folder below it as well. */
export const ROOT = dirname(import.meta.dirname)

/** Folders that hold code of ours. */
export const CODE_FOLDERS = ['agent', 'collector', 'shared', 'hil-testbed', 'scripts', 'test'] as const

/** Never looked into: made by tools, or no part of the project. */
const FOREIGN = new Set(['node_modules', 'dist', '.tap', '.demo', '.git'])

/** What decides: a change in any of these may change a decision. */
const EVALUATOR_PLACES = ['agent/core', 'shared/model', 'shared/math', 'shared/units.ts']

/** All files below a place (a file is itself), as sorted paths relative to `root` with forward slashes. */
export function listFiles(place: string, root = ROOT): string[] {
  const found: string[] = []
  const visit = (path: string, isFolder: boolean): void => {
    if (!isFolder) {
      found.push(relative(root, path).split(sep).join('/'))
      return
    }
    for (const entry of readdirSync(path, { withFileTypes: true })) {
      if (FOREIGN.has(entry.name) || entry.isSymbolicLink()) continue
      visit(join(path, entry.name), entry.isDirectory())
    }
  }
  const start = join(root, place)
  if (!existsSync(start)) return []
  visit(start, statSync(start).isDirectory())
  return found.sort()
}

/** Files whose bytes make the evaluator, in the order in which they are digested. */
export function evaluatorFiles(root = ROOT): string[] {
  return EVALUATOR_PLACES.flatMap((place) => listFiles(place, root)).filter((file) => file.endsWith('.ts'))
}

/** Digest over path and content of every source of the evaluator, in hex. */
export function evaluatorDigest(root = ROOT): string {
  const hash = createHash('sha256')
  for (const file of evaluatorFiles(root)) hash.update(`${file} ${fileDigest(join(root, file))}\n`)
  return hash.digest('hex')
}

/** SHA-256 of a file, in hex. */
export function fileDigest(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex')
}
