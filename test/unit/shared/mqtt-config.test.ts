import t from 'tap'
import { parseRuntimeFiles } from '../../../shared/config/load.ts'
import { sessionKeepMs } from '../../../shared/config/mqtt-problems.ts'
import type { MqttSourceConfig } from '../../../shared/config/types.ts'
import { filesOf, problemsOf, RUNTIME } from '../../support/config-texts.ts'

const withSource = (keys: string): string =>
  RUNTIME.replace('      - name: daq\n', `      - { name: bus, type: mqtt, ${keys} }\n      - name: daq\n`)
const files = (keys: string): ReturnType<typeof filesOf> => filesOf(withSource(keys))
const said = (keys: string): string[] =>
  problemsOf(() => parseRuntimeFiles(files(keys)))
    .filter(({ key }) => key.startsWith('rigs[0].sources[0]'))
    .map(({ key, found, expected }) => `${key.replace('rigs[0].sources[0].', '')}: ${found} | ${expected}`)

t.test('a broker needs its address alone; the rest has a meaning of its own', async (t) => {
  t.same(said('url: "mqtt://127.0.0.1:1883"'), [])
  t.same(said('url: "mqtts://broker.bench.example"'), [])
  const [rig] = parseRuntimeFiles(files('url: "mqtt://[::1]"')).config.rigs
  const source = rig!.sources[0] as MqttSourceConfig
  t.match(source, {
    topics: ['hb/metrics/#'],
    qos: 1,
    encoding: 'json',
    time_unit: 's',
    time: 'source',
    protocol: 'mqtt5',
  })
  t.equal(sessionKeepMs(source), 600_000)
  t.equal(sessionKeepMs({ ...source, time: 'arrival' }), 0, 'what waited somewhere is not of now')
  t.equal(sessionKeepMs({ ...source, qos: 0 }), 0)
  t.equal(sessionKeepMs({ ...source, session_keep_ms: 5 }), 5)
})

t.test('a password is never in the file, and never goes in the clear beyond this machine', async (t) => {
  t.match(said('url: "mqtt://127.0.0.1", user: rig, password: hunter2'), [
    'password: a secret (not shown) | the path of a file that holds it, in `password_file`',
  ])
  t.match(said('url: "mqtt://rig:hunter2@127.0.0.1"'), [/^url: a secret \(not shown\)/])
  t.match(said('url: "mqtt://10.0.0.7", user: rig, password_file: p'), [
    'url: a password in the clear to 10.0.0.7 | mqtts:// beyond this machine',
  ])
  t.same(said('url: "mqtt://127.0.0.1", user: rig'), [
    'password_file: nothing | `user` and `password_file`, both or none',
  ])
})

t.test('everything that does not go together is said at once', async (t) => {
  t.same(
    said(
      'url: "mqtt://127.0.0.1:0", cert_file: c.pem, qos: 0, session_keep_ms: 1000, topics: ["rig/+"], topic_map: { a/b: p, "rig/#": p, rig/p1: " " }',
    ),
    [
      'key_file: nothing | `cert_file` and `key_file`, both or none',
      'url: port 0 | a port from 1 to 65535',
      'cert_file: a key of TLS with mqtt:// | mqtts://',
      'session_keep_ms: 1000, with `qos: 0` | 0: no broker keeps messages of `qos: 0`',
      'topic_map.a/b: `a/b`, which nothing subscribes to | a topic of `topics`',
      'topic_map.rig/#: `rig/#` | one topic, without wildcards',
      'topic_map.rig/p1: ` ` | the name of a channel',
    ],
  )
  t.same(said('url: "mqtt://127.0.0.1", time: arrival, session_keep_ms: 1000'), [
    'session_keep_ms: 1000, with `time: arrival` | 0: what waited at the broker would be of now',
  ])
  t.same(said('url: "mqtt://127.0.0.1", topics: [a, b, a]'), ['topics[2]: `a` a second time | every filter once'])
  t.same(said('url: "mqtt://127.0.0.1", encoding: cbor, topic_map: { hb/metrics/a: a }'), [
    'topic_map: a key of `json` with `encoding: cbor` | `encoding: json`',
  ])
})

t.test('what is no broker, no filter and no quality of service is refused', async (t) => {
  for (const [keys, key] of [
    ['url: "http://127.0.0.1"', 'url'],
    ['url: "mqtt://127.0.0.1/a"', 'url'],
    ['url: "mqtt://127.0.0.1:99999"', 'url'],
    ['url: "mqtt://127.0.0.1", topics: ["a/#/b"]', 'topics[0]'],
    ['url: "mqtt://127.0.0.1", topics: ["$SYS/#"]', 'topics[0]'],
    ['url: "mqtt://127.0.0.1", topics: []', 'topics'],
    ['url: "mqtt://127.0.0.1", qos: 3', 'qos'],
    ['url: "mqtt://127.0.0.1", client_id: "a b"', 'client_id'],
    ['url: "mqtt://127.0.0.1", message_bytes_max: 2000000', 'message_bytes_max'],
  ] as const)
    t.match(said(keys), [new RegExp(`^${key.replace(/[[\]]/g, '\\$&')}: `)], keys)
})

t.test('a broker is no recording', async (t) => {
  const text = withSource('url: "mqtt://127.0.0.1"').replace('rigs:\n', 'clock: recording\nrigs:\n')
  t.match(
    problemsOf(() => parseRuntimeFiles(filesOf(text))).map(({ key, found }) => `${key}: ${found}`),
    ['rigs[0].sources[0].type: a live broker under `clock: recording`'],
  )
})
