import type { Socket } from 'node:net'
import type { ErrorCode } from '../../shared/errors/catalog.ts'
import type { Clock } from '../../shared/lib/clock.ts'
import type { Millis } from '../../shared/units.ts'

/** Somebody who was not let in. `agent` is empty when no certificate said who it was. */
export type Turned = Readonly<{ code: ErrorCode; agent: string; detail: string }>

export type DoorOptions = Readonly<{
  clock: Pick<Clock, 'after'>
  /** Says and keeps a refusal that stands for `times` of the same kind. Never rejects. */
  refuse(refusal: Turned & Readonly<{ epoch: null; batchSeq: null; times: number }>): Promise<void>
}>

/** For handshake and upgrade; the session has a limit of its own for the hello. Who takes longer is cut off, however it trickles. */
export const ENTER_WITHIN_MS: Millis = 10_000
/** Connections that are no session yet; one more is cut off at once. */
export const ENTERING_MAX = 512
const FULL_DETAIL = `more than ${ENTERING_MAX} connections without a session`
/** The same kind of refusal is said and written once in this time; the rest is counted and said as a number afterwards. */
export const SAY_EVERY_MS: Millis = 10_000
/** Kinds of refusal told apart at once; more are counted under their code alone. */
const KINDS_MAX = 256

/**
 * What stands before the sessions: nobody has said who they are yet, so whatever they do must cost next to nothing and
 * may neither fill the log nor the disk.
 */
export interface Door {
  /** A connection was made. It is cut off when it has not entered in time. */
  came(socket: Socket): void
  /** The connection of this remote end became a session. */
  entered(remote: RemoteEnd): void
  turnAway(who: Turned): void
  /** Turned away since the start, by code and detail. */
  counts(): readonly Readonly<{ code: string; detail: string; count: number }>[]
  readonly entering: number
  /** Says what has been counted and not said, and stops. */
  close(): void
}

type RemoteEnd = Pick<Socket, 'remoteAddress' | 'remotePort'>
type Kind = Turned & { count: number; said: number; cancel: (() => void) | null }

export function createDoor({ clock, refuse }: DoorOptions): Door {
  const entering = new Map<string, () => void>()
  const kinds = new Map<string, Kind>()

  function say(kind: Kind): void {
    const times = kind.count - kind.said
    kind.cancel = null
    if (times === 0) return
    kind.said = kind.count
    void refuse({ code: kind.code, agent: kind.agent, detail: kind.detail, epoch: null, batchSeq: null, times })
    kind.cancel = clock.after(SAY_EVERY_MS, () => say(kind))
  }

  function turnAway(who: Turned): void {
    const kind = kindOf(kinds, who)
    kind.count += 1
    if (kind.cancel === null) say(kind)
  }

  function leave(name: string): void {
    entering.get(name)?.()
    entering.delete(name)
  }

  function came(socket: Socket): void {
    const name = nameOf(socket)
    if (entering.size >= ENTERING_MAX) {
      turnAway({ code: 'SESSIONS_FULL', agent: '', detail: FULL_DETAIL })
      socket.destroy()
      return
    }
    const cancel = clock.after(ENTER_WITHIN_MS, () => {
      entering.delete(name)
      turnAway({ code: 'SESSION_TIMEOUT', agent: '', detail: 'no session in time' })
      socket.destroy()
    })
    entering.set(name, cancel)
    socket.once('close', () => leave(name))
  }

  return {
    came,
    entered: (remote) => leave(nameOf(remote)),
    turnAway,
    counts: () => [...kinds.values()].map(({ code, detail, count }) => ({ code, detail, count })),
    get entering() {
      return entering.size
    },
    close() {
      for (const cancel of entering.values()) cancel()
      entering.clear()
      for (const kind of kinds.values()) {
        kind.cancel?.()
        say(kind)
        kind.cancel?.()
      }
    },
  }
}

function kindOf(kinds: Map<string, Kind>, who: Turned): Kind {
  const name = JSON.stringify([who.code, who.agent, who.detail])
  const known = kinds.get(name)
  if (known !== undefined) return known
  const full = kinds.size >= KINDS_MAX
  const shared = full ? kinds.get(who.code) : undefined
  if (shared !== undefined) return shared
  const kind = { ...who, ...(full ? { agent: '', detail: 'of many kinds' } : {}), count: 0, said: 0, cancel: null }
  kinds.set(full ? who.code : name, kind)
  return kind
}

function nameOf({ remoteAddress, remotePort }: RemoteEnd): string {
  return `${remoteAddress} ${remotePort}`
}
