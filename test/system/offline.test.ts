import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { usualHb } from '../../scripts/demo/processes.ts'
import { createRunsFolder, metaText, REGISTRY, samplesCell } from '../support/run-folders.ts'

const folder = createRunsFolder()
t.teardown(folder.remove)

type Ended = Readonly<{ code: number | null; out: string; err: string }>

/** Runs the built program as somebody at a shell would. */
function hb(args: readonly string[], env: Readonly<Record<string, string>> = {}): Ended {
  const { command, before } = usualHb()
  const { HB_GATE_FAIL_EXIT: _, HB_METRIC_REGISTRY: __, ...rest } = process.env
  const ended = spawnSync(command, [...before, ...args], {
    cwd: folder.path,
    encoding: 'utf8',
    env: { ...rest, ...env },
  })
  return { code: ended.status, out: ended.stdout, err: ended.stderr }
}
const json = (name: string): Record<string, unknown> => JSON.parse(readFileSync(join(folder.path, name), 'utf8'))

const HEADER = 'metric,value,unit,tags\n'
const around = (level: number): number[] => Array.from({ length: 60 }, (_, k) => level + ((k * 7) % 5) * 0.1)
const rows = (latency: number, resets: number): string =>
  `${HEADER}avg_latency_ms,${latency},ms,${samplesCell(around(latency))}\nreset_count,${resets},count,\nhttp_error_rate,0.01,,\n`

folder.write('registry.yaml', REGISTRY)
folder.run('good', { 'run_meta.json': metaText('run-good'), 'metrics.csv': rows(10, 0) })
folder.run('same', { 'run_meta.json': metaText('run-same'), 'metrics.csv': rows(10, 0) })
folder.run('slow', { 'run_meta.json': metaText('run-slow'), 'metrics.csv': rows(12, 0) })
folder.run('reset', { 'run_meta.json': metaText('run-reset'), 'metrics.csv': rows(10, 1) })
folder.run('nan', { 'run_meta.json': metaText('run-nan'), 'metrics.csv': rows(10, 0).replace('10,ms', 'NaN,ms') })
folder.run('path', { 'run_meta.json': metaText('../../escaped'), 'metrics.csv': rows(10, 0) })
folder.run('sheet', {
  'run_meta.json': metaText('run-sheet'),
  'metrics.csv':
    '\uFEFFmetric;value;unit\r\navg_latency_ms;10,2;ms\r\nreset_count;0;count\r\nhttp_error_rate;0,01;\r\n',
})

const analyze = (run: string, ...more: string[]): string[] => [
  'analyze',
  '--run',
  run,
  '--registry',
  'registry.yaml',
  ...more,
]

t.test('hb analyze: the exit code is the verdict, and the report says why', async (t) => {
  const slow = hb(analyze('slow', '--baseline', 'good', '--out', 'out/slow', '--json'))
  t.equal(slow.code, 10, slow.err)
  t.match(JSON.parse(slow.out), { status: 'PASS_WITH_DRIFT', baseline_run_id: 'run-good' })
  t.match(json('out/slow/drift_report.json'), {
    run_id: 'run-slow',
    drift_metrics: [{ metric: 'avg_latency_ms', delta: 2, percent_change: 20, severity: 'DRIFT' }],
    distribution_drifts: [{ metric: 'avg_latency_ms', method: 'ks' }],
    drift_attribution: { top_drivers: [{ metric_name: 'avg_latency_ms', confidence: 'medium' }] },
  })
  t.match(json('out/slow/decision_record.json'), {
    schema_version: '1.0',
    status: 'PASS_WITH_DRIFT',
    run_id: 'run-slow',
  })
  const page = readFileSync(join(folder.path, 'out/slow/drift_report.html'), 'utf8')
  t.match(page, /Content-Security-Policy/)
  t.match(page, /<svg/)
  t.notMatch(page, /<script|https?:\/\/(?!www\.w3\.org)/)
  t.equal(hb(analyze('same', '--baseline', 'good')).code, 0)
  const reset = hb(analyze('reset', '--baseline', 'good'))
  t.equal(reset.code, 20)
  t.match(reset.out, /FAIL: run-reset against run-good\n.*METRIC/)
})

t.test('hb analyze: what was not tested or not compared is no pass', async (t) => {
  t.match(hb(analyze('same')), { code: 30, out: /^NO_BASELINE/ })
  t.match(hb(analyze('same', '--baseline', 'same')), { code: 30, out: /a run is never its own baseline/ })
  t.match(hb(analyze('nan', '--baseline', 'good')), { code: 30, out: /^NO_TEST/ })
  t.match(hb(['analyze', '--run', 'same', '--baseline', 'good']), { code: 30, out: /no metric registry/ })
})

t.test('hb analyze as a gate: 2 is closed, and 0 is open', async (t) => {
  const gate = (...args: string[]) => hb(analyze(args[0]!, ...args.slice(1)), { HB_GATE_FAIL_EXIT: '1' }).code
  t.equal(gate('same', '--baseline', 'good'), 0)
  t.equal(gate('slow', '--baseline', 'good'), 0)
  t.equal(gate('reset', '--baseline', 'good'), 2)
  t.equal(gate('nan', '--baseline', 'good'), 2)
  t.equal(gate('same'), 2)
  t.equal(gate('nowhere', '--baseline', 'good'), 66, 'an error is no verdict')
})

t.test('hb compare: one run against another, with a summary', async (t) => {
  const found = hb([
    'compare',
    '--baseline',
    'good',
    '--run',
    'reset',
    '--registry',
    'registry.yaml',
    '--out',
    'out/compare',
  ])
  t.equal(found.code, 20, found.err)
  t.match(json('out/compare/summary.json'), {
    status: 'FAIL',
    run_id: 'run-reset',
    baseline_run_id: 'run-good',
    fail_metrics: ['reset_count'],
  })
  t.ok(existsSync(join(folder.path, 'out/compare/drift_report.html')))
  t.equal(hb(['compare', '--run', 'reset']).code, 64)
})

t.test('a spreadsheet export with a decimal comma: refused with what to say, and read when it is said', async (t) => {
  const refused = hb(analyze('sheet', '--baseline', 'good'))
  t.equal(refused.code, 65)
  t.match(refused.err, /RUN_INVALID/)
  t.match(refused.err, /metrics\.csv:2 value: .*--decimal comma/)
  // The mark is said for both folders, and the other one is written with points.
  folder.run('sheet', { 'run_meta.json': metaText('run-sheet', { decimal: 'comma' }) })
  t.equal(hb(analyze('sheet', '--baseline', 'good')).code, 0)
})

t.test('a run with a path for an id writes nothing anywhere', async (t) => {
  const refused = hb(analyze('path', '--baseline', 'good', '--out', 'out/path'))
  t.match(refused, { code: 65, err: /it is a name and no path/ })
  t.notOk(existsSync(join(folder.path, 'out/path')))
})

t.test('a folder for reports that cannot be written is an error with a remedy', async (t) => {
  folder.write('taken', '')
  t.match(hb(analyze('same', '--baseline', 'good', '--out', 'taken')), { code: 77, err: /REPORT_UNWRITABLE/ })
})
