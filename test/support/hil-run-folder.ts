import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import type { BenchEvent, RunFacts } from '../../hil-testbed/core/run-record.ts'
import type { Expectation, ScenarioRow } from '../../hil-testbed/core/scenario.ts'
import { BEGIN_US, SignedOutbox } from './signed-outbox.ts'

export type RunParts = Readonly<{
  row?: Partial<ScenarioRow>
  facts?: Partial<RunFacts>
  events?: readonly BenchEvent[]
  /** Pressure of the plant at a time, s; written every 100 ms. */
  pressure?: (atS: number) => number
  outbox?: SignedOutbox
  log?: string
}>

/** Seconds that a run lasts unless it says otherwise. */
export const RUN_S = 10

/** PASS from 50 ms to the end of the run. */
export function quietOutbox(): SignedOutbox {
  return new SignedOutbox()
    .decide(50_000, 'PASS')
    .repeat(199, 100_000, RUN_S * 1_000_000)
    .seal()
}

/** A fault that was seen at a time, µs. */
export function faultSeen(id: string, atUs: number, count = 1): RunFacts['faults'][number] {
  const place = { id, class: 'sensor.stuck_at', target: 'p1', count }
  return { ...place, first_us: count > 0 ? atUs : null, last_us: count > 0 ? atUs : null }
}

/** The folder of a run in its real formats: quiet, unless it is told otherwise. */
export function runFolder(t: Test, expect: readonly Expectation[], parts: RunParts = {}): string {
  const folder = mkdtempSync(join(tmpdir(), 'hb-run-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const put = (name: string, text: string): void => writeFileSync(join(folder, name), text)
  put('row.json', JSON.stringify({ ...rowOf(expect), ...parts.row }))
  put('run.json', JSON.stringify({ ...FACTS, ...parts.facts }))
  put('events.jsonl', (parts.events ?? []).map((event) => `${JSON.stringify(event)}\n`).join(''))
  const pressure = parts.pressure ?? (() => 5)
  const rows = Array.from({ length: RUN_S * 10 + 1 }, (_, k) => `${k * 100_000},${pressure(k / 10)}\n`)
  put('truth.csv', `t_us,p_bar\n${rows.join('')}`)
  put('agent.log', parts.log ?? '')
  mkdirSync(join(folder, 'agent'))
  ;(parts.outbox ?? quietOutbox()).write(join(folder, 'agent'))
  return folder
}

const FACTS: RunFacts = {
  ...{ begin_us: BEGIN_US, simulated_us: RUN_S * 1_000_000, host_ms: 100, started_utc: '2026-01-01T00:00:00Z' },
  ...{ faults: [], hashes: { config: 'c', policy: 'p', baseline: 'b', software: 's' } },
  ...{ replay: null, collected: null, broken: null, log_tail: ['last line'] },
}

function rowOf(expect: readonly Expectation[]): ScenarioRow {
  const plant = { model: 'vessel', params: {}, init: {}, command: null, stepUs: 1000, hazard: 'p_bar > 10' }
  return {
    ...{ id: 'SCN-1', title: 'a title', file: 'a.yaml', row: 1, params: { k: 2 }, verifies: ['REQ-1'], tags: ['t'] },
    ...{ skip: '', xfail: '', seed: 7, setup: [], steps: [], teardown: [], expect },
    rig: { name: 'vessel', plant } as unknown as ScenarioRow['rig'],
    clock: { mode: 'lockstep', quantumUs: 100_000, durationUs: RUN_S * 1_000_000 },
  }
}
