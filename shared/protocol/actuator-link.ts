import { equalBytes } from '../crypto/digest.ts'
import { invariant } from '../lib/assert.ts'
import type { Micros } from '../units.ts'
import {
  type ActuatorMessage,
  type FromActuator,
  type LinkError,
  type LinkSide,
  type MessageHead,
  SESSION_US_MAX,
  type ToActuator,
} from './actuator.ts'
import { openFrame, sealFrame } from './actuator-frame.ts'

/** Sequence numbers below the highest one of which it is known whether they came. Below these everything is a repeat. */
const SEEN_MAX = 64

/** One end of a link as it is configured: who it is, who it talks to, and the key they share. */
export type LinkEnd = Readonly<{ side: LinkSide; self: string; peer: string; key: Uint8Array }>

/**
 * What became of a frame. `lost`: messages before it that never came. A refused one had no effect and never will have.
 */
export type Taken<M> =
  | Readonly<{ ok: true; head: MessageHead; message: M; lost: number }>
  | Readonly<{ ok: false; kind: LinkError; detail: string; head: MessageHead | null }>

type Incoming<S extends LinkSide> = S extends 'agent' ? FromActuator : ToActuator

/**
 * One session of a link (SE-41): numbers what goes out and judges what comes in. No IO and no clock of its own; `nowUs`
 * is monotonic time of this end.
 */
export interface LinkSession {
  readonly id: Uint8Array
  /** Messages taken so far. */
  readonly heard: number
  seal(message: ActuatorMessage, at: Readonly<{ nowUs: Micros; deadlineUs: Micros }>): Uint8Array
  /** Number of what was sealed last. */
  readonly sealed: number
  /** Judges number and age of a message that is proved to be of this session. Call it once a frame: it counts. */
  take<M>(head: MessageHead, message: M, nowUs: Micros): Taken<M>
}

/** `zeroUs`: from when `sent_us` of this end counts. `peerZeroUs`: the earliest moment from when that of the peer can. */
export type SessionStart = Readonly<{ id: Uint8Array; zeroUs: Micros; peerZeroUs: Micros }>

export function createLinkSession(end: LinkEnd, { id, zeroUs, peerZeroUs }: SessionStart): LinkSession {
  let sealed = 0
  let heard = 0
  let highest = 0
  let seen = new Set<number>()

  /** Null when a number is in order, with what is missing before it; else what is wrong with it. */
  function inOrder(seq: number): LinkError | null {
    if (seq > highest) return null
    return seen.has(seq) || seq <= highest - SEEN_MAX || seq === 0 ? 'repeat' : 'reorder'
  }

  function note(seq: number): number {
    const lost = seq - highest - 1
    highest = seq
    seen.add(seq)
    if (seen.size > SEEN_MAX) seen = new Set([...seen].filter((one) => one > highest - SEEN_MAX))
    heard += 1
    return lost
  }

  return {
    id,
    get heard() {
      return heard
    },
    get sealed() {
      return sealed
    },
    seal(message, { nowUs, deadlineUs }) {
      const frame = sealFrame(
        end.key,
        {
          from: end.self,
          to: end.peer,
          session: id,
          seq: sealed + 1,
          sent_us: nowUs - zeroUs,
          deadline_us: deadlineUs,
        },
        message,
      )
      sealed += 1
      return frame
    },
    take(head, message, nowUs) {
      const refuse = (kind: LinkError, detail: string): Taken<never> => ({ ok: false, kind, detail, head })
      const wrong = inOrder(head.seq)
      if (wrong !== null) return refuse(wrong, `number ${head.seq} after ${highest}`)
      const lost = note(head.seq)
      const ageUs = nowUs - peerZeroUs - head.sent_us
      if (!(ageUs <= head.deadline_us)) return refuse('delay', `${ageUs} us, good for ${head.deadline_us}`)
      if (!(nowUs - peerZeroUs <= SESSION_US_MAX)) return refuse('delay', 'the session is too old to tell the age')
      return { ok: true, head, message, lost }
    },
  }
}

/** Null when a message is from the peer to us; else what it is. */
function addressed(end: LinkEnd, head: MessageHead): readonly [LinkError, string] | null {
  if (head.to !== end.self) return ['misaddress', `to ${head.to}`]
  return head.from === end.peer ? null : ['masquerade', `from ${head.from}`]
}

/** Opens a frame and judges it by whichever session it names; without one it can only be part of a greeting. */
export function takeFrame<S extends LinkSide>(
  end: LinkEnd & Readonly<{ side: S }>,
  sessions: readonly LinkSession[],
  { frame, nowUs }: Readonly<{ frame: Uint8Array; nowUs: Micros }>,
): Taken<Incoming<S>> {
  const opened = openFrame(frame, end.key, end.side === 'agent' ? 'actuator' : 'agent')
  if (!opened.ok) return { ...opened, head: null }
  const { head, message } = opened
  const stranger = addressed(end, head)
  if (stranger !== null) return { ok: false, kind: stranger[0], detail: stranger[1], head }
  if (message.t === 'hello' || message.t === 'hello_ack')
    return { ok: true, head, message: message as Incoming<S>, lost: 0 }
  const session = sessions.find(({ id }) => equalBytes(id, head.session))
  if (session === undefined) return { ok: false, kind: 'insert', detail: 'of no session that is open', head }
  return session.take(head, message as Incoming<S>, nowUs)
}

/** A greeting: `session` is empty in `hello`, and the one that begins in `hello_ack`. */
export function sealGreeting(
  end: LinkEnd,
  message: ActuatorMessage,
  { session, deadlineUs }: Readonly<{ session: Uint8Array; deadlineUs: Micros }>,
): Uint8Array {
  invariant(message.t === 'hello' || message.t === 'hello_ack', 'a greeting is a hello or its answer')
  const { self: from, peer: to } = end
  return sealFrame(end.key, { from, to, session, seq: 0, sent_us: 0, deadline_us: deadlineUs }, message)
}
