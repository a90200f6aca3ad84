import { randomBytes } from 'node:crypto'
import { Push } from 'zeromq'
import { channelListId, encodeFrame } from '../shared/codec/telemetry.ts'
import type { Clock } from '../shared/lib/clock.ts'
import type { Micros } from '../shared/units.ts'
import { type Valve, WATER_LOOP_CHANNELS, waterLoopAt } from './water-loop.ts'

export type PublisherOptions = Readonly<{
  rig: string
  endpoint: string
  rateHz: number
  seed: number
  faultAfterUs: Micros | null
  valve: Valve
  clock: Clock
  /** Told at the moment the fault begins, with its event time. */
  faultInjected(timeUs: Micros): void
}>

/** Samples of every channel in one frame. */
const SAMPLES_PER_FRAME = 5
/** The names go out in full this often (decisions 18); in between a digest stands for them. */
const LIST_EVERY_US: Micros = 2_000_000
/** Frames that may wait while nobody reads. */
const SEND_HIGH_WATER_MARK = 1000
/** Frames that may wait for room in the socket. */
const WAITING_MAX = 256

export interface Publisher {
  /** Settles when somebody is connected and the loop runs. */
  start(): Promise<void>
  stop(): Promise<void>
}

/** The water loop as a rig: it publishes frames over ZeroMQ at its own pace, whatever becomes of them. */
export function createPublisher(options: PublisherOptions): Publisher {
  return new LoopPublisher(options)
}

const CHANNELS = [...WATER_LOOP_CHANNELS]

class LoopPublisher implements Publisher {
  private readonly options: PublisherOptions
  private readonly socket = new Push({ linger: 0, sendHighWaterMark: SEND_HIGH_WATER_MARK })
  private readonly cid = channelListId(CHANNELS)
  private readonly epoch = randomBytes(8).toString('hex')
  private readonly intervalUs: Micros
  private cancel = (): void => {}
  private seq = 0
  private sampled = 0
  private listUs = 0
  private faultTold = false
  private stopped = false
  private waiting = 0
  private sending: Promise<void> = Promise.resolve()

  constructor(options: PublisherOptions) {
    this.options = options
    this.intervalUs = 1_000_000 / options.rateHz
  }

  async start(): Promise<void> {
    const { clock, endpoint } = this.options
    this.socket.connect(endpoint)
    await this.socket.send(this.list())
    const startUs = clock.nowUs()
    this.cancel = clock.every((SAMPLES_PER_FRAME * this.intervalUs) / 1000, () => this.publish(startUs))
  }

  async stop(): Promise<void> {
    this.stopped = true
    this.cancel()
    this.socket.close()
  }

  private publish(startUs: Micros): void {
    const { faultAfterUs } = this.options
    const elapsedUs = this.options.clock.nowUs() - startUs
    while ((this.sampled + SAMPLES_PER_FRAME) * this.intervalUs <= elapsedUs) {
      const frameUs = this.sampled * this.intervalUs
      if (frameUs - this.listUs >= LIST_EVERY_US) {
        this.listUs = frameUs
        this.send(this.list())
      }
      this.send(this.frame(startUs))
      if (faultAfterUs === null || this.faultTold || frameUs < faultAfterUs) continue
      this.faultTold = true
      this.options.faultInjected(startUs + faultAfterUs)
    }
  }

  /** In order, one after the other. A rig whose data nobody takes loses it, and the gap in `seq` tells. */
  private send(message: Uint8Array): void {
    if (this.waiting >= WAITING_MAX) return
    this.waiting += 1
    this.sending = this.sending
      .then(() => (this.stopped ? undefined : this.socket.send(message)))
      .catch(() => undefined)
      .finally(() => {
        this.waiting -= 1
      })
  }

  private list(): Uint8Array {
    const nothing = new Float64Array(0)
    return encodeFrame({ ...this.head(), channels: CHANNELS, timeUs: nothing, value: nothing })
  }

  private frame(startUs: Micros): Uint8Array {
    const { seed, faultAfterUs: faultUs, valve } = this.options
    const timeUs = new Float64Array(SAMPLES_PER_FRAME)
    const value = new Float64Array(CHANNELS.length * SAMPLES_PER_FRAME)
    for (let i = 0; i < SAMPLES_PER_FRAME; i += 1) {
      const elapsedUs = Math.floor((this.sampled + i) * this.intervalUs)
      timeUs[i] = startUs + elapsedUs
      waterLoopAt({ seed, faultUs, valve }, this.sampled + i, elapsedUs).forEach((reading, c) => {
        value[c * SAMPLES_PER_FRAME + i] = reading
      })
    }
    this.sampled += SAMPLES_PER_FRAME
    return encodeFrame({ ...this.head(), channels: null, timeUs, value })
  }

  private head(): { rig: string; source: string; epoch: string; seq: number; cid: string } {
    const seq = this.seq
    this.seq += 1
    return { rig: this.options.rig, source: 'daq', epoch: this.epoch, seq, cid: this.cid }
  }
}
