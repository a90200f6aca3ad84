import type { Micros } from '../units.ts'
import type { AckInput, ActionTransition, PolicyInput } from './action-input.ts'
import type { Frame, FrameRefusal } from './telemetry.ts'
import type { Mode } from './verdict.ts'

/** Journal input kinds, numbered for ever (decisions 15). An unknown number refuses the journal. */
export const INPUT_KIND = {
  frame: 1,
  tick: 2,
  mode: 3,
  ack: 4,
  operator: 5,
  config: 6,
  policy: 7,
  baseline: 8,
  action_transition: 9,
  run: 10,
  loss: 11,
  channel: 12,
  policy_applied: 13,
} as const
export type InputKind = keyof typeof INPUT_KIND

/** One file of a configuration, exactly as it was read; its digest is SHA-256 with the domain of files. */
export type ConfigFile = Readonly<{ name: string; bytes: Uint8Array; digest: Uint8Array }>

/** A telemetry message after decoding: samples, or the reason why there are none. `example` is kept for the first of a reason. */
export type FrameResult =
  | Readonly<{ ok: true; frame: Frame }>
  | Readonly<{ ok: false; rig: string; reason: FrameRefusal; detail: string }>

/**
 * Everything that can influence a decision (K1). `nowUs` is the wall time at which the agent took it in; the evaluator
 * has no other clock. Raw bytes live in the journal; this is what they decode to, the same way on every machine.
 */
export type Input =
  | Readonly<{ kind: 'frame'; nowUs: Micros; results: readonly FrameResult[] }>
  | Readonly<{ kind: 'tick'; nowUs: Micros }>
  | Readonly<{ kind: 'mode'; nowUs: Micros; rig: string; mode: Mode; reason: string; operator: string; source: string }>
  | AckInput
  | Readonly<{
      kind: 'operator'
      nowUs: Micros
      command: 'agent_start' | 'agent_stop'
      bootId: string
      version: string
    }>
  | Readonly<{ kind: 'config'; nowUs: Micros; files: readonly ConfigFile[] }>
  | PolicyInput
  | Readonly<{ kind: 'baseline'; nowUs: Micros; rig: string; bytes: Uint8Array }>
  | ActionTransition
  | Readonly<{
      kind: 'run'
      nowUs: Micros
      rig: string
      command: 'start' | 'stop' | 'note'
      run: string
      article: string
      procedure: string
      operator: string
      note: string
    }>
  | ChannelReplaced
  | PolicyApplied
  | Loss

/** The sensor behind a channel is another one from now on. Dates are `YYYY-MM-DD`. */
export type ChannelReplaced = Readonly<{
  kind: 'channel'
  nowUs: Micros
  rig: string
  command: 'replace'
  channel: string
  serial: string
  calDate: string
  calDue: string
  operator: string
  reason: string
}>

/** Where the news of a policy in force comes from: a peer that put one of its own in force, or who changed the agent's. */
export const APPLIED_SOURCES = ['peer', 'operator', 'rollout', 'rollback'] as const

/**
 * A policy or configuration took effect: who, what by digest (hex), and why. It changes nothing by itself, as the bytes of
 * a configuration are an input of their own.
 */
export type PolicyApplied = Readonly<{
  kind: 'policy_applied'
  nowUs: Micros
  source: (typeof APPLIED_SOURCES)[number]
  policy: string
  version: string
  digest: string
  by: string
  reason: string
}>

/**
 * What was kept is damaged, and evaluation goes on with the state after record `resumesAfter`; records from there up to
 * this one are not evaluated (any more). Decisions up to `decisionSeq` were made before: their numbers are never used
 * again, and `chain` is the rolling digest at the last of them that is known.
 */
export type Loss = Readonly<{
  kind: 'loss'
  nowUs: Micros
  resumesAfter: number
  /** Last decision in a batch that was left: a range that it reaches into is in that batch. */
  signedThrough: number
  decisionSeq: number
  chain: Uint8Array
  /** Event time through which rigs were decided already. */
  throughUs: Micros
  /** Records that cannot be read, first and last of each span, and why. */
  unreadable: readonly Readonly<{ fromSeq: number; toSeq: number; reason: string }>[]
}>
