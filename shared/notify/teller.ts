import { type Breaker, createBreaker } from '../lib/circuit-breaker.ts'
import type { Clock } from '../lib/clock.ts'
import { plainText } from '../log/plain-text.ts'
import type { Millis } from '../units.ts'
import type { Notice, NotifyChannel } from './notice.ts'

const BREAKER = { failures: 3, windowMs: 300_000, openMs: 60_000, jitter: 0.5 } as const

export type TellerOptions = Readonly<{
  channels: readonly NotifyChannel[]
  timeoutMs: Millis
  clock: Pick<Clock, 'monotonicUs'>
  random(): number
}>

/** What became of a notice. `problems` names every channel that did not take it, '' when all did. */
export type Told = Readonly<{ isTold: boolean; problems: string }>

/** The ways to some people, a circuit breaker before each. */
export interface Teller {
  /** Tells it over all of them; told when one took it. Never rejects. */
  tell(notice: Notice): Promise<Told>
  /** Whether a way to people is well; which one does not matter, as with a notice. Never rejects. */
  probe(timeoutMs: Millis): Promise<boolean>
  close(): void
}

type Guarded = Readonly<{ channel: NotifyChannel; breaker: Breaker }>

export function createTeller({ channels, timeoutMs, clock, random }: TellerOptions): Teller {
  const guarded = channels.map((channel) => ({ channel, breaker: createBreaker({ ...BREAKER, random }) }))

  /** Null when the channel took it, else why not. */
  async function deliver({ channel, breaker }: Guarded, notice: Notice): Promise<string | null> {
    if (!breaker.mayTry(clock.monotonicUs())) return `${channel.name}: failed too often`
    try {
      await channel.deliver(notice, timeoutMs)
      breaker.succeeded(clock.monotonicUs())
      return null
    } catch (error) {
      breaker.failed(clock.monotonicUs())
      return `${channel.name}: ${(error as Error).message}`
    }
  }

  return {
    async tell(notice) {
      const outcomes = await Promise.all(guarded.map((one) => deliver(one, notice)))
      const failed = outcomes.filter((problem) => problem !== null)
      return { isTold: failed.length < guarded.length, problems: plainText(failed.join('; ')) }
    },
    async probe(withinMs) {
      const probes = channels.map((channel) => channel.probe(withinMs).catch(() => false))
      return (await Promise.all(probes)).includes(true)
    },
    close() {
      for (const channel of channels) channel.close()
    },
  }
}
