import { Dealer } from 'zeromq'
import { HbError } from '../../shared/errors/hb-error.ts'
import { PEER_MESSAGE_BYTES_MAX } from '../../shared/protocol/peer-contract.ts'
import { openPeerFrame, sealPeerFrame } from '../../shared/protocol/peer-frame.ts'
import { refused } from '../../shared/protocol/peer-reader.ts'
import type { LinkTurn } from '../ports.ts'
import type { PeerSink, PeerTransport } from './peer-sender.ts'

export type PeerZmqOptions = Readonly<{
  endpoint: string
  /** Name by which the peer's ROUTER knows the agent. */
  agent: string
  key: Uint8Array
  /** Absent: what comes in is taken at once. */
  turn?: LinkTurn | undefined
}>

/** Messages inside ZeroMQ, each way. Few: what waits is to wait where it can be dropped in order. */
const HIGH_WATER_MARK = 16
/** A longer frame ends its connection before it is in memory; shorter ones that are too long are refused by name. */
const FRAME_BYTES_MAX = 4 * PEER_MESSAGE_BYTES_MAX
/** A peer that does not answer for so long is gone, and nothing is handed to its connection. */
const HEARTBEAT_MS = 1000
const HEARTBEAT_TIMEOUT_MS = 3000
const RECONNECT_MS = 250
const RECONNECT_MAX_MS = 5000
const LINGER_MS = 200
/** While time stands a connection may be waited for, so that what goes does not hang on how fast it is made. */
const CONNECT_OUTSIDE_MS = 1_000

/**
 * DEALER to the ROUTER of the peer: one connection that the agent makes, both ways, and no port of ours. A message without a
 * connection, or without room in it, certainly did not go. Frames are authenticated with the shared key, not encrypted.
 */
export function createPeerZmq({ endpoint, agent, key, turn }: PeerZmqOptions): PeerTransport {
  const sendTimeout = turn === undefined ? 0 : CONNECT_OUTSIDE_MS
  let socket: Dealer | null = null
  let received: Promise<void> = Promise.resolve()
  let sent: Promise<void> = Promise.resolve()
  const unreachable = (reason: string): HbError => new HbError('EXECUTOR_UNREACHABLE', { url: endpoint, reason })

  async function send(frame: Uint8Array): Promise<void> {
    if (socket === null) throw unreachable('not connected')
    try {
      await socket.send(frame)
    } catch (error) {
      throw unreachable((error as NodeJS.ErrnoException).code === 'EAGAIN' ? 'no connection' : (error as Error).message)
    }
  }

  async function receive(from: Dealer, sink: PeerSink): Promise<void> {
    for await (const parts of from) {
      const take = (): void => {
        const json = parts.length === 1 ? openPeerFrame(key, 'to_agent', parts[0]!) : null
        if (json === null) sink.refuse(refused('not_authentic', `a message of ${parts.length} parts`))
        else sink.take(json)
      }
      if (turn === undefined) take()
      else await turn.arrived(take)
    }
  }

  return {
    async start(sink) {
      socket = new Dealer({
        ...{ routingId: agent, immediate: true, sendTimeout, linger: LINGER_MS },
        ...{ sendHighWaterMark: HIGH_WATER_MARK, receiveHighWaterMark: HIGH_WATER_MARK },
        ...{ heartbeatInterval: HEARTBEAT_MS, heartbeatTimeout: HEARTBEAT_TIMEOUT_MS },
        ...{ reconnectInterval: RECONNECT_MS, reconnectMaxInterval: RECONNECT_MAX_MS, maxMessageSize: FRAME_BYTES_MAX },
      })
      socket.connect(endpoint)
      received = receive(socket, sink)
      return null
    },
    hand(message) {
      const frame = sealPeerFrame(key, 'to_peer', new TextEncoder().encode(JSON.stringify(message)))
      // A socket sends one at a time; none waits, because nothing waits for room.
      const handed = sent.then(() => send(frame))
      turn?.handed(handed)
      sent = handed.catch(() => undefined)
      const done = handed.then(() => 'taken' as const)
      // Whoever waits for one of them need not wait for the other.
      done.catch(() => undefined)
      return { handed, done }
    },
    async stop() {
      await sent
      socket?.close()
      socket = null
      await received
    },
  }
}
