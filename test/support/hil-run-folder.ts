import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import type { CaseResult } from '../../hil-testbed/core/result.ts'
import type { BenchEvent, RunFacts } from '../../hil-testbed/core/run-record.ts'
import type { Expectation, ScenarioRow } from '../../hil-testbed/core/scenario.ts'
import { judge } from '../../hil-testbed/oracle/judge.ts'
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
  ...{ replay: null, alarms_again: [], collected: null, broken: null, log_tail: ['last line'] },
}

function rowOf(expect: readonly Expectation[]): ScenarioRow {
  const plant = { model: 'vessel', params: {}, init: {}, command: null, file: null, stepUs: 1000, hazard: 'p_bar > 10' }
  return {
    ...{ id: 'SCN-1', title: 'a title', file: 'a.yaml', row: 1, params: { k: 2 }, verifies: ['REQ-1'], tags: ['t'] },
    ...{ skip: '', xfail: '', seed: 7, setup: [], steps: [], teardown: [], expect },
    rig: { name: 'vessel', plant } as unknown as ScenarioRow['rig'],
    clock: { mode: 'lockstep', quantumUs: 100_000, durationUs: RUN_S * 1_000_000, beginUs: null },
  }
}

/** A run in which F1 begins at 3 s and everything follows: FAIL at 3.5 s, an alarm at 3.6 s, an action to 4.2 s. */
export function eventful(): SignedOutbox {
  return new SignedOutbox()
    .decide(50_000, 'PASS')
    .repeat(68, 100_000, 3_450_000)
    .decide(3_500_000, 'FAIL', [['p1', 'FAIL', 'fail_max']])
    .alarm(3_600_000, 'p_disagree')
    .say(3_650_000, 'arm', { state: 'ARMED', until_us: 0 })
    .action(3_700_000, 'shutdown', 'GATE_DENIED', { reasons: ['STALE:p2'], key: 'k0' })
    .action(4_000_000, 'shutdown', 'RELEASED')
    .action(4_200_000, 'shutdown', 'VERIFIED')
    .say(4_300_000, 'refused', { input: 'approve', subject: 'k1', reasons: ['EXPIRED'] })
    .decide(4_500_000, 'PASS')
    .seal({ gaps: [{ from: 9, to: 12, reason: 'journal_lost' }], counters: { late: 3 } })
    .alarm(6_000_000, 'p_disagree', false)
    .repeat(109, 4_550_000, 10_000_000)
    .seal()
}

export const EVENTS: readonly BenchEvent[] = [
  { t_us: 1_000_000, kind: 'mark', name: 'onset' },
  { t_us: 4_050_000, kind: 'effect', actuator: 'relief', key: 'k1' },
  { t_us: 4_100_000, kind: 'plant_effect', actuator: 'relief', key: 'k1' },
  { t_us: 4_500_000, kind: 'told', event: 'bundle_refused', why: 'number_not_above: number 1; expected above 2' },
  { t_us: 5_000_000, kind: 'order', order: 'arm', by: ['alice'], answer: 'refused: SAME_PERSON' },
]

/** The same without the records of a batch, of which one cannot know what they said. */
export function thinned(): SignedOutbox {
  const outbox = new SignedOutbox().decide(50_000, 'PASS').seal()
  return outbox.repeat(199, 100_000, 10_000_000).seal({ thinned: true })
}

/** F1 was seen at 3 s. */
export const F1_AT_3S = { facts: { faults: [faultSeen('F1', 3_000_000)] } }

/** The case of a run in which everything happens that {@link eventful} says, unless it is told otherwise. */
export function judgedRun(t: Test, expect: readonly Expectation[], parts: RunParts = {}): CaseResult {
  const facts = { ...F1_AT_3S.facts, ...parts.facts }
  return judge(runFolder(t, expect, { outbox: eventful(), events: EVENTS, ...parts, facts }))
}

/** A plant that is at so many bar from 4 s to 5 s. */
export function peak(bar: number): RunParts {
  return { pressure: (atS) => (atS >= 4 && atS < 5 ? bar : 5) }
}
