import t from 'tap'
import { parseRuntimeFiles } from '../../../shared/config/load.ts'
import { filesOf, problemsOf, RUNTIME } from '../../support/config-texts.ts'

const AT = 'lockstep: { endpoint: "ipc://lockstep.sock" }\n'
const external = (lockstep = AT, rig = '    testbed: true\n'): string =>
  RUNTIME.replace('rigs:\n', `clock: external\nrealm: testbed\n${lockstep}rigs:\n`).replace(
    '    program: demo\n',
    `    program: demo\n${rig}`,
  )
const said = (text: string): string[] =>
  problemsOf(() => parseRuntimeFiles(filesOf(text))).map(({ key, found, expected }) => `${key}: ${found} | ${expected}`)

t.test('the time of an agent is moved from outside for testbeds alone, by a bench of this machine', async (t) => {
  for (const endpoint of [
    'ipc:///run/lockstep.sock',
    'tcp://127.0.0.1:5600',
    'tcp://localhost:5600',
    'tcp://[::1]:5600',
  ])
    t.same(said(external(`lockstep: { endpoint: "${endpoint}" }\n`)), [], endpoint)
  const production = external(AT, '').replace('realm: testbed\n', '')
  t.same(said(production), ['clock: `external` in production | `realm: testbed` at the top'])
  for (const endpoint of ['tcp://*:5600', 'tcp://10.0.0.1:5600', 'tcp://127.0.0.1:*', 'ipc://', 'inproc://a'])
    t.match(said(external(`lockstep: { endpoint: "${endpoint}" }\n`)), [/^lockstep\.endpoint: /], endpoint)
  for (const port of [0, 65_536])
    t.match(said(external(`lockstep: { endpoint: "tcp://127.0.0.1:${port}" }\n`)), [
      /port \d+ \| a port from 1 to 65535/,
    ])
})

t.test('everything that is wrong with it is said at once', async (t) => {
  const two = external('', '    testbed: false\n')
    .replace('      - name: daq\n', '      - { name: file, type: host }\n      - name: daq\n')
    .concat(
      '  - { rig: other, program: demo, registry_file: loop.registry.yaml, testbed: true, sources: [{ name: daq, type: zmq, endpoint: "ipc://b" }] }\n',
    )
  t.same(said(two), [
    'clock: `external`, and no `lockstep` | `lockstep: { endpoint }` beside it',
    'rigs[0].sources[0].type: `host` under `clock: external` | `zmq`, which is counted',
    'rigs[1].sources[0].name: `daq` in another rig too | every source of an agent once',
  ])
  t.same(said(RUNTIME.replace('rigs:\n', `${AT}rigs:\n`)), ['lockstep: a key of `clock: external` | `clock: external`'])
})
