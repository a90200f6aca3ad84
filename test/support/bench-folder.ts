import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ROOT } from '../../scripts/sources.ts'
import { createDevCa, issueCertificate } from '../../shared/crypto/certificates.ts'
import { generateSigner } from '../../shared/crypto/sign.ts'
import { agentUri, type Realm } from '../../shared/model/realm.ts'
import { serverCertificate } from './server-certificate.ts'

/** A folder with keys, certificates and registries for one agent `bench-1` and a collector, as an installer would leave it. */
export type BenchFolder = Readonly<{
  path: string
  ports: { agents: number; operators: number; health: number }
  write(name: string, text: string): void
  remove(): void
}>

/** `address`: where the collector listens for agents; `operators`: lines of people it trusts. */
export async function createBenchFolder({
  address = '127.0.0.1',
  operators = '',
  realm = 'production' as Realm,
} = {}): Promise<BenchFolder> {
  const path = mkdtempSync(join(tmpdir(), 'hb-bench-'))
  const write = (name: string, text: string, mode = 0o600): void => writeFileSync(join(path, name), text, { mode })
  const ports = { agents: await freePort(), operators: await freePort(), health: await freePort() }
  mkdirSync(path, { recursive: true })
  for (const rig of ['water-loop', 'host', 'skab'])
    copyFileSync(join(ROOT, 'hil-testbed', 'rigs', `${rig}.registry.yaml`), join(path, `${rig}.registry.yaml`))
  const ca = createDevCa()
  const server = serverCertificate(ca, address, realm)
  const client = issueCertificate({
    ca,
    subjectUri: agentUri('demo', 'bench-1', realm),
    dnsNames: [],
    ipAddresses: [],
    use: 'client',
    days: 1,
  })
  const signing = generateSigner(realm)
  const receipts = generateSigner(realm)
  write('ca.pem', ca.certPem)
  write('collector.pem', server.certPem)
  write('collector.key', server.keyPem)
  write('receipts.pem', receipts.privatePem)
  write('receipts.pub.pem', receipts.publicPem)
  write('agent.pem', client.certPem)
  write('agent.key', client.keyPem)
  write('sign.pem', signing.privatePem)
  write('sign.pub.pem', signing.publicPem)
  write('collector.yaml', `${collectorYaml(ports, address)}realm: ${realm}\n${operators}`)
  return { path, ports, write, remove: () => rmSync(path, { recursive: true, force: true }) }
}

function collectorYaml(ports: BenchFolder['ports'], address: string): string {
  return `version: 1
deployment: demo
signing_key_file: receipts.pem
data_dir: collector-data
agents_listen: { host: ${address}, port: ${ports.agents} }
tls: { ca_file: ca.pem, cert_file: collector.pem, key_file: collector.key }
operators_listen: { port: ${ports.operators} }
agents:
  - { agent: bench-1, public_key_file: sign.pub.pem, programs: [demo] }
`
}

export type RuntimeLines = Readonly<{
  clock: 'system' | 'recording'
  rigs: string
  ports?: BenchFolder['ports']
  extra?: string
}>

/** Text of a runtime.yaml; with `ports` it forwards to the collector and has a health server. */
export function runtimeYaml({ clock, rigs, ports, extra = '' }: RuntimeLines): string {
  const uplink =
    ports === undefined
      ? ''
      : `collector: { url: "wss://127.0.0.1:${ports.agents}/agent", ca_file: ca.pem, cert_file: agent.pem, key_file: agent.key, collector_key_file: receipts.pub.pem }
health: { port: ${ports.health} }
`
  return `version: 1
deployment: demo
agent: bench-1
clock: ${clock}
signing_key_file: sign.pem
${uplink}decisions: { batch_ms: 100 }
checkpoint: { every_ms: 1000 }
${extra}rigs:
${rigs}`
}

/** A water loop read from a recording of the simulator. */
export function recordedLoop({ file = 'loop.csv', more = '', baseline = '' } = {}): string {
  return `  - rig: water-loop
    program: demo
    registry_file: water-loop.registry.yaml
${baseline === '' ? '' : `    baseline_file: ${baseline}\n`}    sources:
      - { name: file, type: csv, file: ${file}, time_column: t_us, speed: max${more} }
`
}

/** This machine's own sensors, judged over ten seconds. */
export function hostRig(everyMs: number): string {
  return `  - rig: this-host
    program: demo
    registry_file: host.registry.yaml
    slide_ms: 250
    windows_ms: [10000]
    sources:
      - { name: proc, type: host, every_ms: ${everyMs} }
`
}

export function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer()
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number }
      server.close(() => resolve(port))
    })
  })
}
