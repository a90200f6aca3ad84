import type { Micros } from '../../units.ts'
import type { AlarmDefinitions, AlarmSeverity, AlarmStateWord } from '../alarm.ts'
import { type AlarmEntry, type AlarmState, definitionOf, stateOf } from './state.ts'

/** One alarm as people are shown it. `seen` is what an order about it has to name (AL-5). Times are of the agent, −1 for never. */
export type AlarmShown = Readonly<{
  id: string
  title: string
  state: AlarmStateWord
  severity: AlarmSeverity | null
  level: AlarmSeverity | null
  occurrence: number
  seen: string
  count: number
  text: string
  raised_us: Micros
  announced_us: Micros
  suppressed_by: string | null
  shelf: Readonly<{ by: string; reason: string; until_us: Micros; one_shot: boolean }> | null
  out_of_service: string | null
  consequence: string | null
  response: string | null
  time_to_respond_us: Micros | null
  guidance: string | null
}>

/** An alarm as plain data. */
export function alarmShown(state: AlarmState, definitions: AlarmDefinitions, entry: AlarmEntry): AlarmShown {
  const { id, severity, level, occurrence, count, text, raisedUs, announcedUs, suppressedBy, shelf } = entry
  const about = definitionOf(state, definitions, entry)
  return {
    ...{ id, title: titleOf(entry, about?.title), state: stateOf(entry), severity, level, occurrence },
    ...{ seen: `${occurrence}/${severity ?? '-'}`, count, text, raised_us: raisedUs, announced_us: announcedUs },
    suppressed_by: suppressedBy,
    shelf:
      shelf === null ? null : { by: shelf.by, reason: shelf.reason, until_us: shelf.untilUs, one_shot: shelf.oneShot },
    out_of_service: entry.outOfService,
    consequence: about?.consequence ?? null,
    response: about?.response ?? null,
    time_to_respond_us: about?.timeToRespondUs ?? null,
    guidance: about?.guidance ?? null,
  }
}

function titleOf({ id, source }: AlarmEntry, title: string | undefined): string {
  if (title === undefined) return id
  return source === 'unknown' ? `not known: ${title}` : title
}
