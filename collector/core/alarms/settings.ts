import type { AlarmSeverity } from '../../../shared/model/alarm.ts'
import type { CollectorAlarmKind } from '../../../shared/model/collector-alarm.ts'
import type { Micros } from '../../../shared/units.ts'

/** Who is told of an alarm, and when; null: of whichever. Steps are in order of their time. */
export type AlarmRoute = Readonly<{
  severities: readonly AlarmSeverity[] | null
  sites: readonly string[] | null
  kinds: readonly CollectorAlarmKind[] | null
  steps: readonly Readonly<{ afterUs: Micros; to: readonly string[] }>[]
}>

/** When something is wrong, times in µs. */
export type AlarmLimits = Readonly<{
  checkUs: Micros
  silentUs: Micros
  clearUs: Micros
  /** 0: never. */
  reAlarmUs: Micros
  maxShelveUs: Micros
  groupAgentsMin: number
  groupWindowUs: Micros
  backlogBatches: number
  backlogAgeUs: Micros
  backlogCriticalAgeUs: Micros
  clockWarnUs: Micros
  clockCriticalUs: Micros
  certificateWarnUs: Micros
  certificateCriticalUs: Micros
  baselineDecayMin: number
  dataLostShare: number
  siteLostShare: number
}>

/** A place, '' for agents that stand alone, and the collector itself; `agents` in order of their names. */
export type Site = Readonly<{ site: string; agents: readonly string[] }>
