import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { readBytes } from '../../shared/config/files.ts'
import { HbError } from '../../shared/errors/hb-error.ts'
import type { BaselineCandidate, BaselineTag } from '../../shared/model/baseline-selection.ts'
import { candidateFromMeta, tagsFrom, timeOfMeta } from '../../shared/model/run-meta.ts'

/** Bytes of a `run_meta.json`, and of what names the tags of a folder of runs. */
export const RUN_META_BYTES_MAX = 1024 * 1024
export const RUN_META = 'run_meta.json'
export const RUN_METRICS = 'metrics.csv'
export const BASELINE_TAGS = 'baseline_tags.json'

/** Runs of a folder, oldest first, and those that say too little of themselves to be compared with. */
export type RunFolders = Readonly<{
  candidates: readonly BaselineCandidate[]
  tags: readonly BaselineTag[]
  skipped: readonly Readonly<{ folder: string; reason: string }>[]
}>

/** The same, with the folder of each run by its id. */
export type RunsOnDisk = RunFolders & Readonly<{ folders: ReadonlyMap<string, string> }>

/** Reads the `run_meta.json` of one run. @throws HbError RUNS_MISSING, RUN_META_SHAPE */
export function readRunMeta(path: string): BaselineCandidate {
  const meta = readJson(path)
  if ('missing' in meta) throw new HbError('RUNS_MISSING', { path, reason: meta.missing })
  const found = 'problem' in meta ? meta : candidateFromMeta(meta.value)
  if ('problem' in found) throw new HbError('RUN_META_SHAPE', { path, found: found.problem })
  return found
}

/** Every run of a folder of runs. @throws HbError RUNS_MISSING, RUN_META_SHAPE for its tags */
export function readRunFolders(path: string): RunsOnDisk {
  if (!existsSync(path) || !statSync(path).isDirectory()) throw new HbError('RUNS_MISSING', { path })
  const skipped: { folder: string; reason: string }[] = []
  const runs: { folder: string; time: string; candidate: BaselineCandidate }[] = []
  for (const folder of readdirSync(path).sort()) {
    const file = join(path, folder, RUN_META)
    if (!existsSync(file)) continue
    const meta = readJson(file)
    if ('missing' in meta) {
      skipped.push({ folder, reason: meta.missing })
      continue
    }
    const candidate = 'problem' in meta ? meta : candidateFromMeta(meta.value)
    if ('problem' in candidate) skipped.push({ folder, reason: candidate.problem })
    else runs.push({ folder, time: timeOfMeta('value' in meta ? meta.value : null), candidate })
  }
  runs.sort((a, b) => compare(a.time, b.time) || compare(a.folder, b.folder))
  return {
    candidates: runs.map(({ candidate }) => candidate),
    tags: readTags(path, skipped),
    skipped,
    folders: new Map(runs.map(({ folder, candidate }) => [candidate.run_id, folder])),
  }
}

function readTags(path: string, skipped: { folder: string; reason: string }[]): readonly BaselineTag[] {
  const file = join(path, BASELINE_TAGS)
  if (!existsSync(file)) return []
  const read = readJson(file)
  if (!('value' in read)) throw new HbError('RUN_META_SHAPE', { path: file, found: Object.values(read).join('') })
  const { tags, refused } = tagsFrom(read.value)
  if (refused > 0) skipped.push({ folder: BASELINE_TAGS, reason: `${refused} tags without a name or a run` })
  return tags
}

type Read = Readonly<{ value: unknown }> | Readonly<{ missing: string }> | Readonly<{ problem: string }>

function readJson(path: string): Read {
  const bytes = readBytes(path, RUN_META_BYTES_MAX)
  if (!(bytes instanceof Uint8Array)) return bytes.isTooLarge ? { problem: bytes.reason } : { missing: bytes.reason }
  try {
    return { value: JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as unknown }
  } catch {
    return { problem: 'not JSON in UTF-8' }
  }
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
