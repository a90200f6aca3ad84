import type { Action } from '../model/action.ts'
import type { Micros } from '../units.ts'

/**
 * Messages between an agent (DEALER) and an actuator (ROUTER) over ZeroMQ: one frame each (`actuator-frame.ts`), taken in
 * order within a session (`actuator-link.ts`). Every message stands behind the same head, so that none of them can be
 * damaged, told twice, out of order, too late, by somebody else or to somebody else without being noticed (SE-41).
 *
 * | from agent | answered by | |
 * |---|---|---|
 * | `hello` | `hello_ack` | begins a session; the one before stands until something arrives in the new one |
 * | `ping` | `pong` | receipt with timeout: without it the link counts as lost |
 * | `request` | `ack`, one or more | the stages of an action; a repeated key is answered with the first outcome (SE-14) |
 * | `query` | `answer` | what became of a key |
 * | `proof` | `proof_ack` | the whole path without an effect (SE-42) |
 * | `permit` | `permit_ack` | a stroke of the dead-man (SE-33); when they stop, the actuator drops by itself (SE-34) |
 *
 * `refused` is said of a message that came too late to be done: it certainly had no effect.
 */
export const ACTUATOR_VERSION = 1

/** Longest texts, and most parameters of an action. */
export const ACTUATOR_TEXT_MAX = 512
export const PARAMS_MAX = 32
/** Bytes of a session id and of a nonce. */
export const SESSION_BYTES = 16
/** Longest time a message may be good for, and a session: two clocks that differ by 100 ppm part by 60 ms in it. */
export const DEADLINE_US_MAX: Micros = 600_000_000
export const SESSION_US_MAX: Micros = 600_000_000

/** The ways in which a message can go wrong (IEC 61784-3, 5.3), by which a refused one is named. */
export const LINK_ERRORS = [
  'corrupt',
  'repeat',
  'reorder',
  'lose',
  'delay',
  'insert',
  'masquerade',
  'misaddress',
] as const
export type LinkError = (typeof LINK_ERRORS)[number]

/** How far an action is at the actuator. `rejected`, `completed` and `failed` are its end. */
export const ACK_STAGES = ['accepted', 'rejected', 'started', 'progress', 'completed', 'failed'] as const
export type AckStage = (typeof ACK_STAGES)[number]

/** What an actuator does when strokes of the permit stop (SE-34). */
export const LOSS_EFFECTS = ['de_energise', 'hold_last', 'none'] as const
export type LossEffect = (typeof LOSS_EFFECTS)[number]

/**
 * `sent_us` counts from when the agent got `hello_ack`, and at the actuator from when it got `hello`: each knows from its
 * own clock since when that can have been at most, and so how old a message is at most, whatever the wall clocks say.
 * Older than `deadline_us` it is refused. `seq` counts from 1 in each direction of a session; 0 in `hello`, `hello_ack`.
 */
export type MessageHead = Readonly<{
  from: string
  to: string
  session: Uint8Array
  seq: number
  sent_us: Micros
  deadline_us: Micros
}>

export type ActionParams = Readonly<Record<string, string | number | boolean>>

export type HelloActuator = Readonly<{ t: 'hello'; nonce: Uint8Array }>
export type ActuatorPing = Readonly<{ t: 'ping' }>
export type ActionRequest = Readonly<{
  t: 'request'
  key: string
  rig: string
  action: Action
  target: string
  params: ActionParams
  attempt: number
}>
export type ActionQuery = Readonly<{ t: 'query'; key: string }>
export type ProofRequest = Readonly<{ t: 'proof'; id: number }>
/** `token` grows with every stroke. After the permit was lost, or before there was one, only a stroke with `begin` gives it. */
export type PermitStroke = Readonly<{ t: 'permit'; token: number; begin: boolean; hold_us: Micros }>
export type ToActuator = HelloActuator | ActuatorPing | ActionRequest | ActionQuery | ProofRequest | PermitStroke

export type ActuatorHello = Readonly<{
  t: 'hello_ack'
  nonce: Uint8Array
  testbed: boolean
  /** A repeated key is answered with the first outcome, over a restart too. */
  idempotent: boolean
  loss_effect: LossEffect
  version: string
}>
/** `of`: seq of the ping; `heard`: messages of this session taken so far. */
export type ActuatorPong = Readonly<{ t: 'pong'; of: number; heard: number }>
export type ActionAck = Readonly<{ t: 'ack'; key: string; stage: AckStage; detail: string }>
export type ActionAnswer = Readonly<{ t: 'answer'; key: string; stage: AckStage | 'unknown_key'; detail: string }>
export type ProofAck = Readonly<{ t: 'proof_ack'; id: number; ok: boolean; detail: string }>
export type PermitAck = Readonly<{ t: 'permit_ack'; token: number; held: boolean }>
export type MessageRefused = Readonly<{ t: 'refused'; of: number; kind: LinkError; detail: string }>
export type FromActuator =
  | ActuatorHello
  | ActuatorPong
  | ActionAck
  | ActionAnswer
  | ProofAck
  | PermitAck
  | MessageRefused

export type ActuatorMessage = ToActuator | FromActuator
/** Which end a message is of. */
export type LinkSide = 'agent' | 'actuator'
