import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { createDevCa, issueCertificate } from '../../shared/crypto/certificates.ts'
import { invariant } from '../../shared/lib/assert.ts'
import { agentUri, collectorUri } from '../../shared/model/realm.ts'
import { AGENT, DEPLOYMENT, PROGRAM } from './agent-folder.ts'
import { type Hb, Program, runHb } from './agent-process.ts'
import type { HostTime } from './host-time.ts'
import { benchKey } from './keys.ts'
import { LinkProxy } from './link-proxy.ts'
import type { Papers, RogueCollector } from './rogue-collector.ts'

const DAYS = 2
/** After a run, what is signed may take so long to be receipted. */
const SETTLE_MS = 15_000
const LOOK_MS = 100

/** What the collector of a run came to have. */
export type Collected = Readonly<{ decisions: number; missing: number; duplicate: number }>

type Head = Readonly<{ next_seq: number; batch_seq: number }>

/** A real collector beside a run, with a link to it that can be broken. */
export class CollectorSide {
  readonly proxy: LinkProxy
  private readonly path: string
  private readonly log: string
  private readonly hb: Hb
  private readonly host: HostTime
  private readonly wantedPort: number
  private program: Program | null = null
  private made: Papers | null = null
  /** Stands in its place while it is there. */
  private rogue: RogueCollector | null = null
  agentsPort = 0
  private operators = ''

  /** Makes its folder with keys and certificates of the bench; the agent's parts go into its own. */
  constructor(
    options: Readonly<{
      path: string
      log: string
      hb: Hb
      host: HostTime
      /** Where its agents come to unless somebody else listens there. */
      port: number
    }>,
  ) {
    this.path = options.path
    this.log = options.log
    this.hb = options.hb
    this.host = options.host
    this.wantedPort = options.port
    this.proxy = new LinkProxy(() => this.rogue?.port ?? this.agentsPort, options.host)
    mkdirSync(this.path, { mode: 0o700 })
  }

  /** Starts it, puts into the agent's folder what that needs, and says how it is reached. */
  async start(agentPath: string, rig: string): Promise<Readonly<Record<string, unknown>>> {
    const put = (folder: string, name: string, text: string): void =>
      writeFileSync(join(folder, name), text, { mode: 0o600 })
    const ca = createDevCa()
    const issue = (subjectUri: string, use: 'server' | 'client') =>
      issueCertificate({ ca, subjectUri, use, dnsNames: ['localhost'], ipAddresses: ['127.0.0.1'], days: DAYS })
    const server = issue(collectorUri(DEPLOYMENT, 'testbed'), 'server')
    const client = issue(agentUri(DEPLOYMENT, AGENT, 'testbed'), 'client')
    const receipts = benchKey('receipts')
    this.made = { ca, server, client, receiptsPem: receipts.privatePem }
    put(this.path, 'ca.pem', ca.certPem)
    put(this.path, 'server.pem', server.certPem)
    put(this.path, 'server.key', server.keyPem)
    put(this.path, 'receipts.pem', receipts.privatePem)
    put(this.path, 'agent.pub.pem', benchKey('agent', rig).publicPem)
    put(agentPath, 'ca.pem', ca.certPem)
    put(agentPath, 'client.pem', client.certPem)
    put(agentPath, 'client.key', client.keyPem)
    put(agentPath, 'receipts.pub.pem', receipts.publicPem)
    put(
      this.path,
      'collector.yaml',
      stringify({
        version: 1,
        ...{ deployment: DEPLOYMENT, realm: 'testbed', signing_key_file: 'receipts.pem', data_dir: 'data' },
        agents_listen: { port: 0 },
        operators_listen: { port: 0 },
        tls: { ca_file: 'ca.pem', cert_file: 'server.pem', key_file: 'server.key' },
        agents: [{ agent: AGENT, public_key_file: 'agent.pub.pem', programs: [PROGRAM] }],
        verify_workers: 1,
      }),
    )
    await this.proxy.start(this.wantedPort)
    await this.up()
    return {
      url: `wss://127.0.0.1:${this.proxy.port}/agent`,
      ...{ ca_file: 'ca.pem', cert_file: 'client.pem', key_file: 'client.key', collector_key_file: 'receipts.pub.pem' },
    }
  }

  /** Does nothing while it is there: two faults may both bring it back. */
  async up(): Promise<void> {
    if (this.program?.running === true) return
    const args = ['collector', '--config', 'collector.yaml']
    this.program = new Program('collector', args, { cwd: this.path, log: this.log, hb: this.hb, host: this.host })
    const started = await this.program.event('collector_started', this.host.startMs)
    this.agentsPort = Number(new URL(String(started['agents'])).port)
    this.operators = String(started['operators'])
  }

  /** What it and its agent know each other by; there from its start on. */
  get papers(): Papers {
    invariant(this.made !== null, 'a fault begins after the start')
    return this.made
  }

  /** Another one takes its place for every agent; it is still there itself, and knows nothing of it. */
  async giveWay(rogue: RogueCollector): Promise<void> {
    await rogue.start()
    await this.rogue?.stop()
    this.rogue = rogue
    this.proxy.reconnect()
  }

  /** Ends one that took its place, also when yet another has taken that since. */
  async takeBack(rogue: RogueCollector | null): Promise<void> {
    if (this.rogue === rogue) this.rogue = null
    await rogue?.stop()
  }

  /** Begins again under another authority: the certificate of the agent counts no more. */
  async distrust(): Promise<void> {
    await this.beginAgain(createDevCa().certPem)
  }

  async trustAgain(): Promise<void> {
    await this.beginAgain(this.papers.ca.certPem)
  }

  /** Certificates that it has turned away since it began. */
  get certificatesRefused(): number {
    const refusals = (this.program?.said ?? []).filter(
      (line) => line['event'] === 'refused' && line['code'] === 'AGENT_CERTIFICATE',
    )
    return refusals.reduce((sum, line) => sum + Number(line['times']), 0)
  }

  /** Whether it has stored the batch with that number, and all before it; one that is down says nothing. */
  async hasBatch(seq: number): Promise<boolean> {
    return this.program?.running === true && ((await this.head())?.batch_seq ?? 0) >= seq
  }

  private async beginAgain(caPem: string): Promise<void> {
    this.proxy.cut()
    await this.down()
    writeFileSync(join(this.path, 'ca.pem'), caPem, { mode: 0o600 })
    await this.up()
    this.proxy.mend()
  }

  async down(): Promise<void> {
    await this.program?.kill()
  }

  /** Waits until it has what the agent signed, as far as it ever will, and proves what is stored. */
  async collected(decisions: number): Promise<Collected> {
    let next = 1
    for (let waitedMs = 0; waitedMs < SETTLE_MS && next <= decisions; waitedMs += LOOK_MS) {
      next = (await this.head())?.next_seq ?? 1
      if (next <= decisions) await this.host.sleep(LOOK_MS)
    }
    const text = await runHb(['collector', 'fsck', '--config', 'collector.yaml', '--json'], {
      ...{ cwd: this.path, hb: this.hb, codes: [0, 65] },
    })
    const { found } = JSON.parse(text) as { found: number }
    return { decisions: next - 1, missing: Math.max(0, decisions - (next - 1)), duplicate: found }
  }

  async stop(): Promise<void> {
    await this.takeBack(this.rogue)
    await this.program?.stop()
    await this.proxy.stop()
  }

  get tail(): readonly string[] {
    return this.program?.tail ?? []
  }

  private async head(): Promise<Head | null> {
    const response = await fetch(new URL('api/agents', this.operators))
    const { agents } = (await response.json()) as {
      agents: readonly Readonly<{ agent: string; head: Head | null }>[]
    }
    return agents.find(({ agent }) => agent === AGENT)?.head ?? null
  }
}
