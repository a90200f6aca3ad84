import { createHash, createHmac } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sqlite3 from 'sqlite3'

/** A folder for one test. */
export type TestFolder = Readonly<{
  path: string
  at(...names: string[]): string
  write(name: string, content: string | Uint8Array): void
  json(...names: string[]): Record<string, unknown>
  remove(): void
}>

export function testFolder(): TestFolder {
  const path = mkdtempSync(join(tmpdir(), 'hb-import-'))
  const at = (...names: string[]): string => join(path, ...names)
  return {
    path,
    at,
    write(name, content) {
      mkdirSync(join(at(name), '..'), { recursive: true })
      writeFileSync(at(name), content)
    },
    json: (...names) => JSON.parse(readFileSync(at(...names), 'utf8')) as Record<string, unknown>,
    remove: () => rmSync(path, { recursive: true, force: true }),
  }
}

/** The predecessor's tables as it makes them now. */
export const SCHEMA = `
CREATE TABLE runs (run_id TEXT PRIMARY KEY, program TEXT, subsystem TEXT, test_name TEXT, environment TEXT, operating_mode TEXT,
  scenario_id TEXT, sensor_config_id TEXT, input_data_version TEXT, environment_fingerprint TEXT, build_sha TEXT, build_id TEXT,
  start_utc TEXT, end_utc TEXT, source_system TEXT, registry_hash TEXT, status TEXT, baseline_run_id TEXT, created_at TEXT);
CREATE TABLE metrics (run_id TEXT, metric TEXT, value REAL, unit TEXT, tags TEXT);
CREATE TABLE baseline_tags (tag TEXT PRIMARY KEY, run_id TEXT, registry_hash TEXT, created_at TEXT);
CREATE TABLE baseline_approvals (approval_id TEXT, run_id TEXT);
`

/** Makes a database. */
export function makeDatabase(path: string, sql: string): Promise<void> {
  return openTestDatabase(path, sql).then((close) => close())
}

/** The same, left open: what was written is still in its write-ahead log where it has one. */
export function openTestDatabase(path: string, sql: string): Promise<() => Promise<void>> {
  return new Promise((resolve, reject) => {
    const database = new sqlite3.Database(path)
    database.exec(sql, (error) => {
      if (error !== null) reject(error)
      else resolve(() => new Promise((done) => database.close(() => done())))
    })
  })
}

const sha256 = (bytes: string | Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

/** A report folder as the predecessor leaves one, with a manifest of absolute paths of the machine it ran on. */
export function writeReport(
  folder: TestFolder,
  {
    name,
    runId = name,
    status = 'PASS',
    key = null,
  }: { name: string; runId?: string; status?: string; key?: string | null },
): void {
  const meta = { run_id: runId, program: 'pumps', subsystem: 'main', test_name: 'soak', operating_mode: 'nominal' }
  const files: Record<string, string> = {
    'drift_report.json': JSON.stringify({ run_id: runId, status, baseline_run_id: 'base' }),
    'run_meta_normalized.json': JSON.stringify(meta),
    'metrics_normalized.csv': 'metric,value,unit,tags\nflow,32,l/min,\n',
    'audit_log.jsonl': auditLog(['analyze', 'analyze']),
  }
  for (const [file, content] of Object.entries(files)) folder.write(`${name}/${file}`, content)
  const items = [
    ...Object.entries(files).map(([file, text]) => ({ path: `/srv/hb/reports/${name}/${file}`, sha256: sha256(text) })),
    { config_hashes: { metric_registry: 'x' } },
    { signing_key_version: 'v1' },
  ]
  const manifest = `${JSON.stringify(items, null, 2)}\n`
  folder.write(`${name}/artifact_manifest.json`, manifest)
  if (key !== null)
    folder.write(`${name}/artifact_manifest.json.sig`, `${createHmac('sha256', key).update(manifest).digest('hex')}\n`)
}

/** A chained log, as the predecessor writes it. */
export function auditLog(actions: readonly string[]): string {
  let previous = 'null'
  return actions
    .map((action, k) => {
      const head = `{"action":"${action}","details":{"score":${k}.0},"entry_hash":`
      const tail = `"prev_hash":${previous},"run_id":"r1","ts_utc":"2026-01-01T00:00:0${k}+00:00"}`
      const hash = sha256(`{"action":"${action}","details":{"score":${k}.0},${tail}`)
      previous = `"${hash}"`
      return `${head}"${hash}",${tail}\n`
    })
    .join('')
}
