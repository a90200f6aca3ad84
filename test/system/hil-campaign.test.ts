import { appendFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs'
import t from 'tap'
import { HilBench } from '../support/hil-bench.ts'

t.test('whatever is wrong is told before anything is started', async (t) => {
  const bench = new HilBench(t)
  const file = bench.scenario('SCN-TRY-001', 1)
  mkdirSync(bench.file('nothing'))
  const refused = async (code: number, told: RegExp, ...args: readonly string[]): Promise<void> => {
    const ended = await bench.hb('hil', 'run', ...args)
    t.equal(ended.code, code, ended.stderr)
    t.match(ended.stderr, told)
    t.equal(ended.stdout, '')
  }
  const scenario = bench.scenario('SCN-TRY-002', 1)
  appendFileSync(scenario, 'sede: 1\n')
  const before = readFileSync(scenario, 'utf8')
  appendFileSync(bench.scenario('SCN-TRY-003', 1), 'steps: [{ at: 9s, mark: a }, { at: 1, mark: b }]\n')
  await Promise.all([
    refused(
      78,
      /SCENARIO_INVALID.*scn-try-002\.scenario\.yaml:14:1 sede.*scn-try-003\.scenario\.yaml:14:/s,
      'scenarios',
      '--evidence',
      'ev',
    ),
    refused(64, /no \*\.scenario\.yaml in nothing/, 'nothing', '--evidence', 'ev'),
    refused(64, /gone/, 'gone', '--evidence', 'ev'),
    refused(
      77,
      /nothing \(is a folder\), .*requirements\.yaml\/x\.html \(ENOTDIR\)/,
      file,
      '--evidence',
      'ev',
      '--junit',
      'nothing',
      '--html',
      'requirements.yaml/x.html',
    ),
    refused(64, /^USAGE: .*--json.*found.*scenarios.*behind the scenarios/s, '--json', 'scenarios', '--evidence', 'ev'),
    refused(64, /^USAGE: .*--json.*002\.scenario\.yaml/s, file, '--json', scenario, '--evidence', 'ev'),
    refused(77, /002\.scenario\.yaml \(is a scenario\)/, file, '--csv', scenario, '--evidence', 'ev'),
    refused(64, /--wait/, file, '--evidence', 'ev', '--wait', 'long'),
    refused(64, /--host-wait/, file, '--evidence', 'ev', '--host-wait', '0'),
    refused(64, /--shard/, file, '--evidence', 'ev', '--shard', '4/3'),
  ])
  t.notOk(existsSync(bench.file('ev', 'SCN-TRY-001.0')))
  t.equal(readFileSync(scenario, 'utf8'), before, 'a scenario is not a place for a report')
})

t.test('shards share the rows between them, each once', async (t) => {
  const bench = new HilBench(t)
  const ids = Array.from({ length: 12 }, (_, k) => `SCN-TRY-${String(k + 1).padStart(3, '0')}`)
  for (const id of ids) bench.scenario(id, 1, 'skip: it is only counted\n')
  const shard = async (part: string): Promise<string[]> => {
    const { code, stdout, stderr } = await bench.hb('hil', 'run', 'scenarios', '--shard', part, '--json')
    t.equal(code, 0, stderr)
    return (JSON.parse(stdout) as { cases: { id: string }[] }).cases.map(({ id }) => id)
  }
  const [one, two, three, empty] = await Promise.all(['1/3', '2/3', '3/3', '1/1024'].map(shard))
  t.same([...one!, ...two!, ...three!].sort(), ids)
  t.ok(one!.length > 0 && two!.length > 0 && three!.length > 0)
  t.same(empty, [], 'a runner without anything to do is green')
})

t.test('a place that is taken is told with who has it, or waited for in turn, and given back', async (t) => {
  const bench = new HilBench(t)
  bench.rig((text) => `${text}reserve: rack-1\n`)
  bench.scenario('SCN-TRY-001', 1, 'params: { matrix: { seed: [1, 2] } }')
  await bench.hb('hil', 'reserve', 'rack-1', '--comment', 'a new valve')
  const taken = await bench.go('ev', '--json', 'report.json').ended
  t.equal(taken.code, 30, taken.stderr)
  t.match(bench.json('report.json')['cases'], [
    { verdict: 'INCONCLUSIVE', reason: /RIG_RESERVED.*rack-1.*a new valve/ },
    { verdict: 'INCONCLUSIVE' },
  ])
  t.notOk(existsSync(bench.file('ev', 'SCN-TRY-001.0')))
  const waiting = bench.go('ev2', '--wait', '60', '--jobs', '2')
  await bench.hb('hil', 'release', 'rack-1')
  t.equal((await waiting.ended).code, 0)
  t.match(JSON.parse((await bench.hb('hil', 'reservations', '--json')).stdout), { reservations: [] })
})
