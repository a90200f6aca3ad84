import type { PeerAcks } from '../pipeline/peer-acks.ts'
import { actionRequest, type Sender } from '../pipeline/peer-messages.ts'
import type { Executor, ExecutorAck, ExecutorSink } from '../ports.ts'
import type { PeerSender } from './peer-sender.ts'

/** Where acks and the state of the link go, by target. */
export type PeerSinks = Map<string, ExecutorSink>

export type PeerExecutorOptions = Readonly<{
  target: string
  sender: PeerSender
  acks: PeerAcks
  sinks: PeerSinks
  from(): Sender
}>

/**
 * Actions that the peer carries out: an ACTION_REQUEST goes, ACTION_ACKs come. The contract has no question and no rehearsal:
 * a query knows what this process has heard, and a proof test fails.
 */
export function createPeerExecutor({ target, sender, acks, sinks, from }: PeerExecutorOptions): Executor {
  return {
    target,
    async start(on) {
      sinks.set(target, on)
    },
    async send(request) {
      acks.asked(request.key, target)
      await sender.request(actionRequest(request, from()), request.budgetMs)
    },
    async query(key): Promise<ExecutorAck | 'unknown_key' | 'no_answer'> {
      return acks.lastOf(key, target) ?? 'no_answer'
    },
    async proof() {
      return false
    },
    async stop() {
      sinks.delete(target)
    },
  }
}
