import { HbError } from '../../shared/errors/hb-error.ts'
import { type BrokerCredentials, clientOptions, NO_CREDENTIALS, openSocket } from '../../shared/mqtt/broker.ts'
import type { MqttConnection } from '../../shared/mqtt/package.ts'

export type MqttPublisherOptions = Readonly<{
  /** mqtt://HOST[:PORT] or mqtts://HOST[:PORT]. */
  url: string
  topicOf(channel: string): string
  clientId?: string
  credentials?: BrokerCredentials
}>

/** A rig that publishes its samples to a broker, one message each (`qos: 1`), in order. */
export interface MqttPublisher {
  /**
   * Puts the message of one sample in line, under the topic of its channel.
   *
   * @throws HbError MQTT_LOST when the broker is gone, or takes less than comes
   */
  publish(channel: string, message: Uint8Array): void
  /** Settles when the broker has acknowledged everything that was published. @throws HbError MQTT_LOST */
  flush(): Promise<void>
  /** Says goodbye. What was not acknowledged is given up. */
  close(): Promise<void>
}

/** Messages that a broker has not acknowledged yet: a broker may take no more than twenty, and end the session otherwise. */
const IN_FLIGHT_MAX = 20
/** Samples in line: at the bound the rig is faster than its broker, and the run is no good any more. */
const WAITING_MAX = 100_000
const PACKET_BYTES_MAX = 65_536

/** @throws HbError MQTT_LOST when no broker answers. */
export async function createMqttPublisher(options: MqttPublisherOptions): Promise<MqttPublisher> {
  const { MqttClient } = await import('../../shared/mqtt/package.ts')
  const { url, credentials = NO_CREDENTIALS, clientId = `hb-rig-${process.pid}` } = options
  const socket = openSocket(url, credentials)
  const client = new MqttClient(
    () => socket,
    clientOptions({
      ...{ clientId, protocol: 'mqtt5', sessionKeepMs: 0, packetBytesMax: PACKET_BYTES_MAX, receiveMax: IN_FLIGHT_MAX },
      ...credentials,
    }),
  )
  await new Promise<void>((resolve, reject) => {
    let reason = 'the connection ended'
    client.on('error', (error) => {
      reason = error.message
    })
    client.once('connect', () => resolve())
    client.once('close', () => reject(new HbError('MQTT_LOST', { broker: url, reason })))
  })
  return new BrokerPublisher(client, options)
}

class BrokerPublisher implements MqttPublisher {
  private readonly client: MqttConnection
  private readonly options: MqttPublisherOptions
  private waiting: { topic: string; payload: Buffer }[] = []
  private next = 0
  private inFlight = 0
  private failure: HbError | null = null
  private settle: (() => void)[] = []

  constructor(client: MqttConnection, options: MqttPublisherOptions) {
    this.client = client
    this.options = options
    client.on('close', () => this.fail('the connection ended'))
    client.on('disconnect', ({ reasonCode = 0 }) => this.fail(`the broker said goodbye: 0x${reasonCode.toString(16)}`))
  }

  publish(channel: string, message: Uint8Array): void {
    if (this.failure !== null) throw this.failure
    if (this.waiting.length - this.next >= WAITING_MAX) throw this.lost(`${WAITING_MAX} samples wait`)
    this.waiting.push({ topic: this.options.topicOf(channel), payload: Buffer.from(message) })
    this.send()
  }

  async flush(): Promise<void> {
    while (this.failure === null && (this.inFlight > 0 || this.next < this.waiting.length))
      await new Promise<void>((resolve) => this.settle.push(resolve))
    if (this.failure !== null) throw this.failure
  }

  async close(): Promise<void> {
    if (this.failure !== null) return
    await new Promise<void>((resolve) => {
      this.client.once('close', () => resolve())
      this.client.end(this.inFlight > 0)
    })
  }

  private send(): void {
    while (this.failure === null && this.inFlight < IN_FLIGHT_MAX && this.next < this.waiting.length) {
      const { topic, payload } = this.waiting[this.next]!
      this.next += 1
      this.inFlight += 1
      this.client.publish(topic, payload, { qos: 1 }, (error) => {
        this.inFlight -= 1
        if (error) this.fail(error.message)
        else this.send()
      })
    }
    if (this.next === this.waiting.length) {
      this.waiting = []
      this.next = 0
    }
    if (this.inFlight === 0) this.wake()
  }

  private fail(reason: string): void {
    this.failure ??= this.lost(reason)
    this.wake()
  }

  private wake(): void {
    const settle = this.settle
    this.settle = []
    for (const one of settle) one()
  }

  private lost(reason: string): HbError {
    return new HbError('MQTT_LOST', { broker: this.options.url, reason })
  }
}
