import { appendFileSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { HbError } from '../../shared/errors/hb-error.ts'
import { type Imported, RUN_SCHEMA_VERSION, runFolderName, runIdProblem } from '../../shared/model/run-meta.ts'
import { diskError } from '../adapters/files.ts'
import { RUN_META, RUN_METRICS } from '../adapters/run-folders.ts'

export type MetricRow = Readonly<{ metric: string; value: number | null; unit: string; tags: string }>

/** A run as it is written: the run contract, and what the predecessor said of it. */
export type RunMeta = Readonly<Record<string, unknown>> & Readonly<{ run_id: string; imported: Imported }>

/** The folder that an import writes: new, or empty before. */
export type OutFolder = Readonly<{
  path: string
  /** Makes the folder of a run. @returns its name, or why the run is refused */
  addRun(meta: RunMeta): Readonly<{ folder: string }> | Readonly<{ reason: string }>
  /** Writes rows behind those that are there. */
  addMetrics(folder: string, rows: readonly MetricRow[]): void
  /** Writes a metrics.csv as it was found. */
  putMetrics(folder: string, bytes: Uint8Array): void
  put(name: string, content: string | Uint8Array): void
  /** Takes back everything that was written. */
  undo(): void
}>

const HEADER = 'metric,value,unit,tags\n'

/** @throws HbError USAGE when there is something in it already, DISK_… */
export function openOut(path: string): OutFolder {
  const wasThere = existsSync(path)
  const write = <T>(act: () => T): T => {
    try {
      return act()
    } catch (cause) {
      throw diskError(cause, path)
    }
  }
  const found = wasThere ? write(() => readdirSync(path)) : []
  if (found.length > 0)
    throw new HbError('USAGE', {
      option: '--out',
      found: `${path} with ${found.length} files`,
      expected: 'a new folder',
    })
  write(() => mkdirSync(path, { recursive: true }))
  return {
    path,
    addRun: (meta) => write(() => addRun(path, meta)),
    addMetrics: (folder, rows) =>
      write(() => appendFileSync(join(path, folder, RUN_METRICS), rows.map(lineOf).join(''))),
    putMetrics: (folder, bytes) => write(() => writeFileSync(join(path, folder, RUN_METRICS), bytes)),
    put: (name, content) => write(() => writeFileSync(join(path, name), content, { flag: 'wx' })),
    undo: () => {
      if (!wasThere) rmSync(path, { recursive: true, force: true })
      else for (const name of readdirSync(path)) rmSync(join(path, name), { recursive: true, force: true })
    },
  }
}

function addRun(path: string, meta: RunMeta): Readonly<{ folder: string }> | Readonly<{ reason: string }> {
  const reason = runIdProblem(meta.run_id)
  if (reason !== null) return { reason }
  const folder = runFolderName(meta.run_id)
  const whole = join(path, folder)
  if (existsSync(whole)) return { reason: `another run has the folder \`${folder}\`` }
  mkdirSync(whole)
  writeFileSync(join(whole, RUN_META), `${JSON.stringify({ schema_version: RUN_SCHEMA_VERSION, ...meta }, null, 2)}\n`)
  writeFileSync(join(whole, RUN_METRICS), HEADER)
  return { folder }
}

function lineOf({ metric, value, unit, tags }: MetricRow): string {
  return `${[metric, value === null ? '' : String(value), unit, tags].map(cell).join(',')}\n`
}

function cell(text: string): string {
  return /[",\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
