import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import t from 'tap'
import { Push, type Push as PushSocket } from 'zeromq'
import { Downlinks } from '../../agent/adapters/downlinks.ts'
import { type Collector, createCollector } from '../../collector/compose.ts'
import { killAll, type LogLine, startHb } from '../../scripts/demo/processes.ts'
import { signMark } from '../../shared/codec/injected-mark.ts'
import { encodeFrame } from '../../shared/codec/telemetry.ts'
import { generateSigner, pemOfRealm, readPublicKey, type Signer, signerFromPem } from '../../shared/crypto/sign.ts'
import { systemClock } from '../../shared/lib/clock.ts'
import { createLogger } from '../../shared/log/logger.ts'
import { REALMS, type Realm } from '../../shared/model/realm.ts'
import { signDownlink } from '../../shared/protocol/downlink.ts'
import type { AgentMessage } from '../../shared/protocol/messages.ts'
import { connectAgent, createBatchMaker } from '../support/agent-double.ts'
import { type BenchFolder, createBenchFolder, runtimeYaml } from '../support/bench-folder.ts'
import {
  baselineMetric,
  baselineRecord,
  certifiedBundle,
  privatePem,
  SIGNERS,
  TESTBED_SIGNERS,
} from '../support/certified-baselines.ts'
import { createCollectorFolder } from '../support/collector-folder.ts'
import { hbEnded } from '../support/hb-ended.ts'
import { OPERATOR_LINES, PEOPLE, publicPem } from '../support/operator-keys.ts'

const readOf = ({ path }: BenchFolder, name: string): Buffer => readFileSync(join(path, name))
const otherThan = (realm: Realm): Realm => REALMS.find((one) => one !== realm)!
const made: { collector: Collector; folder: string }[] = []
const benches: BenchFolder[] = []
const sockets: PushSocket[] = []

t.teardown(async () => {
  killAll()
  for (const socket of sockets) socket.close()
  for (const { collector, folder } of made) {
    await collector.stop()
    rmSync(folder, { recursive: true, force: true })
  }
  for (const folder of benches) folder.remove()
})

/** A collector of a realm, in this process. */
async function startCollector(realm: Realm) {
  const around = createCollectorFolder(realm)
  const { config, folder } = around
  const logger = createLogger({ name: 'collector', level: 'fatal' })
  const options = { logger, workerFile: resolve('collector', 'verify', 'worker.ts') }
  const collector = createCollector({ config, folder }, systemClock(), options)
  await collector.start()
  made.push({ collector, folder })
  const refused = async (): Promise<string[]> => {
    // Written beside the answer, so that refusing costs nobody time.
    for (let tries = 0; ; tries += 1) {
      const answer = await fetch(`http://127.0.0.1:${collector.operatorsPort}/api/refusals`)
      const { refusals } = (await answer.json()) as { refusals: { code: string }[] }
      if (refusals.length > 0 || tries === 100) return refusals.map(({ code }) => code)
      await systemClock().sleep(20)
    }
  }
  return { ...around, collector, refused }
}

function hello(signer: Signer): AgentMessage {
  return {
    ...{ t: 'hello', v: 1, agent: 'bench-1', deployment: 'demo', epoch: 1, spki: signer.spki },
    ...{ boot_id: 'b', version: '0', programs: ['demo'], rigs: [{ rig: 'water-loop', program: 'demo' }] },
  }
}

/** The same key, said to be of the other realm: what somebody would try who has it. */
const disguised = (pem: string, realm: Realm): Signer =>
  signerFromPem(pemOfRealm(pem.replace(/^Realm: .*\n/, ''), otherThan(realm)))

t.test('a collector takes neither a certificate nor a batch of the other realm', async (t) => {
  for (const realm of REALMS) {
    const { collector, certificateOf, bench, refused, ca } = await startCollector(realm)
    const foreign = certificateOf('bench-1', ca, 'demo', otherThan(realm))
    await t.rejects(connectAgent(collector.agentsPort, foreign), /403/, `${realm}: no session`)
    t.same(await refused(), ['REALM_MISMATCH'])

    const agent = await connectAgent(collector.agentsPort, certificateOf('bench-1'))
    agent.send(hello(bench.signer))
    await agent.next('resume')
    const signer = disguised(bench.privatePem, realm)
    agent.sendBatch(createBatchMaker({ signer, deployment: 'demo', agent: 'bench-1' })())
    t.match(await agent.next('refusal'), { code: 'REALM_MISMATCH' }, `${realm}: no batch`)

    const again = await connectAgent(collector.agentsPort, certificateOf('bench-1'))
    again.send(hello(bench.signer))
    await again.next('resume')
    again.sendBatch(createBatchMaker({ signer: bench.signer, deployment: 'demo', agent: 'bench-1' })())
    t.match(await again.next('receipt'), { batch_seq: 1 }, `${realm}: its own`)
  }
})

/** A folder of an agent with people of its realm, and their keys as the other one would have them. */
async function bench(realm: Realm, more = ''): Promise<BenchFolder> {
  const folder = await createBenchFolder({ realm })
  benches.push(folder)
  for (const name of PEOPLE) {
    folder.write(`${name}.pub`, publicPem(name, realm))
    folder.write(`${name}.key`, privatePem(name, realm))
    folder.write(`${name}.other.key`, privatePem(name, otherThan(realm)))
  }
  folder.write(
    'loop.registry.yaml',
    'version: "1.0"\nmetrics:\n  flow: { unit: l/min, nominal_rate_hz: 100, baseline_required: false, fail_max: 1000 }\n',
  )
  const extra = `${realm === 'testbed' ? `realm: testbed\n${more}` : ''}${OPERATOR_LINES}`
  folder.write('runtime.yaml', runtimeYaml({ clock: 'system', rigs: rigIn(realm), extra, ports: folder.ports }))
  return folder
}

const rigIn = (realm: Realm): string => `  - rig: loop
    program: demo
    registry_file: loop.registry.yaml
${realm === 'testbed' ? '    testbed: true\n' : ''}    sources:
      - { name: daq, type: zmq, endpoint: "ipc://daq.sock" }
`

async function startAgent(folder: BenchFolder) {
  const lines: LogLine[] = []
  const agent = startHb('agent', ['runtime', '--config', 'runtime.yaml', '--state', 'state'], {
    folder: folder.path,
    line: (line) => void lines.push(line),
  })
  await agent.event('agent_started')
  const socket = new Push({ linger: 0 })
  socket.connect(`ipc://${join(folder.path, 'daq.sock')}`)
  sockets.push(socket)
  return { agent, lines, socket }
}

/** A frame of the rig, marked by this injector or by nobody. */
function frame(seq: number, injector?: Signer): Uint8Array {
  const nowUs = Date.now() * 1000
  const about = { rig: 'loop', source: 'daq', epoch: 'e', seq }
  return encodeFrame({
    ...{ ...about, channels: ['flow'], cid: null },
    ...{ timeUs: Float64Array.of(nowUs - 2, nowUs - 1, nowUs), value: Float64Array.of(1, 2, 3) },
    ...(injector === undefined ? {} : { injected: signMark(about, ['flow'], injector) }),
  })
}

async function counted({ ports }: BenchFolder): Promise<Record<string, number>> {
  const text = await (await fetch(`http://127.0.0.1:${ports.health}/metrics`)).text()
  const found = text.matchAll(/^hb_\S*\{[^}]*reason="(injected_refused|taint_forged)"[^}]*\} (\d+)$/gm)
  return Object.fromEntries([...found].map(([, reason, count]) => [reason, Number(count)]))
}

// verifies SE-12, REQ-BAS-004
t.test('a running agent follows nothing of the other realm, and production takes no injected sample', async (t) => {
  const inRealm = async (realm: Realm): Promise<void> => {
    const injector = generateSigner('testbed')
    const folder = await bench(realm, 'injector_key_file: injector.pub\n')
    folder.write('injector.pub', injector.publicPem)
    const { agent, socket } = await startAgent(folder)
    const hb = async (...args: string[]) => {
      const { code, stdout, stderr } = await hbEnded([...args, '--json'], folder.path)
      return { code, text: `${stdout}${stderr}` }
    }
    const order = ['mode', 'set', 'maintenance', '--state', 'state', '--reason', 'a test', '--key']
    t.match((await hb(...order, 'ada.other.key')).text, /REALM_MISMATCH/, `${realm}: an order`)

    const sign = ['bundle', 'sign', '--config', 'runtime.yaml', '--number', '7', '--reason', 'a test', '--out']
    t.equal((await hb(...sign, 'other.bundle', '--key', 'ada.other.key')).code, 0)
    const refused = await hb('bundle', 'activate', 'other.bundle', '--state', 'state')
    t.match(refused.text, /other_realm/, `${realm}: a bundle`)

    await socket.send(frame(1))
    await socket.send(frame(2, injector.signer))
    await socket.send(frame(3, generateSigner('testbed').signer))
    const what = realm === 'production' ? 'injected_refused' : 'taint_forged'
    t.match(await agent.event(what), { rig: 'loop', reason: what }, `${realm}: it is said`)
    t.same(await counted(folder), { [what]: realm === 'production' ? 2 : 1 })
    t.equal((await hb(...order, 'ada.key')).code, 0, `${realm}: its own people are followed`)
    t.equal(await agent.stop(), 0)
    t.equal((await hb('replay', '--state', 'state')).code, 0, `${realm}: and a replay says the same`)
    if (realm === 'testbed') {
      const made = await hb('baseline', 'create', '--from', 'state', '--out', 'never.hbb')
      t.match(made, { code: 65, text: /INJECTED_DATA.*samples = 3.*flow/s })
    }
  }
  await Promise.all(REALMS.map(inRealm))
})

t.test('what is of the other realm stops a start before anything is touched', async (t) => {
  const inRealm = async (realm: Realm): Promise<void> => {
    const folder = await bench(realm)
    const baseline = (signers: typeof SIGNERS) =>
      certifiedBundle(baselineRecord({ program: 'demo', rig: 'loop', metrics: [baselineMetric()] }), undefined, signers)
    writeFileSync(join(folder.path, 'other.hbb'), baseline(realm === 'testbed' ? SIGNERS : TESTBED_SIGNERS))
    const whole = (rigs: string, more = '') =>
      runtimeYaml({
        clock: 'system',
        rigs,
        extra: `${realm === 'testbed' ? 'realm: testbed\n' : ''}${more}${OPERATOR_LINES}`,
        ports: folder.ports,
      })
    folder.write('with.yaml', whole(rigIn(realm).replace('    sources', '    baseline_file: other.hbb\n    sources')))
    t.match(await hbEnded(['config', 'check', 'with.yaml'], folder.path), { code: 77, stderr: /REALM_MISMATCH/ })

    const strange = rigIn(otherThan(realm)).replace(
      '    sources',
      realm === 'testbed' ? '    testbed: false\n    sources' : '    sources',
    )
    const foreign = await bench(otherThan(realm))
    for (const name of ['sign.pem', 'agent.pem', 'receipts.pub.pem', 'ada.pub', 'grace.pub', 'kay.pub'])
      t.doesNotThrow(() => writeFileSync(join(folder.path, name), readOf(foreign, name)))
    folder.write('all.yaml', whole(strange, realm === 'production' ? 'injector_key_file: ada.pub\n' : ''))
    const { code, stderr } = await hbEnded(['config', 'check', 'all.yaml'], folder.path)
    t.equal(code, 78)
    const keys = [
      'signing_key_file',
      'collector.cert_file',
      'collector.collector_key_file',
      'operators[0].public_key_file',
      'rigs[0].testbed',
    ]
    for (const key of [...keys, ...(realm === 'production' ? ['injector_key_file'] : [])])
      t.ok(stderr.includes(key), `${realm}: ${key}: ${stderr}`)
  }
  await Promise.all(REALMS.map(inRealm))
})

t.test('a state folder stays in its realm', async (t) => {
  const folder = await bench('production')
  const { agent } = await startAgent(folder)
  t.equal(await agent.stop(), 0)
  const foreign = await bench('testbed')
  for (const name of [
    'sign.pem',
    'agent.pem',
    'agent.key',
    'receipts.pub.pem',
    'runtime.yaml',
    ...PEOPLE.map((one) => `${one}.pub`),
  ])
    writeFileSync(join(folder.path, name), readOf(foreign, name), { mode: 0o600 })
  const args = ['runtime', '--config', 'runtime.yaml', '--state', 'state']
  t.match(await hbEnded(args, folder.path), { code: 77, stderr: /REALM_MISMATCH/ })
})

t.test('an agent does not speak to a collector of the other realm, whoever issued its certificate', async (t) => {
  const inRealm = async (realm: Realm): Promise<void> => {
    const { collector, ca } = await startCollector(realm)
    const folder = await bench(otherThan(realm))
    folder.write('ca.pem', ca.certPem)
    const text = readOf(folder, 'runtime.yaml').toString('utf8')
    folder.write('runtime.yaml', text.replace(String(folder.ports.agents), String(collector.agentsPort)))
    const { agent } = await startAgent(folder)
    t.match(await agent.event('uplink_lost'), { reason: /REALM_MISMATCH/ })
    await agent.stop()
  }
  await Promise.all(REALMS.map(inRealm))
})

t.test('what a collector asks for under a key of the other realm is not done', async (t) => {
  for (const realm of REALMS) {
    const { privatePem: pem, publicPem: pub } = generateSigner(realm)
    const refused: string[] = []
    const done = (what: string) => async () => t.fail(`${what} was done`) as never
    const downlinks = new Downlinks({
      ...{ collectorKey: readPublicKey(pub), agent: () => 'bench-1', failed: (error) => t.fail(String(error)) },
      refused: ({ code }) => refused.push(code),
      ...{ slice: done('slice'), baseline: done('baseline'), bundle: done('bundle') },
      ...{ watch: () => t.fail('watched'), send: () => t.fail('answered') },
    })
    const about = { agent: 'bench-1', id: 'x' } as const
    const bytes = new Uint8Array([1])
    for (const downlink of [
      { kind: 'baseline', ...about, rig: 'loop', role: 'golden', number: 1, bundle: bytes },
      { kind: 'bundle', ...about, rig: '', digest: 'ab'.repeat(32), bundle: bytes },
      { kind: 'bundle_back', ...about, rig: '', digest: 'ab'.repeat(32), reason: 'x' },
      { kind: 'slice_request', ...about, rig: 'loop', fromUs: 0, toUs: 9 },
      { kind: 'config_watch', ...about, rig: '' },
    ] as const)
      await downlinks.take(signDownlink(downlink, disguised(pem, realm)))
    t.same(refused, new Array(5).fill('REALM_MISMATCH'))
  }
})

t.test('no baseline is made of a recording with rows that a fault was put into', async (t) => {
  const folder = await bench('production')
  const rows = Array.from({ length: 200 }, (_, k) => `${1_700_000_000_000_000 + k * 10_000},${12 + k / 1000}`)
  const csv = (mark: (k: number) => string): string =>
    ['t_us,flow,hb_injected', ...rows.map((row, k) => `${row},${mark(k)}`), ''].join('\n')
  folder.write(
    'faulty.csv',
    csv((k) => (k === 50 || k > 150 ? 'stuck_at;bias' : '0')),
  )
  folder.write(
    'clean.csv',
    csv(() => ''),
  )
  mkdirSync(join(folder.path, 'out'))
  const create = (name: string) =>
    hbEnded(
      ['baseline', 'create', '--config', 'runtime.yaml', '--csv', name, '--draft', '--out', `out/${name}.hbb`],
      folder.path,
    )
  const faulty = await create('faulty.csv')
  t.equal(faulty.code, 65)
  t.match(faulty.stderr, /INJECTED_DATA.*rows = 50.*52, 153, 154, ….*hb_injected.*stuck_at;bias/s)
  t.notMatch((await create('clean.csv')).stderr, /INJECTED_DATA/)
})
