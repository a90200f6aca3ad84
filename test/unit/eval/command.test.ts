import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { evaluateTep } from '../../../scripts/eval/evaluate-tep.ts'
import { orderFrom } from '../../../scripts/eval/order.ts'
import { configHash, configurationFor, gateOf, parseReply } from '../../../scripts/eval/system-under-test.ts'
import { ROOT } from '../../../scripts/sources.ts'
import { createPrng } from '../../../shared/lib/prng.ts'
import { fakeBench, fakeEvaluator, writeSkab } from '../../support/small-corpus.ts'

t.test('a command line that makes no sense is told, and a missing corpus is no result', (t) => {
  const folder = t.testdir({
    split: '{"score": ["a.csv"]}',
    twice: '{"score": ["a", "a"]}',
    empty: '{"score": []}',
    no: '{',
  })
  const given =
    (...more: string[]) =>
    () =>
      orderFrom(['--corpus', folder, '--split', join(folder, 'split'), ...more])
  t.match(given()(), { score: ['a.csv'], mode: 'self', layout: 'skab', starts: [0, 40, 80], json: null })
  t.match(given('--mode', 'history', '--starts', '7', '--layout', 'tep')(), {
    mode: 'history',
    starts: [7],
    layout: 'tep',
  })
  t.throws(() => orderFrom([]), { exitCode: 66, message: /no corpus/ })
  t.throws(() => orderFrom(['--corpus', join(folder, 'nowhere')]), { exitCode: 66, message: /nothing was scored/ })
  t.throws(() => orderFrom(['--corpus', folder]), { exitCode: 64, message: /--split/ })
  t.throws(given('--split', join(folder, 'nowhere')), { name: 'EvaluationError', exitCode: 66 })
  for (const split of ['twice', 'empty', 'no'])
    t.throws(given('--split', join(folder, split)), { name: 'EvaluationError', exitCode: 65 }, split)
  for (const wrong of [
    ['--mode', 'all'],
    ['--layout', 'csv'],
    ['--starts', '0,-4'],
    ['--starts', '0,0'],
    ['--start', '0'],
  ])
    t.throws(given(...wrong), { name: 'EvaluationError', exitCode: 64 }, wrong.join(' '))
  t.end()
})

t.test('the hash of the configuration is that of all files, and another code has another', (t) => {
  t.equal(configHash('1'), configHash('1'))
  t.not(configHash('1'), configHash('2'))
  const { 'registry.yaml': registry, 'runtime.yaml': runtime } = configurationFor(['c000', 'c001'])
  t.match(registry, /c000: .*\n\s+c001: /)
  t.notMatch(`${registry}${runtime}`, /\{\{/)
  t.end()
})

t.test('what the gate says is read from a result or an error, and any other error is no verdict', (t) => {
  const result = (gate: unknown) => gateOf({ out: JSON.stringify({ ok: true, gate }), complaint: '' })
  const error = (code: string) => gateOf({ out: '', complaint: JSON.stringify({ error: { code, found: 'a step' } }) })
  t.strictSame(result({ passed: true, reasons: [] }), { passed: true, reasons: [] })
  t.strictSame(result({ passed: false, reasons: ['gap_sec 12 > 10'] }), { passed: false, reasons: ['gap_sec 12 > 10'] })
  t.strictSame(error('BASELINE_GATE'), { passed: false, reasons: ['a step'] })
  t.strictSame(error('BASELINE_TOO_SHORT'), { passed: false, reasons: ['a step'] })
  t.equal(error('CONFIG_INVALID'), null)
  t.equal(result(undefined), null)
  t.equal(gateOf({ out: 'made a baseline', complaint: 'warning' }), null)
  t.end()
})

t.test('an answer that is none to a row is told with its words', (t) => {
  const answer = {
    t_ms: 1,
    state: 'alarm',
    score: null,
    drivers: [{ channel: 'a', contribution: 2 }],
    confidence: null,
  }
  t.match(parseReply(answer), { tMs: 1, state: 'alarm', score: null, verdict: null, streams: {} })
  for (const wrong of [
    { t_ms: '1' },
    { state: 'odd' },
    { score: 'high' },
    { drivers: ['a'] },
    { drivers: null },
    { confidence: '1' },
  ])
    t.throws(() => parseReply({ ...answer, ...wrong }), { message: /answered a row with/ }, JSON.stringify(wrong))
  t.end()
})

/** The fake evaluator as one executable. */
function executable(folder: string, behaviour: string): string {
  const { command, before } = fakeEvaluator(folder, behaviour)
  const path = join(folder, 'fake-hb')
  writeFileSync(path, `#!/bin/sh\nexec "${command}" ${before.map((word) => `"${word}"`).join(' ')} "$@"\n`)
  chmodSync(path, 0o755)
  return path
}

t.test('the command writes what it found, prints a table, and exits with 1 when a goal is missed', (t) => {
  const folder = t.testdir({
    'split.json': '{"score": ["valve1/0.csv", "other/5.csv"]}',
    'easy.json': '{"skab.self": {"f1": {"min": 0.5}}}',
    'hard.json': '{"skab.self": {"f1": {"min": 0.5}, "nab.standard": {"min": 101}}}',
    'other.json': '{"tep": {}}',
    'absent.json': '{"score": ["valve1/9.csv"]}',
  })
  writeSkab(join(folder, 'corpus'))
  const HB_EXECUTABLE = executable(folder, 'honest')
  const run = (...more: string[]) =>
    spawnSync(
      process.execPath,
      [join(ROOT, 'scripts/eval-detect.ts'), '--corpus', 'corpus', '--split', 'split.json', '--starts', '0', ...more],
      { cwd: folder, encoding: 'utf8', env: { ...process.env, HB_EXECUTABLE } },
    )
  const kept = run('--json', 'out.json', '--goals', 'easy.json')
  t.equal(kept.status, 0, kept.stderr)
  t.match(kept.stdout, /^F1 +0\.9\d+$/m)
  t.match(kept.stdout, /rules of the evaluation: all hold/)
  const found = JSON.parse(readFileSync(join(folder, 'out.json'), 'utf8')) as Record<string, unknown>
  const keys =
    'mode config_hash f1 far mar j nab by_group events delay_s alarms_per_hour driver_hit ns_per_value bytes_per_channel score_digest bootstrap'
  t.strictSame(Object.keys(found).slice(0, 16).toSorted(), keys.split(' ').toSorted())
  const missed = run('--goals', 'hard.json', '--against', 'out.json', '--json', 'again.json')
  t.equal(missed.status, 1, missed.stderr)
  t.match(missed.stdout, /MISSED nab\.standard .*≥ 101/)
  const again = JSON.parse(readFileSync(join(folder, 'again.json'), 'utf8')) as Record<string, unknown>
  t.equal(again['score_digest'], found['score_digest'])
  t.match(again['against'], { f1: [0, 0], j: [0, 0] }, 'nothing is better than itself')
  const other = run('--goals', 'other.json')
  t.equal(other.status, 65)
  t.match(other.stderr, /nothing for skab\.self/)
  const absent = run('--split', 'absent.json')
  t.equal(absent.status, 66)
  t.match(absent.stderr, /the split names valve1\/9\.csv/)
  t.end()
})

/** A TEP-like table: noise, and from row 160 channel 1 stands higher. */
function tepText(seed: number, rows: number, shift: number): string {
  const prng = createPrng(seed)
  const line = (row: number): string =>
    [0, 1, 2].map((c) => (50 + prng.normal() + (c === 1 && row >= 160 ? shift : 0)).toFixed(5)).join('  ')
  return Array.from({ length: rows }, (_, row) => line(row)).join('\n')
}

t.test('faults of the TEP layout are scored by the share of rows in which an alarm stood', async (t) => {
  const folder = t.testdir({})
  const corpus = join(folder, 'corpus')
  mkdirSync(corpus)
  const lying = tepText(1, 500, 0)
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
  writeFileSync(join(corpus, 'd00.dat'), [0, 1, 2].map((c) => lying.map((row) => row[c]).join(' ')).join('\n'))
  writeFileSync(join(corpus, 'd00_te.dat'), tepText(2, 400, 0))
  for (const [number, shift] of [
    ['01', 30],
    ['02', 0],
    ['03', 30],
  ] as const)
    writeFileSync(join(corpus, `d${number}_te.dat`), tepText(Number(number) + 2, 300, shift))
  const score = ['d01_te.dat', 'd02_te.dat', 'd03_te.dat']
  const { result, broken } = await evaluateTep(
    fakeBench(join(folder, 'bench'), 'honest'),
    { corpus, score, mode: 'self' },
    () => undefined,
  )
  t.strictSame(broken, [])
  t.strictSame(
    result.faults.all.map(({ fault, counted }) => [fault, counted]),
    [
      [1, true],
      [2, true],
      [3, false],
    ],
    'fault 3 is watched and not counted',
  )
  const [seen, unseen] = result.faults.all.map(({ fdr }) => fdr) as [number, number]
  t.ok(seen > 95 && unseen < 5, `${seen} %, ${unseen} %`)
  t.equal(result.fdr18, Number(((seen + unseen) / 2).toFixed(2)))
  t.ok(result.far < 2)
  t.equal(result.sameness.permuted, true)
  t.equal(result.position_check.pass, true)

  const asked =
    'config_hash mode f1 far mar j nab by_group events delay_s alarms_per_hour driver_hit ns_per_value bytes_per_channel score_digest bootstrap fdr18'
  const keys = new Set([...Object.keys(result), 'mode', 'config_hash'])
  t.strictSame(
    asked.split(' ').filter((key) => !keys.has(key)),
    [],
    'what every corpus is asked for stands on top',
  )
  t.equal(result.mar, Number((100 - result.fdr18).toFixed(2)), 'misses are of the counted faults')
  t.equal(result.j, Number((1 - (result.far + result.mar!) / 100).toFixed(4)), 'as FAR and MAR beside it')
  t.ok(result.f1! > 0.6 && result.f1! < 0.7, `one of two faults: ${result.f1}`)
  t.strictSame(result.events, { total: 2, found: 1, already_alarmed: 0, found_anew: 1 })
  t.strictSame(Object.keys(result.by_group), ['d01', 'd02', 'd03'])
  t.match(result.by_group, { d01: { mar: 0 }, d02: { mar: 100 }, d03: { mar: 0 } })
  t.equal(result.delay_s.p50, result.faults.all[0]!.delay_rows! * 180, 'three minutes a row')
  t.match(result.false_alarms, { alarms: 0, hours: 20, rows: 400 })
  t.equal(result.alarms_per_hour, 0)
  t.match(result.bootstrap, { f1: [Number, Number] as unknown as object, far: null, mar: [0, 100], fdr18: [0, 100] })
  t.strictSame([result.nab, result.driver_hit], [{ standard: null, low_fp: null, low_fn: null }, null])
  for (const key of ['nab', 'driver_hit', 'bootstrap.far'] as const)
    t.match(result.without_meaning[key], /\w+ \w+/, `${key} says why`)
})
