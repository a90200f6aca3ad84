/**
 * A load of telemetry, as a process of its own: what it sends is made in advance, so that the machine's time goes to the
 * agent. Started with one argument, {@link LoadOrder} as JSON; its last line is a {@link LoadReport}.
 *
 * Event times are wall times. At a rate above the nominal one the samples of a channel stand closer together, down to
 * one a microsecond; nothing is sent ahead of its time.
 */
import { Push } from 'zeromq'
import { channelListId } from '../../shared/codec/telemetry.ts'
import { encodeTransport } from '../../shared/codec/transport.ts'

export type LoadOrder = Readonly<{
  endpoint: string
  rig: string
  channels: readonly string[]
  encoding: 'cbor' | 'json'
  /** Times of one frame; the frame has that many samples of every channel it names. */
  timesPerFrame: number
  /** Channels of one frame: all of them, or one after the other. */
  channelsPerFrame: number
  samplesPerS: number
  seconds: number
  /** Share of frames that are held back, and for how long at most. */
  lateShare: number
  lateMs: number
  /** Number of the first frame: a second load of the same life goes on from the first. */
  firstSeq: number
  epoch: string
}>
export type LoadReport = Readonly<{
  messages: number
  samples: number
  seconds: number
  nextSeq: number
  /** Worst that a frame left behind its schedule: waiting for room or for the processor. */
  behindMs: number
}>

const SEND_HIGH_WATER_MARK = 64
const ANNOUNCE_EVERY_US = 1_000_000
/**
 * Between two looks at the clock frames go out together. Few frames are kept to their moment, by waits shorter than a
 * timer knows; at many a millisecond is near enough, and waking more often would take the processor from the agent.
 */
const FINE_WAIT_MS = 0.1
const FINE_ABOVE_US = 500
const pacer = new Int32Array(new SharedArrayBuffer(4))

const nowUs = (): number => Math.floor((performance.timeOrigin + performance.now()) * 1000)

type Template = { bytes: Buffer; seqAt: number; timeAt: number; times: number }

/** A frame with room for its number and its times; everything else stays the same. */
function template(order: LoadOrder, names: readonly string[]): Template {
  const { timesPerFrame: times } = order
  const value = new Float64Array(names.length * times)
  for (let c = 0; c < names.length; c += 1)
    for (let i = 0; i < times; i += 1) value[c * times + i] = 50 + c / 10 + Math.sin((c * 7 + i) * 0.7)
  const pairs = [
    ['v', 1],
    ['rig', order.rig],
    ['source', 'bench'],
    ['epoch', order.epoch],
    ['cid', Buffer.from(channelListId(names), 'hex')],
    ['x', value],
  ] as const
  const head = Buffer.concat([
    Buffer.from([0xa0 + pairs.length + 2]),
    ...pairs.flatMap(([key, part]) => [encodeTransport(key), encodeTransport(part)]),
    encodeTransport('seq'),
  ])
  const time = encodeTransport(new Float64Array(times))
  const bytes = Buffer.concat([head, Buffer.from([0x1b, 0, 0, 0, 0, 0, 0, 0, 0]), encodeTransport('t'), time])
  return { bytes, seqAt: head.length + 1, timeAt: bytes.length - times * 8, times }
}

function frameOf({ bytes, seqAt, timeAt, times }: Template, seq: number, firstUs: number, stepUs: number): Buffer {
  const frame = Buffer.from(bytes)
  frame.writeBigUInt64BE(BigInt(seq), seqAt)
  for (let i = 0; i < times; i += 1) frame.writeDoubleLE(firstUs + i * stepUs, timeAt + i * 8)
  return frame
}

function announcement(order: LoadOrder, names: readonly string[], seq: number): Buffer {
  const cid = new Uint8Array(Buffer.from(channelListId(names), 'hex'))
  return Buffer.from(
    encodeTransport({ v: 1, rig: order.rig, source: 'bench', epoch: order.epoch, seq, ch: names, cid }),
  )
}

const jsonOf = (channel: string, timeUs: number, value: number): Buffer =>
  Buffer.from(`{"channel":"${channel}","t_us":${timeUs},"value":${value}}`)

class Load {
  private readonly order: LoadOrder
  private readonly socket = new Push({ sendHighWaterMark: SEND_HIGH_WATER_MARK, linger: 2_000 })
  private readonly groups: readonly (readonly string[])[]
  private readonly templates: readonly Template[]
  private readonly held: { dueUs: number; message: Buffer }[] = []
  private readonly lastUs: Float64Array
  private seq: number
  private messages = 0
  private samples = 0
  private behindUs = 0
  private announcedUs = 0
  private draw = 1

  constructor(order: LoadOrder) {
    this.order = order
    this.seq = order.firstSeq
    const groups: (readonly string[])[] = []
    for (let c = 0; c < order.channels.length; c += order.channelsPerFrame)
      groups.push(order.channels.slice(c, c + order.channelsPerFrame))
    this.groups = groups
    this.templates = order.encoding === 'cbor' ? groups.map((names) => template(order, names)) : []
    this.lastUs = new Float64Array(groups.length)
  }

  async run(): Promise<LoadReport> {
    this.socket.connect(this.order.endpoint)
    const startUs = nowUs()
    const perFrame = this.order.timesPerFrame * this.groups[0]!.length
    const everyUs = (perFrame * 1_000_000) / this.order.samplesPerS
    const frames = Math.floor((this.order.seconds * 1_000_000) / everyUs)
    for (let k = 0; k < frames; ) {
      await this.announceWhenDue()
      const due = Math.min(frames, Math.floor((nowUs() - startUs) / everyUs) + 1)
      if (k >= due && everyUs >= FINE_ABOVE_US) {
        Atomics.wait(pacer, 0, 0, FINE_WAIT_MS)
        await new Promise((resolve) => setImmediate(resolve))
      } else if (k >= due) await new Promise((resolve) => setTimeout(resolve, 1))
      for (; k < due; k += 1) {
        this.behindUs = Math.max(this.behindUs, nowUs() - (startUs + k * everyUs))
        await this.sendFrame(k % this.groups.length, everyUs * this.groups.length)
        await this.releaseHeld()
      }
    }
    for (const { message } of this.held.splice(0)) await this.socket.send(message)
    const seconds = (nowUs() - startUs) / 1_000_000
    this.socket.close()
    const { messages, samples, seq: nextSeq } = this
    return { messages, samples, seconds, nextSeq, behindMs: this.behindUs / 1000 }
  }

  private async sendFrame(group: number, spanUs: number): Promise<void> {
    const { order } = this
    const times = order.timesPerFrame
    const endUs = nowUs()
    const stepUs = Math.max(1, Math.floor(spanUs / times))
    // Never before what this channel sent last, never ahead of its time.
    const firstUs = Math.max(this.lastUs[group]! + 1, endUs - (times - 1) * stepUs)
    this.lastUs[group] = firstUs + (times - 1) * stepUs
    const names = this.groups[group]!
    const message =
      order.encoding === 'json'
        ? jsonOf(names[0]!, firstUs, 50 + (this.messages % 100) / 100)
        : frameOf(this.templates[group]!, this.seq, firstUs, stepUs)
    this.seq += 1
    this.messages += 1
    this.samples += times * names.length
    if (order.lateShare > 0 && this.random() < order.lateShare)
      this.held.push({ dueUs: endUs + this.random() * order.lateMs * 1000, message })
    else await this.socket.send(message)
  }

  private async releaseHeld(): Promise<void> {
    if (this.held.length === 0) return
    const at = nowUs()
    for (let k = 0; k < this.held.length; )
      if (this.held[k]!.dueUs <= at) await this.socket.send(this.held.splice(k, 1)[0]!.message)
      else k += 1
  }

  private async announceWhenDue(): Promise<void> {
    if (this.order.encoding === 'json' || nowUs() - this.announcedUs < ANNOUNCE_EVERY_US) return
    this.announcedUs = nowUs()
    for (const names of this.groups) {
      await this.socket.send(announcement(this.order, names, this.seq))
      this.seq += 1
    }
  }

  /** Park and Miller; which frames are held is the same in every run. */
  private random(): number {
    this.draw = (this.draw * 48_271) % 2_147_483_647
    return this.draw / 2_147_483_647
  }
}

const report = await new Load(JSON.parse(process.argv[2] ?? '') as LoadOrder).run()
process.stdout.write(`${JSON.stringify(report)}\n`)
