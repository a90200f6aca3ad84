import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Lanes } from '../../hil-testbed/core/result.ts'
import type { BenchEvent } from '../../hil-testbed/core/run-record.ts'

/** A name that would do something on a page that takes it for more than a name. */
export const HOSTILE_NAME = `p<script>alert(1)</script>"'&<img src=x onerror=alert(2)>`

const EVENTS: readonly BenchEvent[] = [
  { t_us: 0, kind: 'agent', is: 'started', code: null },
  { t_us: 0, kind: 'order', order: 'arm', by: ['alice', 'bob'], answer: 'armed' },
  { t_us: 5_000_000, kind: 'fault_begun', id: 'F1', class: 'sensor.stuck_at', target: 'p1' },
  { t_us: 8_000_000, kind: 'stimulus', inputs: { inflow_lps: 4 } },
  { t_us: 8_000_000, kind: 'mark', name: 'hazard_onset' },
  { t_us: 8_450_000, kind: 'plant_effect', actuator: 'relief', key: 'k' },
  { t_us: 9_000_000, kind: 'fault_ended', id: 'F1', class: 'sensor.stuck_at', target: 'p1' },
  { t_us: 25_000_000, kind: 'agent', is: 'paused', code: null },
  { t_us: 27_000_000, kind: 'agent', is: 'resumed', code: null },
]

/** What the signed records of that run say. */
export const RUN_LANES: Lanes = {
  thinned: 0,
  verdicts: [
    { from_us: 0, to_us: 8_150_000, name: '', is: 'PASS' },
    { from_us: 8_150_000, to_us: null, name: '', is: 'FAIL' },
    { from_us: 5_200_000, to_us: null, name: HOSTILE_NAME, is: 'DRIFT' },
  ],
  alarms: [{ from_us: 8_200_000, to_us: 15_000_000, name: 'pressure-high', is: 'CRITICAL' }],
  actions: [{ from_us: 9_200_000, to_us: null, name: 'shutdown relief', is: 'VERIFIED' }],
}

/** The folder of a run of 40 s: a vessel whose pressure rises at 8 s, one stuck sensor, one spike of a single sample at 12 s. */
export function writeRunFolder(parent: string, name: string): void {
  const folder = join(parent, name)
  mkdirSync(folder, { recursive: true })
  const sensors = ['p1', HOSTILE_NAME].map((channel) => ({ channel, of: 'p_bar' }))
  writeFileSync(join(folder, 'row.json'), JSON.stringify({ rig: { plant: { hazard: 'p_bar > 10' }, sensors } }))
  const truth = ['t_us,p_bar,flow_lps']
  const telemetry = ['t_us,channel,value']
  for (let k = 0; k <= 8000; k += 1) {
    const us = k * 5000
    const bar = us < 8_000_000 ? 5 : Math.max(1, 11 - (us - 8_000_000) / 4_000_000)
    truth.push(`${us},${bar},${us < 8_000_000 ? 1.2 : -2}`)
    telemetry.push(`${us},p1,${us < 5_000_000 ? bar : 5}`, `${us},${HOSTILE_NAME},${k === 2400 ? 77 : bar}`)
  }
  writeFileSync(join(folder, 'truth.csv'), `${truth.join('\n')}\n`)
  writeFileSync(join(folder, 'telemetry.csv'), `${telemetry.join('\n')}\n`)
  writeFileSync(join(folder, 'events.jsonl'), `${EVENTS.map((event) => JSON.stringify(event)).join('\n')}\n`)
}
