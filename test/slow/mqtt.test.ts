import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { createMqttPublisher } from '../../hil-testbed/bench/mqtt-publisher.ts'
import { killAll, type LogLine, type Program, runHb, startHb } from '../../scripts/demo/processes.ts'
import { encodeSample } from '../../shared/codec/json-samples.ts'
import { encodeFrame } from '../../shared/codec/telemetry.ts'
import { createDevCa, issueCertificate } from '../../shared/crypto/certificates.ts'
import { clientOptions, NO_CREDENTIALS, openSocket } from '../../shared/mqtt/broker.ts'
import { type BenchFolder, createBenchFolder, freePort, runtimeYaml } from '../support/bench-folder.ts'
import { hbEnded } from '../support/hb-ended.ts'
import { type Mosquitto, mosquittoPub, startMosquitto, writePasswords } from '../support/mosquitto.ts'
import { serverCertificate } from '../support/server-certificate.ts'

t.setTimeout(0)

const SAMPLES = 1000
const REGISTRY = `version: "1.0"
metrics:
  flow: { unit: L/min, nominal_rate_hz: 100, baseline_required: false, invariant_min: 0, invariant_max: 100 }
`
type Rig = { counters: Record<string, number>; refused: { reason: string; count: number; example: string }[] }
type Ready = { ready: boolean; reasons: { code: string; detail: string }[]; rigs: Rig[] }

type Bench = Readonly<{
  folder: BenchFolder
  port: number
  broker(lines: readonly string[]): Promise<Mosquitto>
  agent(source: string): Promise<{ program: Program; news: LogLine[] }>
}>

async function createBench(t: Test): Promise<Bench> {
  const folder = await createBenchFolder()
  const port = await freePort()
  const brokers: Mosquitto[] = []
  t.teardown(async () => {
    killAll()
    for (const broker of brokers) await broker.stop('SIGKILL')
    folder.remove()
  })
  folder.write('flow.registry.yaml', REGISTRY)
  return {
    folder,
    port,
    async broker(lines) {
      const broker = await startMosquitto({ folder: folder.path, port, lines })
      brokers.push(broker)
      return broker
    },
    async agent(source) {
      const rigs = `  - rig: bench
    program: demo
    registry_file: flow.registry.yaml
    windows_ms: [1000]
    lateness_ms: 2000
    sources:
      - { name: bus, type: mqtt, ${source} }
`
      const text = runtimeYaml({ clock: 'system', rigs, extra: `health: { port: ${folder.ports.health} }\n` })
      folder.write('runtime.yaml', text)
      const news: LogLine[] = []
      const program = startHb('agent', ['runtime', '--config', 'runtime.yaml', '--state', 'state'], {
        folder: folder.path,
        line: (line) => {
          if (line['event'] === 'source_broker') news.push(line)
        },
      })
      await program.event('agent_started')
      return { program, news }
    },
  }
}

async function readyOf(folder: BenchFolder): Promise<Ready> {
  const answer = await fetch(`http://127.0.0.1:${folder.ports.health}/ready`)
  return (await answer.json()) as Ready
}

const until = async (what: string, holds: () => Promise<boolean> | boolean): Promise<void> => {
  for (let k = 0; k < 1200; k += 1) {
    if (await holds()) return
    await wait(50)
  }
  throw new Error(`not in time: ${what}`)
}

const received = async ({ folder }: Bench): Promise<number> => (await readyOf(folder)).rigs[0]!.counters['received']!

async function metric({ folder }: Bench, name: string): Promise<string> {
  const text = await (await fetch(`http://127.0.0.1:${folder.ports.health}/metrics`)).text()
  return text.split('\n').find((line) => line.startsWith(name)) ?? ''
}

t.test(
  'what rigs publish becomes decisions; a broker that ends is said, and data goes on when it is back',
  async (t) => {
    const bench = await createBench(t)
    const { folder, port } = bench
    const url = `mqtt://127.0.0.1:${port}`
    const setup = [
      'allow_anonymous true',
      'persistence true',
      `persistence_location ${folder.path}/`,
      'autosave_interval 1',
    ]
    const earlier = await bench.broker(setup)
    mosquittoPub(
      ['-p', `${port}`, '-t', 'hb/metrics/old', '-q', '1', '-r', '-s'],
      `{"channel":"flow","t_us":1,"value":99}`,
    )
    await earlier.stop()
    const { program, news } = await bench.agent(`url: "${url}", topic_map: { hb/metrics/bare: flow }`)

    await until('the agent says that no broker is there', () => news.length > 0)
    t.match(news[0], { what: 'lost', rig: 'bench', source: 'bus', code: 'MQTT_LOST', reason: /ECONNREFUSED/ })
    const before = await readyOf(folder)
    t.match(before, { ready: false, reasons: [{ code: 'MQTT_LOST' }] })

    let broker = await bench.broker(setup)
    await until('the agent is connected', () => news.some(({ what }) => what === 'connected'))
    t.match(await readyOf(folder), { ready: true, reasons: [] })
    await until('the retained message came', async () =>
      (await metric(bench, 'hb_source_retained_total')).endsWith(' 1'),
    )

    const publisher = await createMqttPublisher({ url, topicOf: (channel) => `hb/metrics/${channel}` })
    for (let k = 0; k < SAMPLES; k += 1) {
      publisher.publish('flow', encodeSample({ channel: 'flow', timeUs: Date.now() * 1000, value: 30 + (k % 3) }))
      if (k % 5 === 4) await wait(5)
    }
    await publisher.flush()
    await until('all samples came', async () => (await received(bench)) === SAMPLES)
    await until('the windows are judged', async () => (await verdicts(folder)).includes('PASS'))

    await takesOlderWords(t, bench)

    await broker.stop('SIGKILL')
    await until('the end of the broker is said', () => news.filter(({ what }) => what === 'lost').length === 2)
    t.match(await readyOf(folder), { ready: false, reasons: [{ code: 'MQTT_LOST' }] })
    await t.rejects(publisher.flush(), { code: 'MQTT_LOST' }, 'so does the publisher')
    broker = await bench.broker(setup)
    await until('the agent is back', () => news.filter(({ what }) => what === 'connected').length === 2)
    const back = news.at(-1)!
    t.ok(Number(back['gap_ms']) > 0, `the gap is said: ${String(back['gap_ms'])} ms`)
    await goesOn(bench)
    t.ok((await received(bench)) >= SAMPLES + 3)
    t.equal(await program.stop(), 0)
    t.match(JSON.parse(await runHb(['replay', '--state', 'state', '--json'], folder.path)), {
      equal: true,
      unsigned: 0,
    })
    t.comment(`counted: samples through a real broker | ${SAMPLES + 3} | all of them, around a kill of the broker`)
  },
)

const stamp = (): string => (Date.now() / 1000).toFixed(6)

/** The broker may send again what it had not noted as acknowledged: the last of what is published now is known by its name. */
async function goesOn({ folder, port }: Bench): Promise<void> {
  const lines = [`{"metric":"flow","ts":${stamp()},"value":32}`, `{"metric":"after","ts":${stamp()},"value":1}`, '']
  mosquittoPub(['-p', `${port}`, '-q', '1', '-l', '-t', 'hb/metrics/x'], lines.join('\n'))
  await until('data goes on', async () =>
    (await readyOf(folder)).rigs[0]!.refused.some(({ reason }) => reason === 'unknown_channel'),
  )
}

/** Two samples and two that are none: one says nothing, one has no time. */
async function takesOlderWords(t: Test, bench: Bench): Promise<void> {
  const { folder, port } = bench
  const before = await received(bench)
  const lines = [
    `{"timestamp": ${stamp()}, "metric": "flow", "value": 31, "unit": "L/min", "tags": {"bench": "a"}}`,
    `metric=flow value=31.5 ts=${stamp()}`,
    'what is this',
    '',
  ]
  mosquittoPub(['-p', `${port}`, '-q', '1', '-l', '-t', 'hb/metrics/x'], lines.join('\n'))
  mosquittoPub(['-p', `${port}`, '-q', '1', '-s', '-t', 'hb/metrics/bare'], '31')
  const bad = async (): Promise<Rig['refused']> => (await readyOf(folder)).rigs[0]!.refused
  await until('the messages of the predecessor came', async () => (await received(bench)) === before + 2)
  await until('the bad ones are counted', async () => (await bad()).length === 2)
  t.same(Object.fromEntries((await bad()).map((r) => [r.reason, r.count])), { bad_row: 1, bad_time: 1 })
}

async function verdicts(folder: BenchFolder): Promise<string[]> {
  const text = await runHb(['decisions', 'list', '--state', 'state', '--json'], folder.path)
  return (JSON.parse(text) as { decisions: { verdict: string }[] }).decisions.map((d) => d.verdict)
}

t.test('an agent that is killed loses nothing: what it had not on its disk the broker sends again', async (t) => {
  const bench = await createBench(t)
  const { port } = bench
  const url = `mqtt://127.0.0.1:${port}`
  await bench.broker(['allow_anonymous true', 'max_queued_messages 5000'])
  const source = `url: "${url}", encoding: cbor, qos: 1`
  const first = await bench.agent(source)
  await until('the agent is connected', () => first.news.length > 0)
  const { MqttClient } = await import('../../shared/mqtt/package.ts')
  const about = {
    clientId: 'rig',
    protocol: 'mqtt311',
    sessionKeepMs: 0,
    packetBytesMax: 65_536,
    receiveMax: 20,
  } as const
  const rig = new MqttClient(() => openSocket(url, NO_CREDENTIALS), clientOptions({ ...about, ...NO_CREDENTIALS }))
  for (let seq = 0; seq < SAMPLES; seq += 1) {
    const frame = { rig: 'bench', source: 'bus', epoch: 'one', seq, channels: ['flow'], cid: null }
    const bytes = encodeFrame({ ...frame, timeUs: Float64Array.of(Date.now() * 1000), value: Float64Array.of(30) })
    const published = rig.publishAsync('hb/metrics/frames', Buffer.from(bytes), { qos: 1 })
    if (seq === SAMPLES / 4) process.kill(first.program.pid, 'SIGKILL')
    if (seq % 10 === 9) await published
  }
  await rig.endAsync()
  await first.program.exited
  const second = await bench.agent(source)
  await until('the agent is connected again', () => second.news.length > 0)
  t.match(second.news[0], { what: 'connected', session: 'kept', qos: 1 })
  const counters = async (): Promise<Rig['counters']> => (await readyOf(bench.folder)).rigs[0]!.counters
  const once = async (): Promise<number> => (await counters())['received']! - (await counters())['duplicate']!
  await until('everything came', async () => (await once()) >= SAMPLES)
  t.match(await metric(bench, 'hb_frames_missing'), / 0$/, 'by their own numbers, none is missing')
  t.equal(await once(), SAMPLES, 'what came twice is a duplicate')
  t.equal(await second.program.stop(), 0)
  t.comment(`counted: frames around a kill of the agent | ${SAMPLES} | none lost, none twice`)
})

t.test('a password that is wrong is said with a code, and never shown', async (t) => {
  const bench = await createBench(t)
  const { folder, port } = bench
  writePasswords(join(folder.path, 'users'), 'rig', 'right')
  await bench.broker(['allow_anonymous false', `password_file ${folder.path}/users`])
  folder.write('broker.password', 'wrong-one\n')
  const { program, news } = await bench.agent(
    `url: "mqtt://127.0.0.1:${port}", user: rig, password_file: broker.password`,
  )
  await until('the refusal is said', () => news.length > 0)
  t.match(news[0], { what: 'refused', code: 'MQTT_REFUSED', reason: /Not authorized|Bad User Name/i })
  t.notMatch(JSON.stringify(news), 'wrong-one')
  t.match(await readyOf(folder), { ready: false, reasons: [{ code: 'MQTT_REFUSED' }] })
  await wait(2000)
  t.match(await metric(bench, 'hb_source_connected'), / 0$/)
  t.equal(news.length, 1, 'once, and it is not asked again at once')
  const { stdout } = await hbEnded(['doctor', '--config', 'runtime.yaml', '--json'], folder.path)
  const doctor = JSON.parse(stdout) as { ok: boolean; findings: { check: string }[] }
  const finding = doctor.findings.find(({ check }) => check === 'broker bench/bus')
  t.match(finding, { ok: false, detail: /MQTT_REFUSED/, remedy: /password_file/ })
  t.equal(await program.stop(), 0)
  folder.write('broker.password', 'right\n')
  const second = await bench.agent(`url: "mqtt://127.0.0.1:${port}", user: rig, password_file: broker.password`)
  await until('with the right one it is connected', () => second.news.length > 0)
  t.match(second.news[0], { what: 'connected' })
  t.match(await runHb(['doctor', '--config', 'runtime.yaml'], folder.path), /ok +broker bench\/bus/)
})

t.test('a broker behind TLS knows the agent by its certificate, and nobody without one', async (t) => {
  const bench = await createBench(t)
  const { folder, port } = bench
  const ca = createDevCa()
  const server = serverCertificate(ca)
  const about = { ca, dnsNames: [], ipAddresses: [], days: 1, use: 'client' as const }
  const client = issueCertificate({ ...about, subjectUri: 'spiffe://demo/agent/bench-1' })
  const rig = issueCertificate({ ...about, subjectUri: 'spiffe://demo/rig/bench' })
  for (const [name, pem] of [
    ['broker-ca.pem', ca.certPem],
    ['broker.pem', server.certPem],
    ['broker.key', server.keyPem],
    ['client.pem', client.certPem],
    ['client.key', client.keyPem],
  ] as const)
    folder.write(name, pem)
  await bench.broker([
    ...['allow_anonymous true', 'require_certificate true'],
    ...[
      `cafile ${folder.path}/broker-ca.pem`,
      `certfile ${folder.path}/broker.pem`,
      `keyfile ${folder.path}/broker.key`,
    ],
  ])
  const url = `mqtts://127.0.0.1:${port}`
  const without = await bench.agent(`url: "${url}", ca_file: broker-ca.pem`)
  await until('who has no certificate is turned away', () => without.news.length > 0)
  t.match(without.news[0], { what: 'lost', code: 'MQTT_LOST' })
  t.equal(await without.program.stop(), 0)
  const stranger = await bench.agent(`url: "${url}", cert_file: client.pem, key_file: client.key`)
  await until('a broker of an unknown authority is not believed', () => stranger.news.length > 0)
  t.match(stranger.news[0], { what: 'lost', reason: /certificate/ })
  t.equal(await stranger.program.stop(), 0)
  const { news } = await bench.agent(
    `url: "${url}", ca_file: broker-ca.pem, cert_file: client.pem, key_file: client.key`,
  )
  await until('with both it is connected', () => news.length > 0)
  t.match(news[0], { what: 'connected' })
  const publisher = await createMqttPublisher({
    url,
    topicOf: (channel) => `hb/metrics/${channel}`,
    credentials: { ...NO_CREDENTIALS, ca: ca.certPem, cert: rig.certPem, key: rig.keyPem },
  })
  publisher.publish('flow', encodeSample({ channel: 'flow', timeUs: Date.now() * 1000, value: 30 }))
  await publisher.flush()
  await until('a sample comes through', async () => (await received(bench)) === 1)
  await publisher.close()
})
