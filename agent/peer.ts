import { randomInt, randomUUID } from 'node:crypto'
import { resolve } from 'node:path'
import type { LoadedRuntime } from '../shared/config/load.ts'
import type { PeerConfig } from '../shared/config/peer-schema.ts'
import { loadMacKey } from '../shared/crypto/mac.ts'
import { invariant } from '../shared/lib/assert.ts'
import type { Clock } from '../shared/lib/clock.ts'
import type { MetricSource } from '../shared/lib/metrics.ts'
import { createPrng } from '../shared/lib/prng.ts'
import type { Logger } from '../shared/log/logger.ts'
import { plainText } from '../shared/log/plain-text.ts'
import type { Decision } from '../shared/model/decision.ts'
import { PEER_PREFIX } from '../shared/protocol/lockstep.ts'
import { createPeerExecutor, type PeerSinks } from './adapters/peer-executor.ts'
import { PeerSender, type PeerTransport } from './adapters/peer-sender.ts'
import { createPeerWebhook } from './adapters/peer-webhook.ts'
import { createPeerZmq } from './adapters/peer-zmq.ts'
import type { EvaluatorState } from './core/state.ts'
import { createPeerEvents, type PeerEvents } from './peer-events.ts'
import { peerMetrics } from './peer-metrics.ts'
import { PeerAcks } from './pipeline/peer-acks.ts'
import { PeerInbound, type PeerInboundOptions } from './pipeline/peer-inbound.ts'
import type { Sender } from './pipeline/peer-messages.ts'
import { PeerOutlet } from './pipeline/peer-outlet.ts'
import type { AgentClock, Executor, ExecutorAck, OutsideTime } from './ports.ts'
import { readKeyFile } from './receipt-key.ts'

export type PeerOptions = Readonly<{
  loaded: LoadedRuntime
  clock: AgentClock
  logger: Logger
  /** null: time goes on by itself. */
  outside: OutsideTime | null
}>

/** What the peer may do to the agent around it. */
export type PeerAround = Pick<PeerInboundOptions, 'state' | 'nowUs' | 'take' | 'modeChanged'>

/** Random numbers for pauses are drawn from so many. */
const RANDOM_STEPS = 2 ** 30

/** The peer of an agent: what it is told of decisions, the actions it carries out, and what it says. */
export class Peer {
  readonly sender: PeerSender
  inbound: PeerInbound | null = null
  private readonly config: PeerConfig
  private readonly clock: AgentClock
  private readonly systemId: string
  private readonly transport: PeerTransport
  private readonly events: PeerEvents
  private readonly outlet: PeerOutlet
  private readonly acks = new PeerAcks()
  private readonly sinks: PeerSinks = new Map()
  private readonly bootId = randomUUID()
  private messages = 0

  constructor({ loaded, clock, logger, outside }: PeerOptions, config: PeerConfig) {
    this.config = config
    this.clock = clock
    this.systemId = loaded.config.agent
    this.events = createPeerEvents(logger, config.identity)
    this.transport = transportOf(loaded, config, { clock: outside?.host ?? clock, outside })
    // A run that is repeated tries again at the same moments.
    const repeated = outside === null ? null : createPrng(0)
    this.sender = new PeerSender({
      ...{ transport: this.transport, clock, timeoutMs: config.timeout_ms },
      random: () => repeated?.next() ?? randomInt(RANDOM_STEPS) / RANDOM_STEPS,
      up: () => this.isUp(),
      down: (reason) => this.isDown(reason),
    })
    this.outlet = new PeerOutlet({
      healthEveryUs: config.health_every_ms * 1000,
      monotonicUs: () => clock.monotonicUs(),
      sender: this.from,
      offer: (event) => this.sender.offer(event),
    })
  }

  /** A decision was made; whether the peer takes what it is told of it holds nothing up. */
  decided(decision: Decision, { rigs }: Pick<EvaluatorState, 'rigs'>): void {
    const rig = rigs.find(({ settings }) => settings.rig === decision.rig)
    this.outlet.decided(decision, rig?.safety?.kernel.arm.state === 'ARMED')
  }

  executor(target: string): Executor {
    return createPeerExecutor({ target, sender: this.sender, acks: this.acks, sinks: this.sinks, from: this.from })
  }

  /** @throws HbError PORT_TAKEN */
  async start(around: PeerAround): Promise<void> {
    const { clock, events } = this
    const inbound = new PeerInbound({
      ...around,
      ...{ identity: this.config.identity, acks: this.acks },
      wallUs: () => clock.nowUs(),
      monotonicUs: () => clock.monotonicUs(),
      ack: (target, ack) => this.ack(target, ack),
      policyApplied: (note) => events.policyApplied(note),
      refused: (refusal, detail) => events.refused(refusal, plainText(detail)),
    })
    this.inbound = inbound
    const address = await this.transport.start({
      take: (bytes) => inbound.take(bytes),
      refuse: (why) => inbound.refuse(why),
    })
    if (address !== null) events.listening(address)
    this.sender.start()
  }

  async stop(): Promise<void> {
    await this.sender.stop()
    await this.transport.stop()
  }

  /** What `/ready` shows of it: the link, what waits, and the policies that the peer put in force, oldest first. */
  status(): Record<string, unknown> {
    const { breakerState, queue } = this.sender
    const policies = (this.inbound?.policies ?? []).map(({ atUs, ...note }) => ({ ...note, t_us: atUs }))
    return { peer: { identity: this.config.identity, breaker: breakerState, waiting: queue.waiting, policies } }
  }

  metrics(): MetricSource[] {
    return peerMetrics(this)
  }

  private readonly from = (): Sender => {
    this.messages += 1
    return { systemId: this.systemId, messageId: `${this.bootId}-${this.messages}`, nowUs: this.clock.nowUs() }
  }

  private ack(target: string, ack: ExecutorAck): void {
    this.sinks.get(target)?.ack(ack)
  }

  private isUp(): void {
    this.events.up()
    for (const sink of this.sinks.values()) sink.up()
  }

  private isDown(reason: string): void {
    this.events.down(reason)
    for (const sink of this.sinks.values()) sink.down(reason)
  }
}

/** null where the configuration has no peer. @throws HbError KEY_FILE_…, EXECUTOR_KEY for a file that cannot be used */
export function openPeer(options: PeerOptions): Peer | null {
  const { peer } = options.loaded.config
  return peer === undefined ? null : new Peer(options, peer)
}

type Around = Readonly<{ clock: Clock; outside: OutsideTime | null }>

function transportOf({ config, folder }: LoadedRuntime, peer: PeerConfig, { clock, outside }: Around): PeerTransport {
  const key = loadMacKey(resolve(folder, peer.key_file))
  const { zmq, webhook } = peer
  if (zmq !== undefined) {
    const turn = outside?.link(`${PEER_PREFIX}${peer.identity}`)
    return createPeerZmq({ endpoint: zmq.endpoint, agent: config.agent, key, turn })
  }
  invariant(webhook !== undefined, 'a peer has one transport: the configuration was checked')
  const { url, ca_file: file, listen_host: host, listen_port: port } = webhook
  const ca = file === undefined ? null : readKeyFile(resolve(folder, file))
  return createPeerWebhook({ url, secret: key, ca, clock, listen: { host, port } })
}
