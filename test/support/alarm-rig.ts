import { readFileSync } from 'node:fs'
import type { Comparison } from '../../shared/model/actions-policy.ts'
import {
  type AlarmChange,
  type AlarmCondition,
  type AlarmDefinition,
  type AlarmDefinitions,
  type AlarmInput,
  type AlarmLevel,
  type AlarmSeverity,
  comparedWith,
  lookIn,
  SHELVE_MAX_US,
} from '../../shared/model/alarm.ts'
import { alarmsAt } from '../../shared/model/alarms/alarms.ts'
import { alarmsInput } from '../../shared/model/alarms/operator.ts'
import type { RaisedAlarm } from '../../shared/model/alarms/raised.ts'
import { type AlarmEntry, type AlarmState, createAlarms, entriesOf } from '../../shared/model/alarms/state.ts'
import type { Mode } from '../../shared/model/verdict.ts'

export const SECOND_US = 1_000_000

/** An alarm as vectors write it; times in seconds. It looks at the metric of its own name. */
export type AlarmLine = Readonly<{
  levels: readonly Readonly<{
    severity: AlarmSeverity
    op: Comparison
    value: number
    k?: number
    n?: number
    held_s?: number
    deadband?: number
    value_by_mode?: AlarmLevel['valueByMode']
  }>[]
  on_unknown?: 'hold' | 'reset'
  max_hold_s?: number
  clear_slides?: number
  clear_s?: number
  latching?: boolean
  re_alarm_s?: number
  max_shelve_s?: number
  modes?: readonly Mode[]
  group?: string
  under?: string
}>

/** An operator's word; by `ada` unless it says otherwise. */
export type InputLine = Readonly<{ kind: AlarmInput['kind']; id: string; [key: string]: unknown }>

/** One step: a slide with a value (`null`: none came), a late one, an operator's word, or a tick. */
export type StepLine = Readonly<{
  s: number
  v?: number | 'NaN' | null
  late_s?: number
  mode?: Mode
  armed?: boolean
  input?: InputLine
}>

export type Vector = Readonly<{
  id: string
  what: string
  alarm: AlarmLine
  steps: readonly StepLine[]
  expect: readonly string[]
  after?: Readonly<Record<string, unknown>>
}>

export function readVectors(): Readonly<{ gap_s: number; vectors: readonly Vector[] }> {
  return JSON.parse(readFileSync(new URL('../vectors/alarms-1.json', import.meta.url), 'utf8'))
}

export function definitionFrom(id: string, line: AlarmLine): AlarmDefinition {
  return {
    id,
    title: `${id} is wrong`,
    levels: line.levels.map(({ severity, op, value, k = 1, n = k, held_s = 0, deadband = 0, value_by_mode = {} }) => ({
      severity,
      look: { kind: 'window', metric: id, windowUs: SECOND_US, of: 'mean', op, value },
      valueByMode: value_by_mode,
      deadband,
      persistence: { k, n },
      heldUs: held_s * SECOND_US,
    })),
    onUnknown: line.on_unknown ?? 'hold',
    maxHoldUs: (line.max_hold_s ?? 5) * SECOND_US,
    clear: { slides: line.clear_slides ?? 1, us: (line.clear_s ?? 0) * SECOND_US },
    latching: line.latching ?? false,
    reAlarmUs: (line.re_alarm_s ?? 0) * SECOND_US,
    maxShelveUs: line.max_shelve_s === undefined ? SHELVE_MAX_US : line.max_shelve_s * SECOND_US,
    modes: line.modes ?? null,
    group: line.group ?? null,
    under: line.under ?? null,
    consequence: 'something breaks',
    response: 'close the valve',
    timeToRespondUs: 60 * SECOND_US,
    guidance: 'docs/concepts/alarms.md',
  }
}

export function definitionsFrom(lines: Readonly<Record<string, AlarmLine>>, gapS = 1.5): AlarmDefinitions {
  return {
    alarms: Object.entries(lines).map(([id, line]) => definitionFrom(id, line)),
    gapUs: gapS * SECOND_US,
  }
}

/** Conditions of every alarm from the values of its metric; a metric that is absent gives none, `null` gives STALE. */
export function conditionsFrom(
  { alarms }: AlarmDefinitions,
  values: Readonly<Record<string, number | null>>,
  mode: Mode,
): AlarmCondition[] {
  const conditions: AlarmCondition[] = []
  for (const { id, levels } of alarms) {
    const measured = values[id]
    if (measured === undefined) continue
    for (const level of levels) {
      const look = lookIn(level, mode)
      if (look.kind !== 'window') continue
      const value = measured === null ? 'STALE' : comparedWith(measured, look.op, look.value)
      conditions.push({ alarm: id, severity: level.severity, value, measured })
    }
  }
  return conditions
}

export type Show = Readonly<{
  v?: Readonly<Record<string, number | null>>
  lateS?: number
  mode?: Mode
  armed?: boolean
  raised?: readonly RaisedAlarm[]
}>

/** A rig with alarms, a slide a second. Remembers mode and arming from step to step, and all changes. */
export class AlarmRig {
  readonly definitions: AlarmDefinitions
  state: AlarmState
  readonly changes: AlarmChange[] = []
  private mode: Mode = 'nominal'
  private armed = false

  constructor(definitions: AlarmDefinitions) {
    this.definitions = definitions
    this.state = createAlarms(definitions)
  }

  /** A slide that ends at `s` if there are values, else a tick. */
  at(s: number, { v, lateS, mode = this.mode, armed = this.armed, raised = [] }: Show = {}): AlarmChange[] {
    this.mode = mode
    this.armed = armed
    const endUs = v === undefined ? this.state.endUs : (lateS ?? s) * SECOND_US
    const conditions = v === undefined ? [] : conditionsFrom(this.definitions, v, mode)
    return this.keep(
      alarmsAt(this.state, this.definitions, { nowUs: s * SECOND_US, endUs, mode, armed, conditions, raised }),
    )
  }

  input(s: number, { for_s = 60, one_shot = false, ...line }: InputLine): AlarmChange[] {
    const common = { by: 'ada', reason: 'known', occurrence: 0, severity: null, nowUs: s * SECOND_US }
    const input = { ...common, forUs: Number(for_s) * SECOND_US, oneShot: one_shot === true, ...line }
    return this.keep(alarmsInput(this.state, this.definitions, input as AlarmInput))
  }

  /** The entry of an alarm; throws for one that there is not. */
  entry(id: string): AlarmEntry {
    const entry = entriesOf(this.state).find((one) => one.id === id)
    if (entry === undefined) throw new Error(`no entry ${id}`)
    return entry
  }

  private keep(changes: AlarmChange[]): AlarmChange[] {
    this.changes.push(...changes)
    return changes
  }
}

export function playStep(rig: AlarmRig, { s, v, late_s, mode, armed, input }: StepLine): AlarmChange[] {
  if (input !== undefined) return rig.input(s, input)
  return rig.at(s, {
    ...(v === undefined ? {} : { v: { p: v === 'NaN' ? Number.NaN : v } }),
    ...(late_s === undefined ? {} : { lateS: late_s }),
    ...(mode === undefined ? {} : { mode }),
    ...(armed === undefined ? {} : { armed }),
  })
}

/** A change as vectors write it: `SECONDS KIND ID #OCCURRENCE SEVERITY FROM>TO`, `!` where people are told. */
export function lineOf({ kind, id, occurrence, severity, from, to, announce, nowUs, text }: AlarmChange): string {
  const line = `${nowUs / SECOND_US} ${kind} ${id} #${occurrence} ${severity ?? 'none'} ${from}>${to}`
  return `${line}${announce ? ' !' : ''}${kind === 'context' ? `: ${text}` : ''}`
}
