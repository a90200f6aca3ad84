import type { Micros } from '../../units.ts'
import type { AlarmChange, AlarmDefinition, AlarmDefinitions, AlarmSeverity, AlarmStateWord } from '../alarm.ts'
import type { Mode } from '../verdict.ts'
import { createKpis, type Kpis } from './kpi.ts'
import { createRun, type Run } from './run.ts'

/** Slides in which an alarm came near: why it was not raised, or how it was. Event time. */
export type Episode = { fromUs: Micros; toUs: Micros; worst: number | null; raised: boolean }

/** Why an alarm is not announced for a while, at whose word, and how bad it may get before that ends. */
export type Shelf = { by: string; reason: string; untilUs: Micros; oneShot: boolean; severity: AlarmSeverity }

/** What is known of one alarm (AL-1). Times are of the input (`nowUs`) unless they say otherwise. */
export type AlarmEntry = {
  readonly id: string
  /** Of a definition; of what a definition does not know; of the agent itself. */
  readonly source: 'defined' | 'unknown' | 'raised'
  /** Number of the newest announcement; 0 before the first. It moves on whenever the alarm is unacknowledged anew. */
  occurrence: number
  /** Announcements since somebody acknowledged one. */
  count: number
  /** Worst since it was acknowledged; null exactly in NORMAL. */
  severity: AlarmSeverity | null
  /** How bad its condition is now; null when it is not active. */
  level: AlarmSeverity | null
  acked: boolean
  confirmed: boolean
  latched: boolean
  /** What suppresses it by design: `mode:MODE`, `first_out:ID` or `under:ID`. */
  suppressedBy: string | null
  shelf: Shelf | null
  /** Reason; null in service. */
  outOfService: string | null
  pending: Episode | null
  /** Newest last, {@link EPISODES_MAX} at most. */
  episodes: Episode[]
  /** Most severe value of this run. */
  worst: number | null
  /** Mode and limit it was raised under. */
  context: { mode: Mode; limit: string } | null
  text: string
  raisedUs: Micros
  announcedUs: Micros
  /** When it was raised the last three times: three within a minute is chattering. */
  recentUs: Micros[]
  /** One a level. */
  runs: Run[]
  /** Since when its definition has not been known; −1: it is. Of the companion `ID:unknown` alone. */
  unknownSinceUs: Micros
}

/** Everything the alarm engine remembers of one rig: plain data. */
export type AlarmState = {
  nowUs: Micros
  /** End of the newest slide that was judged, event time; −1 before the first. */
  endUs: Micros
  /** When it was judged. */
  judgedUs: Micros
  mode: Mode | null
  armed: boolean
  /** Highest occurrence of an alarm that was forgotten: an old acknowledgement must not meet a new alarm of the same name. */
  forgotten: number
  /** In the order of the definitions. */
  defined: AlarmEntry[]
  /** Companions, in the same order. */
  unknown: AlarmEntry[]
  /** Of the agent itself, in the order they came first. */
  raised: AlarmEntry[]
  /** The alarm that leads each first-out group, in the order of the definitions. */
  groups: { group: string; leader: string | null }[]
  /** Announcements of the last ten minutes, newest last; bounded. */
  announcedUs: Micros[]
  flood: Flood | null
  kpis: Kpis
  /** Newest last. */
  history: AlarmChange[]
}

/** More alarms than people can take in. `folded`: not announced one by one since the last summary. */
export type Flood = { sinceUs: Micros; summaryUs: Micros; folded: number; foldedTotal: number }

export function createAlarms({ alarms }: AlarmDefinitions): AlarmState {
  const groups = [...new Set(alarms.map(({ group }) => group).filter((group) => group !== null))]
  return {
    nowUs: -1,
    endUs: -1,
    judgedUs: -1,
    mode: null,
    armed: false,
    forgotten: 0,
    defined: alarms.map(({ id, levels }) => createEntry(id, 'defined', levels.length)),
    unknown: alarms.map(({ id }) => createEntry(`${id}:unknown`, 'unknown', 1)),
    raised: [],
    groups: groups.map((group) => ({ group, leader: null })),
    announcedUs: [],
    flood: null,
    kpis: createKpis(),
    history: [],
  }
}

export function createEntry(id: string, source: AlarmEntry['source'], levels: number): AlarmEntry {
  return {
    id,
    source,
    occurrence: 0,
    count: 0,
    severity: null,
    level: null,
    acked: true,
    confirmed: true,
    latched: false,
    suppressedBy: null,
    shelf: null,
    outOfService: null,
    pending: null,
    episodes: [],
    worst: null,
    context: null,
    text: '',
    raisedUs: -1,
    announcedUs: -1,
    recentUs: [],
    runs: Array.from({ length: levels }, createRun),
    unknownSinceUs: -1,
  }
}

/** Every alarm, in a fixed order. */
export function entriesOf({ defined, unknown, raised }: AlarmState): AlarmEntry[] {
  return [...defined, ...unknown, ...raised]
}

/** The definition of an entry or of its companion; null for alarms of the agent itself. */
export function definitionOf(
  state: AlarmState,
  { alarms }: AlarmDefinitions,
  entry: AlarmEntry,
): AlarmDefinition | null {
  if (entry.source === 'raised') return null
  const row = entry.source === 'defined' ? state.defined : state.unknown
  return alarms[row.indexOf(entry)] ?? null
}

/** The state of an alarm without what hides it. */
export function bareStateOf({ level, acked, latched }: AlarmEntry): AlarmStateWord {
  if (level !== null) return acked ? 'ACKED' : 'UNACK'
  if (!acked) return 'RTN_UNACK'
  return latched ? 'LATCHED' : 'NORMAL'
}

/** The state of an alarm in the words of ISA-18.2. */
export function stateOf(entry: AlarmEntry): AlarmStateWord {
  if (entry.outOfService !== null) return 'OUT_OF_SERVICE'
  if (entry.shelf !== null) return 'SHELVED'
  return entry.suppressedBy === null ? bareStateOf(entry) : 'SUPPRESSED'
}

/** Whether people are kept from seeing it, by whatever. */
export function isMasked({ outOfService, shelf, suppressedBy }: AlarmEntry): boolean {
  return outOfService !== null || shelf !== null || suppressedBy !== null
}

/** What {@link AlarmEntry.suppressedBy} begins with under a cover. */
export const UNDER = 'under:'

/** Whether another alarm is told in its place. */
export function isCovered({ suppressedBy }: AlarmEntry): boolean {
  return suppressedBy?.startsWith(UNDER) === true
}
