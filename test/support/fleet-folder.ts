import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createDevCa, issueCertificate } from '../../shared/crypto/certificates.ts'
import { generateSigner } from '../../shared/crypto/sign.ts'
import { freePort } from './bench-folder.ts'
import { privatePem } from './certified-baselines.ts'
import { OPERATOR_LINES, PEOPLE, publicPem } from './operator-keys.ts'
import { serverCertificate } from './server-certificate.ts'

/** Agents of {@link createFleetFolder}, in the order of a rollout. */
export const FLEET_NAMES = ['bench-1', 'bench-2', 'rack-3'] as const

export type FleetFolder = Readonly<{
  path: string
  operators: string
  /** The same configurations beside those in use, to be changed and signed, with this limit of the load. */
  desk(failMax: number): void
  remove(): void
}>

const OWN = ['runtime.yaml', 'agent.pem', 'agent.key', 'sign.pem']

const registry = (failMax: number): string =>
  `version: "1.0"\nmetrics:\n  load_1m: { unit: "1", nominal_rate_hz: 10, baseline_required: false, fail_max: ${failMax} }\n`

/** A folder with a collector and three agents, each with a folder of its own and a registry that all of them share. */
export async function createFleetFolder(): Promise<FleetFolder> {
  const path = mkdtempSync(join(tmpdir(), 'hb-fleet-'))
  const write = (name: string, text: string): void => writeFileSync(join(path, name), text, { mode: 0o600 })
  const [agentsPort, operatorsPort] = [await freePort(), await freePort()]
  const ca = createDevCa()
  const server = serverCertificate(ca)
  const receipts = generateSigner()
  write('ca.pem', ca.certPem)
  write('collector.pem', server.certPem)
  write('collector.key', server.keyPem)
  write('receipts.pem', receipts.privatePem)
  write('receipts.pub.pem', receipts.publicPem)
  write('load.registry.yaml', registry(100_000))
  for (const name of PEOPLE) {
    write(`${name}.pub`, publicPem(name))
    write(`${name}.key`, privatePem(name))
  }
  const people = OPERATOR_LINES.replaceAll('public_key_file: ', 'public_key_file: ../')
  for (const agent of FLEET_NAMES) {
    mkdirSync(join(path, agent))
    const subjectUri = `spiffe://demo/agent/${agent}`
    const made = issueCertificate({ ca, subjectUri, dnsNames: [], ipAddresses: [], use: 'client', days: 1 })
    const signing = generateSigner()
    write(`${agent}/agent.pem`, made.certPem)
    write(`${agent}/agent.key`, made.keyPem)
    write(`${agent}/sign.pem`, signing.privatePem)
    write(`${agent}/sign.pub.pem`, signing.publicPem)
    write(`${agent}/runtime.yaml`, runtimeOf(agent, agentsPort, people))
  }
  write('collector.yaml', collectorOf(agentsPort, operatorsPort))
  return {
    path,
    operators: `http://127.0.0.1:${operatorsPort}`,
    desk(failMax) {
      const shared = ['ca.pem', 'receipts.pub.pem', ...PEOPLE.map((name) => `${name}.pub`)]
      const own = FLEET_NAMES.flatMap((agent) => OWN.map((name) => `${agent}/${name}`))
      for (const agent of FLEET_NAMES) mkdirSync(join(path, 'desk', agent), { recursive: true })
      for (const name of [...shared, ...own]) copyFileSync(join(path, name), join(path, 'desk', name))
      write('desk/load.registry.yaml', registry(failMax))
    },
    remove: () => rmSync(path, { recursive: true, force: true }),
  }
}

function collectorOf(agentsPort: number, operatorsPort: number): string {
  const agents = FLEET_NAMES.map((a) => `  - { agent: ${a}, public_key_file: ${a}/sign.pub.pem, programs: [demo] }\n`)
  return `version: 1
deployment: demo
signing_key_file: receipts.pem
data_dir: collector-data
verify_workers: 1
agents_listen: { host: 127.0.0.1, port: ${agentsPort} }
tls: { ca_file: ca.pem, cert_file: collector.pem, key_file: collector.key }
operators_listen: { port: ${operatorsPort} }
agents:
${agents.join('')}${OPERATOR_LINES}`
}

function runtimeOf(agent: string, port: number, people: string): string {
  return `version: 1
deployment: demo
agent: ${agent}
clock: system
signing_key_file: sign.pem
collector: { url: "wss://127.0.0.1:${port}/agent", ca_file: ../ca.pem, cert_file: agent.pem, key_file: agent.key, collector_key_file: ../receipts.pub.pem }
decisions: { batch_ms: 200 }
${people}rigs:
  - rig: host-of-${agent}
    program: demo
    registry_file: ../load.registry.yaml
    slide_ms: 200
    windows_ms: [1000]
    sources:
      - { name: proc, type: host, every_ms: 100 }
`
}
