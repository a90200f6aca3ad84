import { randomBytes } from 'node:crypto'
import { Push } from 'zeromq'
import { channelListId, encodeFrame } from '../shared/codec/telemetry.ts'
import { fromHex } from '../shared/crypto/digest.ts'
import { invariant } from '../shared/lib/assert.ts'
import type { Clock } from '../shared/lib/clock.ts'
import type { Micros } from '../shared/units.ts'
import { WATER_LOOP_CHANNELS, waterLoopAt } from './water-loop.ts'

export type PublisherOptions = Readonly<{
  rig: string
  endpoint: string
  rateHz: number
  seed: number
  faultAfterUs: Micros | null
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

export interface Publisher {
  /** Settles when somebody is connected and the loop runs. */
  start(): Promise<void>
  stop(): Promise<void>
}

/** The water loop as a rig: it publishes frames over ZeroMQ at its own pace, whatever becomes of them. */
export function createPublisher(options: PublisherOptions): Publisher {
  const { rig, clock } = options
  const channels = [...WATER_LOOP_CHANNELS]
  const cid = channelListId(channels)
  invariant(fromHex(cid)?.length === 32, 'a list is named by a digest')
  const socket = new Push({ linger: 0, sendHighWaterMark: SEND_HIGH_WATER_MARK })
  const source = 'daq'
  const epoch = randomBytes(8).toString('hex')
  const intervalUs = 1_000_000 / options.rateHz
  let cancel = (): void => {}
  let seq = 0
  let sent = 0
  let listUs = -LIST_EVERY_US
  let faultTold = false
  let stopped = false
  let sending: Promise<void> = Promise.resolve()

  const send = (message: Uint8Array): void => {
    // In order, one after the other; when nobody reads they wait in the socket up to its bound, and then here.
    sending = sending.then(() => (stopped ? undefined : socket.send(message))).catch(() => undefined)
  }
  const list = (): Uint8Array =>
    encodeFrame({
      rig,
      source,
      epoch,
      seq: seq++,
      channels,
      cid,
      timeUs: new Float64Array(0),
      value: new Float64Array(0),
    })

  function publish(startUs: Micros): void {
    const elapsedUs = clock.nowUs() - startUs
    while ((sent + SAMPLES_PER_FRAME) * intervalUs <= elapsedUs) {
      const frameUs = sent * intervalUs
      if (frameUs - listUs >= LIST_EVERY_US) {
        listUs = frameUs
        send(list())
      }
      send(frame(startUs))
      if (options.faultAfterUs !== null && !faultTold && frameUs >= options.faultAfterUs) {
        faultTold = true
        options.faultInjected(startUs + options.faultAfterUs)
      }
    }
  }

  function frame(startUs: Micros): Uint8Array {
    const timeUs = new Float64Array(SAMPLES_PER_FRAME)
    const value = new Float64Array(channels.length * SAMPLES_PER_FRAME)
    for (let i = 0; i < SAMPLES_PER_FRAME; i += 1) {
      const elapsedUs = Math.floor((sent + i) * intervalUs)
      timeUs[i] = startUs + elapsedUs
      waterLoopAt({ seed: options.seed, faultUs: options.faultAfterUs }, sent + i, elapsedUs).forEach((reading, c) => {
        value[c * SAMPLES_PER_FRAME + i] = reading
      })
    }
    sent += SAMPLES_PER_FRAME
    return encodeFrame({ rig, source, epoch, seq: seq++, channels: null, cid, timeUs, value })
  }

  return {
    async start() {
      socket.connect(options.endpoint)
      await socket.send(list())
      const startUs = clock.nowUs()
      listUs = 0
      cancel = clock.every((SAMPLES_PER_FRAME * intervalUs) / 1000, () => publish(startUs))
    },
    async stop() {
      stopped = true
      cancel()
      socket.close()
    },
  }
}
