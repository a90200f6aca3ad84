import { turnOfLoop } from '../../shared/lib/clock.ts'
import { GRANT_MESSAGES_MAX, type LockstepCounts, type LockstepLack } from '../../shared/protocol/lockstep.ts'
import type { Bytes } from '../../shared/units.ts'
import type { LinkTurn, RawTelemetry, SourceSink } from '../ports.ts'

/** Messages of one way that may wait for a grant, and their bytes; beyond, its transport is not read. */
const WAITING_MAX = GRANT_MESSAGES_MAX
const WAITING_BYTES_MAX: Bytes = 64 * 1024 * 1024
/** Messages of a source that are handed on together. */
const MESSAGES_AT_ONCE = 256

/** Counts that a grant tells of. */
export type Granted = Readonly<Record<LockstepLack['way'], LockstepCounts>>

type Waiting<T> = Readonly<{ item: T; bytes: Bytes }>

/** One way in: what has arrived waits until it is let in, in the order it arrived. */
class Way<T> {
  arrived = 0
  passed = 0
  private waiting: Waiting<T>[] = []
  private waitingBytes = 0
  private room: (() => void) | null = null
  private isOpen = true
  private readonly take: (items: readonly T[]) => Promise<void> | void

  constructor(take: (items: readonly T[]) => Promise<void> | void) {
    this.take = take
  }

  /** Settles when there is room for more; null when there is. */
  add(one: Waiting<T>): Promise<void> | null {
    if (!this.isOpen) return null
    this.arrived += 1
    this.waiting.push(one)
    this.waitingBytes += one.bytes
    if (this.waiting.length < WAITING_MAX && this.waitingBytes < WAITING_BYTES_MAX) return null
    return new Promise((resolve) => {
      this.room = resolve
    })
  }

  async pass(total: number): Promise<void> {
    const now = this.waiting.splice(0, Math.max(0, total - this.passed))
    this.passed += now.length
    for (const { bytes } of now) this.waitingBytes -= bytes
    this.makeRoom()
    if (now.length > 0) await this.take(now.map(({ item }) => item))
  }

  close(): void {
    this.isOpen = false
    this.waiting = []
    this.makeRoom()
  }

  private makeRoom(): void {
    this.room?.()
    this.room = null
  }
}

/**
 * The ways into an agent whose time a bench moves: nothing is taken before the grant that counts it, and then in the order
 * of the configuration, so that the same grants give the same journal however messages race. And what is under way inside,
 * so that time goes on only when everything that follows from a moment has been done.
 */
export class Turnstile {
  /** Link frames that have gone, by name. */
  readonly sent: Record<string, number> = {}
  private readonly ways = { frames: new Map<string, Way<RawTelemetry>>(), heard: new Map<string, Way<() => void>>() }
  private readonly underWay = new Set<Promise<unknown>>()
  private changed = (): void => {}

  source(name: string, sink: SourceSink): SourceSink {
    const way = new Way<RawTelemetry>(async (items) => {
      for (let k = 0; k < items.length; k += MESSAGES_AT_ONCE) {
        const some = items.slice(k, k + MESSAGES_AT_ONCE)
        await sink.deliver({ ...some[0]!, messages: some.flatMap(({ messages }) => messages) })
      }
    })
    this.ways.frames.set(name, way)
    return {
      ...sink,
      deliver: async (raw) => {
        for (const message of raw.messages) {
          const room = way.add({ item: { ...raw, messages: [message] }, bytes: message.length })
          this.changed()
          if (room !== null) await room
        }
      },
    }
  }

  link(name: string): LinkTurn {
    const way = new Way<() => void>((items) => {
      for (const take of items) take()
    })
    this.ways.heard.set(name, way)
    this.sent[name] = 0
    return {
      arrived: (take) => {
        const room = way.add({ item: take, bytes: 0 })
        this.changed()
        return room
      },
      handed: (frame) => {
        const counted = frame.then(
          () => {
            this.sent[name]! += 1
          },
          () => undefined,
        )
        void this.hold(counted)
      },
    }
  }

  hold<T>(work: Promise<T>): Promise<T> {
    const over = (): void => void this.underWay.delete(work)
    this.underWay.add(work)
    work.then(over, over)
    return work
  }

  /** Settles when nothing is under way any more, and nothing that followed from it. */
  async quiet(): Promise<void> {
    for (;;) {
      await turnOfLoop()
      if (this.underWay.size === 0) return
      await Promise.allSettled(this.underWay)
    }
  }

  /** What is wrong with counts: a name that there is not, or a number that cannot be; null when nothing is. */
  misfit(granted: Granted): Readonly<{ code: 'NAME' | 'COUNT'; detail: string }> | null {
    for (const { way, name, total } of counted(granted)) {
      const known = this.ways[way].get(name)
      if (known === undefined) return { code: 'NAME', detail: `${name} in ${way}` }
      if (total < known.passed) return { code: 'COUNT', detail: `${total} of ${name}, told before: ${known.passed}` }
      if (total - known.passed > GRANT_MESSAGES_MAX)
        return { code: 'COUNT', detail: `${total - known.passed} new ones of ${name}, at most ${GRANT_MESSAGES_MAX}` }
    }
    return null
  }

  /** What has not arrived yet. */
  lacking(granted: Granted): LockstepLack[] {
    return counted(granted).flatMap(({ way, name, total }) => {
      const arrived = this.ways[way].get(name)?.arrived ?? 0
      return arrived < total ? [{ way, name, wanted: total, arrived }] : []
    })
  }

  /** Calls `look` whenever something arrives; one at a time. @returns ends that */
  watch(look: () => void): () => void {
    this.changed = look
    return () => {
      this.changed = () => {}
    }
  }

  /** Lets in what was granted: telemetry first, then links, each in the order of the configuration. */
  async pass(granted: Granted): Promise<void> {
    for (const kind of ['frames', 'heard'] as const)
      for (const [name, way] of this.ways[kind]) await way.pass(granted[kind][name] ?? 0)
  }

  /** Nothing is let in any more, and nobody waits for room. */
  close(): void {
    for (const way of [...this.ways.frames.values(), ...this.ways.heard.values()]) way.close()
  }
}

function counted(granted: Granted): { way: LockstepLack['way']; name: string; total: number }[] {
  return (['frames', 'heard'] as const).flatMap((way) =>
    Object.entries(granted[way]).map(([name, total]) => ({ way, name, total })),
  )
}
