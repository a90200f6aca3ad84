import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { latestAfter } from '../../hil-testbed/report/latest-results.ts'
import { digestsOf, readTrace } from '../../hil-testbed/report/trace-files.ts'
import { campaignOf, caseOf } from './campaigns.ts'

export const TODAY = '2026-03-01'

const REQUIREMENTS = `requirements_version: 1
sources:
  - { id: AC-5, text: actions go through gates }
  - { id: AC-S4, text: a bill of materials, left_out: nothing is released yet }
hazards:
  - { id: HAZ-001, text: over-pressure, must: work, why: it bursts, controlled_by: [REQ-ACT-001] }
requirements:
  - { id: REQ-ACT-001, text: it is shut down, source: [AC-5, SE-29], rules: [over-pressure] }
  - { id: REQ-SEC-001, text: no secret is repeated, source: [AC-5], shown_by: [test/secret.test.ts] }
`
const SCENARIO = `hil: 1
id: SCN-ACT-001
title: over-pressure is shut down
verifies: [REQ-ACT-001, HAZ-001]
rig: vessel
`

/** Files of a small project in which everything holds together, by path. */
export const WHOLE_PROJECT: Readonly<Record<string, string>> = {
  'hil-testbed/requirements.yaml': REQUIREMENTS,
  'hil-testbed/scenarios/act/over-pressure.scenario.yaml': SCENARIO,
  'hil-testbed/rigs/vessel/rig.yaml':
    'name: vessel\nregistry_file: ../shared.registry.yaml\npolicy_file: policy.yaml\n',
  'hil-testbed/rigs/vessel/policy.yaml': 'rules:\n  - { id: over-pressure }\n',
  'hil-testbed/rigs/shared.registry.yaml': 'version: 1\n',
  'test/secret.test.ts': '// verifies REQ-SEC-001\n',
}
export const LATEST = 'hil-testbed/latest-results.json'

/** Writes such a project and the verdicts of a campaign in which it passed. */
export function writeProject(root: string, verdict: 'PASS' | 'FAIL' = 'PASS'): void {
  for (const [path, text] of Object.entries(WHOLE_PROJECT)) writeIn(root, path, text)
  const input = readTrace(root, { today: TODAY })
  const rows = [0, 1].map((row) => caseOf({ row, params: { seed: row }, verdict }))
  writeIn(root, LATEST, JSON.stringify(latestAfter(input.latest, campaignOf(rows), digestsOf(input))))
}

export function writeIn(root: string, path: string, text: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true })
  writeFileSync(join(root, path), text)
}
