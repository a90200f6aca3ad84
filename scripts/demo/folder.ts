import { copyFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { createDevCa, issueCertificate } from '../../shared/crypto/certificates.ts'
import { generateSigner } from '../../shared/crypto/sign.ts'
import { agentUri, collectorUri } from '../../shared/model/realm.ts'
import { ROOT } from '../sources.ts'
import { writeOperators } from './operators.ts'
import type { Hb } from './processes.ts'

const DEPLOYMENT = 'demo'
/** Throw-away certificates outlive a long look at the demo. */
const CERTIFICATE_DAYS = 2
const WATER_LOOP_RATE_HZ = 100

export type DemoAgent = 'bench-1' | 'host-1' | 'recorded-1'
export type DemoFolder = Readonly<{
  path: string
  /** What the programs of the demo are started as. */
  hb: Hb
  /** The operators that the agent of the water loop trusts, as its configuration says it. */
  trusted: string
  ports: Readonly<{ agents: number; operators: number; rig: number; health: Readonly<Record<DemoAgent, number>> }>
}>

/** Makes the folder of a demo anew: throw-away keys and certificates, registries, and every configuration but the rigs' baselines. */
export async function makeFolder(enrolled: readonly DemoAgent[], hb: Hb): Promise<DemoFolder> {
  const path = join(ROOT, '.demo')
  rmSync(path, { recursive: true, force: true })
  mkdirSync(path, { mode: 0o700 })
  const [agents, operators, rig, bench, host, recorded] = await freePorts([7443, 7444, 7445, 9464, 9465, 9466])
  const folder = {
    path,
    hb,
    trusted: writeOperators(path, 'production'),
    ports: {
      agents: agents!,
      operators: operators!,
      rig: rig!,
      health: { 'bench-1': bench!, 'host-1': host!, 'recorded-1': recorded! },
    },
  }
  for (const name of ['water-loop', 'host', 'skab'])
    copyFileSync(join(ROOT, 'hil-testbed', 'rigs', `${name}.registry.yaml`), join(path, `${name}.registry.yaml`))
  writeKeys(folder, enrolled)
  return folder
}

function writeKeys({ path, ports }: DemoFolder, agents: readonly DemoAgent[]): void {
  const put = (name: string, text: string, mode = 0o600): void => writeFileSync(join(path, name), text, { mode })
  const ca = createDevCa()
  const names = { dnsNames: ['localhost'], ipAddresses: ['127.0.0.1'], days: CERTIFICATE_DAYS }
  const server = issueCertificate({ ca, subjectUri: collectorUri(DEPLOYMENT, 'production'), use: 'server', ...names })
  const receipts = generateSigner()
  put('ca.pem', ca.certPem, 0o644)
  put('collector.pem', server.certPem, 0o644)
  put('collector.key', server.keyPem)
  put('receipts.pem', receipts.privatePem)
  put('receipts.pub.pem', receipts.publicPem, 0o644)
  for (const agent of agents) {
    const signing = generateSigner()
    const client = issueCertificate({
      ca,
      subjectUri: agentUri(DEPLOYMENT, agent, 'production'),
      use: 'client',
      dnsNames: [],
      ipAddresses: [],
      days: CERTIFICATE_DAYS,
    })
    put(`${agent}.sign.pem`, signing.privatePem)
    put(`${agent}.sign.pub.pem`, signing.publicPem, 0o644)
    put(`${agent}.pem`, client.certPem, 0o644)
    put(`${agent}.key`, client.keyPem)
  }
  put(
    'collector.yaml',
    `version: 1
deployment: ${DEPLOYMENT}
signing_key_file: receipts.pem
data_dir: collector-data
agents_listen: { host: 127.0.0.1, port: ${ports.agents} }
tls: { ca_file: ca.pem, cert_file: collector.pem, key_file: collector.key }
operators_listen: { host: 127.0.0.1, port: ${ports.operators} }
alarms: { certificate_warn_days: 0, certificate_critical_days: 0 }
agents:
${agents.map((a) => `  - { agent: ${a}, public_key_file: ${a}.sign.pub.pem, programs: [demo] }`).join('\n')}
`,
  )
}

/** Configuration of an agent of the demo; `clock` and rigs are all that differs. */
export function agentYaml(
  { ports, trusted }: DemoFolder,
  agent: DemoAgent,
  { clock, rigs, uplink = true }: { clock: 'system' | 'recording'; rigs: string; uplink?: boolean },
): string {
  const collector = `collector:
  url: wss://127.0.0.1:${ports.agents}/agent
  ca_file: ca.pem
  cert_file: ${agent}.pem
  key_file: ${agent}.key
  collector_key_file: receipts.pub.pem
health: { port: ${ports.health[agent]} }
`
  return `version: 1
deployment: ${DEPLOYMENT}
agent: ${agent}
clock: ${clock}
signing_key_file: ${agent}.sign.pem
${uplink ? collector : ''}${agent === 'bench-1' ? trusted : ''}decisions: { batch_ms: 500 }
rigs:
${rigs}`
}

export type RigLines = Readonly<{
  rig: string
  registry: string
  source: string
  baseline?: string
  slideMs?: number
  detectorStepMs?: number
  windowsMs?: string
}>

export function rigYaml({ rig, registry, source, baseline, slideMs, detectorStepMs, windowsMs }: RigLines): string {
  const lines = [
    `  - rig: ${rig}`,
    '    program: demo',
    `    registry_file: ${registry}.registry.yaml`,
    ...(baseline === undefined ? [] : [`    baseline_file: ${baseline}`]),
    ...(slideMs === undefined ? [] : [`    slide_ms: ${slideMs}`]),
    ...(detectorStepMs === undefined ? [] : [`    detector_step_ms: ${detectorStepMs}`]),
    ...(windowsMs === undefined ? [] : [`    windows_ms: ${windowsMs}`]),
    '    sources:',
    `      - ${source}`,
    '',
  ]
  return lines.join('\n')
}

const HOUR_MS = 3_600_000

/**
 * When a nominal recording began, UTC. Not long ago: what was measured long ago has decayed. From a whole hour on, so that steps
 * and segments fall the same every time: what the detectors learn from the same noise is then the same, and with it whether they
 * are right.
 */
export function nominalStart(): string {
  return new Date((Math.floor(Date.now() / HOUR_MS) - 1) * HOUR_MS).toISOString()
}

export const WATER_LOOP = {
  rateHz: WATER_LOOP_RATE_HZ,
  /** The recording and the live loop have other noise: a baseline must hold for what it has not seen. */
  baselineSeed: 11,
  liveSeed: 12,
  /** Twenty segments of four hundred detector steps: enough to be as sure as a shutdown needs. */
  baselineSeconds: 2000,
} as const

/** The usual ports where they are free, others where they are not. */
export async function freePorts(wanted: readonly number[]): Promise<number[]> {
  const ports: number[] = []
  for (const port of wanted) ports.push((await tryPort(port)) ?? (await tryPort(0))!)
  return ports
}

function tryPort(port: number): Promise<number | null> {
  return new Promise((resolve) => {
    const server = createServer()
    server.on('error', () => resolve(null))
    server.listen(port, '127.0.0.1', () => {
      const found = (server.address() as { port: number }).port
      server.close(() => resolve(found))
    })
  })
}
