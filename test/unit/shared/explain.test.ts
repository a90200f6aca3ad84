import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { type Explained, explain, type ReadFiles, readToExplain } from '../../../shared/config/explain.ts'
import { CONFIG_FILES, keysOf } from '../../../shared/config/reference.ts'
import type { Schema } from '../../../shared/config/schema-terms.ts'

const RUNTIME = `version: 1
deployment: lab
agent: bench-7
signing_key_file: key.pem
rigs:
  - rig: one
    program: pumps
    registry_file: r.yaml
    slide_ms: 100
    sources:
      - { name: daq, type: zmq, endpoint: "tcp://127.0.0.1:5555" }
      - name: log
        type: tail
        file: x.log
  - rig: two
    program: other
    mode: degraded
    registry_file: r.yaml
    slide_ms: wrong
    sources:
      - { name: daq, type: host }
`
const REGISTRY = `version: "1.0"
metrics:
  flow: { unit: L/min, nominal_rate_hz: 10, fail_max: 40 }
programs:
  pumps: { metrics: { flow: { fail_max: 50 } } }
mode_overrides:
  degraded: { metrics: { flow: { fail_max: 60 } } }
`
const folder = mkdtempSync(join(tmpdir(), 'hb-explain-'))
t.teardown(() => rmSync(folder, { recursive: true, force: true }))
const put = (name: string, text: string): string => {
  writeFileSync(join(folder, name), text)
  return join(folder, name)
}
const runtime = put('runtime.yaml', RUNTIME)
put('r.yaml', REGISTRY)
const files = readToExplain(runtime) as ReadFiles
const found = (key: string, of: ReadFiles | null = files): readonly Explained[] => {
  const all = explain(key, of)
  if ('hint' in all) throw new Error(`nothing for ${key}`)
  return all
}

t.test('a key is explained with its meaning, unit, range and default, however it is written', async (t) => {
  for (const key of ['slide_ms', 'rigs[].slide_ms', 'rigs[0].slide_ms', 'rigs[7].slide_ms'])
    t.match(found(key, null), [
      { name: 'rigs[].slide_ms', unit: 'ms', range: 'from 10 to 60000', default: '50', isNeeded: false, now: [] },
    ])
  t.match(found('rigs[].sources[].endpoint'), [{ name: 'rigs[].sources[] zmq: endpoint', isNeeded: true }])
  t.match(found('metrics.flow.fail_max'), [{ name: 'metrics.NAME.fail_max', unit: '`unit`' }])
  t.same(explain('slide_msec', null), { hint: 'did you mean `slide_ms`?' })
})

t.test('what is set says where, what is not says the default, and what is wrong says nothing else', async (t) => {
  t.same(
    found('slide_ms')[0]!.now.map(({ key, value, isSet, line }) => [key, value, isSet, line]),
    [
      ['rigs[0].slide_ms', 100, true, 9],
      ['rigs[1].slide_ms', undefined, true, 19],
    ],
  )
  t.same(
    found('lateness_ms')[0]!.now.map(({ key, value, isSet, line }) => [key, value, isSet, line]),
    [
      ['rigs[0].lateness_ms', 200, false, null],
      ['rigs[1].lateness_ms', 200, false, null],
    ],
  )
  t.equal(found('rigs[1].lateness_ms')[0]!.now.length, 1, 'one of them when one is asked for')
  t.match(found('poll_ms')[0]!.now, [{ key: 'rigs[0].sources[1].poll_ms', value: 200, isSet: false }])
  t.same(found('journal.bytes_max')[0]!.now[0], {
    key: 'journal.bytes_max',
    rig: null,
    value: 2_147_483_648,
    isSet: false,
    file: runtime,
    line: null,
  })
  t.match(found('collector.url')[0]!.now, [], 'a part that is left out has no values')
})

t.test('a metric is explained as it is in force for each rig: base, then programme, then mode', async (t) => {
  t.same(
    found('fail_max')[0]!.now.map(({ rig, key, value, line }) => [rig, key, value, line]),
    [
      ['one', 'programs.pumps.metrics.flow.fail_max', 50, 5],
      ['two', 'mode_overrides.degraded.metrics.flow.fail_max', 60, 7],
    ],
  )
  t.match(found('nominal_rate_hz')[0]!.now, [
    { rig: 'one', value: 10, line: 3 },
    { rig: 'two', value: 10 },
  ])
})

t.test('a collector is known by its keys, and every key of every file can be asked for', async (t) => {
  const collector = readToExplain(put('collector.yaml', 'version: 1\ndeployment: lab\ndata_dir: data\n')) as ReadFiles
  t.equal(collector.kind, 'collector')
  t.match(found('data_dir', collector), [{ file: 'collector.yaml', now: [{ value: 'data', line: 3 }] }])
  t.type(readToExplain(join(folder, 'nowhere.yaml')), 'string')
  let keys = 0
  for (const [title, , schema] of CONFIG_FILES) {
    for (const { name } of keysOf(schema as Schema)) {
      if (!found(name, null).some((one) => one.file === title && one.name === name)) t.fail(`${title}: ${name}`)
      keys += 1
    }
  }
  const all = explain(null, null) as readonly Explained[]
  t.equal(all.length, keys)
  t.ok(
    all.every(({ meaning, type }) => meaning !== '' || type === 'a map of keys'),
    'each says what it means',
  )
  t.comment(`counted: explained keys | ${keys} | each by its name in the reference`)
})
