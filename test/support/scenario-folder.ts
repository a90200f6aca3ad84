import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { ROOT } from '../../scripts/sources.ts'

/** A scenario of the vessel in which nothing is wrong, with every word that a test changes. */
export const SOUND = `hil: 1
id: SCN-TRY-001
title: everything that there is
verifies: [REQ-ACT-001]
rig: vessel
seed: 7
clock: { mode: lockstep, quantum_ms: 5, duration_s: 40 }
plant: { params: { orifice: 9 } }
sensors:
  p_a: { noise_sd: 0.05 }
setup:
  - arm: { by: [alice, bob], for: 60s }
  - await: { condition: p_bar > 4, within: 2s }
  - wait: 2s
steps:
  - at: 5.0s
    inject: { id: F1, target: p_a, class: sensor.stuck_at, value: hold_last, duration: 500ms }
  - at: 8s
    stimulate: { valve_opening: 0.15 }
    mark: hazard_onset
  - when: p_bar > 9.5
    within: 10s
    note: the line
  - at: 30s
    clear: F1
expect:
  - verdict: { is: [FAIL, NO_TEST], metric: p_a, within: 2s of F1 }
  - alarm: { name: pressure-high, severity: CRITICAL, within: 5s of hazard_onset }
  - action: { kind: shutdown, target: pump, reaches: VERIFIED, within: 5s }
  - never: { plant: p_bar > 10.0, from: 1s, to: 40s }
  - stl: historically[0, 40s] (p_bar <= 10.0)
  - count: { action: shutdown, state: RELEASED, is: 1 }
  - counter: { name: hb_frames_total, least: 1, most: 2 }
  - fhti: { from: hazard_onset, max_ms: 1000, ftti_ms: 2500 }
  - replay: equal
teardown:
  - actuator: { target: pump, set: { pump: 1 } }
  - disarm: alice
params: { matrix: { seed: [1, 2], F1.value: [hold_last, 0] } }
`

export const REQUIREMENTS = `requirements_version: 1
sources: [{ id: AC-1, text: "something" }]
hazards: []
requirements: [{ id: REQ-ACT-001, text: "something is done in time", source: [AC-1] }]
`

export type ScenarioFolder = Readonly<{
  path: string
  /** Writes a file of the folder and says where. */
  put(name: string, text: string): string
}>

/** A folder with the rig of the vessel and a list of requirements, that is gone after the test. */
export function scenarioFolder(t: { teardown(run: () => void): void }): ScenarioFolder {
  const path = mkdtempSync(join(tmpdir(), 'hb-scenario-'))
  t.teardown(() => rmSync(path, { recursive: true, force: true }))
  cpSync(join(ROOT, 'hil-testbed/rigs/vessel'), join(path, 'rigs/vessel'), { recursive: true })
  const put = (name: string, text: string): string => {
    mkdirSync(dirname(join(path, name)), { recursive: true })
    writeFileSync(join(path, name), text)
    return join(path, name)
  }
  return { path, put }
}
