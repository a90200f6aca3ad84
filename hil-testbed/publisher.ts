import { randomBytes } from 'node:crypto'
import { Push } from 'zeromq'
import { channelListId, encodeFrame } from '../shared/codec/telemetry.ts'
import type { Clock } from '../shared/lib/clock.ts'
import type { Micros } from '../shared/units.ts'

/** One data acquisition of a rig: its own publisher, with channels of its own. */
export type Daq = Readonly<{ source: string; endpoint: string; channels: readonly string[] }>

export type PublisherOptions = Readonly<{
  rig: string
  daqs: readonly Daq[]
  rateHz: number
  /** Every channel of the rig, in the order of `read`. */
  channels: readonly string[]
  clock: Clock
  /** Readings of all channels for sample `index`, `elapsedUs` after the start; asked for in order, once each. */
  read(index: number, elapsedUs: Micros): readonly number[]
  faultAfterUs: Micros | null
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
  /** Settles when somebody is connected to every acquisition and the loop runs. */
  start(): Promise<void>
  stop(): Promise<void>
}

/** A simulated rig: it publishes frames over ZeroMQ at its own pace, whatever becomes of them. */
export function createPublisher(options: PublisherOptions): Publisher {
  return new RigPublisher(options)
}

class RigPublisher implements Publisher {
  private readonly options: PublisherOptions
  private readonly lines: readonly DaqLine[]
  private readonly intervalUs: Micros
  private cancel = (): void => {}
  private sampled = 0
  private listUs = 0
  private faultTold = false

  constructor(options: PublisherOptions) {
    this.options = options
    this.intervalUs = 1_000_000 / options.rateHz
    this.lines = options.daqs.map((daq) => new DaqLine(options.rig, daq, options.channels))
  }

  async start(): Promise<void> {
    const { clock } = this.options
    for (const line of this.lines) await line.open()
    const startUs = clock.nowUs()
    this.cancel = clock.every((SAMPLES_PER_FRAME * this.intervalUs) / 1000, () => this.publish(startUs))
  }

  async stop(): Promise<void> {
    this.cancel()
    for (const line of this.lines) line.close()
  }

  private publish(startUs: Micros): void {
    const { faultAfterUs } = this.options
    const elapsedUs = this.options.clock.nowUs() - startUs
    while ((this.sampled + SAMPLES_PER_FRAME) * this.intervalUs <= elapsedUs) {
      const frameUs = this.sampled * this.intervalUs
      if (frameUs - this.listUs >= LIST_EVERY_US) {
        this.listUs = frameUs
        for (const line of this.lines) line.sendList()
      }
      this.sendFrames(startUs)
      if (faultAfterUs === null || this.faultTold || frameUs < faultAfterUs) continue
      this.faultTold = true
      this.options.faultInjected(startUs + faultAfterUs)
    }
  }

  private sendFrames(startUs: Micros): void {
    const timeUs = new Float64Array(SAMPLES_PER_FRAME)
    const rows: (readonly number[])[] = []
    for (let i = 0; i < SAMPLES_PER_FRAME; i += 1) {
      const elapsedUs = Math.floor((this.sampled + i) * this.intervalUs)
      timeUs[i] = startUs + elapsedUs
      rows.push(this.options.read(this.sampled + i, elapsedUs))
    }
    this.sampled += SAMPLES_PER_FRAME
    for (const line of this.lines) line.sendSamples(timeUs, rows)
  }
}

/** One acquisition: its socket, and the numbers of its frames. */
class DaqLine {
  private readonly socket = new Push({ linger: 0, sendHighWaterMark: SEND_HIGH_WATER_MARK })
  private readonly epoch = randomBytes(8).toString('hex')
  private readonly cid: string
  private readonly places: readonly number[]
  private readonly rig: string
  private readonly daq: Daq
  private seq = 0
  private waiting = 0
  private stopped = false
  private sending: Promise<void> = Promise.resolve()

  constructor(rig: string, daq: Daq, channels: readonly string[]) {
    this.rig = rig
    this.daq = daq
    this.cid = channelListId([...daq.channels])
    this.places = daq.channels.map((name) => channels.indexOf(name))
  }

  /** Settles when somebody is connected. */
  async open(): Promise<void> {
    this.socket.connect(this.daq.endpoint)
    await this.socket.send(this.list())
  }

  close(): void {
    this.stopped = true
    this.socket.close()
  }

  sendList(): void {
    this.send(this.list())
  }

  sendSamples(timeUs: Float64Array, rows: readonly (readonly number[])[]): void {
    const value = new Float64Array(this.places.length * rows.length)
    this.places.forEach((place, c) => {
      rows.forEach((row, i) => {
        value[c * rows.length + i] = row[place]!
      })
    })
    this.send(encodeFrame({ ...this.head(), channels: null, timeUs, value }))
  }

  private list(): Uint8Array {
    const nothing = new Float64Array(0)
    return encodeFrame({ ...this.head(), channels: [...this.daq.channels], timeUs: nothing, value: nothing })
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

  private head(): { rig: string; source: string; epoch: string; seq: number; cid: string } {
    const seq = this.seq
    this.seq += 1
    return { rig: this.rig, source: this.daq.source, epoch: this.epoch, seq, cid: this.cid }
  }
}
