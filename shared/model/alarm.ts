import type { Micros } from '../units.ts'
import type { ConditionValue } from './action.ts'
import type { Comparison, Look } from './actions-policy.ts'
import type { Mode } from './verdict.ts'

/** How much an alarm matters, least first. What cannot be told sorts above WARNING (AL-12). */
export const ALARM_SEVERITIES = ['WARNING', 'UNKNOWN', 'CRITICAL'] as const
export type AlarmSeverity = (typeof ALARM_SEVERITIES)[number]
/** Severities that somebody may declare; UNKNOWN comes from data that are lost, or from a word that nobody knows. */
export const LEVEL_SEVERITIES = ['WARNING', 'CRITICAL'] as const
export type LevelSeverity = (typeof LEVEL_SEVERITIES)[number]

/** Place in the order of severities; −1 for none. */
export function severityRank(severity: AlarmSeverity | null): number {
  return severity === null ? -1 : ALARM_SEVERITIES.indexOf(severity)
}

/** A severity that came as a word: one that nobody knows is UNKNOWN, never less (AL-12). */
export function severityOf(word: string): AlarmSeverity {
  return ALARM_SEVERITIES.find((one) => one === word) ?? 'UNKNOWN'
}

/** The worse of two. */
export function worseOf(a: AlarmSeverity, b: AlarmSeverity | null): AlarmSeverity {
  return b !== null && severityRank(b) > severityRank(a) ? b : a
}

/** Alarms that one policy may define. */
export const DEFINITIONS_MAX = 256
/** Alarms raised by the agent itself that are known at a time; past it `safety:alarms-full` stands, CRITICAL. */
export const RAISED_MAX = 256
/** Newest changes that are kept to be shown; all of them go out as they happen. */
export const HISTORY_MAX = 256
/** Newest pending episodes of an alarm that are kept; the oldest goes. */
export const EPISODES_MAX = 8
/** Newest slides that k-of-n looks at. What is to last longer is held for a time. */
export const ALARM_SLIDES_MAX = 30
/** Longest text of a reason, and of an alarm that the agent raises; more is cut off. */
export const ALARM_TEXT_MAX = 512
/** Longest shelf unless a definition says less (AL-6): one shift. */
export const SHELVE_MAX_US: Micros = 8 * 3_600_000_000

/** One severity of an alarm, with a condition and a run of its own. */
export type AlarmLevel = Readonly<{
  severity: AlarmSeverity
  look: Look
  /** Limits of other modes; a mode that is absent has the value of the look. For windows alone. */
  valueByMode: Readonly<Partial<Record<Mode, number>>>
  /** How far on the good side of its limit a value must be to clear (AL-3), in the unit of the metric; for windows alone. */
  deadband: number
  /** Raised when TRUE in `k` of the newest `n` known slides … */
  persistence: Readonly<{ k: number; n: number }>
  /** … and that has lasted so long in event time, every slide of it known. */
  heldUs: Micros
}>

/** An alarm, compiled: times in µs, defaults filled in. */
export type AlarmDefinition = Readonly<{
  id: string
  title: string
  /** By severity, least first, each at most once. */
  levels: readonly AlarmLevel[]
  /** What an unknown slide does to k-of-n: nothing, or it begins anew (AL-2). A run in time is broken by it in any case. */
  onUnknown: 'hold' | 'reset'
  /** Unknown for longer, and the alarm `ID:unknown` is raised; null: another alarm says that (built-in ones alone). */
  maxHoldUs: Micros | null
  /** Slides in a row, and time, in which it must be known FALSE to clear (AL-3). */
  clear: Readonly<{ slides: number; us: Micros }>
  /** Stays until somebody confirms that the cause is gone. */
  latching: boolean
  /** Active for so long since it was last announced, it is announced again (AL-4); 0: never. */
  reAlarmUs: Micros
  maxShelveUs: Micros
  /** Modes it is meant for; suppressed in the others (AL-7). Null: all. */
  modes: readonly Mode[] | null
  /** Of a group only the first is announced, and what is worse than it; null: none. */
  group: string | null
  /** Alarm that covers this one: while that is active and no less severe, this one is suppressed. Null: none. */
  under: string | null
  /** What happens if nobody acts, what to do, how soon, and where that is written (AL-8). */
  consequence: string
  response: string
  timeToRespondUs: Micros
  guidance: string
}>

export type AlarmDefinitions = Readonly<{
  alarms: readonly AlarmDefinition[]
  /** Between two looks further apart nothing is known: it breaks every run in time. */
  gapUs: Micros
}>

/** The alarms of one rig, and the target that is told of every CRITICAL one; null: none. */
export type RigAlarms = Readonly<{ definitions: AlarmDefinitions; notify: string | null }>

/**
 * What a condition of an alarm is at one slide, before any persistence. `measured`: the value compared; null: none. `text`
 * says what is wrong where the look of the level cannot.
 */
export type AlarmCondition = Readonly<{
  alarm: string
  severity: AlarmSeverity
  value: ConditionValue
  measured: number | null
  text?: string
}>

/** States as ISA-18.2 draws them; the first that applies, from the end. */
export const ALARM_STATES = [
  'NORMAL',
  'UNACK',
  'ACKED',
  'RTN_UNACK',
  'LATCHED',
  'SUPPRESSED',
  'SHELVED',
  'OUT_OF_SERVICE',
] as const
export type AlarmStateWord = (typeof ALARM_STATES)[number]

/** What can happen to an alarm. `flood_*` concern all of them and have no id. */
export const ALARM_CHANGES = [
  'pending',
  'pending_over',
  'raised',
  're_alarmed',
  'severity_rise',
  'severity_fall',
  'returned',
  'acked',
  'confirmed',
  'shelved',
  'unshelved',
  'suppressed',
  'unsuppressed',
  'out_of_service',
  'in_service',
  'context',
  'correction',
  'withdrawn',
  'refused',
  'flood_began',
  'flood_summary',
  'flood_ended',
] as const
export type AlarmChangeKind = (typeof ALARM_CHANGES)[number]

/** Why something an operator asked for is not done. */
export const ALARM_REFUSALS = [
  'unknown_alarm',
  'occurrence_moved_on',
  'severity_moved_on',
  'nothing_to_ack',
  'nothing_to_confirm',
  'not_acked',
  'still_active',
  'reason_missing',
  'reason_too_long',
  'shelf_too_long',
  'already_shelved',
  'not_shelved',
  'already_out_of_service',
  'already_in_service',
] as const
export type AlarmRefusal = (typeof ALARM_REFUSALS)[number]

/** One change of one alarm. It says something to people and does nothing to a gate or an action (SE-27). */
export type AlarmChange = Readonly<{
  kind: AlarmChangeKind
  id: string
  /** Number of the announcement; an acknowledgement names it. */
  occurrence: number
  severity: AlarmSeverity | null
  from: AlarmStateWord
  to: AlarmStateWord
  /** Whether operators are to be told now. */
  announce: boolean
  nowUs: Micros
  endUs: Micros
  text: string
  refused: AlarmRefusal | null
}>

/** What an operator asks for. `occurrence` and `severity` are what was seen on the screen. */
export type AlarmInput = Readonly<{ id: string; by: string; nowUs: Micros }> &
  (
    | Readonly<{ kind: 'ack' | 'unshelve'; occurrence: number; severity: AlarmSeverity | null }>
    | Readonly<{ kind: 'confirm'; occurrence: number }>
    | Readonly<{
        kind: 'shelve'
        occurrence: number
        severity: AlarmSeverity | null
        reason: string
        forUs: Micros
        oneShot: boolean
      }>
    | Readonly<{ kind: 'out_of_service'; reason: string }>
    | Readonly<{ kind: 'in_service' }>
  )

/**
 * Compares a number with a limit. 0 and −0 are equal, and whether the limit belongs to it is said by the comparison alone.
 *
 * @returns INVALID for what is not finite.
 */
export function comparedWith(measured: number, op: Comparison, limit: number): 'TRUE' | 'FALSE' | 'INVALID' {
  if (!(Math.abs(measured) < Number.POSITIVE_INFINITY)) return 'INVALID'
  const holds = { '>': measured > limit, '>=': measured >= limit, '<': measured < limit, '<=': measured <= limit }[op]
  return holds ? 'TRUE' : 'FALSE'
}

/** The look of a level in a mode: the limit of that mode in place of its own. */
export function lookIn(level: AlarmLevel, mode: Mode): Look {
  const value = level.valueByMode[mode]
  return level.look.kind === 'window' && value !== undefined ? { ...level.look, value } : level.look
}
