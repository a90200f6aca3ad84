import { spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { ROOT } from '../../scripts/sources.ts'
import { writeSkab } from '../support/small-corpus.ts'

const DATA = join(ROOT, '..', 'shared', 'data', 'skab')

/** Runs the evaluation of the bundle. */
function evaluate(folder: string, args: readonly string[]) {
  const command = [join(ROOT, 'scripts', 'eval-detect.ts'), '--json', 'out.json', ...args]
  const { status, stdout, stderr } = spawnSync(process.execPath, command, { cwd: folder, encoding: 'utf8' })
  const out = join(folder, 'out.json')
  return { status, stdout, stderr, found: JSON.parse(existsSync(out) ? readFileSync(out, 'utf8') : '{}') }
}

t.test('the program finds plain faults by the rules of the evaluation, with what earlier runs say', (t) => {
  const folder = t.testdir({ 'split.json': '{"score": ["valve1/1.csv", "other/5.csv"]}' })
  writeSkab(join(folder, 'corpus'), {
    'anomaly-free/anomaly-free.csv': { seed: 4, begin: '2020-02-08 13:00:00', rows: 1200 },
  })
  const args = ['--corpus', 'corpus', '--split', 'split.json', '--starts', '0', '--mode', 'history']
  const { status, stderr, found } = evaluate(folder, args)
  t.equal(status, 0, stderr)
  t.match(found, {
    mode: 'history',
    config_hash: /^[0-9a-f]{64}$/,
    code_version: / evaluator [0-9a-f]{64}$/,
    events: { total: 2, found: 2 },
    sameness: { again: true, without_jit: true, permuted: true, restored: true, runs: 2 },
    position_check: { pass: true },
    driver_hit: 1,
  })
  t.ok(found.f1 > 0.8 && found.far < 20, `F1 ${found.f1}, FAR ${found.far} %`)
  t.ok(found.ns_per_value > 0 && found.bytes_per_channel > 0)
  t.end()
})

t.test('a recorded valve is told, and the figures come out the same again', (t) => {
  if (!existsSync(DATA)) {
    t.comment('the SKAB recordings are not beside the project: nothing was shown')
    t.end()
    return
  }
  const folder = t.testdir({})
  mkdirSync(join(folder, 'corpus', 'valve1'), { recursive: true })
  copyFileSync(join(DATA, 'valve1', '8.csv'), join(folder, 'corpus', 'valve1', '8.csv'))
  writeFileSync(join(folder, 'split.json'), '{"score": ["valve1/8.csv"]}')
  const args = ['--corpus', 'corpus', '--split', 'split.json', '--starts', '0']
  const first = evaluate(folder, args)
  t.equal(first.status, 0, first.stderr)
  t.match(first.found, { events: { total: 1, found: 1 }, alarms_per_hour: null, driver_hit: 1 })
  const second = evaluate(folder, args)
  t.equal(second.found.score_digest, first.found.score_digest)
  t.equal(second.found.config_hash, first.found.config_hash)
  t.comment(`F1 ${first.found.f1}, false alarms in ${first.found.far} % of the normal rows`)
  t.end()
})
