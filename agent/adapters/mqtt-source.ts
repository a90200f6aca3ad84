import { resolve } from 'node:path'
import { sessionKeepMs } from '../../shared/config/mqtt-problems.ts'
import type { MqttSourceConfig } from '../../shared/config/types.ts'
import { readPrivateFile } from '../../shared/crypto/key-file.ts'
import { HbError } from '../../shared/errors/hb-error.ts'
import { createBreaker } from '../../shared/lib/circuit-breaker.ts'
import type { Clock } from '../../shared/lib/clock.ts'
import { createRetrySchedule } from '../../shared/lib/retry-schedule.ts'
import { type BrokerCredentials, clientOptions, openSocket } from '../../shared/mqtt/broker.ts'
import type { MqttClient, MqttConnection, MqttMessage } from '../../shared/mqtt/package.ts'
import type { Micros, Millis } from '../../shared/units.ts'
import type { SourceLink, SourceSink, TelemetrySource } from '../ports.ts'
import { readKeyFile } from '../receipt-key.ts'
import { type Encoded, runsOf } from './encoded.ts'
import { readMessage } from './mqtt-messages.ts'
import { guardStream } from './mqtt-stream.ts'

/** What became of the link to a broker, in words that stand in the log. */
export type BrokerNews = 'connected' | 'lost' | 'refused' | 'retained'

export type MqttSourceOptions = Readonly<{
  agent: string
  rig: string
  config: MqttSourceConfig
  credentials: BrokerCredentials
  clock: Clock
  /** Uniform in [0, 1): spreads the returns of many agents. */
  random(): number
  /** Settles when everything delivered so far would survive a power cut. */
  durable(): Promise<void>
  /** The agent ends, and what was delivered may not be in the journal: nothing is acknowledged then. */
  doubt(): boolean
  news(what: BrokerNews, facts: Readonly<Record<string, string | number | boolean>>): void
}>

/** Delays between tries, and the breaker around the whole link (decisions 27). */
const RETRY = { firstMs: 250, maxMs: 15_000, factor: 2, jitter: 0.5 } as const
const BREAKER = { failures: 8, windowMs: 60_000, openMs: 20_000, jitter: 0.5 } as const
/** A broker that refused needs a person; asking again fast would only fill its log, or lock the user out. */
const REFUSED_RETRY_MS: Millis = 30_000
/** A connection that held as long was a good one: two clients of one name that throw each other out have none. */
const STABLE_MS: Millis = 5000
const GOODBYE_MS: Millis = 500
/** Messages handed on together; as many again may wait meanwhile, then nothing more is read from the broker. */
const MESSAGES_AT_ONCE = 256
const BYTES_AT_ONCE = 1024 * 1024
/** Messages of `qos: 2` are taken before they can be held back: one that sends more than this unacknowledged is cut off. */
const WAITING_MAX = 4 * MESSAGES_AT_ONCE
/** The longest message that may be configured, its topic and its properties. */
const PACKET_BYTES_MAX = 1_048_576 + 131_072
/** Reasons of a broker to say goodbye that pass by themselves: it stops, it is busy, we were silent. */
const PASSING: ReadonlySet<number> = new Set([0x88, 0x89, 0x8b, 0x8d, 0x97])

export function createMqttSource(options: MqttSourceOptions): TelemetrySource {
  return new MqttSource(options)
}

/** @throws HbError KEY_FILE_MISSING, KEY_FILE_OPEN */
export function brokerCredentials(config: MqttSourceConfig, folder: string): BrokerCredentials {
  const read = (file: string | undefined, how: (path: string) => string): string | null =>
    file === undefined ? null : how(resolve(folder, file))
  return {
    user: config.user ?? null,
    password: read(config.password_file, readPrivateFile)?.trim() ?? null,
    ca: read(config.ca_file, readKeyFile),
    cert: read(config.cert_file, readKeyFile),
    key: read(config.key_file, readPrivateFile),
  }
}

/** The name of an agent's source at its broker. */
export function clientIdOf({ agent, rig, config }: Pick<MqttSourceOptions, 'agent' | 'rig' | 'config'>): string {
  return config.client_id ?? `hb-${agent}-${rig}-${config.name}`
}

/**
 * Telemetry from an MQTT broker. One connection after the other; a message with `qos` from 1 is acknowledged when it is
 * in the journal and on the disk, so what an end in between left open comes again, and repeats are found by their
 * content. What a broker retained is not new, and is skipped.
 */
class MqttSource implements TelemetrySource, SourceLink {
  readonly name: string
  readonly counts = { messages: 0, retained: 0, connections: 0 }
  trouble: HbError | null
  private readonly options: MqttSourceOptions
  private readonly retry
  private readonly breaker
  private sink: SourceSink | null = null
  private Client: typeof MqttClient | null = null
  private client: MqttConnection | null = null
  private stopped = false
  private waiting: Encoded[] = []
  private waitingBytes = 0
  private handing: Promise<void> = Promise.resolve()
  private soon: NodeJS.Immediate | null = null
  private lostUs: Micros | null = null
  private said = ''
  /** What the broker kept holds what cannot be taken: the next session is a new one. */
  private forget = false
  private readonly cancels = new Map<'retry' | 'stable', () => void>()

  constructor(options: MqttSourceOptions) {
    this.options = options
    this.name = options.config.name
    this.retry = createRetrySchedule({ ...RETRY, random: options.random })
    this.breaker = createBreaker({ ...BREAKER, random: options.random })
    this.trouble = this.error('MQTT_LOST', 'not connected yet')
  }

  get link(): SourceLink {
    return this
  }

  /** A broker that is not there is waited for. */
  async start(sink: SourceSink): Promise<void> {
    this.sink = sink
    // Read only where it is asked for: most agents have no broker.
    this.Client = (await import('../../shared/mqtt/package.ts')).MqttClient
    this.connect()
  }

  async stop(): Promise<void> {
    this.stopped = true
    for (const cancel of this.cancels.values()) cancel()
    await this.hand()
    const { client } = this
    if (client !== null) {
      const closed = new Promise<void>((resolve) => client.once('close', () => resolve()))
      client.end()
      await Promise.race([closed, this.options.clock.sleep(GOODBYE_MS)])
      client.stream.destroy()
    }
  }

  private connect(): void {
    if (this.stopped || this.Client === null) return
    const { clock, config, credentials } = this.options
    if (!this.breaker.mayTry(clock.monotonicUs())) {
      this.connectLater(this.retry.next())
      return
    }
    const keepMs = this.forget ? 0 : sessionKeepMs(config)
    this.forget = false
    let failure: HbError | null = null
    const fails = (error: HbError): void => {
      failure ??= error
    }
    const socket = openSocket(config.url, credentials)
    const client = new this.Client(
      () =>
        guardStream(socket, {
          beforeSending: () => this.settle(),
          packetBytesMax: PACKET_BYTES_MAX,
          tooLong: (bytes) => {
            this.forget = true
            fails(this.error('MQTT_PACKET', `a packet of ${bytes} bytes, more than ${PACKET_BYTES_MAX}`))
          },
        }),
      clientOptions({
        ...{ clientId: clientIdOf(this.options), protocol: config.protocol, sessionKeepMs: keepMs, ...credentials },
        ...{ packetBytesMax: PACKET_BYTES_MAX, receiveMax: MESSAGES_AT_ONCE },
      }),
    )
    this.client = client
    client.handleMessage = (packet, done) => void this.take(packet).then(() => done(), done)
    // A message of qos 2 is taken when it is published: what only memory knows would be lost with the process.
    client.on('packetreceive', (packet) => {
      if (packet.cmd === 'publish' && packet.qos === 2) this.takeAtOnce(packet, client)
    })
    client.on('connect', (packet) => void this.subscribe(client, packet).catch(fails))
    client.on('disconnect', (packet) => fails(this.goodbye(packet)))
    client.on('error', (error) => fails(this.refusal(error)))
    client.on('close', () => this.closed(client, failure ?? this.error('MQTT_LOST', 'the connection ended')))
  }

  private async subscribe(
    client: MqttConnection,
    { sessionPresent }: Readonly<{ sessionPresent: boolean }>,
  ): Promise<void> {
    const { config, clock } = this.options
    this.counts.connections += 1
    const granted = await client.subscribeAsync([...config.topics], { qos: config.qos }).catch((cause: Error) => {
      client.stream.destroy()
      // Granted or not, the connection may have ended meanwhile.
      throw /Connection closed/.test(cause.message)
        ? this.error('MQTT_LOST', cause.message)
        : this.error('MQTT_SUBSCRIPTION', cause.message)
    })
    const gapMs = this.lostUs === null ? 0 : Math.floor((clock.monotonicUs() - this.lostUs) / 1000)
    this.trouble = null
    this.said = ''
    this.lostUs = null
    this.options.news('connected', {
      broker: config.url,
      // Less than was asked for is less than was meant: it is said.
      qos: Math.min(...granted.map(({ qos }) => qos)),
      session: sessionPresent ? 'kept' : 'new',
      gap_ms: gapMs,
    })
    this.cancels.set(
      'stable',
      clock.after(STABLE_MS, () => {
        this.retry.reset()
        this.breaker.succeeded(clock.monotonicUs())
      }),
    )
  }

  /** Settles when there is room for more. */
  private async take(packet: MqttMessage): Promise<void> {
    if (packet.qos === 2) return
    this.put(packet)
    if (this.waiting.length >= MESSAGES_AT_ONCE || this.waitingBytes >= BYTES_AT_ONCE) await this.hand()
  }

  private takeAtOnce(packet: MqttMessage, client: MqttConnection): void {
    if (this.waiting.length < WAITING_MAX) this.put(packet)
    else client.stream.destroy()
  }

  private put(packet: MqttMessage): void {
    const { counts } = this
    if (packet.retain) {
      counts.retained += 1
      if (counts.retained === 1) this.options.news('retained', { topic: packet.topic })
      return
    }
    counts.messages += 1
    const { rig, config } = this.options
    const payload = typeof packet.payload === 'string' ? Buffer.from(packet.payload) : packet.payload
    const message = readMessage(payload, { rig, config, topic: packet.topic, row: counts.messages })
    this.waiting.push(message)
    this.waitingBytes += message.bytes.length
    this.soon ??= setImmediate(() => void this.hand())
  }

  /** Settles when everything that waits now is journaled, or the journal would not take it. */
  private hand(): Promise<void> {
    this.handing = this.handing.then(() => this.handAll())
    return this.handing
  }

  private async handAll(): Promise<void> {
    if (this.soon !== null) clearImmediate(this.soon)
    this.soon = null
    const { rig, config } = this.options
    const messages = this.waiting
    this.waiting = []
    this.waitingBytes = 0
    for (const run of runsOf(messages)) {
      await this.sink!.deliver({
        ...{ rig, origin: config.name, encoding: run[0]!.encoding, provenance: config.provenance },
        messages: run.map(({ bytes }) => bytes),
        ...(config.time === 'arrival' ? { time: 'arrival' as const } : {}),
        // What is not acknowledged the broker keeps.
        ...(config.qos > 0 ? { waits: true } : {}),
      })
    }
  }

  /** What leaves acknowledges what came: it has to be safe first. */
  private async settle(): Promise<void> {
    if (this.options.config.qos === 0) return
    await this.hand()
    await this.options.durable()
    if (this.options.doubt()) throw this.error('MQTT_LOST', 'the agent ends')
  }

  private closed(client: MqttConnection, failure: HbError): void {
    if (client !== this.client) return
    this.client = null
    this.cancels.get('stable')?.()
    if (this.stopped) return
    const { clock } = this.options
    this.lostUs ??= clock.monotonicUs()
    this.breaker.failed(clock.monotonicUs())
    this.trouble = failure
    // Quiet when nothing changes: once for each reason.
    if (this.said !== failure.message) {
      this.options.news(failure.retry ? 'lost' : 'refused', { code: failure.code, reason: failure.message })
    }
    this.said = failure.message
    this.connectLater(failure.retry ? this.retry.next() : REFUSED_RETRY_MS)
  }

  private connectLater(delayMs: Millis): void {
    this.cancels.set(
      'retry',
      this.options.clock.after(delayMs, () => this.connect()),
    )
  }

  /** A number is the broker's own reason; everything else is of the way to it. */
  private refusal(error: Error & { code?: unknown }): HbError {
    const refused = typeof error.code === 'number' && !PASSING.has(error.code)
    return this.error(refused ? 'MQTT_REFUSED' : 'MQTT_LOST', error.message)
  }

  private goodbye({ reasonCode = 0 }: Readonly<{ reasonCode?: number }>): HbError {
    const reason = `the broker ended the session: reason 0x${reasonCode.toString(16)}`
    return this.error(reasonCode < 0x80 || PASSING.has(reasonCode) ? 'MQTT_LOST' : 'MQTT_REFUSED', reason)
  }

  private error(code: 'MQTT_LOST' | 'MQTT_REFUSED' | 'MQTT_SUBSCRIPTION' | 'MQTT_PACKET', reason: string): HbError {
    const { rig, config } = this.options
    return new HbError(code, { rig, source: config.name, broker: config.url, reason })
  }
}
