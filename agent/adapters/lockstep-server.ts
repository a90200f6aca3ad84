import { Router } from 'zeromq'
import { equalBytes } from '../../shared/crypto/digest.ts'
import { HbError } from '../../shared/errors/hb-error.ts'
import {
  decodeLockstep,
  encodeLockstep,
  type FromLockstepAgent,
  LOCKSTEP_BYTES_MAX,
} from '../../shared/protocol/lockstep.ts'
import type { Millis } from '../../shared/units.ts'
import { type Lockstep, refusal } from '../pipeline/lockstep.ts'

/** Messages waiting inside ZeroMQ; who sends more without an answer waits. */
const HIGH_WATER_MARK = 64
/** The last answer may still go when the socket is closed. */
const LINGER_MS: Millis = 1000

/** Where a bench reaches the agent whose time it moves. */
export interface LockstepServer {
  /** @throws HbError PORT_TAKEN */
  start(): Promise<void>
  stop(): Promise<void>
}

export function createLockstepServer(endpoint: string, lockstep: Lockstep): LockstepServer {
  const socket = new Router({
    ...{ linger: LINGER_MS, sendTimeout: 0, mandatory: true, maxMessageSize: LOCKSTEP_BYTES_MAX },
    ...{ sendHighWaterMark: HIGH_WATER_MARK, receiveHighWaterMark: HIGH_WATER_MARK },
  })
  let bench: Uint8Array | null = null
  let done: Promise<void> = Promise.resolve()
  let answering: Promise<void> = Promise.resolve()

  async function answerTo(route: Uint8Array, parts: readonly Uint8Array[]): Promise<FromLockstepAgent | null> {
    if (bench !== null && !equalBytes(bench, route)) return refusal('BENCH_TAKEN', 'another bench moves this agent')
    const opened = parts.length === 1 ? decodeLockstep('bench', new Uint8Array(parts[0]!)) : null
    if (opened === null || !opened.ok) return refusal('MESSAGE', opened?.detail ?? `${parts.length} parts`)
    if (opened.message.t === 'hello') bench = route
    const answer = await lockstep.take(opened.message)
    // One whose first word was refused has no claim on the agent.
    if (opened.message.t === 'hello' && answer?.t === 'refused' && answer.code === 'TIME') bench = null
    return answer
  }

  async function answer(from: Uint8Array, parts: readonly Uint8Array[]): Promise<void> {
    const said = await answerTo(from, parts)
    // Who has gone, or does not read, is not waited for.
    if (said !== null && !socket.closed) await socket.send([from, encodeLockstep(said)]).catch(() => undefined)
  }

  async function receive(): Promise<void> {
    for await (const [route, ...parts] of socket) {
      answering = answer(new Uint8Array(route!), parts)
      await answering
    }
  }

  return {
    async start() {
      try {
        await socket.bind(endpoint)
      } catch (cause) {
        socket.close()
        throw new HbError('PORT_TAKEN', { endpoint, reason: (cause as Error).message }, { cause })
      }
      done = receive()
    },
    async stop() {
      lockstep.giveUp()
      await answering
      socket.close()
      await done
    },
  }
}
