import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import t, { type Test } from 'tap'
import { IMPORT_FILE_BYTES_MAX } from '../../agent/predecessor/report-folders.ts'
import type { ImportSummary } from '../../agent/predecessor/summary.ts'
import { RUN_ID_MAX } from '../../shared/model/run-meta.ts'
import { hbEnded } from '../support/hb-ended.ts'
import {
  auditLog,
  makeDatabase,
  openTestDatabase,
  SCHEMA,
  type TestFolder,
  testFolder,
  writeReport,
} from '../support/predecessor-files.ts'

const BAD_IDS = ['../../escaped', 'a/b', 'a\\b', '..', '.hidden', 'a\nb', '', 'x'.repeat(RUN_ID_MAX + 1)]

const run = (id: string, more: Readonly<Record<string, string>> = {}): string => {
  const row: Record<string, string> = {
    ...{ run_id: id, program: 'pumps', subsystem: 'main', test_name: 'soak', operating_mode: 'nominal' },
    ...{ registry_hash: 'abc', status: 'PASS', baseline_run_id: 'r1', created_at: '2026-01-01T00:00:00' },
    ...more,
  }
  const values = Object.values(row).map((value) => `'${value.replaceAll("'", "''")}'`)
  return `INSERT INTO runs (${Object.keys(row).join(', ')}) VALUES (${values.join(', ')});\n`
}
const metric = (id: string, name = 'flow', value = '32.5'): string =>
  `INSERT INTO metrics VALUES ('${id}', '${name}', ${value}, 'l/min', '');\n`

function folderFor(t: Test): TestFolder {
  const folder = testFolder()
  t.teardown(() => folder.remove())
  return folder
}

/** Ends with `code`, and gives what `--json` said. */
async function imported(t: Test, folder: TestFolder, args: readonly string[], code: number): Promise<ImportSummary> {
  const ended = await hbEnded(['import', 'predecessor', ...args, '--out', 'out', '--json'], folder.path)
  t.equal(ended.code, code, `${args.join(' ')}: ${ended.stderr}`)
  const { out, ...summary } = JSON.parse(ended.stdout) as { out: string } & ImportSummary
  t.equal(out, 'out')
  t.same(folder.json('out', 'import_summary.json'), summary, 'the summary is what was said')
  return summary
}

const whatOf = (items: readonly { what: string }[]): string[] => items.map(({ what }) => what)

t.test('runs of a database become run folders, and what their verdicts are worth is said', async (t) => {
  const folder = folderFor(t)
  await makeDatabase(
    folder.at('runs.db'),
    `${SCHEMA}${run('r1', { baseline_run_id: '' })}${run('r2', { scenario_id: 's1', build_sha: 'f00', end_utc: '2026-01-02' })}
     ${run('r3', { baseline_run_id: 'r3' })}${run('r4', { status: 'PASS-with-drift' })}${run('r5', { status: 'NO_DATA' })}
     ${metric('r2')}${metric('r2', 'a "b", c', '1e-7')}${metric('r2', 'blank', 'NULL')}
     INSERT INTO metrics VALUES ('r2', 'dist', 1, '', '{"samples": [1, 2]}');
     INSERT INTO baseline_tags VALUES ('golden', 'r2', 'abc', '');
     INSERT INTO baseline_approvals VALUES ('a1', 'r2');`,
  )
  const before = readFileSync(folder.at('runs.db'))
  const summary = await imported(t, folder, ['--db', 'runs.db'], 0)
  t.same(
    summary.runs.map(({ run_id, status, counts_as }) => [run_id, status, counts_as]),
    [
      ['r1', 'PASS', 'NO_BASELINE'],
      ['r2', 'PASS', 'PASS'],
      ['r3', 'PASS', 'NO_BASELINE'],
      ['r4', 'PASS-with-drift', 'PASS_WITH_DRIFT'],
      ['r5', 'NO_DATA', 'NO_TEST'],
    ],
  )
  t.match(summary, { metrics: 4, tags: 1, refused: [], failed: [], not_imported: { baseline_approvals: 1 } })
  t.same(whatOf(summary.unverifiable), ['database'])
  t.same(summary.source, {
    kind: 'database',
    name: 'runs.db',
    sha256: createHash('sha256').update(before).digest('hex'),
  })
  t.match(folder.json('out', 'r2', 'run_meta.json'), {
    schema_version: '1.0',
    run_id: 'r2',
    program: 'pumps',
    scenario_id: 's1',
    build: { git_sha: 'f00', build_id: '' },
    timestamps: { end_utc: '2026-01-02' },
    imported: { from: 'predecessor', status: 'PASS', counts_as: 'PASS', baseline_run_id: 'r1', registry_hash: 'abc' },
  })
  t.equal(
    readFileSync(folder.at('out', 'r2', 'metrics.csv'), 'utf8'),
    'metric,value,unit,tags\nflow,32.5,l/min,\n"a ""b"", c",1e-7,l/min,\nblank,,l/min,\ndist,1,,"{""samples"": [1, 2]}"\n',
  )
  t.same(folder.json('out', 'baseline_tags.json'), {
    tags: [{ tag: 'golden', run_id: 'r2', program: 'pumps', registry_hash: 'abc' }],
  })
  t.same(readdirSync(folder.path).sort(), ['out', 'runs.db'], 'nothing was written beside the database')
  t.same(readFileSync(folder.at('runs.db')), before, 'and nothing into it')
  t.same(readdirSync(folder.at('out')).sort(), [
    'baseline_tags.json',
    'import_summary.json',
    'r1',
    'r2',
    'r3',
    'r4',
    'r5',
  ])
})

t.test('an id that is a path is refused with its row, and nothing is written elsewhere', async (t) => {
  const folder = folderFor(t)
  const bad = BAD_IDS.map((id) => run(id) + metric(id)).join('')
  await makeDatabase(
    folder.at('runs.db'),
    `${SCHEMA}${run('ok')}${bad}${run('a b')}${run('a:b')}INSERT INTO runs (run_id, program) VALUES ('bytes', x'00ff');`,
  )
  const { runs, refused, failed } = await imported(t, folder, ['--db', 'runs.db'], 65)
  t.same(
    runs.map(({ run_id, folder: name }) => [run_id, name]),
    [
      ['ok', 'ok'],
      ['a b', 'a_b'],
    ],
  )
  t.same(
    refused.map(({ from, row, id }) => [from, row, id]),
    [...BAD_IDS.map((id, k) => ['runs', k + 2, id]), ['runs', 11, 'a:b'], ['runs', 12, 'bytes']],
  )
  t.match(refused[0], { reason: 'it is a path' })
  t.match(refused.at(-2), { reason: /another run has the folder `a_b`/ })
  t.match(refused.at(-1), { reason: /`program` is bytes/ })
  t.same(failed, [], 'metrics of a refused run are not told once more')
  t.same(readdirSync(folder.at('out')).sort(), ['a_b', 'import_summary.json', 'ok'])
  t.same(readdirSync(folder.path).sort(), ['out', 'runs.db'])
  t.notOk(existsSync(folder.at('..', 'escaped')))
})

t.test('values that are none, metrics and tags without a run, and repeats are named', async (t) => {
  const folder = folderFor(t)
  await makeDatabase(
    folder.at('runs.db'),
    `${SCHEMA}${run('r1')}${run('empty')}${metric('r1', 'text', "'abc'")}${metric('r1', 'inf', '9e999')}${metric('r1', '')}
     ${metric('gone')}${metric('gone')}${metric('r1', 'twice')}${metric('r1', 'twice')}
     INSERT INTO baseline_tags VALUES ('golden', 'pruned', '', ''), ('old', 'empty', '', '');`,
  )
  const { failed, refused, unverifiable, tags } = await imported(t, folder, ['--db', 'runs.db'], 65)
  t.same(failed, [
    { what: 'value_not_a_number', where: 'metrics row 1', found: '"abc"' },
    { what: 'value_not_a_number', where: 'metrics row 2', found: '"Infinity"' },
    { what: 'metrics_without_run', where: 'run "gone"', found: '2 rows' },
    { what: 'tag_without_run', where: 'tag "golden"', found: 'run "pruned"' },
    { what: 'tag_of_empty_run', where: 'tag "old"', found: 'run "empty" has no metrics' },
  ])
  t.same(refused, [{ from: 'metrics', row: 3, id: 'r1', reason: 'the metric has no name' }])
  t.match(unverifiable, [{ what: 'metric_repeated', where: 'run r1, twice' }, { what: 'database' }])
  t.equal(tags, 0)
  t.match(readFileSync(folder.at('out', 'r1', 'metrics.csv'), 'utf8'), /^text,,l\/min,\ninf,,l\/min,$/m)
})

t.test('a database of an old version, with fewer columns and more tables, is read', async (t) => {
  const folder = folderFor(t)
  await makeDatabase(
    folder.at('runs.db'),
    `CREATE TABLE runs (run_id TEXT, program TEXT, status TEXT, more INTEGER);
     CREATE TABLE metrics (run_id TEXT, metric TEXT, value REAL);
     CREATE TABLE baseline_lineage (run_id TEXT, baseline_run_id TEXT);
     CREATE TABLE "odd "" name" (x);
     INSERT INTO runs VALUES ('r1', 'pumps', 'PASS', 1), ('r2', 'pumps', 'PASS', 2);
     INSERT INTO metrics VALUES ('r1', 'flow', 1); INSERT INTO baseline_lineage VALUES ('r1', 'r0');`,
  )
  const { runs, not_imported } = await imported(t, folder, ['--db', 'runs.db'], 0)
  t.match(
    runs,
    [{ counts_as: 'PASS' }, { counts_as: 'NO_BASELINE' }],
    'lineage tells the baseline where the row does not',
  )
  t.same(not_imported, { baseline_lineage: 1, 'odd " name': 0 })
})

t.test('what was committed but is still in the write-ahead log is imported', async (t) => {
  const folder = folderFor(t)
  const close = await openTestDatabase(
    folder.at('runs.db'),
    `PRAGMA journal_mode=WAL; ${SCHEMA}${run('r1')}${metric('r1')}`,
  )
  t.teardown(close)
  t.ok(existsSync(folder.at('runs.db-wal')))
  t.match(await imported(t, folder, ['--db', 'runs.db'], 0), { runs: [{ run_id: 'r1' }], metrics: 1 })
})

t.test('more rows than are read at once arrive whole', async (t) => {
  const folder = folderFor(t)
  await makeDatabase(
    folder.at('runs.db'),
    `${SCHEMA}${run('r1')}${run('r2')}
     WITH RECURSIVE n(k) AS (SELECT 1 UNION ALL SELECT k + 1 FROM n WHERE k < 12000)
     INSERT INTO metrics SELECT CASE k % 2 WHEN 0 THEN 'r1' ELSE 'r2' END, 'm' || k, k, '', '' FROM n;`,
  )
  t.equal((await imported(t, folder, ['--db', 'runs.db'], 0)).metrics, 12_000)
  const lines = readFileSync(folder.at('out', 'r1', 'metrics.csv'), 'utf8')
    .trimEnd()
    .split('\n')
  t.equal(lines.length, 6001)
  t.same([lines[1], lines.at(-1)], ['m2,2,,', 'm12000,12000,,'])
})

t.test('what cannot be imported ends with its code and leaves nothing behind', async (t) => {
  const folder = folderFor(t)
  folder.write('not.db', 'this is no database, though it is long enough to be taken for one'.repeat(20))
  await makeDatabase(folder.at('other.db'), 'CREATE TABLE x (y);')
  await makeDatabase(folder.at('whole.db'), `${SCHEMA}${run('r1')}`)
  folder.write('full/file', 'x')
  folder.write('no-reports/notes.txt', 'x')
  const cases: readonly (readonly [args: string[], code: number, text: RegExp])[] = [
    [['--db', 'absent.db'], 66, /IMPORT_MISSING/],
    [['--db', 'full'], 66, /IMPORT_MISSING/],
    [['--reports', 'whole.db'], 66, /IMPORT_MISSING/],
    [['--audit', 'absent.jsonl'], 66, /IMPORT_MISSING/],
    [['--reports', 'no-reports', '--hmac-key', 'absent.key'], 66, /IMPORT_MISSING/],
    [['--db', 'not.db'], 65, /IMPORT_SHAPE/],
    [['--db', 'other.db'], 65, /IMPORT_SHAPE[\s\S]*no run_id/],
    [['--reports', 'no-reports'], 65, /IMPORT_SHAPE/],
    [[], 64, /USAGE/],
    [['--db', 'whole.db', '--audit', 'x'], 64, /USAGE/],
    [['--db', 'whole.db', '--hmac-key', 'x'], 64, /USAGE/],
  ]
  for (const [args, code, text] of cases) {
    const ended = await hbEnded(['import', 'predecessor', ...args, '--out', 'out'], folder.path)
    t.equal(ended.code, code, args.join(' '))
    t.match(ended.stderr, text, args.join(' '))
    t.notOk(existsSync(folder.at('out')), `${args.join(' ')} leaves nothing`)
  }
  const full = await hbEnded(['import', 'predecessor', '--db', 'whole.db', '--out', 'full'], folder.path)
  t.equal(full.code, 64)
  t.same(readdirSync(folder.at('full')), ['file'], 'what was there stays')
})

t.test('report folders are imported, and their manifests checked on another machine', async (t) => {
  const folder = folderFor(t)
  folder.write('key', 'secret')
  writeReport(folder, { name: 'reports/r1', runId: 'r1', key: 'secret' })
  writeReport(folder, { name: 'reports/r2', runId: 'r2', key: 'secret', status: 'FAIL' })
  const summary = await imported(t, folder, ['--reports', 'reports', '--hmac-key', 'key'], 0)
  t.match(summary, {
    runs: [
      { run_id: 'r1', counts_as: 'PASS' },
      { run_id: 'r2', counts_as: 'FAIL' },
    ],
    metrics: 2,
    manifests: [
      { where: 'r1/artifact_manifest.json', artifacts: 4, verified: 4, signature: 'verified' },
      { signature: 'verified' },
    ],
    audit: [
      { entries: 2, verified: 2 },
      { entries: 2, verified: 2 },
    ],
  })
  t.same(whatOf(summary.unverifiable), ['audit_end', 'audit_end'], 'only the end of a log is anchored by nothing')
  t.equal(
    readFileSync(folder.at('out', 'r1', 'metrics.csv'), 'utf8'),
    readFileSync(folder.at('reports', 'r1', 'metrics_normalized.csv'), 'utf8'),
  )
  t.match(folder.json('out', 'r1', 'run_meta.json'), { program: 'pumps', imported: { baseline_run_id: 'base' } })
})

t.test('an alone report folder without a key says what was not checked', async (t) => {
  const folder = folderFor(t)
  writeReport(folder, { name: 'r1', key: 'secret' })
  folder.write('r1/notes.txt.enc', 'x')
  const summary = await imported(t, folder, ['--reports', 'r1'], 0)
  t.match(summary.manifests, [{ verified: 4, signature: 'not_checked' }])
  t.same(whatOf(summary.unverifiable), ['audit_end', 'not_in_manifest', 'signature_not_checked', 'encrypted'])
})

t.test('every change of a report folder is found', async (t) => {
  const cases: readonly (readonly [
    name: string,
    change: (folder: TestFolder) => void,
    what: string[],
    key?: boolean,
  ])[] = [
    [
      'metric',
      (f) => f.write('r1/metrics_normalized.csv', 'metric,value,unit,tags\nflow,33,,\n'),
      ['artifact_differs'],
    ],
    ['audit', (f) => f.write('r1/audit_log.jsonl', auditLog(['analyze'])), ['artifact_differs']],
    ['manifest', (f) => f.write('r1/artifact_manifest.json', '[]'), ['signature_wrong'], true],
    ['key', (f) => f.write('key', 'secret\n'), ['signature_wrong'], true],
    ['signature', (f) => f.write('r1/artifact_manifest.json.sig', ''), ['signature_wrong'], true],
    ['list', (f) => f.write('r1/artifact_manifest.json', '{'), ['manifest_unreadable']],
    ['item', (f) => f.write('r1/artifact_manifest.json', '[{"path": 1}]'), ['manifest_item']],
    ['path', (f) => f.write('r1/artifact_manifest.json', '[{"path":"../key","sha256":"00"}]'), ['artifact_missing']],
  ]
  for (const [name, change, what, key = false] of cases) {
    const folder = folderFor(t)
    folder.write('key', 'secret')
    writeReport(folder, { name: 'r1', key: 'secret' })
    change(folder)
    const summary = await imported(t, folder, ['--reports', 'r1', ...(key ? ['--hmac-key', 'key'] : [])], 65)
    t.same(whatOf(summary.failed), what, name)
  }
})

t.test('a report folder that is no run is refused with its name', async (t) => {
  const folder = folderFor(t)
  for (const name of ['bad-id', 'no-metrics', 'no-json', 'twice-a', 'twice-b', 'other', 'large', 'link'])
    writeReport(folder, { name: `reports/${name}`, runId: name.startsWith('twice') ? 'twice' : name })
  const put = (name: string, text: string): void => writeFileSync(folder.at('reports', name), text)
  put('bad-id/run_meta_normalized.json', '{"run_id": "../x"}')
  put('no-metrics/metrics_normalized.csv', 'a,b\n1,2\n')
  put('no-json/run_meta_normalized.json', '[]')
  put('other/drift_report.json', '{"run_id": "elsewhere"}')
  truncateSync(folder.at('reports', 'large', 'metrics_normalized.csv'), IMPORT_FILE_BYTES_MAX + 1)
  const linked = folder.at('reports', 'link', 'metrics_normalized.csv')
  rmSync(linked)
  symlinkSync('/etc/hostname', linked)
  const { runs, refused, failed } = await imported(t, folder, ['--reports', 'reports'], 65)
  t.same(
    runs.map(({ run_id }) => run_id),
    ['twice'],
  )
  t.same(Object.fromEntries(refused.map(({ from, reason }) => [from, reason])), {
    'bad-id': '`run_id`: it is a path',
    large: `metrics_normalized.csv: ${IMPORT_FILE_BYTES_MAX + 1} bytes, at most ${IMPORT_FILE_BYTES_MAX}`,
    link: 'it has no metrics_normalized.csv and no metrics.csv',
    'no-json': 'run_meta_normalized.json is no map of keys in JSON',
    'no-metrics': 'metrics_normalized.csv: no column metric, value',
    other: 'drift_report.json is of run "elsewhere"',
    'twice-b': 'another run has the folder `twice`',
  })
  t.ok(failed.some(({ what, where }) => what === 'artifact_differs' && where === 'large/metrics_normalized.csv'))
  t.ok(failed.some(({ what, found }) => what === 'artifact_missing' && found.includes('link/metrics_normalized.csv')))
})

t.test('an audit log is verified by itself, and kept as it was', async (t) => {
  const folder = folderFor(t)
  const log = auditLog(['analyze', 'break_glass_override', 'analyze'])
  folder.write('log.jsonl', log)
  const whole = await imported(t, folder, ['--audit', 'log.jsonl'], 0)
  t.match(whole, { audit: [{ where: 'log.jsonl', entries: 3, verified: 3, unhashed: 0 }], failed: [] })
  t.same(whatOf(whole.unverifiable), ['audit_end'])
  t.equal(readFileSync(folder.at('out', 'audit_log.jsonl'), 'utf8'), log)

  const cases: readonly (readonly [text: string, what: string])[] = [
    [log.replace('"score":1.0', '"score":1'), 'audit_hash_differs'],
    [log.slice(0, -20), 'audit_end_cut'],
    [log.slice(log.indexOf('\n') + 1), 'audit_beginning_missing'],
    [`{"action":"analyze"}\n${log}`, 'audit_unhashed'],
  ]
  for (const [text, what] of cases) {
    const other = folderFor(t)
    other.write('log.jsonl', text)
    t.same(whatOf((await imported(t, other, ['--audit', 'log.jsonl'], 65)).failed), [what])
  }
})

t.test('the lines for people say the same, without what a terminal would obey', async (t) => {
  const folder = folderFor(t)
  await makeDatabase(folder.at('runs.db'), `${SCHEMA}${run('a/\u001b[31m\u202e')}${run('r1', { baseline_run_id: '' })}`)
  const { code, stdout } = await hbEnded(['import', 'predecessor', '--db', 'runs.db', '--out', 'out'], folder.path)
  t.equal(code, 65)
  t.match(stdout, /out: 1 runs, 0 metrics, 0 tags/)
  t.match(stdout, /run r1: PASS counts as NO_BASELINE/)
  t.match(stdout, /refused: runs row 1 .*: it is a path/)
  t.match(stdout, /1 refused, 0 did not verify: see import_summary.json/)
  t.notMatch(stdout, /[\u001b\u202e]/)
})
