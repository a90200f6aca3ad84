import type { Millis } from '../units.ts'
import { InvariantError } from './assert.ts'
import type { Clock } from './clock.ts'

/** A thing with a life. `stop` may be called when `start` failed or was never called. */
export type LifecyclePart = Readonly<{
  name: string
  start?: () => Promise<void> | void
  stop?: () => Promise<void> | void
}>

/** How a stop went. Both lists empty: everything was put away in order. */
export type StopReport = Readonly<{
  /** Parts that had not stopped by the deadline, and parts whose turn did not come. */
  overdue: readonly string[]
  failed: readonly Readonly<{ name: string; error: unknown }>[]
}>

/** Starts parts in the order they were added and stops them in reverse. */
export interface Lifecycle {
  add(part: LifecyclePart): void
  /** Starts what was added. A part that fails stops those before it, and its error is thrown. */
  start(): Promise<void>
  /** Stops everything within the deadline. Never throws; called again it answers with the same report. */
  stop(): Promise<StopReport>
}

export function createLifecycle({ clock, stopMs }: { clock: Clock; stopMs: Millis }): Lifecycle {
  const parts: LifecyclePart[] = []
  let begun = 0
  let stopped: Promise<StopReport> | undefined

  function stop(): Promise<StopReport> {
    stopped ??= stopParts(parts.slice(0, begun).reverse(), clock, stopMs)
    return stopped
  }

  return {
    add(part) {
      if (stopped !== undefined) throw new InvariantError(`${part.name} was added after the stop`)
      parts.push(part)
    },
    async start() {
      while (begun < parts.length && stopped === undefined) {
        const part = parts[begun]!
        // Counted before it is started: one that fails half-way is stopped too.
        begun += 1
        try {
          await part.start?.()
        } catch (error) {
          await stop()
          throw error
        }
      }
    },
    stop,
  }
}

async function stopParts(parts: readonly LifecyclePart[], clock: Clock, stopMs: Millis): Promise<StopReport> {
  const overdue: string[] = []
  const failed: { name: string; error: unknown }[] = []
  let cancel = (): void => {}
  const deadline = new Promise<'late'>((resolve) => {
    cancel = clock.after(stopMs, () => resolve('late'))
  })
  let late = false
  for (const part of parts) {
    if (late) {
      overdue.push(part.name)
      continue
    }
    const stopping = stopPart(part).catch((error: unknown) => {
      failed.push({ name: part.name, error })
    })
    if ((await Promise.race([stopping, deadline])) === 'late') {
      late = true
      overdue.push(part.name)
    }
  }
  cancel()
  return { overdue, failed }
}

async function stopPart(part: LifecyclePart): Promise<void> {
  await part.stop?.()
}
