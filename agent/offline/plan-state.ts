import { join } from 'node:path'
import { readBytes } from '../../shared/config/files.ts'
import { HbError } from '../../shared/errors/hb-error.ts'
import { replaceFile, systemFiles } from '../adapters/files.ts'
import type { Baselines, KnownGood } from '../core/offline/known-good.ts'
import type { HistoryRow } from '../core/offline/plan-outcome.ts'

export const PLAN_HISTORY = 'plan_history.jsonl'
export const PLAN_BASELINES = 'baselines.json'
/** Bytes of what a folder of results remembers from plan to plan. */
export const PLAN_STATE_BYTES_MAX = 16 * 1024 * 1024

const GOOD_KEYS = ['run_id', 'dir', 'registry_hash', 'ts_utc'] as const

/** Good runs of earlier plans in this folder; none in a new one. @throws HbError PLAN_STATE_SHAPE */
export function readBaselines(folder: string): Baselines {
  const text = readText(folder, PLAN_BASELINES)
  if (text === null) return new Map()
  const file = parse(folder, PLAN_BASELINES, text)
  const keys = isMap(file) && file['version'] === 1 && isMap(file['baselines']) ? file['baselines'] : null
  if (keys === null) throw shape(folder, PLAN_BASELINES, 'not a map of keys of version 1')
  return new Map(
    Object.entries(keys).map(([key, value]) => {
      const { golden, passes } = isMap(value) ? value : {}
      if (!(golden === null || isGood(golden)) || !Array.isArray(passes) || !passes.every(isGood))
        throw shape(folder, PLAN_BASELINES, `\`${key}\``)
      return [key, { golden, passes }]
    }),
  )
}

/** Rows of earlier plans in this folder, oldest first. @throws HbError PLAN_STATE_SHAPE */
export function readHistory(folder: string): HistoryRow[] {
  const lines = (readText(folder, PLAN_HISTORY) ?? '').split('\n').filter((line) => line !== '')
  return lines.map((line, k) => {
    const row = parse(folder, PLAN_HISTORY, line)
    const isRow =
      isMap(row) &&
      ['ts_utc', 'plan_id', 'scenario_id', 'status'].every((key) => typeof row[key] === 'string') &&
      typeof row['drift_score'] === 'number'
    if (!isRow) throw shape(folder, PLAN_HISTORY, `line ${k + 1}`)
    return row as HistoryRow
  })
}

export function writeState(folder: string, baselines: Baselines, history: readonly HistoryRow[]): void {
  writeText(folder, PLAN_BASELINES, json({ version: 1, baselines: Object.fromEntries(baselines) }))
  writeText(folder, PLAN_HISTORY, history.map((row) => `${JSON.stringify(row)}\n`).join(''))
}

export function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`
}

/** Puts a whole file in place or nothing. */
export function writeText(folder: string, name: string, text: string): void {
  replaceFile(systemFiles, folder, name, new TextEncoder().encode(text))
}

function readText(folder: string, name: string): string | null {
  const path = join(folder, name)
  if (!systemFiles.existsSync(path)) return null
  const bytes = readBytes(path, PLAN_STATE_BYTES_MAX)
  if (bytes instanceof Uint8Array) return new TextDecoder().decode(bytes)
  throw shape(folder, name, bytes.reason)
}

function parse(folder: string, name: string, text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw shape(folder, name, 'it is not JSON')
  }
}

function shape(folder: string, name: string, found: string): HbError {
  return new HbError('PLAN_STATE_SHAPE', { path: join(folder, name), found })
}

function isGood(value: unknown): value is KnownGood {
  return isMap(value) && GOOD_KEYS.every((key) => typeof value[key] === 'string')
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
