import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Writes a folder of the run contract with plain values. */
export function writeRun(
  folder: string,
  runId: string,
  rows: Readonly<Record<string, readonly [value: number | string, unit: string]>>,
): void {
  mkdirSync(folder, { recursive: true })
  const meta = { schema_version: '1.0', run_id: runId, program: 'demo', operating_mode: 'nominal' }
  writeFileSync(join(folder, 'run_meta.json'), JSON.stringify(meta))
  const lines = Object.entries(rows).map(([metric, [value, unit]]) => `${metric},${value},${unit},`)
  writeFileSync(join(folder, 'metrics.csv'), ['metric,value,unit,tags', ...lines, ''].join('\n'))
}

/** A registry without a trap for {@link writeRun}: one level, one counter that must stay at 0. */
export const RUN_REGISTRY = `version: "1.0"
metrics:
  latency_ms: { unit: ms, drift_threshold: 1, required: true }
  reset_count: { unit: count, critical: true, invariant_eq: 0 }
`
