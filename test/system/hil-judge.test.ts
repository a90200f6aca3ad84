import { spawnSync } from 'node:child_process'
import { copyFileSync, cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { Expectation } from '../../hil-testbed/core/scenario.ts'
import { readEvidence } from '../../hil-testbed/oracle/evidence.ts'
import { runHb } from '../../scripts/demo/processes.ts'
import { ROOT } from '../../scripts/sources.ts'
import { createBenchFolder, recordedLoop, runtimeYaml } from '../support/bench-folder.ts'
import { runFolder } from '../support/hil-run-folder.ts'

const BEGIN_US = Date.parse('2026-01-01T00:00:00Z') * 1000
const SECONDS = 20
const FAULT_US = 10_000_000

t.test('the oracle reads of a real agent what the agent says of itself, and judges its run', async (t) => {
  const folder = await createBenchFolder()
  t.teardown(() => folder.remove())
  const loop = ['hil', 'water-loop', '--csv', 'loop.csv', '--seconds', String(SECONDS), '--fault-after', '10']
  await runHb(loop, folder.path)
  folder.write('runtime.yaml', runtimeYaml({ clock: 'recording', rigs: recordedLoop() }))
  await runHb(['runtime', '--config', 'runtime.yaml', '--state', 'state'], folder.path)
  const json = async (...args: string[]): Promise<Record<string, unknown>> =>
    JSON.parse(await runHb([...args, '--state', 'state', '--json'], folder.path)) as Record<string, unknown>
  const own = await json('decisions', 'digest')
  const evidence = readEvidence(join(folder.path, 'state', 'outbox'), {
    agent: join(folder.path, 'sign.pub.pem'),
    collector: join(folder.path, 'receipts.pub.pem'),
  })
  t.match(evidence, { problems: [], digest: own['digest'], decisions: own['decisions'] })
  const { decisions } = (await json('decisions', 'list', '--limit', '1000')) as {
    decisions: { seq: number; time_us: number; verdict: string; findings: { metric: string; ground: string }[] }[]
  }
  t.ok(decisions.length > 1)
  for (const { seq, time_us, verdict, findings } of decisions) {
    const said = evidence.said.find((one) => one.kind === 'decision' && one.seq <= seq && one.lastSeq >= seq)
    t.match(said, { verdict, findings: findings.map(({ metric, ground }) => ({ metric, ground })) }, `decision ${seq}`)
    t.equal(said?.atUs, time_us)
  }

  const failed = decisions.find(({ verdict, time_us }) => verdict === 'FAIL' && time_us > BEGIN_US + FAULT_US)!
  const within = { us: 8_000_000, of: 'F1' }
  const expect: Expectation[] = [
    { kind: 'verdict', is: ['FAIL'], metric: failed.findings[0]!.metric, ground: null, within, optional: false },
    { kind: 'never', what: { verdict: ['FAIL'] }, span: { fromUs: 0, toUs: FAULT_US } },
  ]
  const fault = { id: 'F1', class: 'actuator.stuck', target: 'valve', count: 1, first_us: FAULT_US, last_us: FAULT_US }
  const facts = { begin_us: BEGIN_US, simulated_us: SECONDS * 1_000_000, faults: [fault] }
  const run = runFolder(t, expect, { facts })
  rmSync(join(run, 'agent', 'state'), { recursive: true })
  cpSync(join(folder.path, 'state'), join(run, 'agent', 'state'), { recursive: true })
  copyFileSync(join(folder.path, 'sign.pub.pem'), join(run, 'agent', 'sign.pub.pem'))
  const judged = hb('hil', 'judge', run, '--open', '--json')
  t.equal(judged.status, 0, judged.stderr)
  const detected_us = failed.time_us - BEGIN_US
  t.match(JSON.parse(judged.stdout), { verdict: 'PASS', measures: { digest: own['digest'] }, faults: [{ id: 'F1' }] })
  t.match(JSON.parse(judged.stdout), { outcomes: [{ is: 'met', at_us: detected_us }, { is: 'met' }] })

  const outbox = join(run, 'agent', 'state', 'outbox')
  const [file] = readdirSync(outbox).filter((name) => name.endsWith('.hbo'))
  const bytes = readFileSync(join(outbox, file!))
  bytes[Math.floor(bytes.length / 2)]! ^= 1
  writeFileSync(join(outbox, file!), bytes)
  const touched = hb('hil', 'judge', run, '--open')
  t.equal(touched.status, 20)
  t.match(touched.stdout, /^FAIL {2}SCN-1 {2}a title\nthe evidence does not hold: /)
  rmSync(join(run, 'row.json'))
  const nothing = hb('hil', 'judge', run, '--open')
  t.equal(nothing.status, 65)
  t.match(nothing.stderr, /HIL_RUN_SHAPE.*row\.json/s)
})

function hb(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [join(ROOT, 'dist', 'hb.cjs'), ...args], { encoding: 'utf8' })
}
