import { type BaselineCandidate, type BaselineTag, CONTEXT_FIELDS } from './baseline-selection.ts'

/** Longest id of a run of the run contract. */
export const RUN_ID_MAX = 128
/** Schema version of `run_meta.json` where none is stated. */
export const RUN_SCHEMA_VERSION = '1.0'

/**
 * What an import knows of a run beside its contract. `status` is what the predecessor said, `counts_as` what that is worth:
 * a PASS without a baseline, or against itself, was never tested.
 */
export type Imported = Readonly<{
  from: 'predecessor'
  status: string
  counts_as: string
  baseline_run_id: string
  registry_hash: string
  created_at: string
}>

/** The predecessor's words for a verdict, as ours. One that is not known passes for nothing. */
export function countsAs({ status, runId, baselineRunId }: Judged): string {
  if (status === 'PASS' || status === 'PASS_WITH_DRIFT' || status === 'PASS-with-drift')
    return baselineRunId === '' || baselineRunId === runId
      ? 'NO_BASELINE'
      : status === 'PASS'
        ? 'PASS'
        : 'PASS_WITH_DRIFT'
  return status === 'FAIL' ? 'FAIL' : 'NO_TEST'
}

type Judged = Readonly<{ status: string; runId: string; baselineRunId: string }>

/** Why text cannot be the id of a run; null when it can. An id names a folder, so it must not be able to name another. */
export function runIdProblem(runId: string): string | null {
  if (runId === '') return 'it is empty'
  if (runId.length > RUN_ID_MAX) return `it has ${runId.length} characters, at most ${RUN_ID_MAX}`
  if (/[/\\]/.test(runId)) return 'it is a path'
  if (runId.startsWith('.')) return 'it begins with a point'
  for (let i = 0; i < runId.length; i += 1) {
    const code = runId.charCodeAt(i)
    if (code < 0x20 || code === 0x7f) return 'it has a control character'
  }
  return null
}

/** Name of the folder of a run: its id, with `_` for whatever some file system does not take. */
export function runFolderName(runId: string): string {
  return runId.replace(/[^A-Za-z0-9._-]/g, '_')
}

/** Text fields of `run_meta.json` that say which runs may be compared. */
const TEXTS = ['run_id', 'program', 'subsystem', 'test_name', ...CONTEXT_FIELDS] as const

/** A run as candidate or as the one to be compared; or what is wrong with its `run_meta.json`. */
export function candidateFromMeta(meta: unknown): BaselineCandidate | Readonly<{ problem: string }> {
  if (!isMap(meta)) return { problem: 'not a map of keys' }
  const found: Record<string, string> = {}
  for (const key of TEXTS) {
    const value = meta[key] ?? ''
    if (typeof value !== 'string') return { problem: `\`${key}\` is not text` }
    if (value !== '') found[key] = value
  }
  const { run_id: runId = '' } = found
  const wrong = runIdProblem(runId)
  if (wrong !== null) return { problem: `\`run_id\`: ${wrong}` }
  const imported = isMap(meta['imported']) ? meta['imported'] : {}
  const hash = textOf(meta['registry_hash']) || textOf(imported['registry_hash'])
  return {
    ...found,
    run_id: runId,
    status: textOf(meta['status']) || textOf(imported['counts_as']),
    ...(hash === '' ? {} : { registry_hash: hash }),
  }
}

/** When a run was, as text that sorts by time when all of it is UTC in ISO 8601; '' where it does not say. */
export function timeOfMeta(meta: unknown): string {
  if (!isMap(meta)) return ''
  const times = isMap(meta['timestamps']) ? meta['timestamps'] : {}
  const imported = isMap(meta['imported']) ? meta['imported'] : {}
  return textOf(times['end_utc']) || textOf(times['start_utc']) || textOf(imported['created_at'])
}

/** Tags of `baseline_tags.json`; what is none is left out and counted. */
export function tagsFrom(file: unknown): Readonly<{ tags: readonly BaselineTag[]; refused: number }> {
  const rows = isMap(file) && Array.isArray(file['tags']) ? (file['tags'] as unknown[]) : []
  const tags = rows.flatMap((row): BaselineTag[] => {
    if (!isMap(row)) return []
    const [tag, runId] = [textOf(row['tag']), textOf(row['run_id'])]
    const [program, hash] = [textOf(row['program']), textOf(row['registry_hash'])]
    if (tag === '' || runId === '') return []
    return [
      { tag, run_id: runId, ...(program === '' ? {} : { program }), ...(hash === '' ? {} : { registry_hash: hash }) },
    ]
  })
  return { tags, refused: rows.length - tags.length }
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
