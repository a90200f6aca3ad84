import type { Action } from '../../shared/model/action.ts'
import type { AckStatus, ActionParams } from '../../shared/model/action-input.ts'
import type { Millis } from '../../shared/units.ts'

/** An action that is to be done. The same key means the same doing: a peer does it once, however often it is asked. */
export type ExecutorRequest = Readonly<{
  key: string
  rig: string
  action: Action
  target: string
  params: ActionParams
  attempt: number
  /** What is left of the fault tolerant time; never a time of day. */
  budgetMs: Millis
}>

/** What a peer says about a key; `from` is its verified identity. */
export type ExecutorAck = Readonly<{ key: string; status: AckStatus; from: string; message: string }>

export type ExecutorEvents = Readonly<{ ack(ack: ExecutorAck): void; up(): void; down(reason: string): void }>

/** Carries actions out on one target. `stop` may be called twice. */
export interface Executor {
  readonly target: string
  start(on: ExecutorEvents): Promise<void>
  /** Settles when the request was handed to the transport. Rejects with an HbError. */
  send(request: ExecutorRequest): Promise<void>
  /** Asks what became of a key, and does nothing else. */
  query(key: string, timeoutMs: Millis): Promise<ExecutorAck | 'unknown_key' | 'no_answer'>
  /** Walks the whole path to the peer without an effect (SE-42). */
  proof(timeoutMs: Millis): Promise<boolean>
  stop(): Promise<void>
}
