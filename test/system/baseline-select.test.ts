import { mkdirSync, truncateSync, writeFileSync } from 'node:fs'
import t, { type Test } from 'tap'
import { openBook } from '../../agent/adapters/book-folder.ts'
import { systemFiles } from '../../agent/adapters/files.ts'
import { RUN_META_BYTES_MAX } from '../../agent/adapters/run-folders.ts'
import { encodeBaseline } from '../../shared/codec/baseline-record.ts'
import { NO_REQUEST } from '../../shared/codec/baseline-statement.ts'
import { defaultQualityPolicy } from '../../shared/config/quality-policy.ts'
import { DOMAIN, digestOf } from '../../shared/crypto/digest.ts'
import type { BaselineRecord } from '../../shared/model/baseline.ts'
import { baselineRecord, digestHex, SIGNERS, type TestPerson, TRUST } from '../support/certified-baselines.ts'
import { type Ended, hbEnded } from '../support/hb-ended.ts'
import { makeDatabase, SCHEMA, type TestFolder, testFolder } from '../support/predecessor-files.ts'

const REGISTRY = 'version: "1.0"\nmetrics: {}\n'
const META = { run_id: 'now', program: 'pumps', subsystem: 'main', test_name: 'soak', operating_mode: 'nominal' }
const NOW_US = 1_800_000_000_000_000

function folderFor(t: Test): TestFolder {
  const folder = testFolder()
  t.teardown(() => folder.remove())
  folder.write('now.json', JSON.stringify(META))
  return folder
}

const select = (folder: TestFolder, ...args: string[]): Promise<Ended> =>
  hbEnded(['baseline', 'select', '--run', 'now.json', ...args, '--json'], folder.path)

async function selected(t: Test, folder: TestFolder, args: readonly string[], code = 0) {
  const ended = await select(folder, ...args)
  t.equal(ended.code, code, `${args.join(' ')}: ${ended.stderr}`)
  return JSON.parse(ended.stdout) as Record<string, unknown>
}

function putRun(folder: TestFolder, meta: Readonly<Record<string, unknown>>, end = '2026-01-01'): void {
  const whole = { ...META, timestamps: { end_utc: end }, ...meta }
  folder.write(`runs/${String(whole.run_id)}/run_meta.json`, JSON.stringify(whole))
}

t.test('the newest of the best runs of a folder is chosen, and why is said', async (t) => {
  const folder = folderFor(t)
  putRun(folder, { run_id: 'b-old', status: 'PASS' }, '2026-01-01')
  putRun(folder, { run_id: 'a-new', status: 'PASS' }, '2026-01-02')
  putRun(folder, { run_id: 'drifted', status: 'PASS_WITH_DRIFT' }, '2026-01-03')
  putRun(folder, { run_id: 'stress', status: 'PASS', operating_mode: 'stress' }, '2026-01-04')
  putRun(folder, { run_id: 'now', status: 'PASS' }, '2026-01-05')
  t.match(await selected(t, folder, ['--runs', 'runs']), {
    run_id: 'now',
    strategy: 'last_pass',
    baseline_run_id: 'a-new',
    reason: 'last_pass',
    match: { level: 'HIGH', score: 1, possible: 1 },
    usable: true,
    dual_baseline: { hard_gates: null },
    candidates: 5,
    skipped: [],
  })
  folder.write('explicit.yaml', 'baseline_policy: { strategy: explicit }\n')
  t.match(await selected(t, folder, ['--runs', 'runs', '--policy', 'explicit.yaml', '--baseline', 'stress'], 30), {
    baseline_run_id: 'stress',
    usable: false,
    warning: 'baseline mode mismatch (stress != nominal)',
  })
  const text = await hbEnded(['baseline', 'select', '--run', 'now.json', '--runs', 'runs'], folder.path)
  t.match(text.stdout, /run now: baseline a-new\n {2}reason {3}last_pass\n {2}match {4}HIGH: 1 of 1 context fields/)
})

t.test('imported runs serve, but for a pass that was never compared', async (t) => {
  const folder = folderFor(t)
  const row = (id: string, baseline: string) =>
    `INSERT INTO runs (run_id, program, subsystem, test_name, operating_mode, status, baseline_run_id, registry_hash)
     VALUES ('${id}', 'pumps', 'main', 'soak', 'nominal', 'PASS', '${baseline}', 'abc');
     INSERT INTO metrics VALUES ('${id}', 'flow', 1, '', '');`
  await makeDatabase(
    folder.at('runs.db'),
    `${SCHEMA}${row('a-first', '')}${row('b-tested', 'a-first')}${row('c-self', 'c-self')}
     INSERT INTO baseline_tags VALUES ('golden', 'a-first', 'abc', '');`,
  )
  t.equal((await hbEnded(['import', 'predecessor', '--db', 'runs.db', '--out', 'runs'], folder.path)).code, 0)
  t.match(await selected(t, folder, ['--runs', 'runs']), { baseline_run_id: 'b-tested', reason: 'last_pass' })
  folder.write('golden.yaml', 'baseline_policy: { strategy: golden }\n')
  t.match(await selected(t, folder, ['--runs', 'runs', '--policy', 'golden.yaml']), {
    baseline_run_id: 'a-first',
    reason: 'tag',
    match: { level: 'TAG' },
    dual_baseline: { hard_gates: null },
  })
  folder.write('now.json', JSON.stringify({ ...META, registry_hash: 'other' }))
  t.match(await selected(t, folder, ['--runs', 'runs'], 30), { baseline_run_id: null, reason: 'no_runs' })
  t.match(await selected(t, folder, ['--runs', 'runs', '--policy', 'golden.yaml'], 30), {
    usable: false,
    warning: 'baseline registry hash mismatch (abc != other)',
  })
})

t.test('runs that cannot be read are skipped by name; a wrong question has its code', async (t) => {
  const folder = folderFor(t)
  putRun(folder, { run_id: 'good', status: 'PASS' })
  for (const name of ['large', 'path', 'type', 'json', 'list']) mkdirSync(folder.at('runs', name))
  const put = (name: string, text: string): void => writeFileSync(folder.at('runs', name, 'run_meta.json'), text)
  put('large', '{}')
  truncateSync(folder.at('runs', 'large', 'run_meta.json'), RUN_META_BYTES_MAX + 1)
  put('path', '{"run_id": "../x"}')
  put('type', '{"run_id": "x", "program": 7}')
  put('json', '{')
  put('list', '[]')
  folder.write('runs/baseline_tags.json', '{"tags": [{"tag": "golden"}]}')
  const { skipped, baseline_run_id: id } = await selected(t, folder, ['--runs', 'runs'])
  t.equal(id, 'good')
  t.same(skipped, [
    { folder: 'json', reason: 'not JSON in UTF-8' },
    { folder: 'large', reason: `${RUN_META_BYTES_MAX + 1} bytes, at most ${RUN_META_BYTES_MAX}` },
    { folder: 'list', reason: 'not a map of keys' },
    { folder: 'path', reason: '`run_id`: it is a path' },
    { folder: 'type', reason: '`program` is not text' },
    { folder: 'baseline_tags.json', reason: '1 tags without a name or a run' },
  ])
  folder.write('bad.yaml', 'baseline_policy: { strategy: lastpass, fallbak: none }\n')
  folder.write('explicit.yaml', 'baseline_policy: { strategy: explicit }\n')
  const cases: readonly (readonly [args: string[], code: number, text: RegExp])[] = [
    [[], 64, /USAGE/],
    [['--runs', 'runs', '--book', 'book'], 64, /USAGE/],
    [['--runs', 'runs', '--rig', 'x'], 64, /USAGE/],
    [['--runs', 'runs', '--registry', 'x'], 64, /USAGE/],
    [['--runs', 'runs', '--baseline', 'x'], 64, /USAGE/],
    [['--runs', 'runs', '--policy', 'explicit.yaml'], 64, /USAGE/],
    [['--runs', 'absent'], 66, /RUNS_MISSING/],
    [['--runs', 'runs', '--policy', 'absent.yaml'], 66, /CONFIG_MISSING/],
    [['--runs', 'runs', '--policy', 'bad.yaml'], 78, /last_pass.*fallback/],
    [['--book', 'absent'], 66, /BOOK_MISSING/],
  ]
  for (const [args, code, text] of cases) {
    const ended = await select(folder, ...args)
    t.equal(ended.code, code, args.join(' '))
    t.match(ended.stderr, text, args.join(' '))
  }
  folder.write('now.json', '{"run_id": "a/b"}')
  t.match(await select(folder, '--runs', 'runs'), { code: 65, stderr: /RUN_META_SHAPE/ })
})

/** A book with these records, each approved by the people named behind its proposal and review. */
function makeBook(folder: TestFolder, records: readonly (readonly [BaselineRecord, readonly TestPerson[]])[]): void {
  const book = openBook(systemFiles, folder.at('book'), { trust: TRUST, nowUs: NOW_US })
  for (const [record, approvers] of records) {
    book.addRecord(encodeBaseline(record), defaultQualityPolicy().bytes)
    const { program, rig, family, mode, kind: as } = record
    let request = NO_REQUEST
    const say = (person: TestPerson, kind: 'propose' | 'review' | 'approve'): void => {
      const about = { digest: digestHex(record), as, program, rig, family, mode, tag: '', operator: '' }
      book.say([{ kind, ...about, request, reason: 'because', untilUs: 0, factor: 1 }], SIGNERS[person], NOW_US)
      if (kind === 'propose') request = book.log().entries.at(-1)!.statement!.id
    }
    say('ada', 'propose')
    say('grace', 'review')
    for (const person of approvers) say(person, 'approve')
  }
  book.release()
  for (const { name } of TRUST.operators) {
    const { spki } = SIGNERS[name as TestPerson]
    folder.write(
      `book/${name}.pub`,
      `-----BEGIN PUBLIC KEY-----\n${Buffer.from(spki).toString('base64')}\n-----END PUBLIC KEY-----\n`,
    )
  }
  const operators = TRUST.operators.map(({ name }) => `  - { name: ${name}, public_key_file: ${name}.pub }`).join('\n')
  folder.write('book/operators.yaml', `version: 1\noperators:\n${operators}\n`)
}

t.test('from a book only what is in force is chosen, of the rig, mode and registry of the run', async (t) => {
  const folder = folderFor(t)
  const registry = digestOf(DOMAIN.file, Buffer.from(REGISTRY))
  const golden = baselineRecord({ registry })
  const rolling = baselineRecord({ registry, kind: 'rolling' })
  const pending = baselineRecord({ registry, madeUs: golden.madeUs + 1 })
  makeBook(folder, [
    [golden, ['kay']],
    [rolling, ['kay']],
    [pending, []],
  ])
  folder.write('registry.yaml', REGISTRY)
  folder.write('golden.yaml', 'baseline_policy: { strategy: golden }\n')
  folder.write('rolling.yaml', 'baseline_policy: { strategy: rolling }\n')
  folder.write('two.yaml', 'baseline_policy: { strategy: golden, governance: { approvals_required: 2 } }\n')
  folder.write('ada.yaml', 'baseline_policy: { strategy: golden, governance: { approvers: [ada] } }\n')
  const book = ['--book', 'book', '--registry', 'registry.yaml', '--policy']
  t.match(await selected(t, folder, [...book, 'golden.yaml']), {
    baseline_run_id: digestHex(golden),
    reason: 'tag',
    usable: true,
    dual_baseline: { hard_gates: digestHex(golden), early_warning: digestHex(rolling) },
    candidates: 2,
    skipped: [{ folder: digestHex(pending), reason: 'it is reviewed, not in force' }],
  })
  t.match(await selected(t, folder, [...book, 'rolling.yaml']), {
    baseline_run_id: digestHex(rolling),
    reason: 'rolling',
    match: { level: 'ROLLING' },
  })
  for (const policy of ['two.yaml', 'ada.yaml'])
    t.match(
      await selected(t, folder, [...book, policy], 30),
      { baseline_run_id: null, reason: 'tag_not_found' },
      policy,
    )
  folder.write('registry.yaml', `${REGISTRY}# changed\n`)
  t.match(await selected(t, folder, [...book, 'golden.yaml'], 30), {
    usable: false,
    warning: /registry hash mismatch/,
    dual_baseline: { hard_gates: null, early_warning: null },
  })
  folder.write('registry.yaml', REGISTRY)
  folder.write('now.json', JSON.stringify({ ...META, operating_mode: 'degraded' }))
  t.match(await selected(t, folder, [...book, 'golden.yaml'], 30), { usable: false, warning: /mode mismatch/ })
})

t.test('a baseline of one rig is not offered to another', async (t) => {
  const folder = folderFor(t)
  const [one, two] = [baselineRecord(), baselineRecord({ rig: 'other-loop' })]
  makeBook(folder, [
    [one, ['kay']],
    [two, ['kay']],
  ])
  folder.write('golden.yaml', 'baseline_policy: { strategy: golden }\n')
  const ask = ['--book', 'book', '--policy', 'golden.yaml']
  t.match(await select(folder, ...ask), { code: 64, stderr: /other-loop, water-loop/ })
  t.match(await selected(t, folder, [...ask, '--rig', 'other-loop']), {
    baseline_run_id: digestHex(two),
    candidates: 1,
  })
})
