import t from 'tap'
import { loadRuntimeConfig } from '../../../shared/config/load.ts'
import { inRuntime, problemsOf, REGISTRY, RUNTIME } from '../../support/config-texts.ts'
import { inLoop, LOOP_ACTIONS, LOOP_RUNTIME, parsedLoop } from '../../support/policy-texts.ts'

const ZMQ = 'zmq: { endpoint: "tcp://10.0.0.9:5701" }'
const WEBHOOK = 'webhook: { url: "https://plant.example/hb" }'
const withPeer = (lines: string): string =>
  RUNTIME.replace('agent: bench-1\n', `agent: bench-1\npeer: { identity: waveos, key_file: peer.key, ${lines} }\n`)

t.test('a peer has one transport, an identity and a key in a file', async (t) => {
  t.same(inRuntime(withPeer(ZMQ)), [])
  t.same(inRuntime(withPeer(WEBHOOK)), [])
  const table: readonly [string, Readonly<Record<string, unknown>>][] = [
    [withPeer('timeout_ms: 500'), { key: 'peer', found: 'neither `zmq` nor `webhook`' }],
    [withPeer(`${ZMQ}, ${WEBHOOK}`), { key: 'peer', found: '`zmq` and `webhook`' }],
    [withPeer(ZMQ.replace('tcp', 'http')), { key: 'peer.zmq.endpoint' }],
    [withPeer(WEBHOOK.replace('https', 'http')), { key: 'peer.webhook.url' }],
    [withPeer(WEBHOOK.replace('plant', 'me:hunter2@plant')), { key: 'peer.webhook.url' }],
    [withPeer(`${ZMQ}, timeout_ms: 99`), { key: 'peer.timeout_ms' }],
    [withPeer(`${ZMQ}, health_every_ms: 249`), { key: 'peer.health_every_ms' }],
    [withPeer(`${ZMQ}, health_every_ms: .nan`), { key: 'peer.health_every_ms' }],
    [withPeer(ZMQ).replace('identity: waveos', 'identity: Wave OS'), { key: 'peer.identity' }],
    [withPeer(ZMQ).replace('peer.key', '0badc0de'.repeat(8)), { key: 'peer.key_file', found: 'a secret (not shown)' }],
    [withPeer(ZMQ).replace('key_file: peer.key', 'token: x'), { found: 'a secret (not shown)' }],
  ]
  for (const [text, expected] of table) {
    const problems = inRuntime(text)
    t.ok(
      problems.some((one) => Object.entries(expected).every(([key, value]) => Reflect.get(one, key) === value)),
      `${JSON.stringify(expected)} in ${JSON.stringify(problems)}`,
    )
    t.notMatch(JSON.stringify(problems), /hunter2|0badc0de/)
  }
})

t.test('files of the peer must be there, and what is not said has its default', async (t) => {
  const files = { 'registry.yaml': REGISTRY, 'sign.pem': 'not read', 'runtime.yaml': withPeer(ZMQ) }
  const missing = t.testdir(files)
  const problems = problemsOf(() => loadRuntimeConfig(`${missing}/runtime.yaml`))
  t.ok(
    problems.some(({ key, found }) => key === 'peer.key_file' && /peer\.key/.test(found)),
    JSON.stringify(problems),
  )
})

/** The hazard of the inlet valve; a peer drops nothing by itself. */
const NO_PERMIT = / {4}safe_state: inlet valve shut\n/

t.test('an executor of type peer needs a peer, and carries out what a policy says of a target', async (t) => {
  const actions = LOOP_ACTIONS.replace(
    /- name: inlet-valve\n {4}executor: actuator/,
    '- name: inlet-valve\n    executor: peer',
  ).replace(NO_PERMIT, '$&    loss_of_permit: none\n    loss_of_permit_reason: the plant knows of no permit\n')
  t.not(actions, LOOP_ACTIONS)
  const line = /^ {2}- \{ target: inlet-valve.*$/m
  const runtime = LOOP_RUNTIME.replace(line, '  - { target: inlet-valve, type: peer }')
  const peer =
    'agent: bench-1\npeer: { identity: waveos, key_file: peer.key, zmq: { endpoint: "tcp://10.0.0.9:5701" } }\n'
  const whole = runtime.replace('agent: bench-1\n', peer)
  t.same(inLoop({ actions, runtime: whole }), [])
  const parsed = parsedLoop({ actions, runtime: whole })
  t.match(parsed.config.peer, { timeout_ms: 2000, health_every_ms: 5000 })
  t.match(parsed.policies.get('pressure-loop')?.targets[1], { name: 'inlet-valve', executor: 'peer' })
  t.match(inLoop({ actions, runtime }), [{ key: 'executors[1].type', found: 'peer, and no `peer`' }])
  t.match(inLoop({ runtime: whole }), [{ found: 'peer for the target `inlet-valve`' }])
})
