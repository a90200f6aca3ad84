import { readFileSync } from 'node:fs'
import { bootstrapDifference } from './bootstrap.ts'
import type { Counts } from './confusion.ts'
import { EvaluationError } from './evaluation-error.ts'
import { countsOfFiles } from './summary.ts'

type FileFigures = Counts & Readonly<{ id: string; start: number }>

/**
 * Intervals of what is better than in an earlier result, both drawn from the same files. A claimed improvement is one
 * whose interval does not contain 0. @throws EvaluationError 65 when the two are not of the same files and starts
 */
export function compareWith(path: string, now: readonly FileFigures[]) {
  const before = (JSON.parse(readFileSync(path, 'utf8')) as { files?: FileFigures[] }).files ?? []
  const keys = (files: readonly FileFigures[]): string =>
    files
      .map(({ id, start }) => `${id} ${start}`)
      .sort()
      .join('\n')
  if (keys(before) !== keys(now)) throw new EvaluationError(65, `${path} is of other files or other starts`)
  const counts = (files: readonly FileFigures[]) =>
    countsOfFiles(files.map(({ id, start, tp, fp, fn, tn }) => ({ id, start, counts: { tp, fp, fn, tn } })))
  return bootstrapDifference(counts(now), counts(before))
}
