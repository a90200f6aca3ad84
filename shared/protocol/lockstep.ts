import { decodeTransport, encodeTransport, type TransportCaps } from '../codec/transport.ts'
import { isHbError } from '../errors/hb-error.ts'
import { isId } from '../model/ids.ts'
import type { Bytes, Micros } from '../units.ts'

/**
 * Messages between a bench (DEALER) and an agent under `clock: external` (ROUTER) over ZeroMQ: one part each, profile
 * `transport`, a map whose `t` says which. The agent's time stands still but for what is granted (ADR 35).
 *
 * | from the bench | answered by | |
 * |---|---|---|
 * | `hello` | `ready` | the time at which the agent begins, and that it has begun |
 * | `grant` | `advanced`, `behind` | first so much must have arrived, then time goes on until then; `behind`: it did not arrive, and nothing was taken or moved |
 * | `end` | | nothing more is granted: the agent ends in order |
 *
 * `refused` is said of anything else, and of what does not fit: nothing of it was done.
 */
export const LOCKSTEP_VERSION = 1
/** A longer message is refused before it is read. */
export const LOCKSTEP_BYTES_MAX: Bytes = 64 * 1024
/** Names in one map, or of one list. */
export const LOCKSTEP_NAMES_MAX = 1024
export const LOCKSTEP_TEXT_MAX = 512
/** Time may be moved so far at once. */
export const GRANT_US_MAX: Micros = 600_000_000
/** Messages of one source, or frames of one link, that one grant may wait for. */
export const GRANT_MESSAGES_MAX = 10_000
/** Stands before the name of a peer in the maps of link frames. */
export const PEER_PREFIX = 'peer:'

/** Counts since the agent began, by name. */
export type LockstepCounts = Readonly<Record<string, number>>

export type LockstepHello = Readonly<{ t: 'hello'; begin_us: Micros }>
/**
 * `n` counts from 1. `frames`: telemetry messages that the bench has sent so far, by source; `heard`: frames of links that
 * it has sent so far, by the target or the `peer:` they are from. A name that is left out has sent nothing new.
 */
export type LockstepGrant = Readonly<{
  t: 'grant'
  n: number
  until_us: Micros
  frames: LockstepCounts
  heard: LockstepCounts
}>
export type LockstepEnd = Readonly<{ t: 'end' }>
export type ToLockstepAgent = LockstepHello | LockstepGrant | LockstepEnd

export type LockstepReady = Readonly<{ t: 'ready'; agent: string; now_us: Micros; rigs: readonly string[] }>
/**
 * Time is where grant `n` moved it, and everything that follows from it was done. `evaluated_through_us`: end of the last
 * slide that is decided for every rig, 0 before the first. `decisions`: number of the last decision. `sent`: link frames
 * that the agent has sent so far, by target and `peer:`.
 */
export type LockstepAdvanced = Readonly<{
  t: 'advanced'
  n: number
  evaluated_through_us: Micros
  decisions: number
  sent: LockstepCounts
}>
export type LockstepLack = Readonly<{ way: 'frames' | 'heard'; name: string; wanted: number; arrived: number }>
/** The same grant may be given again. */
export type LockstepBehind = Readonly<{ t: 'behind'; n: number; lacking: readonly LockstepLack[] }>
export const LOCKSTEP_REFUSALS = [
  /** Not a message of this protocol. */
  'MESSAGE',
  /** Another bench has the agent. */
  'BENCH_TAKEN',
  /** A hello to an agent that was greeted, or a grant to one that was not. */
  'ORDER',
  /** The agent has not begun, or cannot begin: what is wrong is in the detail. */
  'NOT_READY',
  /** A time at which it cannot begin, a grant that goes back, or one that goes too far. */
  'TIME',
  /** A grant that does not follow the one before. */
  'NUMBER',
  /** A source, target or peer that the agent has not. */
  'NAME',
  /** A count below one that was told before, or too far above it. */
  'COUNT',
] as const
export type LockstepRefusal = (typeof LOCKSTEP_REFUSALS)[number]
export type LockstepRefused = Readonly<{ t: 'refused'; code: LockstepRefusal; detail: string }>
export type FromLockstepAgent = LockstepReady | LockstepAdvanced | LockstepBehind | LockstepRefused

export type LockstepMessage = ToLockstepAgent | FromLockstepAgent
/** Which end a message is of. */
export type LockstepSide = 'bench' | 'agent'
type Of<S extends LockstepSide> = S extends 'bench' ? ToLockstepAgent : FromLockstepAgent

/** The message, or what is wrong with the bytes. */
export type OpenedLockstep<M> = Readonly<{ ok: true; message: M }> | Readonly<{ ok: false; detail: string }>

const CAPS: TransportCaps = { bytesMax: LOCKSTEP_BYTES_MAX, depthMax: 4, itemsMax: 16 * LOCKSTEP_NAMES_MAX }

export function encodeLockstep(message: LockstepMessage): Uint8Array {
  return encodeTransport({ v: LOCKSTEP_VERSION, ...message })
}

/** Reads what the end `side` should have sent. Never throws for foreign bytes. */
export function decodeLockstep<S extends LockstepSide>(side: S, bytes: Uint8Array): OpenedLockstep<Of<S>> {
  let value: unknown
  try {
    value = decodeTransport(bytes, CAPS)
  } catch (error) {
    if (!isHbError(error, 'CBOR_REFUSED')) throw error
    return { ok: false, detail: `bytes: ${String(error.context['reason'])}` }
  }
  if (!isMap(value)) return { ok: false, detail: 'not a map' }
  const { v, ...message } = value
  if (v !== LOCKSTEP_VERSION) return { ok: false, detail: `version ${String(v)}` }
  const { t } = message
  const shape = typeof t === 'string' && Object.hasOwn(SHAPES[side], t) ? SHAPES[side][t] : undefined
  if (shape === undefined) return { ok: false, detail: 'a type that does not belong here' }
  const wrong = misfit(message, shape)
  return wrong === null
    ? { ok: true, message: message as unknown as Of<S> }
    : { ok: false, detail: `${String(t)}.${wrong}` }
}

type Holds = (value: unknown) => boolean
type Shape = Readonly<Record<string, Holds>>

const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !ArrayBuffer.isView(value)
const isCount: Holds = (value) => Number.isSafeInteger(value) && (value as number) >= 0
const isText: Holds = (value) => typeof value === 'string' && value.length <= LOCKSTEP_TEXT_MAX
const isName: Holds = (value) => typeof value === 'string' && isId(value)
const isWay = (value: string): boolean => isId(value.startsWith(PEER_PREFIX) ? value.slice(PEER_PREFIX.length) : value)
const oneOf =
  (words: readonly string[]): Holds =>
  (value) =>
    words.includes(value as string)
const listOf =
  (holds: Holds): Holds =>
  (value) =>
    Array.isArray(value) && value.length <= LOCKSTEP_NAMES_MAX && value.every(holds)
const countsOf =
  (isKey: (name: string) => boolean): Holds =>
  (value) => {
    if (!isMap(value)) return false
    const names = Object.keys(value)
    return names.length <= LOCKSTEP_NAMES_MAX && names.every((name) => isKey(name) && isCount(value[name]))
  }
const LACK: Shape = {
  way: oneOf(['frames', 'heard']),
  name: (value) => typeof value === 'string' && isWay(value),
  wanted: isCount,
  arrived: isCount,
}

const SHAPES: Readonly<Record<LockstepSide, Readonly<Record<string, Shape>>>> = {
  bench: {
    hello: { begin_us: isCount },
    grant: { n: isCount, until_us: isCount, frames: countsOf(isId), heard: countsOf(isWay) },
    end: {},
  },
  agent: {
    ready: { agent: isName, now_us: isCount, rigs: listOf(isName) },
    advanced: { n: isCount, evaluated_through_us: isCount, decisions: isCount, sent: countsOf(isWay) },
    behind: { n: isCount, lacking: listOf((one) => isMap(one) && misfit({ t: '', ...one }, LACK) === null) },
    refused: { code: oneOf(LOCKSTEP_REFUSALS), detail: isText },
  },
}

/** First field that is missing, of another kind, or not of this message. */
function misfit(message: Readonly<Record<string, unknown>>, shape: Shape): string | null {
  for (const [field, holds] of Object.entries(shape)) if (!holds(message[field])) return field
  for (const field of Object.keys(message)) if (field !== 't' && !Object.hasOwn(shape, field)) return field
  return null
}
