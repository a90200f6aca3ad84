import { Pull, Subscriber } from 'zeromq'
import { FRAME_BYTES_MAX } from '../../shared/codec/telemetry.ts'
import type { ZmqSourceConfig } from '../../shared/config/types.ts'
import { HbError } from '../../shared/errors/hb-error.ts'
import type { Clock } from '../../shared/lib/clock.ts'
import type { RawTelemetry, SourceSink, TelemetrySource } from '../ports.ts'

/** Messages waiting inside ZeroMQ; a publisher that pushes waits beyond it, one that publishes loses them (seen as gaps in `seq`). */
const RECEIVE_HIGH_WATER_MARK = 10_000
/**
 * Messages handed on together: what has come when the loop is free for it. Where many come at once company is waited
 * for, because a hand-over costs as much as some ten messages.
 */
const MESSAGES_AT_ONCE = 256
const BUSY_MESSAGES = 8
const BUSY_WITHIN_MS = 2
const BYTES_AT_ONCE = 1024 * 1024
/** A message longer than this ends its connection before it is in memory. */
export const MESSAGE_BYTES_MAX = 64 * 1024 * 1024

/**
 * Telemetry over ZeroMQ. The payload is the last part of a message; parts before it (the topic of a publisher) are for
 * routing only, because a frame says itself which rig it is of. ZeroMQ compares only the beginning of a topic: what was
 * published for `loop-2` also reaches a subscriber to `loop`, and is none of its business.
 */
export function createZmqSource({
  rig,
  config,
  clock,
}: {
  rig: string
  config: ZmqSourceConfig
  /** null: nobody waits for company, because somebody waits for every message. */
  clock: Clock | null
}): TelemetrySource {
  let socket: Pull | Subscriber | null = null
  let done: Promise<void> = Promise.resolve()
  return {
    name: config.name,
    async start(sink) {
      socket = await openTelemetrySocket(rig, config)
      done = receive(socket, { rig, config, clock, sink })
    },
    async stop() {
      socket?.close()
      socket = null
      await done
    },
  }
}

type Endpoint = Pick<ZmqSourceConfig, 'name' | 'pattern' | 'endpoint' | 'bind'>

/** A socket that receives; `topic` is what a subscriber asks for, '' for everything. @throws HbError PORT_TAKEN */
export async function openTelemetrySocket(topic: string, config: Endpoint): Promise<Pull | Subscriber> {
  const opened = open(topic, config)
  try {
    if (config.bind ?? config.pattern === 'pull') await opened.bind(config.endpoint)
    else opened.connect(config.endpoint)
    return opened
  } catch (cause) {
    opened.close()
    throw new HbError(
      'PORT_TAKEN',
      { endpoint: config.endpoint, source: config.name, rig: topic, reason: (cause as Error).message },
      { cause },
    )
  }
}

function open(topic: string, config: Endpoint): Pull | Subscriber {
  const options = { receiveHighWaterMark: RECEIVE_HIGH_WATER_MARK, maxMessageSize: MESSAGE_BYTES_MAX, linger: 0 }
  if (config.pattern === 'pull') return new Pull(options)
  const subscriber = new Subscriber(options)
  subscriber.subscribe(topic)
  return subscriber
}

type Reception = Readonly<{ rig: string; config: ZmqSourceConfig; clock: Clock | null; sink: SourceSink }>

async function receive(socket: Pull | Subscriber, { rig, config, clock, sink }: Reception): Promise<void> {
  const about = {
    rig,
    origin: config.name,
    encoding: config.encoding,
    provenance: config.provenance,
    ...(config.time === 'arrival' ? { time: config.time } : {}),
  }
  let waiting: Uint8Array[] = []
  let waitingBytes = 0
  let soon: (() => void) | null = null
  let delivering: Promise<void> | null = null
  let busy = false
  const flush = async (): Promise<void> => {
    soon?.()
    soon = null
    while (delivering !== null) await delivering
    if (waiting.length === 0) return
    const messages = waiting
    busy = messages.length >= BUSY_MESSAGES
    waiting = []
    waitingBytes = 0
    delivering = sink.deliver({ ...about, messages } satisfies RawTelemetry).finally(() => {
      delivering = null
    })
    await delivering
  }
  const flushSoon = (): (() => void) => {
    if (busy && clock !== null) return clock.after(BUSY_WITHIN_MS, () => void flush())
    const immediate = setImmediate(() => void flush())
    return () => clearImmediate(immediate)
  }
  try {
    for await (const parts of socket) {
      if (config.pattern === 'sub' && parts.length > 1 && parts[0]!.toString() !== rig) continue
      const message = payloadOf(parts)
      if (waitingBytes + message.length > BYTES_AT_ONCE) await flush()
      waiting.push(message)
      waitingBytes += message.length
      // Waiting for room holds back the socket, and ZeroMQ's own bound applies.
      if (waiting.length >= MESSAGES_AT_ONCE) await flush()
      else soon ??= flushSoon()
    }
  } finally {
    await flush()
  }
}

/** A copy of the payload. Of one that is refused for its length, only so much is kept that it is refused. */
export function payloadOf(parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(parts.at(-1)!.subarray(0, FRAME_BYTES_MAX + 1))
}
