import type { Micros } from '../units.ts'
import type { Action, Severity } from './action.ts'
import type { MetricVerdict, Mode, OverallVerdict } from './verdict.ts'

/** `actions_policy.yaml` of one rig, compiled: times in µs, defaults filled in, targets resolved. */
export type RigPolicy = Readonly<{
  rig: string
  /** A declared testbed: injected and simulated samples count, and only actuators that are of a testbed too are driven. */
  testbed: boolean
  rules: readonly Rule[]
  hazards: readonly Hazard[]
  interlocks: readonly Interlock[]
  /** Sets of actions of which at most one may be open at a time (SE-10). */
  exclusions: readonly (readonly ActionOn[])[]
  budgets: readonly Budget[]
  /** Highest first. */
  priority: readonly Action[]
  targets: readonly Target[]
  /** Most actions released at one closed slide (SE-32); notify is shed first, safing never. */
  releasesMax: number
}>

/** An action on a target. */
export type ActionOn = Readonly<{ action: Action; target: string }>

/** What something is compared with. Range checks are written as what must hold, so that NaN makes nothing true. */
export const COMPARISONS = ['>', '>=', '<', '<='] as const
export type Comparison = (typeof COMPARISONS)[number]

/** What a condition looks at. A window is one of those the metric is judged by. */
export type Look =
  | Readonly<{
      kind: 'window'
      metric: string
      windowUs: Micros
      of: 'mean' | 'min' | 'max'
      op: Comparison
      value: number
    }>
  | Readonly<{ kind: 'verdict'; metric: string; verdicts: readonly MetricVerdict[] }>
  | Readonly<{ kind: 'overall'; verdicts: readonly OverallVerdict[] }>
  /** The event streams of the rig are in alarm. */
  | Readonly<{ kind: 'event' }>

export type Condition = Readonly<{
  id: string
  look: Look
  /** TRUE in `k` of the newest `n` slides. */
  persistence: Readonly<{ k: number; n: number }>
  /** Oldest newest sample, in event time and by local arrival, with which it is not STALE (SE-08). */
  freshUs: Micros
}>

/** How conditions vote (SE-02): must-work 1ooN, must-not-work 2oo2, both 2oo3. */
export const VOTES = ['1ooN', '2oo2', '2oo3'] as const
export type Vote = (typeof VOTES)[number]

export const REARMS = ['auto', 'operator', 'two_person'] as const
export type Rearm = (typeof REARMS)[number]

export type Rule = ActionOn &
  Readonly<{
    id: string
    vote: Vote
    conditions: readonly Condition[]
    /** Plain parameters that go to the target, in the order of their names. */
    params: Readonly<Record<string, string | number | boolean>>
    /** Member conditions are TRUE within so long of each other (SE-08). */
    coincidenceUs: Micros
    /** Least confidence of the golden baseline times what decay left of it; 0 asks for none (SE-11). */
    minConfidence: number
    /** Modes in which it may act. */
    modes: readonly Mode[]
    /** After the cause has ended for `clearUs`, who arms it for the next episode (SE-18). */
    rearm: Rearm
    clearUs: Micros
    /** Any operator may cancel so long before release; 0: none (SE-24). */
    vetoUs: Micros
    /** Evaluated in order of arrival, without waiting for the watermark (SE-29). */
    fastPath: boolean
    /** Only ever says what it would have done. */
    dryRun: boolean
    /** What follows a VERIFY_FAILED (SE-17); null: an alarm alone. */
    escalation: ActionOn | null
    /** How often it is expected to come; absent: its budgets alone bound it (SE-28). For lint and trials alone. */
    expectedPerHour?: number
  }>

/** What one action on one target means for the rig (SE-01). */
export type Hazard = ActionOn &
  Readonly<{
    inadvertent: Severity
    omission: Severity
    reason: string
    /** Fault tolerant time interval: from the fault to harm. */
    fttiUs: Micros
    safeState: string
    /** Null for `notify` alone, which no channel of the rig can show. */
    verify: Verify | null
    /** What losing the permit does to the hardware (SE-34). */
    lossOfPermit: 'de_energise' | 'hold_last' | 'none'
    /** Why it is not `de_energise`. For lint alone. */
    lossOfPermitReason?: string
    /** The hardwired layer that is there without us (SE-44); null: none declared. */
    secondLayer: string | null
    /** What follows when too many members are unknown for a must-work action (SE-03). */
    onUnknown: 'safe_state' | 'alarm'
  }>

/** How it is seen that the action had its effect: by a channel that the acknowledging peer has no hand in (SE-17). */
export type Verify = Readonly<{
  condition: Condition
  /** From STARTED (or what came instead of it); later it has failed. */
  withinUs: Micros
}>

/** `assume => guarantee`: while `assume` is TRUE, `guarantee` must be TRUE too or the actions are blocked (SE-10). */
export type Interlock = Readonly<{ id: string; assume: Condition; guarantee: Condition; blocks: readonly ActionOn[] }>

/** At most `most` of an action in a window, with a spacing, and a latch after each (SE-19). `target` '' is all of them. */
export type Budget = ActionOn & Readonly<{ most: number; windowUs: Micros; spacingUs: Micros; latchUs: Micros }>

/** Who carries actions out, and how long each stage may take. */
export type Target = Readonly<{
  name: string
  executor: 'actuator' | 'webhook' | 'command' | 'notify' | 'peer'
  /** Common-cause groups it has a hand in, as `kind:name`: no channel of theirs can verify what it acknowledged (SE-17). For lint alone. */
  groups?: readonly string[]
  /** A repeated key is not answered with the first outcome: never sent again by itself (SE-14). */
  nonIdempotent: boolean
  stages: Readonly<{ sendUs: Micros; acceptUs: Micros; startUs: Micros; completeUs: Micros }>
  retries: number
  /** First pause before a retry; it doubles, bounded by what is left of the FTTI. */
  backOffUs: Micros
  /** How long one stroke of the dead-man holds its permit (SE-33); absent: none of its hazards asks for a permit. */
  permitHoldUs?: Micros
  /** How often the whole path to it is proved (SE-42); absent: never by itself, and it is never overdue. */
  proofEveryUs?: Micros
}>

/** Where what a metric says comes from, through everything it is derived from (SE-06). */
export type MetricProvenance = Readonly<{
  metric: string
  /** Physical sources (transducers) at the leaves. */
  leaves: readonly string[]
  /** Common-cause groups, as `kind:name`: sensor, daq, bus, power, clock, host, publisher, mapping, peer. */
  groups: readonly string[]
  /** Whether source and groups were stated: what is not declared is never independent. */
  declared: boolean
}>
