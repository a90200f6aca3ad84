import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { portOf } from '../../hil-testbed/bench/ports.ts'
import { HilBench } from '../support/hil-bench.ts'

type Case = Readonly<{ verdict: string; measures: Readonly<{ digest: string }> }>

t.test('runs with a collector have one digest, and one whose port is taken says that it has another', async (t) => {
  const bench = new HilBench(t)
  bench.scenario('SCN-TRY-001', 2, 'collector: true')
  const run = async (evidence: string): Promise<Case> => {
    const { code, stderr } = await bench.go(evidence, '--json', `${evidence}.json`).ended
    t.equal(code, 0, stderr)
    return (bench.json(`${evidence}.json`)['cases'] as Case[])[0]!
  }
  const notes = (evidence: string): readonly string[] =>
    readFileSync(bench.file(join(evidence, 'SCN-TRY-001.0', 'events.jsonl')), 'utf8')
      .split('\n')
      .filter((line) => line.includes('"note"'))
  const [first, again] = [await run('first'), await run('again')]
  t.match(first, { verdict: 'PASS', measures: { digest: /^[0-9a-f]{64}$/ } })
  t.equal(again.measures.digest, first.measures.digest)
  t.same([notes('first'), notes('again')], [[], []])

  const port = portOf({ id: 'SCN-TRY-001', row: 0 }, 'collector')
  const somebody = createServer()
  await new Promise<void>((resolve) => somebody.listen(port, '127.0.0.1', resolve))
  t.teardown(() => somebody.close())
  const other = await run('other')
  t.equal(other.verdict, 'PASS')
  t.not(other.measures.digest, first.measures.digest)
  t.match(notes('other'), [new RegExp(`port ${port} of the collector is taken`)])
})
