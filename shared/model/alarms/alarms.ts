import { invariant } from '../../lib/assert.ts'
import type { Micros } from '../../units.ts'
import type { ConditionValue } from '../action.ts'
import {
  ALARM_TEXT_MAX,
  type AlarmChange,
  type AlarmCondition,
  type AlarmDefinition,
  type AlarmDefinitions,
  type AlarmLevel,
  type AlarmSeverity,
  comparedWith,
  lookIn,
  worseOf,
} from '../alarm.ts'
import type { Mode } from '../verdict.ts'
import { announceAgain, note, passTime, remember, type Step, sumUpFlood } from './announce.ts'
import { type AlarmKpis, kpisOf } from './kpi.ts'
import { followPending, settle } from './occurrence.ts'
import { type RaisedAlarm, takeRaised } from './raised.ts'
import { forgetRun, isKnown, isPending, stepRun } from './run.ts'
import { endShelves } from './shelf.ts'
import { type AlarmEntry, type AlarmState, entriesOf, isMasked, stateOf } from './state.ts'
import { releaseGroups, suppressByDesign, suppressByMode } from './suppression.ts'

/**
 * What the engine is shown: at a closed slide every condition there is; between slides, so that time passes, no conditions and
 * the `endUs` of the slide before. A condition that is missing at a new slide is STALE.
 */
export type AlarmSeen = Readonly<{
  /** Time of the input; it never counts as going back. */
  nowUs: Micros
  /** End of the slide, event time. One that is no newer than the last corrects nothing (G7). */
  endUs: Micros
  mode: Mode
  armed: boolean
  conditions: readonly AlarmCondition[]
  /** News of the agent's own alarms. */
  raised: readonly RaisedAlarm[]
}>

/**
 * Takes in one look at a rig and changes `state`.
 *
 * Equal states and arguments give equal changes. Nothing comes of them but what people are told: no gate asks for the state
 * of an alarm, so neither a shelf nor an alarm out of service can inhibit an action (SE-27).
 *
 * @returns what changed, in the order it did.
 */
export function alarmsAt(state: AlarmState, definitions: AlarmDefinitions, seen: AlarmSeen): AlarmChange[] {
  invariant(state.defined.length === definitions.alarms.length, 'the state is of other definitions')
  const step: Step = { state, definitions, changes: [] }
  passTime(step, seen.nowUs)
  endShelves(step, seen.armed && !state.armed)
  state.armed = seen.armed
  changeMode(step, seen.mode)
  judge(step, seen)
  takeRaised(step, seen.raised)
  releaseGroups(step)
  remindOf(step)
  sumUpFlood(step)
  remember(step)
  return step.changes
}

/** The measures of AL-9 at a time. */
export function alarmKpis(state: AlarmState, nowUs: Micros): AlarmKpis {
  const standing = entriesOf(state).map((entry) => {
    const { id, raisedUs, recentUs } = entry
    return { id, raisedUs, recentUs, isStanding: entry.level !== null && !isMasked(entry) }
  })
  return kpisOf(state.kpis, standing, nowUs)
}

/** Notes on what is active under which mode and limits it was raised and now is (G10). */
function changeMode(step: Step, mode: Mode): void {
  const { state, definitions } = step
  const before = state.mode
  state.mode = mode
  if (before === mode) return
  suppressByMode(step, mode)
  if (before === null) return
  state.defined.forEach((entry, k) => {
    if (entry.level === null || entry.context === null) return
    const { levels } = definitions.alarms[k]!
    const level = levels.find(({ severity }) => severity === entry.level)
    const now = level === undefined ? '' : limitText(level, mode)
    const text = `raised in ${entry.context.mode} (${entry.context.limit}), now in ${mode} (${now})`
    note(step, entry, 'context', { from: stateOf(entry), text })
  })
}

function judge(step: Step, seen: AlarmSeen): void {
  const { state, definitions } = step
  if (seen.endUs > state.endUs) {
    const conditions = byLevel(seen.conditions, definitions)
    const sinceUs = state.endUs < 0 ? 0 : seen.endUs - state.endUs
    state.endUs = seen.endUs
    state.judgedUs = state.nowUs
    definitions.alarms.forEach((_, k) => {
      judgeOne(step, k, { conditions, sinceUs, knownUs: state.nowUs })
    })
    return
  }
  for (const { alarm, severity, value } of seen.conditions) {
    const entry = state.defined.find(({ id }) => id === alarm)
    invariant(entry !== undefined, `no alarm ${alarm}`)
    const text = `${severity} of the slide ending ${seen.endUs} is ${value} with what came late; what was decided stands`
    note(step, entry, 'correction', { from: stateOf(entry), text })
  }
  if (state.judgedUs < 0) state.judgedUs = state.nowUs
  // No slide for so long: the stream has ended, and that is no sign that anything is well.
  const isSilent = state.nowUs - state.judgedUs > definitions.gapUs
  if (isSilent)
    definitions.alarms.forEach((_, k) => {
      judgeOne(step, k, { conditions: new Map(), sinceUs: 0, knownUs: state.judgedUs })
    })
}

/** Conditions by alarm; each level of an alarm has one at most. */
type ByAlarm = ReadonlyMap<string, readonly AlarmCondition[]>

function byLevel(conditions: readonly AlarmCondition[], { alarms }: AlarmDefinitions): ByAlarm {
  const known = new Map(alarms.map(({ id, levels }) => [id, levels]))
  const map = new Map<string, AlarmCondition[]>()
  for (const condition of conditions) {
    const { alarm, severity } = condition
    const before = map.get(alarm) ?? []
    const isNew = !before.some((one) => one.severity === severity)
    const isKnown = known.get(alarm)?.some((level) => level.severity === severity) === true
    invariant(isKnown && isNew, `a condition for ${severity} ${alarm} that there is not, or a second one`)
    before.push(condition)
    map.set(alarm, before)
  }
  return map
}

/** `sinceUs`: from the slide before, event time. `knownUs`: since when what is unknown has been so, if it was known before. */
type Slide = Readonly<{ conditions: ByAlarm; sinceUs: Micros; knownUs: Micros }>

type Reading = Readonly<{ value: ConditionValue; measured: number | null; text?: string }>

function readingOf({ conditions }: Slide, id: string, { severity }: AlarmLevel): Reading {
  const condition = conditions.get(id)?.find((one) => one.severity === severity)
  if (condition === undefined) return { value: 'STALE', measured: null }
  const { value, measured } = condition
  // Whoever compares a NaN gets FALSE, or TRUE: neither is known.
  if (measured !== null && comparedWith(measured, '>=', 0) === 'INVALID') return { value: 'INVALID', measured: null }
  // −0 becomes 0: a state that was stored and read again is the same.
  const { text } = condition
  return { value, measured: measured === null ? null : measured + 0, ...(text === undefined ? {} : { text }) }
}

function judgeOne(step: Step, index: number, slide: Slide): void {
  const { state, definitions } = step
  const definition = definitions.alarms[index]!
  const entry = state.defined[index]!
  const mode = state.mode!
  const readings = definition.levels.map((level) => readingOf(slide, definition.id, level))
  const isGap = slide.sinceUs > definitions.gapUs
  if (definition.maxHoldUs !== null && slide.sinceUs > Math.max(definition.maxHoldUs, definitions.gapUs))
    entry.runs.forEach(forgetRun)
  definition.levels.forEach((level, k) => {
    const look = lookIn(level, mode)
    const limit = look.kind === 'window' ? look : null
    stepRun(entry.runs[k]!, level, definition, { ...readings[k]!, limit, endUs: state.endUs, isGap })
  })
  judgeUnknown(step, index, readings.every(({ value }) => isKnown(value)) ? null : slide.knownUs)
  followWorst(entry, definition, readings)
  const level = worstActive(entry, definition)
  const shown = level ?? definition.levels[0]!
  const said = readings[definition.levels.indexOf(shown)]!.text?.slice(0, ALARM_TEXT_MAX)
  settle(step, entry, {
    level: level === null ? null : level.severity,
    text: said ?? textOf(shown, mode, entry.worst),
    latching: definition.latching,
    context: { mode, limit: limitText(shown, mode) },
    suppress: (one, severity) => suppressByDesign(step, definition, one, severity),
  })
  // What is said of a condition may become more while it lasts.
  if (said !== undefined && level !== null) entry.text = said
  followPending(step, entry, isNear(entry, definition))
}

/** The companion `ID:unknown`: raised when a definition was not known for longer than it may be, as severe as its worst level (SE-36). */
function judgeUnknown(step: Step, index: number, fromUs: Micros | null): void {
  const { state, definitions } = step
  const definition = definitions.alarms[index]!
  const entry = state.unknown[index]!
  const isUnknown = fromUs !== null
  if (!isUnknown) entry.unknownSinceUs = -1
  else if (entry.unknownSinceUs < 0) entry.unknownSinceUs = fromUs
  if (definition.maxHoldUs === null) return
  const forUs = isUnknown ? state.nowUs - entry.unknownSinceUs : 0
  const isTooLong = forUs > definition.maxHoldUs
  if (isTooLong) state.defined[index]!.runs.forEach(forgetRun)
  const value = isTooLong ? 'TRUE' : isUnknown ? 'STALE' : 'FALSE'
  const run = entry.runs[0]!
  stepRun(run, TOO_LONG, definition, { value, measured: null, limit: null, endUs: state.endUs, isGap: false })
  const worst = definition.levels.reduce<AlarmSeverity>((a, { severity }) => worseOf(a, severity), 'UNKNOWN')
  settle(step, entry, {
    level: run.active ? worst : null,
    text: `${definition.title}: unknown for ${forUs / 1_000_000} s`,
    latching: definition.latching,
    context: null,
    suppress: () => {},
  })
}

const TOO_LONG: AlarmLevel = {
  severity: 'UNKNOWN',
  look: { kind: 'event' },
  valueByMode: {},
  deadband: 0,
  persistence: { k: 1, n: 1 },
  heldUs: 0,
}

function isNear(entry: AlarmEntry, { levels }: AlarmDefinition): boolean {
  return levels.some((level, k) => isPending(entry.runs[k]!, level))
}

function worstActive({ runs }: AlarmEntry, { levels }: AlarmDefinition): AlarmLevel | null {
  return levels.reduce<AlarmLevel | null>((worst, level, k) => (runs[k]!.active ? level : worst), null)
}

/** The most severe value of a run, by the metric that the least level looks at; begun anew when there is no run. */
function followWorst(entry: AlarmEntry, definition: AlarmDefinition, readings: readonly Reading[]): void {
  if (entry.level === null && entry.pending === null) entry.worst = null
  const [first] = definition.levels
  if (first?.look.kind !== 'window') return
  const { metric, op } = first.look
  definition.levels.forEach(({ look }, k) => {
    const { value, measured } = readings[k]!
    if (look.kind !== 'window' || look.metric !== metric || value !== 'TRUE' || measured === null) return
    const isUpper = op === '>' || op === '>='
    if (entry.worst === null) entry.worst = measured
    else entry.worst = isUpper ? Math.max(entry.worst, measured) : Math.min(entry.worst, measured)
  })
}

function textOf(level: AlarmLevel, mode: Mode, worst: number | null): string {
  return worst === null ? limitText(level, mode) : `${limitText(level, mode)}; worst ${worst}`
}

function limitText(level: AlarmLevel, mode: Mode): string {
  const look = lookIn(level, mode)
  if (look.kind === 'window')
    return `${look.of} of ${look.metric} over ${look.windowUs / 1000} ms ${look.op} ${look.value}`
  if (look.kind === 'event') return 'event streams in alarm'
  const of = look.kind === 'verdict' ? look.metric : 'the rig'
  return `verdict of ${of} is ${look.verdicts.join(' or ')}`
}

/** Announces again what has been active for too long since it was announced (AL-4). */
function remindOf(step: Step): void {
  const { state, definitions } = step
  definitions.alarms.forEach(({ reAlarmUs }, k) => {
    for (const entry of [state.defined[k]!, state.unknown[k]!]) {
      const isDue = reAlarmUs > 0 && state.nowUs - entry.announcedUs >= reAlarmUs
      if (isDue && entry.level !== null && !isMasked(entry)) announceAgain(step, entry)
    }
  })
}
