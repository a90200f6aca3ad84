import type { AlarmChange } from '../../shared/model/alarm.ts'
import type { SafetyChange } from './safety/changes.ts'

/** What an alarm is for people now. The safety kernel neither says it nor hears of it (SE-27). */
export type AlarmStated = Readonly<{ kind: 'alarm_state'; change: AlarmChange }>

/** What is said of a rig beside its decisions: by the safety kernel, and by the alarms next to it. */
export type RigChange = SafetyChange | AlarmStated
