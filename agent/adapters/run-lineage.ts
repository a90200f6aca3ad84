import { appendFileSync } from 'node:fs'
import { join } from 'node:path'
import { readBytes } from '../../shared/config/files.ts'
import { HbError } from '../../shared/errors/hb-error.ts'
import { systemFiles } from './files.ts'

/** Verdicts of the runs of a folder of runs, one line an analysis, the newest last. */
export const RUN_LINEAGE = 'lineage.jsonl'
/** Bytes of it that are read: about two hundred thousand analyses. */
export const LINEAGE_BYTES_MAX = 64 * 1024 * 1024

/** What an analysis made of a run, with the names of the predecessor's lineage. */
export type LineageRow = Readonly<{
  run_id: string
  status: string
  baseline_run_id: string | null
  registry_hash: string | null
  policy_hash: string | null
  baseline_reason: string
  baseline_match_level: string
  baseline_match_score: number
  baseline_match_fields: readonly string[]
  baseline_confidence: number | null
  created_at: string
}>

/** The newest row of every run. @throws HbError RUN_META_SHAPE with the line that cannot be read */
export function readLineage(folder: string): ReadonlyMap<string, Pick<LineageRow, 'status' | 'registry_hash'>> {
  const path = join(folder, RUN_LINEAGE)
  const rows = new Map<string, Pick<LineageRow, 'status' | 'registry_hash'>>()
  if (!systemFiles.existsSync(path)) return rows
  const bytes = readBytes(path, LINEAGE_BYTES_MAX)
  if (!(bytes instanceof Uint8Array)) throw new HbError('RUN_META_SHAPE', { path, found: bytes.reason })
  for (const [k, line] of new TextDecoder().decode(bytes).split('\n').entries()) {
    if (line === '') continue
    const row = rowOf(line)
    if (row === null) throw new HbError('RUN_META_SHAPE', { path, line: k + 1, found: 'no verdict of a run' })
    rows.set(row.run_id, row)
  }
  return rows
}

/** Adds a row. One write, so that two analyses at once give two lines. @throws HbError REPORT_UNWRITABLE */
export function appendLineage(folder: string, row: LineageRow): void {
  const path = join(folder, RUN_LINEAGE)
  try {
    appendFileSync(path, `${JSON.stringify(row)}\n`)
  } catch (cause) {
    throw new HbError(
      'REPORT_UNWRITABLE',
      { path, errno: (cause as NodeJS.ErrnoException).code ?? 'unknown' },
      { cause },
    )
  }
}

function rowOf(line: string): Pick<LineageRow, 'run_id' | 'status' | 'registry_hash'> | null {
  try {
    const row = JSON.parse(line) as Partial<Record<keyof LineageRow, unknown>> | null
    const { run_id, status, registry_hash: hash = null } = row ?? {}
    if (typeof run_id !== 'string' || typeof status !== 'string') return null
    return { run_id, status, registry_hash: typeof hash === 'string' ? hash : null }
  } catch {
    return null
  }
}
