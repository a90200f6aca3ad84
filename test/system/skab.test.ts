import { existsSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { runHb } from '../../scripts/demo/processes.ts'
import { ROOT } from '../../scripts/sources.ts'
import { createBenchFolder, runtimeYaml } from '../support/bench-folder.ts'

/** Rows that make the baseline, and when the valve was closed in this recording (its own labels). */
const BASELINE_ROWS = 400
const FAULT_FROM = '2020-03-09T10:24:33.000Z'
const FILE = join(ROOT, '..', 'shared', 'data', 'skab', 'valve1', '0.csv')

t.test('a recorded rig through the real path names the flow channel when its valve closes', async (t) => {
  if (!existsSync(FILE)) {
    t.comment('the SKAB recordings are not beside the project: nothing was shown')
    return
  }
  const folder = await createBenchFolder()
  t.teardown(() => folder.remove())
  const rigs = (rows: string, baseline = ''): string => `  - rig: recorded
    program: demo
    registry_file: skab.registry.yaml
${baseline}    slide_ms: 1000
    windows_ms: [10000, 60000]
    sources:
      - { name: file, type: csv, file: "${FILE}", time_column: datetime, ignore_columns: [anomaly, changepoint], ${rows}, speed: max }
`
  folder.write('nominal.yaml', runtimeYaml({ clock: 'recording', rigs: rigs(`rows_to: ${BASELINE_ROWS}`) }))
  folder.write(
    'whole.yaml',
    runtimeYaml({ clock: 'recording', rigs: rigs(`rows_from: ${BASELINE_ROWS}`, '    baseline_file: skab.hbb\n') }),
  )
  await runHb(['runtime', '--config', 'nominal.yaml', '--state', 'nominal'], folder.path)
  await runHb(['baseline', 'create', '--from', 'nominal', '--out', 'skab.hbb'], folder.path)
  await runHb(['runtime', '--config', 'whole.yaml', '--state', 'whole'], folder.path)
  const { decisions } = JSON.parse(
    await runHb(['decisions', 'list', '--state', 'whole', '--limit', '1000', '--json'], folder.path),
  ) as {
    decisions: { time: string; verdict: string; findings: { channel: string; ground: string; deviation: number }[] }[]
  }
  const flags = decisions.filter((d) => d.verdict === 'PASS_WITH_DRIFT' || d.verdict === 'FAIL')
  t.ok(flags.length > 0)
  t.equal(flags[0]?.findings[0]?.channel, 'Volume Flow RateRMS', 'the first driver is the flow')
  t.ok(
    flags.every((d) => d.time >= FAULT_FROM),
    'nothing was flagged before the valve was touched',
  )
  const delayS = (Date.parse(flags[0]!.time) - Date.parse(FAULT_FROM)) / 1000
  t.comment(
    `flagged ${delayS} s after the valve was touched, ${flags[0]!.findings[0]!.deviation.toFixed(1)} spreads from the baseline`,
  )
  const replayed = JSON.parse(await runHb(['replay', '--state', 'whole', '--json'], folder.path)) as {
    equal: boolean
    unsigned: number
  }
  t.match(replayed, { equal: true, unsigned: 0 })
})
