import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { HbError } from '../../shared/errors/hb-error.ts'
import type { Clock } from '../../shared/lib/clock.ts'
import type { Millis } from '../../shared/units.ts'
import { Program } from './agent-process.ts'
import { createMqttPublisher, type MqttPublisher } from './mqtt-publisher.ts'
import { freePort } from './ports.ts'

const LOOPBACK = '127.0.0.1'
const CONNECT_TRIES = 50
const CONNECT_EVERY_MS: Millis = 100
/** What a rig publishes to, under the filter that an agent subscribes to unless it is told otherwise. */
const TOPIC = 'hb/metrics'

/** A real mosquitto beside a run, for this machine and this run alone, and the rig that publishes to it. */
export class Broker {
  private readonly folder: string
  private readonly wantedPort: number
  private readonly host: Clock
  private program: Program | null = null
  private publisher: MqttPublisher | null = null
  url = ''
  port = 0

  /** @param wantedPort where it listens unless somebody else does */
  constructor(folder: string, wantedPort: number, host: Clock) {
    this.folder = folder
    this.wantedPort = wantedPort
    this.host = host
  }

  /** @throws HbError MQTT_LOST when there is no broker here, or it does not listen soon */
  async start(): Promise<void> {
    const port = await freePort(this.wantedPort)
    this.port = port
    const user = process.getuid?.() === 0 ? 'root' : 'mosquitto'
    const config = join(this.folder, 'mosquitto.conf')
    writeFileSync(config, `user ${user}\nlistener ${port} ${LOOPBACK}\nallow_anonymous true\n`)
    this.url = `mqtt://${LOOPBACK}:${port}`
    // Debian puts it where only administrators look.
    const path = `${process.env['PATH'] ?? ''}:/usr/sbin`
    this.program = new Program('mosquitto', ['-c', config], {
      ...{ cwd: this.folder, log: join(this.folder, 'mosquitto.log'), host: this.host },
      hb: { command: 'env', before: [`PATH=${path}`, 'mosquitto'] },
    })
    for (let k = 0; this.publisher === null; k += 1) {
      await this.host.sleep(CONNECT_EVERY_MS)
      try {
        this.publisher = await createMqttPublisher({ url: this.url, topicOf: (channel) => `${TOPIC}/${channel}` })
      } catch (error) {
        const why = this.program.tail.at(-1) ?? (error as Error).message
        if (k >= CONNECT_TRIES || !this.program.running)
          throw new HbError('MQTT_LOST', { broker: this.url, reason: why }, { cause: error })
      }
    }
  }

  /** @throws HbError MQTT_LOST */
  publish(channel: string, message: Uint8Array): void {
    this.publisher?.publish(channel, message)
  }

  async stop(): Promise<void> {
    await this.publisher?.close()
    await this.program?.stop()
  }
}
