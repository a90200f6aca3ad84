import { Push } from 'zeromq'
import type { FrameIdentity } from '../../shared/codec/injected-mark.ts'
import { encodeSample } from '../../shared/codec/json-samples.ts'
import { encodeFrame } from '../../shared/codec/telemetry.ts'
import { type InjectedMark, QUALITY } from '../../shared/model/telemetry.ts'
import type { Micros } from '../../shared/units.ts'
import type { OutFrame } from '../core/out-frame.ts'
import { socketOf } from './agent-folder.ts'
import type { Injector, SamplesIdentity } from './injector.ts'

/** Frames that may wait while the agent is away; more are lost, and the gap in their numbers tells. */
const WAITING_MAX = 1024
const RECONNECT_MS = 10

export type TransmitterOptions = Readonly<{
  sources: readonly string[]
  path: (name: string) => string
  beginUs: Micros
  /** Signs the marks of what holds injected samples. */
  injector: Injector
  /** The same with a key that is not the bench's. */
  stranger: Injector
  /** Where the messages of single samples go instead, for a rig that publishes to a broker; null: frames over ZeroMQ. */
  publish: ((channel: string, message: Uint8Array) => void) | null
  /** Told of the newest sample of each channel that goes out; its time counts from the start of the run. */
  sent: (channel: string, atUs: Micros, value: number) => void
}>

/** What can be wrong with the mark of injected data (8.3, security.forged_taint). */
export type Forgery = 'wrong_key' | 'left_out' | 'other_channels'

const ANOTHER_CHANNEL = 'another-channel'

/** The acquisitions of a run: each has a socket of its own to the agent. */
export class Transmitter {
  private readonly options: TransmitterOptions
  private sockets: ReadonlyMap<string, Push> = new Map()
  private counts: Record<string, number> = {}
  /** Frames that nobody was there for. */
  lost = 0
  /** How the marks of injected frames are forged, and how many were. */
  forgery: Forgery | null = null
  forged = 0

  constructor(options: TransmitterOptions) {
    this.options = options
  }

  /** Messages sent to this life of the agent, by source. */
  get sent(): Readonly<Record<string, number>> {
    return this.counts
  }

  async send(frames: readonly OutFrame[]): Promise<void> {
    for (const frame of frames) {
      const { rig, source, epoch, seq, channels, timeUs, value, quality, injected, mutate } = frame
      if (this.options.publish !== null) {
        this.publish(frame, this.options.publish)
        continue
      }
      const socket = this.sockets.get(frame.line)
      if (socket === undefined) {
        this.lost += 1
        continue
      }
      const { sent, beginUs } = this.options
      const marked = injected.length === 0 ? {} : this.marked({ rig, source, epoch, seq }, injected)
      const graded = quality === null ? {} : { quality }
      const head = { rig, source, epoch, seq, cid: null, channels: [...channels], timeUs, value }
      const bytes = encodeFrame({ ...head, ...marked, ...graded })
      if (!(await isTaken(socket, mutate === null ? bytes : mutate(bytes)))) {
        this.lost += 1
        continue
      }
      this.counts[frame.line] = (this.counts[frame.line] ?? 0) + 1
      const last = timeUs.length - 1
      if (last >= 0)
        channels.forEach((channel, c) => void sent(channel, timeUs[last]! - beginUs, value[c * timeUs.length + last]!))
    }
  }

  /** Sample by sample, as a rig without frames has them. Its number, and the life that counts, are lost on this way. */
  private publish(frame: OutFrame, to: NonNullable<TransmitterOptions['publish']>): void {
    const { sent, beginUs } = this.options
    const { rig, source, line, channels, timeUs, quality, injected, mutate } = frame
    timeUs.forEach((us, k) => {
      channels.forEach((channel, c) => {
        const at = c * timeUs.length + k
        const value = frame.value[at]!
        const message = encodeSample({
          ...{ channel, timeUs: us, value, rig },
          // Without one it is of the broker; a source that is said is one that pretends to be another.
          ...(source === line ? {} : { source }),
          ...(quality === null || quality[at] === QUALITY.good ? {} : { quality: quality[at]! }),
          ...(injected.includes(channel) ? this.marked({ rig, timesUs: [us] }, [channel]) : {}),
        })
        to(channel, mutate === null ? message : mutate(message))
        sent(channel, us - beginUs, value)
      })
    })
  }

  private marked(what: FrameIdentity | SamplesIdentity, injected: readonly string[]): { injected?: InjectedMark } {
    const { injector, stranger } = this.options
    if (this.forgery === null) return { injected: injector.mark(what, injected) }
    this.forged += 1
    if (this.forgery === 'left_out') return {}
    if (this.forgery === 'wrong_key') return { injected: stranger.mark(what, injected) }
    // Signed for another channel than it is said of: the signature does not fit.
    return { injected: { ...injector.mark(what, [ANOTHER_CHANNEL]), channels: injected } }
  }

  /** An agent that listens has begun, and counts from zero. */
  open(): void {
    this.close()
    this.counts = {}
    const { sources, path } = this.options
    this.sockets = new Map(
      sources.map((source) => {
        const socket = new Push({
          linger: 0,
          sendTimeout: 0,
          sendHighWaterMark: WAITING_MAX,
          reconnectInterval: RECONNECT_MS,
        })
        socket.connect(`ipc://${path(socketOf(source))}`)
        return [source, socket]
      }),
    )
  }

  /** The agent has gone: what is sent now is lost. */
  close(): void {
    for (const socket of this.sockets.values()) socket.close()
    this.sockets = new Map()
  }
}

/** Whether there was room for it: an agent that does not read must not hold up the bench. */
async function isTaken(socket: Push, bytes: Uint8Array): Promise<boolean> {
  try {
    await socket.send(bytes)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return false
    throw error
  }
}
