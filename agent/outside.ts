import type { LoadedRuntime } from '../shared/config/load.ts'
import { invariant } from '../shared/lib/assert.ts'
import type { Clock } from '../shared/lib/clock.ts'
import type { Lifecycle } from '../shared/lib/lifecycle.ts'
import { createLockstepServer, type LockstepServer } from './adapters/lockstep-server.ts'
import { createOutsideClock, type OutsideClock } from './adapters/outside-clock.ts'
import { clockProblem } from './clock-check.ts'
import type { AgentLoop } from './loop.ts'
import { Lockstep } from './pipeline/lockstep.ts'
import { Turnstile } from './pipeline/turnstile.ts'
import type { OutsideTime } from './ports.ts'

/** An agent whose time a bench moves: the time, what heeds it, and the way to the bench. */
export type Outside = Readonly<{
  clock: OutsideClock
  time: OutsideTime
  /** Everything runs: the bench is told, and may grant. `ended` when it grants nothing more. */
  begin(loop: AgentLoop, ended: () => void): void
  /** Ends the clock, when everything has been put away. */
  addClock(lifecycle: Lifecycle): void
  /** Ends what may be granted, before anything else is put away. */
  addBench(lifecycle: Lifecycle): void
  /** The agent cannot begin; settles when the bench was told. */
  failed(error: unknown): Promise<void>
}>

/** The wait for a bench, which somebody may end. */
export type Awaiting = Readonly<{
  /** null when nobody waits any more. @throws HbError PORT_TAKEN */
  outside(): Promise<Outside | null>
  giveUp(): void
}>

/** Listens for the bench of an agent under `clock: external`. */
export function awaitBench(loaded: LoadedRuntime, host: Clock): Awaiting {
  const { lockstep: at } = loaded.config
  invariant(at !== undefined, 'an external clock has a lockstep: the configuration was checked')
  const turnstile = new Turnstile()
  const against = (beginUs: number): string | null => clockProblem(beginUs)
  const lockstep = new Lockstep({ turnstile, host, against })
  const server = createLockstepServer(at.endpoint, lockstep)
  return {
    async outside() {
      await server.start()
      const beginUs = await lockstep.greeted
      if (beginUs !== null) return outsideFrom(beginUs, { loaded, host, turnstile, lockstep, server })
      await server.stop()
      return null
    },
    giveUp: () => lockstep.giveUp(),
  }
}

type Parts = Readonly<{
  loaded: LoadedRuntime
  host: Clock
  turnstile: Turnstile
  lockstep: Lockstep
  server: LockstepServer
}>

function outsideFrom(beginUs: number, { loaded, host, turnstile, lockstep, server }: Parts): Outside {
  let caughtUp = async (): Promise<boolean> => false
  const settle = async (): Promise<void> => {
    do await turnstile.quiet()
    while (await caughtUp())
  }
  const clock = createOutsideClock(beginUs, { host, settle })
  const time: OutsideTime = {
    host,
    hold: (work) => turnstile.hold(work),
    source: (name, sink) => turnstile.source(name, sink),
    link: (name) => turnstile.link(name),
    letRun: () => clock.letRun(),
  }
  return {
    clock,
    time,
    begin(loop, ended) {
      caughtUp = () => loop.caughtUp()
      const { agent, rigs } = loaded.config
      const state = () => loop.evaluation.state
      lockstep.ready({ agent, rigs: rigs.map(({ rig }) => rig), clock, state, ended })
    },
    addClock(lifecycle) {
      lifecycle.add({ name: 'clock', stop: () => clock.halt() })
    },
    addBench(lifecycle) {
      lifecycle.add({ name: 'lockstep', stop: () => server.stop() })
    },
    async failed(error) {
      lockstep.failed(error instanceof Error ? error.message : String(error))
      clock.halt()
      await server.stop()
    },
  }
}
