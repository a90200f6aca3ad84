import { truncateSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { RUN_FILE_BYTES_MAX, readRunFolder } from '../../../../agent/offline/run-folder.ts'
import { HbError } from '../../../../shared/errors/hb-error.ts'
import { createRunsFolder, metaText, samplesCell } from '../../../support/run-folders.ts'

const folder = createRunsFolder()
t.teardown(folder.remove)

const META = metaText('run-1')
const read = (files: Record<string, string | Uint8Array>, decimal?: 'point' | 'comma') =>
  readRunFolder(folder.run('run', { 'run_meta.json': META, 'events.jsonl': '', ...files }), decimal)

/** The message of a refusal: its code, and every mistake that it names. */
function refusal(files: Record<string, string | Uint8Array>, decimal?: 'point' | 'comma'): string {
  try {
    read(files, decimal)
  } catch (error) {
    if (error instanceof HbError) return `${error.code} ${JSON.stringify(error.context)} ${error.remedy}`
    throw error
  }
  return 'taken'
}

t.test('a run folder is read as it was written', async (t) => {
  const run = read({
    'run_meta.json': metaText('run-1', { toolchain: { source_system: 'pba_excel' }, environment: 'hil', unknown: 1 }),
    'metrics.csv': `metric,value,unit,tags\na,1.5,ms,${samplesCell([1, 2, null])}\nb,,,free text\nc,-2e3,,\n`,
    'signals.csv': 'timestamp,a,x\n0,1,2\n1,3,4\n',
    'events.jsonl': '{"type":"start"}\n{"type":"stop"}\n',
  })
  t.match(run.meta, { run_id: 'run-1', program: 'demo', environment: 'hil', source_system: 'pba_excel', test_name: '' })
  t.same(run.metrics.get('a'), { value: 1.5, unit: 'ms', samples: [1, 2], invalidSamples: 1 })
  t.same(run.metrics.get('b'), { value: null, unit: null, samples: [], invalidSamples: 0 })
  t.equal(run.metrics.get('c')?.value, -2000)
  t.same(
    [...run.signals],
    [
      ['a', [1, 3]],
      ['x', [2, 4]],
    ],
  )
  t.equal(run.events, 2)
  t.same(run.warnings, [])
})

t.test('run directory with a path in its id', async (t) => {
  for (const id of ['../../etc/cron.d/x', '/etc/passwd', 'a/b', 'a\\b', '..', 'a..b', '.hidden', 'x\u0000y', 'C:\\x']) {
    const said = refusal({ 'run_meta.json': metaText(id), 'metrics.csv': 'metric,value\na,1\n' })
    t.match(said, /RUN_INVALID .*run_meta\.json run_id: .*rename the run, it is a name and no path/, id)
  }
})

t.test('spreadsheet-exported CSV: BOM, CRLF, semicolons, decimal comma declared', async (t) => {
  const text = '\uFEFFMetric;Value;Unit;Tags\r\navg;12,5;ms;\r\n"name; quoted";-0,25;;"{""samples"":[1.5,2.5]}"\r\n'
  const said = read({ 'metrics.csv': text }, 'comma')
  t.equal(said.metrics.get('avg')?.value, 12.5)
  t.same(said.metrics.get('name; quoted'), { value: -0.25, unit: null, samples: [1.5, 2.5], invalidSamples: 0 })
  const declared = read({ 'metrics.csv': text, 'run_meta.json': metaText('run-1', { decimal: 'comma' }) })
  t.same([...declared.metrics], [...said.metrics], 'declared in run_meta.json')
})

t.test('a decimal comma that nobody declared is refused, with what to declare', async (t) => {
  const said = refusal({ 'metrics.csv': 'metric;value\r\na;12,5\r\nb;1\r\nc;0,5\r\n' })
  t.match(said, /RUN_INVALID .*"mistakes":2/)
  t.match(said, /metrics\.csv:2 value: found \\"12,5\\"; expected .*`--decimal comma`, or \\"decimal\\": \\"comma\\"/)
  t.match(said.replaceAll('\\', ''), /metrics\.csv:4 value: found "0,5"/)
})

t.test('a number cut in two by its own decimal comma is refused', async (t) => {
  t.match(refusal({ 'metrics.csv': 'metric,value,unit,tags\na,12,5,\n' }), /metrics\.csv:2 unit: .*double quotes/)
  t.match(refusal({ 'metrics.csv': 'metric,value,unit,tags\na,12,1,\n' }, 'comma'), /metrics\.csv:2 unit/)
  t.match(refusal({ 'metrics.csv': 'metric,value\na,12,5\n' }, 'comma'), /metrics\.csv:2: found 3 cells; expected 2/)
  t.equal(read({ 'metrics.csv': 'metric,value,unit\na,"12,5",1\n' }, 'comma').metrics.get('a')?.value, 12.5)
  t.match(refusal({ 'metrics.csv': 'metric;value\na;1.234,5\n' }, 'comma'), /without separators of thousands/)
})

t.test('50 000-row CSV', async (t) => {
  const rows = Array.from({ length: 50_000 }, (_, k) => `metric_${k % 5},${k},ms,`)
  const started = process.hrtime.bigint()
  const run = read({ 'metrics.csv': `metric,value,unit,tags\n${rows.join('\n')}\n` })
  t.comment(`50 000 rows in ${Number(process.hrtime.bigint() - started) / 1e6} ms`)
  t.equal(run.metrics.size, 5)
  const { samples, value } = run.metrics.get('metric_3')!
  t.equal(samples.length, 10_000, 'no row is lost: they are samples')
  t.same([samples[0], samples.at(-1), value], [3, 49_998, 25_000.5])
  t.match(run.warnings[0], 'metric_0 stands in 10000 rows: they are its samples, its value is their mean')
  const distinct = rows.map((_, k) => `m${k},${k},,`)
  t.equal(read({ 'metrics.csv': `metric,value,unit,tags\n${distinct.join('\n')}` }).metrics.size, 50_000)
})

t.test('rows of one metric in two units are no value', async (t) => {
  const run = read({ 'metrics.csv': 'metric,value,unit\na,1,ms\na,2,s\n' })
  t.same(run.metrics.get('a'), { value: Number.NaN, unit: 'ms', samples: [], invalidSamples: 2 })
  t.match(run.warnings, [/a stands in 2 rows in the units ms, s; give it one/])
})

t.test('NaN runs: what is no number is kept as none, and counted', async (t) => {
  const run = read({
    'metrics.csv': `metric,value,tags\na,NaN,\nb,-inf,\nc,1,${samplesCell([null, 1])}\nd,nan,\nd,1,\n`,
  })
  t.same(
    ['a', 'b'].map((name) => run.metrics.get(name)?.value),
    [Number.NaN, Number.NEGATIVE_INFINITY],
  )
  t.equal(run.metrics.get('c')?.invalidSamples, 1)
  t.match(run.metrics.get('d'), { value: 1, invalidSamples: 1 })
})

t.test('every mistake of every file is told at once, with its place', async (t) => {
  const said = refusal({
    'run_meta.json': '{"run_id": 7, "decimal": "dot"}',
    'metrics.csv': 'metric,value\na,many\n,3\n',
    'events.jsonl': '{"ok":1}\nnot json\n',
  })
  t.match(said, /"mistakes":5/)
  for (const place of [
    'run_meta.json run_id',
    'run_meta.json decimal',
    'metrics.csv:2 value',
    'metrics.csv:3 metric',
    'events.jsonl:2',
  ])
    t.ok(said.includes(place), place)
})

t.test('files that are no such files', async (t) => {
  t.match(refusal({ 'metrics.csv': '' }), /metrics\.csv:1: found an empty file/)
  t.match(refusal({ 'metrics.csv': 'name,value\na,1\n' }), /missing required columns/)
  t.match(refusal({ 'metrics.csv': 'metric,value,value\na,1,2\n' }), /the column a second time/)
  t.match(refusal({ 'metrics.csv': Uint8Array.of(0x6d, 0xff, 0xfe) }), /not UTF-8; .*CSV UTF-8/)
  t.match(refusal({ 'run_meta.json': '[]', 'metrics.csv': 'metric,value\n' }), /one JSON object/)
  t.match(refusal({ 'run_meta.json': '{', 'metrics.csv': 'metric,value\n' }), /one JSON object/)
  t.match(
    refusal({ 'metrics.csv': 'metric,value\na,1\n', 'signals.csv': 'x,y\n1,2\n' }),
    /signals\.csv:1: .*`timestamp` or `ts`/,
  )
  t.match(read({ 'metrics.csv': 'metric,value,colour\na,1,red\n', 'signals.csv': 'ts,y\n1,2\n' }).warnings, [
    /column `colour` is not read/,
  ])
  t.throws(() => readRunFolder(join(folder.path, 'nowhere')), { code: 'RUN_MISSING' })
  t.throws(() => readRunFolder(folder.run('bare', {})), { code: 'RUN_INVALID' })
})

t.test('a file past the bound is not read', async (t) => {
  const path = folder.run('large', { 'run_meta.json': META, 'metrics.csv': 'metric,value\n' })
  truncateSync(join(path, 'metrics.csv'), RUN_FILE_BYTES_MAX + 1)
  t.throws(() => readRunFolder(path), { code: 'RUN_MISSING', message: /at most 67108864/ })
})
