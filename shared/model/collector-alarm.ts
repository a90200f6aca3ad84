/** What alarms of a collector are about: the way to its agents, what they report of themselves, and its own store. */
export const COLLECTOR_ALARM_KINDS = [
  'silent',
  'quorum',
  'backlog',
  'clock',
  'certificate',
  'baseline',
  'store',
] as const
export type CollectorAlarmKind = (typeof COLLECTOR_ALARM_KINDS)[number]
