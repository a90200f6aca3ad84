import type { Micros } from '../../shared/units.ts'
import type { Stores } from '../store/open.ts'
import type { SafetyRecord, StoredAction } from '../store/safety.ts'
import { decisionId } from './views.ts'

/** What stands beside every name of a person: a key was used, and that is all that is known. */
export const KEYS_NOTE = 'keys distinct, persons unproven'

/** Actions under way, and ended ones, that a page gets when it opens. */
const OPEN_ACTIONS = 100
const ENDED_ACTIONS = 20

type Json = Record<string, unknown>
type Standing = {
  agent: string
  program: string
  rig: string
  arm: Json | null
  break_glass: Json | null
  inhibits: Json[]
  alarms: Json[]
}

/** Who is armed, what is bypassed and what is in alarm, by rig: newest change first. */
export async function armsJson({ safety }: Pick<Stores, 'safety'>, nowUs: Micros): Promise<Json> {
  const rigs = new Map<string, Standing>()
  for (const record of await safety.standing()) {
    const { agent, program, rig, about } = record
    const key = `${agent}/${rig}`
    const at = rigs.get(key) ?? { agent, program, rig, arm: null, break_glass: null, inhibits: [], alarms: [] }
    rigs.set(key, at)
    if (about === 'arm') at.arm = armJson(record, nowUs)
    else if (about === 'break_glass') at.break_glass = glassJson(record, nowUs)
    else if (about.startsWith('alarm:')) at.alarms.push(alarmJson(record))
    else at.inhibits.push(inhibitJson(record, nowUs))
  }
  const list = [...rigs.values()]
  const armed = list.filter(({ arm }) => arm?.['state'] === 'ARMED' && arm['over'] === false).length
  const counts = {
    armed,
    passive: list.length - armed,
    break_glass: list.filter((at) => at.break_glass !== null).length,
    inhibits: list.reduce((sum, { inhibits }) => sum + inhibits.length, 0),
    alarms: list.reduce((sum, { alarms }) => sum + alarms.length, 0),
  }
  return { note: KEYS_NOTE, counts, rigs: list }
}

/** What a page starts from: {@link armsJson}, with what is under way and what ended last. */
export async function safetyJson(stores: Pick<Stores, 'safety'>, nowUs: Micros): Promise<Json> {
  const [arms, open, ended] = await Promise.all([
    armsJson(stores, nowUs),
    stores.safety.actions({ open: true, limit: OPEN_ACTIONS }),
    stores.safety.actions({ open: false, limit: ENDED_ACTIONS }),
  ])
  return { ...arms, actions: [...open, ...ended].map(actionJson) }
}

/** An action as its newest record has it, with its steps. */
export function actionJson({ newest, steps, more }: StoredAction): Json {
  const { says, params } = newest.body
  return {
    ...{ agent: newest.agent, program: newest.program, rig: newest.rig, key: says['key'] },
    ...{ rule: says['rule'], episode: says['episode'], action: says['action'], target: says['target'], params },
    ...{ state: newest.state, open: newest.stands, attempt: says['attempt'] },
    ...{ deadline_us: says['deadline_us'], time_us: newest.timeUs, steps_before: more },
    steps: steps.map((step) => ({
      ...placeOf(step),
      ...{ state: step.state, from: step.body.says['from'], end_us: step.body.says['end_us'] },
      ...{ reasons: step.body.says['reasons'], conditions: step.body.says['conditions'] },
      ...{ persons: step.body.persons, note: step.body.text ?? '' },
    })),
  }
}

function placeOf({ agent, seq, timeUs, receiptUs }: SafetyRecord): Json {
  return { id: decisionId(agent, seq), time_us: timeUs, receipt_us: receiptUs }
}

/** `over`: its time is over and the agent has not said that it ended; it is not to be counted on, nor to be trusted. */
function armJson(record: SafetyRecord, nowUs: Micros): Json {
  const { says, persons, text } = record.body
  const untilUs = Number(says['until_us'])
  const over = record.stands && !(nowUs < untilUs)
  return { ...placeOf(record), state: record.state, until_us: untilUs, over, persons, reason: text ?? '' }
}

function glassJson(record: SafetyRecord, nowUs: Micros): Json {
  const { says, persons, text } = record.body
  const untilUs = Number(says['until_us'])
  const over = !(nowUs < untilUs)
  return { ...placeOf(record), until_us: untilUs, over, count: says['count'], persons, reason: text ?? '' }
}

function inhibitJson(record: SafetyRecord, nowUs: Micros): Json {
  const { says, persons, text } = record.body
  const untilUs = Number(says['until_us'])
  return {
    ...placeOf(record),
    ...{ subject: says['subject'], until_us: untilUs, over: !(nowUs < untilUs), count: says['count'] },
    ...{ persons, reason: text ?? '' },
  }
}

function alarmJson(record: SafetyRecord): Json {
  const { says, text } = record.body
  return { ...placeOf(record), alarm: says['id'], severity: says['severity'], text: text ?? '' }
}
