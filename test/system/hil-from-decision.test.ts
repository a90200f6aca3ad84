import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { checkRigs, checkScenarios } from '../../hil-testbed/scenario/load.ts'
import { createBenchFolder, runtimeYaml } from '../support/bench-folder.ts'
import { type Ended, hbEnded } from '../support/hb-ended.ts'

const REGISTRY = `version: "1.0"
metrics:
  flow: { unit: "1", nominal_rate_hz: 100, fail_min: 10, fail_max: 200, baseline_required: false }
  level: { unit: "1", nominal_rate_hz: 100, fail_min: 0, fail_max: 9, baseline_required: false }
`
const RIG = `  - rig: stand
    program: demo
    registry_file: stand.registry.yaml
    slide_ms: 100
    windows_ms: [500, 1000]
    sources:
      - { name: file, type: csv, file: stand.csv, time_column: t_us, speed: max }
`
const START_US = 1_790_000_000_000_000
/** Half a minute at 100 Hz, in which the level is too high from the 20th second to the 24th. */
const RECORDING = `t_us,flow,level\n${Array.from({ length: 3000 }, (_, k) => {
  const high = k >= 2000 && k < 2400 ? 6 : 0
  return `${START_US + k * 10_000},${100 + (k % 7) / 4},${5 + (k % 3) / 4 + high}\n`
}).join('')}`

type Told = Readonly<{ seq: number; time_us: number; verdict: string; findings: readonly unknown[] }>

/** A folder with an agent that has ended, and what it decided: the red decision, and the first one after that is not. */
async function field(t: Test) {
  const folder = await createBenchFolder()
  t.teardown(folder.remove)
  const at = (...names: string[]): string => join(folder.path, ...names)
  const hb = (...args: string[]): Promise<Ended> => hbEnded(args, folder.path)
  folder.write('stand.csv', RECORDING)
  folder.write('stand.registry.yaml', REGISTRY)
  folder.write('runtime.yaml', `${runtimeYaml({ clock: 'recording', rigs: RIG })}journal: { segment_bytes: 65536 }\n`)
  t.equal((await hb('runtime', '--config', 'runtime.yaml', '--state', 'state')).code, 0)
  const listed = async (state: string): Promise<readonly Told[]> =>
    JSON.parse((await hb('decisions', 'list', '--state', state, '--json')).stdout).decisions
  const [, , red, green] = await listed('state')
  t.match([red, green], [{ verdict: 'FAIL' }, { verdict: 'PASS' }])
  const from = (id: number, out: string, ...more: string[]): Promise<Ended> =>
    hb('hil', 'from-decision', String(id), '--state', 'state', '--out', out, '--json', ...more)
  return { folder, at, hb, listed, from, red: red!, green: green! }
}

type Field = Awaited<ReturnType<typeof field>>

async function isMended({ at, hb, listed, from, red }: Field, t: Test): Promise<void> {
  const made = await from(red.seq, 'made', '--before', '8s', '--after', '2s', '--config', 'runtime.yaml')
  t.equal(made.code, 0, made.stderr)
  t.match(JSON.parse(made.stdout), {
    file: 'made/stand-207.scenario.yaml',
    rig: 'stand',
    decision: { seq: red.seq, verdict: 'FAIL' },
    begin_us: START_US + 12_000_000,
    notes: [],
    verified: true,
    seen: { verdict: 'FAIL' },
  })
  t.strictSame([...checkScenarios([at('made')]).problems, ...checkRigs([at('made')]).problems], [])
  const failed = await hb('hil', 'run', 'made', '--evidence', 'runs')
  t.equal(failed.code, 20, failed.stderr)
  const again = (await listed(at('runs', 'FIELD-STAND-207.0', 'agent', 'state'))).find((d) => d.verdict === 'FAIL')
  t.equal(again?.time_us, red.time_us, 'at the same time')
  t.strictSame(again?.findings, red.findings, 'by the same samples')
  const registry = at('made', 'rigs', 'stand', 'registry.yaml')
  writeFileSync(registry, readFileSync(registry, 'utf8').replace('fail_max: 9', 'fail_max: 12'))
  const mended = await hb('hil', 'run', 'made')
  t.equal(mended.code, 0, mended.stderr)
}

async function isRefused({ folder, at, hb, from, red, green }: Field, t: Test): Promise<void> {
  const said = async (ended: Promise<Ended>) => {
    const { code, stderr } = await ended
    const { error } = JSON.parse(stderr) as { error: { code: string; found: readonly string[]; remedy: string } }
    return { exit: code, ...error, found: error.found.join(' ') }
  }
  // The same files but for one limit; and what an agent does at the bound of its journal: the oldest segments go.
  mkdirSync(at('other'))
  cpSync(at('runtime.yaml'), at('other', 'runtime.yaml'))
  folder.write(join('other', 'stand.registry.yaml'), REGISTRY.replace('fail_max: 9', 'fail_max: 12'))
  cpSync(at('state'), at('later'), { recursive: true })
  const segments = readdirSync(at('later', 'journal')).filter((name) => name.endsWith('.hbj'))
  t.ok(segments.length >= 6)
  for (const name of segments.sort().slice(0, Math.floor(segments.length / 2))) rmSync(at('later', 'journal', name))
  const [unknown, pass, bad, differs, gone] = await Promise.all([
    said(from(99_999, 'no-1')),
    said(from(green.seq + 20, 'no-2')),
    said(from(red.seq, 'no-3', '--before', '2 weeks')),
    said(from(red.seq, 'no-4', '--config', join('other', 'runtime.yaml'))),
    said(hb('hil', 'from-decision', String(red.seq), '--state', 'later', '--out', 'no-5', '--json')),
  ])
  t.match(unknown, { exit: 66, code: 'DECISION_UNKNOWN', found: /99999/ })
  t.match(pass, { exit: 65, code: 'FIELD_NOT_RED', remedy: /--force/ })
  t.match(bad, { exit: 64, code: 'USAGE', found: /2 weeks/ })
  t.match(differs, { exit: 78, code: 'FIELD_CONFIG_DIFFERS', found: /stand\.registry\.yaml is another one/ })
  t.match(gone, { exit: 66, code: 'SLICE_GONE', remedy: /--before/ })
  t.strictSame(
    readdirSync(folder.path).filter((name) => name.startsWith('no-')),
    [],
  )
}

async function isNotAgain({ from, green }: Field, t: Test): Promise<void> {
  const last = green.seq - 1
  const made = await from(last, 'short', '--before', '0s', '--after', '2s')
  t.equal(made.code, 65)
  t.match(JSON.parse(made.stdout), { verified: false, decision: { seq: last, verdict: 'FAIL' } })
  t.match(JSON.parse(made.stderr), { error: { code: 'FIELD_NOT_AGAIN', remedy: /--before/ } })
  const untried = await from(green.seq, 'stays', '--force', '--no-verify', '--rig', 'other')
  t.equal(untried.code, 0, untried.stderr)
  t.match(JSON.parse(untried.stdout), { file: 'stays/other-247.scenario.yaml', rig: 'other', verified: null })
}

t.test('a red decision from the field is a scenario that fails until it is mended', async (t) => {
  const made = await field(t)
  t.jobs = 2
  await Promise.all([
    t.test('it says the same as the field, and passes when its limit is mended', (t) => isMended(made, t)),
    t.test('what cannot be one is refused with a code, and nothing is written', (t) => isRefused(made, t)),
    t.test('a slice that does not say it again is told of', (t) => isNotAgain(made, t)),
  ])
})
