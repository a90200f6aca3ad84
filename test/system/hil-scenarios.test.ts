import { existsSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { hbEnded } from '../support/hb-ended.ts'
import { REQUIREMENTS, SOUND, scenarioFolder } from '../support/scenario-folder.ts'

t.test('hb hil lint lists every mistake with its line and ends with 78; hb hil run then starts nothing', async (t) => {
  const folder = scenarioFolder(t)
  folder.put('requirements.yaml', REQUIREMENTS)
  const bad = SOUND.replace('seed: 7', 'sede: 7').replace('at: 30s', 'at: 41s').replace('metric: p_a', 'metric: p_z')
  folder.put('scenarios/bad.scenario.yaml', bad)
  const [told, run] = await Promise.all([
    hbEnded(['hil', 'lint', 'scenarios'], folder.path),
    hbEnded(['hil', 'run', 'scenarios', '--evidence', 'evidence'], folder.path),
  ])
  t.equal(told.code, 78)
  for (const line of [
    /SCENARIO_INVALID/,
    /remedy: .*`hb hil lint FILE`/,
    /scenarios\/bad\.scenario\.yaml:6:1 sede/,
    /did you mean `seed`\?/,
    /bad\.scenario\.yaml:24:9 steps\[3\]\.at/,
    /bad\.scenario\.yaml:27:\d+ expect\[0\]\.verdict\.metric/,
  ])
    t.match(told.stderr, line)
  t.match([run.code, run.stderr], [78, /bad\.scenario\.yaml:6:1/])
  t.notOk(existsSync(join(folder.path, 'evidence')), 'nothing was begun')
})

t.test('hb hil new writes a scenario that is sound, once, and hb hil list shows it', async (t) => {
  const folder = scenarioFolder(t)
  const out = 'scenarios/new.scenario.yaml'
  const made = await hbEnded(['hil', 'new', 'SCN-TRY-003', '--rig', 'vessel', '--out', out], folder.path)
  t.match([made.code, made.stderr], [0, ''])
  folder.put('scenarios/other.scenario.yaml', SOUND.replace('rig: vessel', 'rig: vessel\ntags: [slow]'))
  const [again, lint, list] = await Promise.all([
    hbEnded(['hil', 'new', 'SCN-TRY-003', '--rig', 'vessel', '--out', out], folder.path),
    hbEnded(['hil', 'lint', 'scenarios', 'rigs', '--json'], folder.path),
    hbEnded(['hil', 'list', 'scenarios', '--tag', 'slow', '--verifies', 'REQ-ACT-001', '--json'], folder.path),
  ])
  t.equal(again.code, 64, 'it is not written over')
  t.match([lint.code, JSON.parse(lint.stdout)], [0, { v: 1, scenarios: 2, runs: 6, rigs: 1, problems: [] }])
  t.match(JSON.parse(list.stdout), {
    runs: 4,
    scenarios: [{ id: 'SCN-TRY-001', file: 'other.scenario.yaml', seconds: 160 }],
  })
})
