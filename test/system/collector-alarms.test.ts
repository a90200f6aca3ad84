import { rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { Writable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import sqlite3 from 'sqlite3'
import t from 'tap'
import { type Collector, createCollector } from '../../collector/compose.ts'
import { runHb } from '../../scripts/demo/processes.ts'
import { type OrderDraft, signOrder } from '../../shared/codec/order.ts'
import { defaultQualityPolicy } from '../../shared/config/quality-policy.ts'
import { generateSigner, readPublicKey, type Signer } from '../../shared/crypto/sign.ts'
import { systemClock } from '../../shared/lib/clock.ts'
import { createLogger } from '../../shared/log/logger.ts'
import { type AgentDouble, connectAgent, createBatchMaker, type MadeBatch } from '../support/agent-double.ts'
import { createCollectorFolder } from '../support/collector-folder.ts'
import { startNoticeServer } from '../support/notice-server.ts'

const { folder, config, certificateOf } = createCollectorFolder()
const ada = generateSigner()
const ben = generateSigner()
writeFileSync(join(folder, 'ada.key'), ada.privatePem, { mode: 0o600 })
const RACKS = ['rack-1', 'rack-3', 'rack-4'] as const
const signers = new Map<string, Signer>()
for (const agent of ['bench-1', ...RACKS]) {
  const made = generateSigner()
  signers.set(agent, made.signer)
  writeFileSync(join(folder, `${agent}.pub.pem`), made.publicPem)
}
writeFileSync(join(folder, 'hook.secret'), 'sixteen bytes at least', { mode: 0o600 })
const logged: string[] = []
const destination = new Writable({
  write: (chunk, _encoding, done) => {
    logged.push(String(chunk))
    done()
  },
})
const logger = createLogger({ name: 'collector', level: 'info', destination })
const options = { logger, workerFile: resolve('collector', 'verify', 'worker.ts'), page: join(folder, 'page') }
const trust = {
  operators: [
    { name: 'ada', key: readPublicKey(ada.publicPem) },
    { name: 'ben', key: readPublicKey(ben.publicPem) },
  ],
  approvalsRequired: 1,
  approvers: [],
  qualityPolicy: defaultQualityPolicy().policy,
}
const server = await startNoticeServer()
writeFileSync(join(folder, 'beat.url'), `${server.url('/beat')}\n`, { mode: 0o600 })
const hook = (path: string) => ({
  target: path,
  channels: [{ type: 'webhook' as const, url: server.url(`/${path}`), secret_file: 'hook.secret' }],
  per_minute_max: 100,
  timeout_ms: 2000,
})
const alarms = {
  ...config.alarms,
  ...{ check_ms: 100, silent_ms: 1200, clear_ms: 200, group_agents_min: 3, group_window_ms: 600 },
  ...{ certificate_warn_days: 0, certificate_critical_days: 0, targets: [hook('ops'), hook('boss')] },
  routes: [
    {
      steps: [
        { after_ms: 0, to: ['ops'] },
        { after_ms: 600, to: ['boss'] },
      ],
    },
  ],
  heartbeat: { url_file: 'beat.url', method: 'POST' as const, every_ms: 200, timeout_ms: 1000 },
}
const agents = [
  { agent: 'bench-1', public_key_file: 'bench-1.pub.pem', programs: ['demo'] },
  ...RACKS.map((agent) => ({ agent, public_key_file: `${agent}.pub.pem`, programs: ['demo'], site: 'north' })),
]
let collector: Collector

async function startCollector(): Promise<void> {
  collector = createCollector({ config: { ...config, alarms, agents }, trust, folder }, systemClock(), options)
  await collector.start()
}

/** An agent that sends a batch a fifth of a second, and says how its rig is. */
type Running = Readonly<{ stop(): void }>
const makers = new Map<string, ReturnType<typeof createBatchMaker>>()
const outboxes = new Map<string, MadeBatch[]>()

async function runAgent(agent: string): Promise<Running> {
  const signer = signers.get(agent)!
  const double: AgentDouble = await connectAgent(collector.agentsPort, certificateOf(agent))
  const hello = { t: 'hello', v: 1, agent, deployment: 'demo', epoch: 1, spki: signer.spki } as const
  const rig = `loop-${agent}`
  double.send({ ...hello, boot_id: 'boot', version: '0.1.0', programs: ['demo'], rigs: [{ rig, program: 'demo' }] })
  const { batch_seq: through } = await double.next('resume')
  const make = makers.get(agent) ?? createBatchMaker({ signer, deployment: 'demo', agent })
  makers.set(agent, make)
  // What was cut off on its way is sent again, as an outbox would.
  const sent = outboxes.get(agent) ?? []
  outboxes.set(agent, sent)
  for (const batch of sent) if (batch.batchSeq > through) double.sendBatch(batch)
  const say = (): void => {
    const batch = make({ rig })
    sent.push(batch)
    double.sendBatch(batch)
    double.send({ t: 'vitals', vitals: JSON.stringify(vitalsOf(rig)) })
  }
  say()
  const timer = setInterval(say, 200)
  return {
    stop() {
      clearInterval(timer)
      double.close()
    },
  }
}

function vitalsOf(rig: string) {
  const channels = [{ verdict: 'PASS' }, { verdict: 'FAIL' }]
  return { rig, wall_us: Date.now() * 1000, outbox: { batches: 0, bytes: 0, oldest_us: null }, channels }
}

const hb = (command: string, ...rest: readonly string[]): Promise<string> =>
  runHb(['alarms', command, ...rest, '--collector', url('/')], folder)

type Shown = Readonly<{
  id: string
  state: string
  occurrence: number
  severity: string
  acked_by: string | null
  suppressed_by: string | null
}>
type AlarmsJson = Readonly<{
  boot: string
  counts: Readonly<{ open: number; unacked: number; critical: number }>
  sites: readonly Readonly<{ site: string; silent: readonly string[]; alarms: readonly Shown[] }>[]
  heartbeat: Readonly<{ outcome: string; withheld: number }>
}>
const url = (path: string): string => `http://127.0.0.1:${collector.operatorsPort}${path}`
const getAlarms = async (): Promise<AlarmsJson> => (await (await fetch(url('/api/alarms'))).json()) as AlarmsJson
const ofSite = async (site: string): Promise<readonly Shown[]> =>
  (await getAlarms()).sites.find((one) => one.site === site)!.alarms

async function order(
  fields: Partial<OrderDraft>,
  by = ada.signer,
): Promise<{ status: number; body: Record<string, unknown> }> {
  const { boot } = await getAlarms()
  const bare = {
    deployment: 'demo',
    agent: 'collector',
    boot,
    rig: '',
    value: '',
    config: '',
    reason: 'known',
    untilUs: 0,
  }
  const draft = { ...bare, kind: 'alarm_ack' as const, subject: '', atUs: Date.now() * 1000, ...fields }
  const bytes = new Uint8Array(signOrder(draft, by))
  const headers = { 'content-type': 'application/octet-stream' }
  const answer = await fetch(url('/api/alarm-orders'), { method: 'POST', body: new Blob([bytes]), headers })
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> }
}

const running = new Map<string, Running>()
t.before(async () => {
  await startCollector()
  for (const { agent } of agents) running.set(agent, await runAgent(agent))
})
t.teardown(async () => {
  for (const one of running.values()) one.stop()
  await collector.stop()
  await server.close()
  rmSync(folder, { recursive: true, force: true })
})

// verifies SE-36
t.test(
  'an agent that falls silent is told, told to the next if nobody acknowledges, and acknowledged by a person',
  async (t) => {
    await server.count('/beat', 2)
    t.match(await getAlarms(), { counts: { open: 0, unacked: 0, critical: 0 }, heartbeat: { outcome: 'sent' } })
    running.get('bench-1')!.stop()
    const [first] = await server.count('/ops', 1)
    t.match(first, {
      id: 'alarm:/bench-1:silent/1/0/ops',
      body: { rig: 'fleet', title: 'CRITICAL: nothing is heard of bench-1' },
    })
    const [second] = await server.count('/boss', 1)
    t.match(second, { id: 'alarm:/bench-1:silent/1/1/boss', body: { title: /nobody has acknowledged it/ } })
    t.ok(second!.atMs - first!.atMs > 500, 'it waited for somebody')
    const seen = { subject: 'bench-1:silent', value: '1/CRITICAL' }
    t.match(await order(seen, generateSigner().signer), { status: 422, body: { code: 'ORDER_REFUSED' } })
    t.match(await order({ ...seen, value: '2/CRITICAL' }), {
      status: 409,
      body: { context: { reasons: 'occurrence_moved_on' } },
    })
    t.match(await order({ ...seen, agent: 'bench-1' }), { status: 422, body: { context: { reason: 'other_agent' } } })
    const listed = await hb('list')
    t.match(listed, /-\s+bench-1:silent\s+1\/CRITICAL\s+UNACK .*nothing is heard of bench-1/)
    const signed = ['--key', 'ada.key', '--reason', 'looked at it']
    t.match(
      await hb('ack', seen.subject, seen.value, ...signed),
      /bench-1:silent is acknowledged\n\(keys distinct, persons/,
    )
    t.match(await order(seen), { status: 409, body: { context: { reasons: 'nothing_to_ack' } } })
    t.match(await ofSite(''), [{ id: 'bench-1:silent', state: 'ACKED', acked_by: 'ada' }])
    const { lines } = (await (await fetch(url('/api/alarm-history?limit=9'))).json()) as { lines: { kind: string }[] }
    const acked = lines.find(({ kind }) => kind === 'acked')
    t.match(acked, { alarm: 'bench-1:silent', text: 'by ada', signed: true, occurrence: 1 })
  },
)

t.test(
  'three agents of one site that are cut off together are one notice, and a restart does not repeat it',
  async (t) => {
    const before = server.came.filter(({ path }) => path === '/ops').length
    for (const agent of RACKS) running.get(agent)!.stop()
    const ops = await server.count('/ops', before + 1)
    t.match(ops.at(-1), { body: { rig: 'north', title: 'CRITICAL: agents of north fell silent together' } })
    for (let tries = 0; tries < 80 && (await ofSite('north')).length < RACKS.length + 2; tries += 1) await sleep(50)
    const held = (await ofSite('north')).map(({ id, suppressed_by: by }) => `${id} ${by}`)
    t.same(held.toSorted(), [
      'quorum under:silent',
      ...RACKS.map((agent) => `${agent}:silent under:silent`),
      'silent null',
    ])
    await server.count('/boss', 2)
    await collector.stop()
    await startCollector()
    await sleep(1300)
    t.equal(server.came.filter(({ path }) => path === '/ops').length, before + 1, 'nobody is told again')
    t.match(await ofSite(''), [{ id: 'bench-1:silent', state: 'ACKED', acked_by: 'ada' }])
    t.match(await getAlarms(), { counts: { unacked: 1 }, sites: [{}, { site: 'north', silent: RACKS }] })
    for (const agent of RACKS) running.set(agent, await runAgent(agent))
    const isOver = async (): Promise<boolean> =>
      (await ofSite('north')).map(({ id, state }) => `${id} ${state}`).join() === 'silent RTN_UNACK'
    for (let tries = 0; tries < 80 && !(await isOver()); tries += 1) await sleep(100)
    t.match(await ofSite('north'), [{ id: 'silent', state: 'RTN_UNACK' }])
  },
)

t.test('an alarm is taken out of service by two people, and nothing else is ordered here', async (t) => {
  const out = { kind: 'alarm_out', subject: 'rack-1:clock', rig: 'north' } as const
  const { status, body } = await order(out)
  t.match({ status, body }, { status: 200, body: { state: 'waits', by: ['ada'], site: 'north' } })
  t.match(await getAlarms(), { waiting: [{ alarm: 'rack-1:clock', kind: 'alarm_out', by: 'ada' }] })
  const confirm = { kind: 'confirm', subject: String(body['order']), rig: 'north' } as const
  t.match(await order(confirm), { status: 422, body: { context: { reason: 'same_person' } } })
  t.match(await order(confirm, ben.signer), { status: 200, body: { state: 'done', by: ['ada', 'ben'] } })
  const found = (await ofSite('north')).find(({ id }) => id === 'rack-1:clock')
  t.match(found, { state: 'OUT_OF_SERVICE', out_of_service: 'known' })
  t.match(await order({ kind: 'disarm', rig: 'north' }), {
    status: 422,
    body: { context: { reason: 'not_taken_here' } },
  })
  t.match(await order({ ...out, kind: 'alarm_in', rig: 'south' }), {
    status: 409,
    body: { context: { reasons: 'unknown_site' } },
  })
  t.match(await order({ ...out, kind: 'alarm_in' }), { status: 200 })
})

t.test('the heartbeat stops while nothing can be written, and goes on when it can', async (t) => {
  await server.count('/beat', 1)
  const other = new sqlite3.Database(join(folder, 'data', 'collector.sqlite'))
  const run = (sql: string): Promise<void> =>
    new Promise((done, fail) => other.exec(sql, (error) => (error === null ? done() : fail(error))))
  await run('BEGIN IMMEDIATE')
  await sleep(300)
  const beats = (): number => server.came.filter(({ path }) => path === '/beat').length
  const before = beats()
  await sleep(1000)
  t.equal(beats(), before, 'nobody outside hears a collector that cannot write')
  t.match(await getAlarms(), { heartbeat: { outcome: 'withheld' } })
  await run('ROLLBACK')
  other.close()
  await server.count('/beat', before + 1)
  t.match((await getAlarms()).heartbeat, { outcome: 'sent' })
  t.ok(
    logged.some((line) => line.includes('"event":"heartbeat"') && line.includes('withheld')),
    'the log says so',
  )
  const metrics = await (await fetch(url('/metrics'))).text()
  t.match(metrics, /hb_collector_heartbeats_total\{outcome="withheld"\} [1-9]/)
  t.match(metrics, /hb_collector_alarm_notices_total\{target="ops",outcome="told"\} \d/)
})
