import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import t from 'tap'
import { createUplink, type Uplink } from '../../agent/adapters/ws-uplink.ts'
import { rssOf } from '../../scripts/bench/agent.ts'
import { BUNDLE, killAll, type Program, startHb } from '../../scripts/demo/processes.ts'
import { createDevCa, issueCertificate } from '../../shared/crypto/certificates.ts'
import { generateSigner, readPublicKey } from '../../shared/crypto/sign.ts'
import { systemClock } from '../../shared/lib/clock.ts'
import { noBaseline, noBundles } from '../support/agent-double.ts'
import { createBenchFolder } from '../support/bench-folder.ts'
import { type FilledOutbox, filledOutbox } from '../support/filled-outbox.ts'
import { serverCertificate } from '../support/server-certificate.ts'

t.setTimeout(0)

const AGENTS = 200
/** Of each agent: what waits when they come first, and what it makes while the collector is dead. */
const BATCHES_BEFORE = 20
const BATCHES_AWAY = 5
const BATCHES = BATCHES_BEFORE + BATCHES_AWAY
const AWAY_MS = 3_000
const DRAINED_MS = 180_000
/** What may come at once without anybody being turned away: connections that are no session yet. */
const RSS_MAX_MB = 700

const clock = systemClock()
const folder = await createBenchFolder()
const at = (name: string): string => join(folder.path, name)
t.teardown(() => {
  killAll()
  folder.remove()
})

type Simulated = FilledOutbox &
  Readonly<{
    uplink: Uplink
    connectedMs: number[]
    trouble: string[]
  }>

const ca = createDevCa()
const receipts = generateSigner()
/** Asked at every receipt. */
let onReceipt = (): void => undefined

/** One agent without a rig: its own key, its own certificate, an outbox on disk, and the agent's own uplink. */
async function simulated(name: string): Promise<Simulated & { publicPem: string }> {
  const { signer, publicPem } = generateSigner()
  const { certPem, keyPem } = issueCertificate({
    ca,
    subjectUri: `spiffe://demo/agent/${name}`,
    dnsNames: [],
    ipAddresses: [],
    use: 'client',
    days: 1,
  })
  const { outbox, add } = await filledOutbox(at(name), { agent: name, signer, batches: BATCHES_BEFORE })
  const connectedMs: number[] = []
  const trouble: string[] = []
  const uplink = createUplink({
    url: `wss://127.0.0.1:${folder.ports.agents}/agent`,
    tls: { ca: ca.certPem, cert: certPem, key: keyPem },
    realm: 'production',
    collectorKey: readPublicKey(receipts.publicPem),
    hello: () => ({
      t: 'hello',
      v: 1,
      agent: name,
      deployment: 'demo',
      epoch: 1,
      spki: signer.spki,
      boot_id: 'b',
      version: '0',
      programs: ['demo'],
      rigs: [{ rig: 'water-loop', program: 'demo' }],
    }),
    renewChain: async () => false,
    outbox,
    clock,
    random: Math.random,
    ...noBundles,
    baseline: noBaseline,
    slice: async ({ id, rig }) => ({ t: 'slice', id, ok: false, rig, channels: [], reason: 'none' }),
    events: {
      connected: () => void connectedMs.push(performance.now()),
      lost: () => undefined,
      refused: ({ code }) => void trouble.push(code),
      downlinkRefused: ({ code }) => void trouble.push(code),
      badReceipt: (_seq, reason) => void trouble.push(reason),
      receipted: () => onReceipt(),
      failed: (error) => void trouble.push(String(error)),
    },
  })
  return { uplink, outbox, connectedMs, trouble, add, publicPem }
}

async function enrolAll(): Promise<Simulated[]> {
  const agents: Simulated[] = []
  const lines: string[] = []
  for (let k = 0; k < AGENTS; k += 1) {
    const name = `sim-${k}`
    const agent = await simulated(name)
    folder.write(`${name}.pub.pem`, agent.publicPem)
    lines.push(`  - { agent: ${name}, public_key_file: ${name}.pub.pem, programs: [demo] }`)
    agents.push(agent)
  }
  const server = serverCertificate(ca)
  folder.write('ca.pem', ca.certPem)
  folder.write('collector.pem', server.certPem)
  folder.write('collector.key', server.keyPem)
  folder.write('receipts.pem', receipts.privatePem)
  folder.write(
    'collector.yaml',
    `version: 1
deployment: demo
signing_key_file: receipts.pem
data_dir: collector-data
agents_listen: { port: ${folder.ports.agents} }
tls: { ca_file: ca.pem, cert_file: collector.pem, key_file: collector.key }
operators_listen: { port: ${folder.ports.operators} }
agents:
${lines.join('\n')}
`,
  )
  return agents
}

async function startCollector(): Promise<Program> {
  const program = startHb('collector', ['collector', '--config', 'collector.yaml'], { folder: folder.path })
  await program.event('collector_started')
  return program
}

t.test(`${AGENTS} agents come at once, and again after the collector was killed in the middle of it`, async (t) => {
  const agents = await enrolAll()
  let collector = await startCollector()
  const waiting = (): number => agents.reduce((sum, { outbox }) => sum + outbox.pending().batches, 0)
  let receipted = 0
  // From the receipt itself: by the next turn of a timer a fast collector may have been through with everything.
  const halfway = new Promise<void>((resolve) => {
    onReceipt = () => {
      receipted += 1
      if (receipted !== (AGENTS * BATCHES_BEFORE) / 2) return
      process.kill(collector.pid, 'SIGKILL')
      resolve()
    }
  })
  for (const { uplink } of agents) uplink.start()
  await halfway
  await collector.exited
  for (const { uplink, add } of agents) {
    for (let k = 0; k < BATCHES_AWAY; k += 1) await add()
    uplink.notify()
  }
  const left = waiting()
  t.ok(left >= AGENTS * BATCHES_AWAY, `${left} batches were on their way, waiting, or made while it was dead`)
  await clock.sleep(AWAY_MS)
  const startMs = performance.now()
  collector = await startCollector()
  let rssMb = 0
  // An agent that had everything receipted before the kill has nothing waiting, and still has to come back.
  const away = (): number => agents.filter(({ connectedMs }) => connectedMs.at(-1)! < startMs - AWAY_MS).length
  while ((waiting() > 0 || away() > 0) && performance.now() - startMs < DRAINED_MS) {
    await clock.sleep(100)
    rssMb = Math.max(rssMb, rssOf(collector.pid))
  }
  const drainedMs = performance.now() - startMs
  const back = agents.map(({ connectedMs }) => connectedMs.at(-1)! - startMs).sort((a, b) => a - b)
  const busiest = Math.max(...back.map((from) => back.filter((ms) => ms >= from && ms < from + 1000).length))
  t.equal(waiting(), 0, `all of it has its receipt, ${(drainedMs / 1000).toFixed(1)} s after the collector came back`)
  t.same(
    agents.flatMap(({ trouble }) => trouble),
    [],
    'nobody was refused, no receipt was wrong',
  )
  t.equal(away(), 0, 'every agent came back')
  t.ok(rssMb < RSS_MAX_MB, `the collector needed ${rssMb.toFixed(0)} MB at most`)
  await Promise.all(agents.map(({ uplink }) => uplink.stop()))
  t.equal(await collector.stop(), 0)
  const hb = [...BUNDLE.before, 'collector', 'fsck', '--config', 'collector.yaml', '--json']
  const { stdout } = spawnSync(process.execPath, hb, { cwd: folder.path, encoding: 'utf8', maxBuffer: 64_000_000 })
  t.match(JSON.parse(stdout), { ok: true, found: 0, batches: AGENTS * BATCHES }, 'every batch is there, once')
  t.comment(
    `counted: storm of agents | ${AGENTS} | all back within ${(back.at(-1)! / 1000).toFixed(1)} s, at most ${busiest} in one second; ${left} batches drained after ${(drainedMs / 1000).toFixed(1)} s, ${rssMb.toFixed(0)} MB`,
  )
})
