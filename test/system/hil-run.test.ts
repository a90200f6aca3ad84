import { appendFileSync, existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { benchKey, benchSecret } from '../../hil-testbed/bench/keys.ts'
import { HilBench } from '../support/hil-bench.ts'
import { parseXml } from '../support/strict-xml.ts'

type Case = Readonly<{ id: string; row: number; verdict: string; reason: string; log_tail: readonly string[] }> &
  Readonly<{ measures: Readonly<{ digest: string }> }>

const casesOf = (report: Record<string, unknown>): readonly Case[] => report['cases'] as Case[]

/** Keys that could sign or speak for somebody in a run, as they would stand in a file. */
function secretsOf(rig: string): readonly (readonly [string, string])[] {
  const pem = (...words: readonly string[]): string =>
    benchKey(...words)
      .privatePem.split('\n')
      .at(-3)!
  return [
    ['any key', 'PRIVATE KEY'],
    ['the key of the agent', pem('agent', rig)],
    ['the key of a person', pem('person', 'alice')],
    ['the key of a link', benchSecret('link', rig, 'pump').toString('hex')],
  ]
}

t.test(
  'a campaign is repeated to the bit, also by an agent that answers late, and its evidence stands alone',
  async (t) => {
    const bench = new HilBench(t)
    bench.scenario('SCN-TRY-001', 12, 'params: { matrix: { seed: [1, 2] } }')
    const reports = ['--json', 'out/report.json', '--junit', 'out/junit.xml', '--html', 'out/report.html']
    const first = await bench.go('ev', ...reports).ended
    t.equal(first.code, 0, first.stderr)
    const report = bench.json('out', 'report.json')
    const digests = casesOf(report).map(({ measures }) => measures.digest)
    t.match(report, { complete: true, cases: [{ verdict: 'PASS' }, { verdict: 'PASS' }] })
    t.match(parseXml(readFileSync(bench.file('out', 'junit.xml'), 'utf8')), { attributes: { tests: '2', errors: '0' } })
    t.not(digests[0], digests[1], 'another seed, another digest')

    const run = join('ev', 'SCN-TRY-001.0')
    const kept = readdirSync(bench.file(run), { recursive: true, withFileTypes: true })
    const files = kept.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
    t.same(kept.filter((entry) => entry.isSocket()).length, 0)
    for (const [what, secret] of secretsOf('vessel'))
      t.same(
        files.filter((file) => readFileSync(file, 'latin1').includes(secret)),
        [],
        what,
      )
    const [replayed, judged] = await Promise.all([
      bench.hb('replay', '--state', join(run, 'agent', 'state'), '--json'),
      bench.hb('hil', 'judge', run, '--json'),
    ])
    t.match(JSON.parse(replayed.stdout), { equal: true, digest: digests[0] })
    const { folder: _, ...case0 } = casesOf(report)[0] as Case & { folder: string }
    t.match(JSON.parse(judged.stdout), case0, 'judged again it is what the report says')
    appendFileSync(bench.file(run, 'truth.csv'), '0,0\n')
    const touched = await bench.hb('hil', 'judge', run)
    t.equal(touched.code, 65)
    t.match(touched.stderr, /HIL_EVIDENCE_CHANGED.*truth\.csv has \d+ bytes/s)
    rmSync(bench.file(run, 'manifest.cose'))
    const unsigned = await bench.hb('hil', 'judge', run)
    t.match([unsigned.code, unsigned.stderr], [65, /HIL_EVIDENCE_CHANGED.*no manifest\.cose/s])
    const open = await bench.hb('hil', 'judge', run, '--open')
    t.match(open.stdout, /SCN-TRY-001/, 'who wants it judged all the same says so')

    const again = bench.go('ev2', '--json', 'again.json', '--jobs', '1')
    const pid = await again.agent('SCN-TRY-001.0')
    process.kill(pid, 'SIGSTOP')
    await new Promise((resolve) => setTimeout(resolve, 500))
    process.kill(pid, 'SIGCONT')
    const second = await again.ended
    t.equal(second.code, 0, second.stderr)
    t.same(
      casesOf(bench.json('again.json')).map(({ measures }) => measures.digest),
      digests,
    )
  },
)

t.test('an agent that dies or hangs is an ERROR with its last words, and the campaign goes on', async (t) => {
  const bench = new HilBench(t)
  bench.scenario('SCN-TRY-001', 3600)
  bench.scenario('SCN-TRY-002', 3600)
  bench.scenario('SCN-TRY-003', 1)
  const going = bench.go('ev', '--jobs', '2', '--host-wait', '3', '--json', 'report.json', '--junit', 'junit.xml')
  process.kill(await going.agent('SCN-TRY-001.0'), 'SIGKILL')
  process.kill(await going.agent('SCN-TRY-002.0'), 'SIGSTOP')
  const { code, stderr } = await going.ended
  t.equal(code, 30, stderr)
  t.same(going.left(), [])
  const report = bench.json('report.json')
  const [died, hung, sound] = casesOf(report)
  t.equal(report['complete'], true)
  t.match(died, { verdict: 'ERROR', reason: /^AGENT_SILENT: .*it ended by itself with SIGKILL/ })
  t.match(hung, { verdict: 'ERROR', reason: /^AGENT_SILENT: .*within_ms=3000/ })
  t.match(sound, { verdict: 'PASS' })
  const errors = parseXml(readFileSync(bench.file('junit.xml'), 'utf8'))
  t.match(errors, { attributes: { tests: '3', errors: '2', failures: '0' } })
  for (const [one, run] of [
    [died, 'SCN-TRY-001.0'],
    [hung, 'SCN-TRY-002.0'],
  ] as const) {
    t.match(one?.log_tail.join('\n'), /"event":"agent_started"/)
    t.match(stderr, one!.reason)
    const events = readFileSync(bench.file('ev', run, 'events.jsonl'), 'utf8')
    t.match(events, /"kind":"stimulus","inputs":\{"pump":0\}/, 'the plant is back to safe')
    t.ok(existsSync(bench.file('ev', run, 'manifest.cose')))
  }
})

t.test('a campaign that is interrupted ends at once, says how far it came, and leaves nothing running', async (t) => {
  const bench = new HilBench(t)
  bench.scenario('SCN-TRY-001', 1)
  bench.scenario('SCN-TRY-002', 3600)
  bench.scenario('SCN-TRY-003', 1)
  const reports = ['--json', 'report.json', '--junit', 'junit.xml', '--html', 'report.html']
  const going = bench.go('ev', '--jobs', '1', ...reports)
  process.kill(await going.agent('SCN-TRY-002.0'), 'SIGSTOP')
  going.signal('SIGINT')
  const { code, stdout, stderr } = await going.ended
  t.equal(code, 30, stderr)
  t.same(going.left(), [])
  t.match(bench.json('report.json'), {
    complete: false,
    cases: [
      { id: 'SCN-TRY-001', verdict: 'PASS' },
      { id: 'SCN-TRY-002', verdict: 'ABORTED' },
      { id: 'SCN-TRY-003', verdict: 'ABORTED' },
    ],
  })
  t.match(stdout, /the campaign was broken off/)
  const errors = parseXml(readFileSync(bench.file('junit.xml'), 'utf8'))
  // One of the errors is that the campaign did not come to its end.
  t.match(errors, { attributes: { tests: '4', errors: '3', failures: '0' } })
  t.match(readFileSync(bench.file('report.html'), 'utf8'), /ABORTED.*<\/html>/s)
})
