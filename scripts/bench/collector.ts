import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { generateSigner, type Signer } from '../../shared/crypto/sign.ts'
import {
  type AgentDouble,
  connectAgent,
  createBatchMaker,
  type LinkTls,
  type MadeBatch,
} from '../../test/support/agent-double.ts'
import { freePort } from '../../test/support/bench-folder.ts'
import { createCollectorFolder } from '../../test/support/collector-folder.ts'
import { startHb } from '../demo/processes.ts'
import { rssOf, sleep } from './agent.ts'
import type { Measure, Setting } from './measure.ts'

const AGENTS = 200
/** Of each agent: one batch a second with this many decisions, a tenth of them full records. */
const TENS_PER_BATCH = 5
const DECISIONS_PER_BATCH = 10 * TENS_PER_BATCH
const CONNECTS_AT_ONCE = 10
/** Batches of one agent on the way while the collector is asked for all it has. */
const ON_THE_WAY = 4

/** A collector process with two hundred agents of one connection each, played by this process. */
export function collector(): Measure[] {
  return [
    {
      names: [
        'collector_decisions_per_s',
        'collector_ack_p50_ms',
        'collector_ack_p99_ms',
        'collector_ack_p999_ms',
        'collector_rss_mb',
      ],
      what: `${AGENTS} agents over mTLS. Acknowledgement: a batch of ${DECISIONS_PER_BATCH} decisions a second from each, from sending to the signed receipt. Then as fast as they are taken, ${ON_THE_WAY} batches of each on the way. Verified, stored, synced`,
      run: runCollector,
    },
  ]
}

async function runCollector({ short, say }: Setting): Promise<Record<string, number>> {
  const fleet = createFleet()
  const port = await freePort()
  fleet.writeConfig(port, await freePort())
  const program = startHb('collector', ['collector', '--config', 'collector.yaml'], { folder: fleet.folder })
  try {
    await program.event('collector_started')
    const agents = await fleet.connect(port)
    say(`${agents.length} agents are connected`)
    const acks = await paced(agents, short ? 5 : 20)
    const at = (q: number) => acks[Math.min(acks.length - 1, Math.floor(q * acks.length))]!
    say(`${acks.length} batches receipted, at worst after ${at(1).toFixed(0)} ms`)
    const rate = await flatOut(agents, short ? 10 : 40)
    return {
      collector_decisions_per_s: rate,
      collector_ack_p50_ms: at(0.5),
      collector_ack_p99_ms: at(0.99),
      collector_ack_p999_ms: at(0.999),
      collector_rss_mb: rssOf(program.pid),
    }
  } finally {
    fleet.close()
    await program.stop()
    rmSync(fleet.folder, { recursive: true, force: true })
  }
}

type BenchLink = { link: AgentDouble; make: () => MadeBatch }

function createFleet() {
  const made = createCollectorFolder()
  const { folder } = made
  const signers = Array.from({ length: AGENTS }, (_, k) => ({ agent: `agent-${k}`, ...generateSigner() }))
  for (const { agent, publicPem } of signers) writeFileSync(join(folder, `${agent}.pub.pem`), publicPem)
  const links: AgentDouble[] = []
  return {
    folder,
    writeConfig(agentsPort: number, operatorsPort: number): void {
      const config = {
        ...made.config,
        agents_listen: { host: '127.0.0.1', port: agentsPort },
        operators_listen: { host: '127.0.0.1', port: operatorsPort },
        agents: signers.map(({ agent }) => ({ agent, public_key_file: `${agent}.pub.pem`, programs: ['demo'] })),
        operators: [],
        governance: { require_approval: true, approvals_required: 1, approvers: [] },
        verify_workers: 0,
      }
      // JSON is YAML.
      writeFileSync(join(folder, 'collector.yaml'), JSON.stringify(config))
    },
    async connect(port: number): Promise<BenchLink[]> {
      const ready: BenchLink[] = []
      for (let k = 0; k < signers.length; k += CONNECTS_AT_ONCE)
        ready.push(
          ...(await Promise.all(
            signers
              .slice(k, k + CONNECTS_AT_ONCE)
              .map(({ agent, signer }) => open(port, made.certificateOf(agent), agent, signer)),
          )),
        )
      links.push(...ready.map(({ link }) => link))
      return ready
    },
    close: () => {
      for (const link of links) link.close()
    },
  }
}

async function open(port: number, tls: LinkTls, agent: string, signer: Signer): Promise<BenchLink> {
  const link = await connectAgent(port, tls)
  link.send({
    t: 'hello',
    v: 1,
    agent,
    deployment: 'demo',
    epoch: 1,
    spki: signer.spki,
    boot_id: 'boot',
    version: '0.1.0',
    programs: ['demo'],
    rigs: [{ rig: agent, program: 'demo' }],
  })
  await link.next('resume')
  const maker = createBatchMaker({ signer, deployment: 'demo', agent, tens: TENS_PER_BATCH })
  return { link, make: () => maker({ rig: agent }) }
}

/** One batch a second from each agent, spread over the second. @returns times to the receipt in ms, sorted */
async function paced(agents: readonly BenchLink[], seconds: number): Promise<number[]> {
  const made = agents.map(({ make }) => Array.from({ length: seconds }, () => make()))
  const acks: number[] = []
  const startMs = performance.now()
  await Promise.all(
    agents.map(async ({ link }, k) => {
      for (const [s, batch] of made[k]!.entries()) {
        await sleep(Math.max(0, startMs + 1000 * (s + k / agents.length) - performance.now()))
        const sentMs = performance.now()
        link.sendBatch(batch)
        await link.next('receipt')
        acks.push(performance.now() - sentMs)
      }
    }),
  )
  return acks.sort((a, b) => a - b)
}

/** Every agent sends as fast as its batches are receipted. @returns decisions a second, receipted */
async function flatOut(agents: readonly BenchLink[], batchesOfEach: number): Promise<number> {
  const made = agents.map(({ make }) => Array.from({ length: batchesOfEach }, () => make()))
  const startMs = performance.now()
  await Promise.all(
    agents.map(async ({ link }, k) => {
      const batches = made[k]!
      for (let sent = 0, receipted = 0; receipted < batches.length; receipted += 1) {
        for (; sent < batches.length && sent < receipted + ON_THE_WAY; sent += 1) link.sendBatch(batches[sent]!)
        await link.next('receipt')
      }
    }),
  )
  return (agents.length * batchesOfEach * DECISIONS_PER_BATCH * 1000) / (performance.now() - startMs)
}
