import { fieldsOf, listOf, numberOf, textOf } from './wire.ts'

/** Who may act on a rig, as its agent last said and signed. */
export type ArmJson = Readonly<{
  state: string
  untilUs: number | null
  over: boolean
  persons: readonly string[]
  reason: string
}>
export type InhibitJson = Readonly<{
  subject: string
  untilUs: number | null
  over: boolean
  persons: readonly string[]
  reason: string
}>
export type BreakGlassJson = Omit<InhibitJson, 'subject'>
export type SafetyAlarmJson = Readonly<{ alarm: string; severity: string; text: string; sinceUs: number | null }>
export type StandingJson = Readonly<{
  agent: string
  program: string
  rig: string
  arm: ArmJson | null
  breakGlass: BreakGlassJson | null
  inhibits: readonly InhibitJson[]
  alarms: readonly SafetyAlarmJson[]
}>

export type ActionStep = Readonly<{
  id: string
  timeUs: number | null
  state: string
  reasons: readonly string[]
  persons: readonly string[]
  note: string
}>
export type ActionJson = Readonly<{
  agent: string
  program: string
  rig: string
  key: string
  rule: string
  action: string
  target: string
  state: string
  open: boolean
  timeUs: number | null
  deadlineUs: number | null
  steps: readonly ActionStep[]
}>

/** What stands on all rigs, and what is done to them. `note` says how far names are to be believed. */
export type SafetyJson = Readonly<{ note: string; rigs: readonly StandingJson[]; actions: readonly ActionJson[] }>

const RIGS_MAX = 1_000
const ACTIONS_MAX = 200
const STANDING_MAX = 100
const PARTS_MAX = 64

/** Reads what stands from a message; what is missing is unknown, and an arming without an end is over. */
export function parseSafety(value: unknown): SafetyJson | null {
  const fields = fieldsOf(value)
  if (fields === undefined) return null
  return {
    note: textOf(fields['note']),
    rigs: listOf(fields['rigs'], RIGS_MAX).flatMap(parseStanding),
    actions: listOf(fields['actions'], ACTIONS_MAX).flatMap(parseAction),
  }
}

function parseStanding(value: unknown): StandingJson[] {
  const fields = fieldsOf(value)
  const rig = textOf(fields?.['rig'])
  if (fields === undefined || rig === '') return []
  return [
    {
      ...{ rig, agent: textOf(fields['agent']), program: textOf(fields['program']) },
      arm: parseArm(fields['arm']),
      breakGlass: parseInhibit(fields['break_glass'])[0] ?? null,
      inhibits: listOf(fields['inhibits'], STANDING_MAX).flatMap(parseInhibit),
      alarms: listOf(fields['alarms'], STANDING_MAX).flatMap(parseAlarm),
    },
  ]
}

function parseArm(value: unknown): ArmJson | null {
  const fields = fieldsOf(value)
  if (fields === undefined) return null
  return {
    state: textOf(fields['state']),
    untilUs: numberOf(fields['until_us']),
    over: fields['over'] !== false,
    persons: texts(fields['persons']),
    reason: textOf(fields['reason']),
  }
}

function parseInhibit(value: unknown): InhibitJson[] {
  const fields = fieldsOf(value)
  if (fields === undefined) return []
  return [
    {
      subject: textOf(fields['subject']),
      untilUs: numberOf(fields['until_us']),
      over: fields['over'] === true,
      persons: texts(fields['persons']),
      reason: textOf(fields['reason']),
    },
  ]
}

function parseAlarm(value: unknown): SafetyAlarmJson[] {
  const fields = fieldsOf(value)
  if (fields === undefined) return []
  const [alarm, severity, text] = [fields['alarm'], fields['severity'], fields['text']].map(textOf)
  return [{ alarm: alarm!, severity: severity!, text: text!, sinceUs: numberOf(fields['time_us']) }]
}

function parseAction(value: unknown): ActionJson[] {
  const fields = fieldsOf(value)
  const key = textOf(fields?.['key'])
  if (fields === undefined || key === '') return []
  const text = (name: string): string => textOf(fields[name])
  return [
    {
      ...{ key, agent: text('agent'), program: text('program'), rig: text('rig'), rule: text('rule') },
      ...{ action: text('action'), target: text('target'), state: text('state') },
      open: fields['open'] !== false,
      timeUs: numberOf(fields['time_us']),
      deadlineUs: numberOf(fields['deadline_us']),
      steps: listOf(fields['steps'], PARTS_MAX).flatMap(parseStep),
    },
  ]
}

function parseStep(value: unknown): ActionStep[] {
  const fields = fieldsOf(value)
  if (fields === undefined) return []
  return [
    {
      ...{ id: textOf(fields['id']), timeUs: numberOf(fields['time_us']), state: textOf(fields['state']) },
      ...{ reasons: texts(fields['reasons']), persons: texts(fields['persons']), note: textOf(fields['note']) },
    },
  ]
}

function texts(value: unknown): string[] {
  return listOf(value, PARTS_MAX)
    .map(textOf)
    .filter((text) => text !== '')
}

/** Stages of an action on the page, in order, with the state that each is reached by. */
export const STAGES = [
  { name: 'proposed', state: 'PROPOSED' },
  { name: 'gates', state: 'GATE_PASSED' },
  { name: 'released', state: 'RELEASED' },
  { name: 'sent', state: 'SENT' },
  { name: 'accepted', state: 'ACCEPTED' },
  { name: 'started', state: 'STARTED' },
  { name: 'completed', state: 'COMPLETED' },
  { name: 'verified', state: 'VERIFIED' },
] as const
export type StageMark = 'reached' | 'left out' | 'waited for' | 'ended here' | 'to come'

/**
 * What became of every stage: one that a later stage passed over was left out, and where an action ended without its
 * verification, the next stage is where it ended.
 */
export function stageMarks({ open, state, steps }: ActionJson): readonly StageMark[] {
  const reached = STAGES.map((stage) => state === stage.state || steps.some((step) => step.state === stage.state))
  const last = reached.lastIndexOf(true)
  return reached.map((is, at): StageMark => {
    if (is) return 'reached'
    if (at < last) return 'left out'
    if (at > last + 1) return 'to come'
    return open ? 'waited for' : 'ended here'
  })
}

/** Ends that were hoped for, or in which nothing was to be done. */
const QUIET_ENDS: readonly string[] = ['VERIFIED', 'WOULD_HAVE_DONE', 'CANCELLED', 'SUPERSEDED', 'EXPIRED']
export const isQuietEnd = (state: string): boolean => QUIET_ENDS.includes(state)
