import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from '../../scripts/sources.ts'

const FILE = join(ROOT, '..', 'shared', 'data', 'predecessor-vectors.json')

/** Why a test of the predecessor's vectors shows nothing where they are absent. */
export const VECTORS_ABSENT = "the predecessor's vectors are not beside the project: nothing was shown"

/**
 * What the predecessor answered, by the name of its part; null where the file is absent. A vector with `deviate` shows a
 * defect of the predecessor: ours gives another result, and the test says which.
 */
export function predecessorVectors(part: string): readonly Record<string, unknown>[] | null {
  if (!existsSync(FILE)) return null
  const parts = JSON.parse(readFileSync(FILE, 'utf8')) as Record<string, Record<string, unknown>[]>
  return parts[part] ?? []
}
