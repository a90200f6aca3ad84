import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A folder to write runs into, gone when it is removed. */
export type RunsFolder = Readonly<{
  path: string
  /** Writes a run folder by its name. @returns its path */
  run(name: string, files: Readonly<Record<string, string | Uint8Array>>): string
  write(name: string, text: string): string
  remove(): void
}>

export function createRunsFolder(): RunsFolder {
  const path = mkdtempSync(join(tmpdir(), 'hb-runs-'))
  return {
    path,
    run(name, files) {
      const folder = join(path, name)
      mkdirSync(folder, { recursive: true })
      for (const [file, text] of Object.entries(files)) writeFileSync(join(folder, file), text)
      return folder
    },
    write(name, text) {
      writeFileSync(join(path, name), text)
      return join(path, name)
    },
    remove: () => rmSync(path, { recursive: true, force: true }),
  }
}

export const metaText = (runId: string, more: Readonly<Record<string, unknown>> = {}): string =>
  JSON.stringify({ schema_version: '1.0', run_id: runId, program: 'demo', operating_mode: 'nominal', ...more })

/** `tags` with samples, as a cell of a CSV file. */
export const samplesCell = (samples: readonly (number | null)[]): string =>
  `"${JSON.stringify({ samples }).replaceAll('"', '""')}"`

/** The predecessor's registry in small: no rates, a critical counter, aliases and units. */
export const REGISTRY = `version: "1.0"
metrics:
  avg_latency_ms:
    aliases: ["Avg Task Latency (ms)"]
    unit: ms
    unit_map: { us: 0.001, s: 1000 }
    drift_threshold: 1.0
    drift_percent: 10
    min_effect: 0.5
    invariant_max: 50
    distribution_drift: { ks_threshold: 0.2 }
  reset_count:
    unit: count
    drift_threshold: 1
    critical: true
    fail_threshold: 0
    invariant_eq: 0
  http_error_rate:
    drift_threshold: 0.02
    drift_percent: 20
    min_effect: 0.005
`
