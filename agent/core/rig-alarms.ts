import type { ConditionValue } from '../../shared/model/action.ts'
import type { AlarmOrder } from '../../shared/model/action-input.ts'
import {
  type AlarmChange,
  type AlarmCondition,
  type AlarmDefinitions,
  type AlarmLevel,
  lookIn,
} from '../../shared/model/alarm.ts'
import { BUILT_IN_ALARMS, builtInConditions } from '../../shared/model/alarm-built-in.ts'
import { adoptAlarms } from '../../shared/model/alarms/adopt.ts'
import { alarmsAt } from '../../shared/model/alarms/alarms.ts'
import { alarmsInput } from '../../shared/model/alarms/operator.ts'
import { alarmInput } from '../../shared/model/alarms/order.ts'
import type { RaisedAlarm } from '../../shared/model/alarms/raised.ts'
import type { MetricVerdict } from '../../shared/model/verdict.ts'
import type { Micros } from '../../shared/units.ts'
import type { LastSlide } from './last-slide.ts'
import type { AlarmStated } from './rig-change.ts'
import type { SafetyChange } from './safety/changes.ts'
import { observe } from './safety/condition.ts'
import type { Seen } from './safety/seen.ts'
import type { RigSettings } from './settings.ts'
import type { RigState } from './state.ts'

/*
 * The alarms of one rig beside its safety kernel. They are told what the kernel raises and nothing goes back: the kernel is
 * asked first, so that no state of an alarm can be in its way (SE-27).
 */

/** What alarms are judged by: the slide that was just decided, and what the kernel said of it. */
export type AlarmLook = Readonly<{ last: LastSlide; seen: Seen; said: readonly SafetyChange[] }>

/** Judges the alarms of a rig at a slide that was just decided. */
export function alarmsOnSlide(rig: RigState, { last, seen, said }: AlarmLook): AlarmStated[] {
  const { safety, settings } = rig
  if (safety === null || settings.safety === undefined) return []
  const { definitions } = settings.safety.alarms
  const conditions = [...ofVerdict(rig, last), ...conditionsAt(definitions, seen)]
  const { nowUs, endUs, mode } = seen
  const armed = safety.kernel.arm.state === 'ARMED'
  const raised = raisedIn(said)
  return stated(alarmsAt(safety.alarms, definitions, { nowUs, endUs, mode, armed, conditions, raised }))
}

/** Takes in what the kernel said between two slides; nothing is asked when it said nothing of alarms or of arming. */
export function alarmsOnInput(rig: RigState, said: readonly SafetyChange[], nowUs: Micros): AlarmStated[] {
  const { safety, settings, mode } = rig
  if (safety === null || settings.safety === undefined) return []
  if (!said.some(({ kind }) => kind === 'alarm' || kind === 'arm')) return []
  const armed = safety.kernel.arm.state === 'ARMED'
  const between = { nowUs, endUs: safety.alarms.endUs, mode, armed, conditions: [], raised: raisedIn(said) }
  return stated(alarmsAt(safety.alarms, settings.safety.alarms.definitions, between))
}

/** Does what somebody ordered of an alarm, or refuses it; for a rig without a policy nothing. */
export function orderAlarm({ safety, settings }: RigState, order: AlarmOrder, nowUs: Micros): AlarmStated[] {
  if (safety === null || settings.safety === undefined) return []
  return stated(alarmsInput(safety.alarms, settings.safety.alarms.definitions, alarmInput(order, nowUs)))
}

/** Puts the alarms of another configuration in force over what was known under the one before (SE-39). */
export function alarmsUnder(rig: RigState, old: RigState, said: readonly SafetyChange[], nowUs: Micros): AlarmStated[] {
  const before = old.settings.safety
  if (old.safety === null || before === undefined) return []
  const { alarms } = old.safety
  const definitions = rig.settings.safety?.alarms.definitions ?? NO_ALARMS
  const changes = stated(adoptAlarms(alarms, before.alarms.definitions, definitions, nowUs))
  if (rig.safety === null) return changes
  rig.safety.alarms = alarms
  return [...changes, ...alarmsOnInput(rig, said, nowUs)]
}

const NO_ALARMS: AlarmDefinitions = { alarms: [], gapUs: 0 }

function stated(changes: readonly AlarmChange[]): AlarmStated[] {
  return changes.map((change) => ({ kind: 'alarm_state', change }))
}

function raisedIn(said: readonly SafetyChange[]): RaisedAlarm[] {
  return said.flatMap((change) => {
    if (change.kind !== 'alarm') return []
    const { id, severity, active, text } = change
    return [{ id, severity, active, text }]
  })
}

/** How much longer than its windows take to fill a rig may begin without a verdict. */
const BEGIN_US: Micros = 1_000_000

/** Until the first windows are full nobody can know how a rig is: an agent that starts does not call people by that alone. */
function ofVerdict({ settings, originUs }: RigState, last: LastSlide): AlarmCondition[] {
  const fillUs = settings.metrics.reduce((us, { windows: [w] }) => Math.max(us, settings.windowsUs[w ?? 0] ?? 0), 0)
  const begins = last.verdict === 'NO_TEST' && last.endUs - originUs <= fillUs + BEGIN_US
  return builtInConditions(last.verdict, isAllKnown(settings, last)).map((one) =>
    begins && one.alarm === 'rig-no-test' ? { ...one, value: 'STALE' } : one,
  )
}

/** What says nothing of the values of a metric. Without a baseline limits are judged all the same. */
const UNKNOWN_VERDICTS: readonly MetricVerdict[] = ['INVALID', 'STALE', 'INSUFFICIENT']

/** A channel that need not be there and never was has nothing to recover from; every other one must be known. */
function isAllKnown({ metrics }: RigSettings, last: LastSlide): boolean {
  return last.metrics.every(
    ({ verdict, newestUs }, m) => !UNKNOWN_VERDICTS.includes(verdict) || (newestUs < 0 && !metrics[m]!.required),
  )
}

function conditionsAt({ alarms }: AlarmDefinitions, seen: Seen): AlarmCondition[] {
  // What the built-in ones are is said by the verdict.
  return alarms
    .slice(BUILT_IN_ALARMS.length)
    .flatMap(({ id, levels }) =>
      levels.map((level) => ({ alarm: id, severity: level.severity, ...levelAt(level, seen) })),
    )
}

/**
 * The bare condition of a level at a slide. It is as fresh as the verdict is: a metric that is STALE is not known. A step of
 * the clock, after which no action is taken for a while, does not make alarms unknown: they compare no two clocks.
 */
function levelAt(level: AlarmLevel, seen: Seen): Readonly<{ value: ConditionValue; measured: number | null }> {
  const look = lookIn(level, seen.mode)
  const condition = { id: '', look, persistence: { k: 1, n: 1 }, freshUs: Number.POSITIVE_INFINITY }
  const { value } = observe(condition, { ...seen, clockStepped: false })
  if (look.kind !== 'window' || (value !== 'TRUE' && value !== 'FALSE')) return { value, measured: null }
  const window = seen.metric(look.metric)?.windows.find(({ windowUs }) => windowUs === look.windowUs)
  return { value, measured: window?.[look.of] ?? null }
}
