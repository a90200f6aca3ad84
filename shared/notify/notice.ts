import type { Millis } from '../units.ts'

/** What people are told: a line, and facts below it. Both are plain text on one line each. */
export type Notice = Readonly<{
  key: string
  rig: string
  action: string
  target: string
  title: string
  facts: readonly Readonly<{ name: string; value: string }>[]
}>

/** One way to people. `deliver` rejects when it is not known to have been taken; `probe` tells nobody anything. */
export interface NotifyChannel {
  readonly name: string
  deliver(notice: Notice, timeoutMs: Millis): Promise<void>
  probe(timeoutMs: Millis): Promise<boolean>
  close(): void
}
