import type { Micros } from '../units.ts'
import type { Clock } from './clock.ts'

/** A signal this soon after the first is the same one: a service manager tells the whole group, and whoever started us hands it on. */
const SAME_SIGNAL_US: Micros = 1_000_000

export type StopSignals = Readonly<{
  /** Settles with the name of the first SIGINT or SIGTERM. */
  first: Promise<string>
  /** Settles when somebody asks once more: they want it now. */
  again: Promise<void>
}>

/** Listens for being stopped, from now to the end of the process. */
export function stopSignals(clock: Pick<Clock, 'monotonicUs'>): StopSignals {
  let tellFirst = (_signal: string): void => {}
  let tellAgain = (): void => {}
  const first = new Promise<string>((resolve) => {
    tellFirst = resolve
  })
  const again = new Promise<void>((resolve) => {
    tellAgain = resolve
  })
  let firstUs: Micros | null = null
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (firstUs !== null && clock.monotonicUs() - firstUs > SAME_SIGNAL_US) tellAgain()
      firstUs ??= clock.monotonicUs()
      tellFirst(signal)
    })
  }
  return { first, again }
}
