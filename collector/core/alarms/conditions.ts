import type { ConditionValue } from '../../../shared/model/action.ts'
import type { AlarmCondition, AlarmSeverity } from '../../../shared/model/alarm.ts'
import { utcText } from '../../../shared/model/calendar-date.ts'
import type { CollectorAlarmKind } from '../../../shared/model/collector-alarm.ts'
import type { Micros } from '../../../shared/units.ts'
import { alarmId } from './definitions.ts'
import type { AgentFacts, Look, OwnFacts, RigFacts } from './facts.ts'
import type { AlarmLimits } from './settings.ts'

const DAY_US = 86_400_000_000
/** Names in one text; more are counted. */
const NAMES_MAX = 16

/** A condition at each severity of one kind, and what it says. */
type Reading = Readonly<{
  kind: CollectorAlarmKind
  values: readonly (readonly [AlarmSeverity, ConditionValue])[]
  text: string
}>

/**
 * Whether an agent is silent. Only a batch that was verified is a sign of it: a session, vitals and pings may outlive what
 * decides. Until it was awaited for long enough after a start it is not known, which neither raises nor clears.
 */
export function isSilent({ heard, quietUs }: AgentFacts, { silentUs }: AlarmLimits): ConditionValue {
  if (!(quietUs < silentUs)) return 'TRUE'
  return heard ? 'FALSE' : 'STALE'
}

/** All conditions of one agent. */
export function agentConditions(facts: AgentFacts, { nowUs }: Look, limits: AlarmLimits): AlarmCondition[] {
  return [
    silentReading(facts, limits),
    quorumReading(facts, limits),
    backlogReading(facts, limits),
    clockReading(facts, limits),
    certificateReading(facts, nowUs, limits),
    baselineReading(facts, limits),
  ].flatMap(({ kind, values, text }) =>
    values.map(([severity, value]) => ({ alarm: alarmId(facts.agent, kind), severity, value, measured: null, text })),
  )
}

/** Whether what the collector wrote last was written. */
export function storeCondition({ storeFailed }: OwnFacts): AlarmCondition {
  const value = storeFailed === null ? 'STALE' : storeFailed === '' ? 'FALSE' : 'TRUE'
  return { alarm: 'store', severity: 'CRITICAL', value, measured: null, text: storeFailed ?? '' }
}

function silentReading(facts: AgentFacts, limits: AlarmLimits): Reading {
  const last = facts.lastUs === null ? 'never a batch' : `last batch ${utcText(facts.lastUs)}`
  const text = `${last}; ${facts.connected ? 'connected all the same' : 'not connected'}`
  return { kind: 'silent', values: [['CRITICAL', isSilent(facts, limits)]], text }
}

/** Channels without a usable value, by the rig that has lost most; a rig that says nothing has lost all. */
function quorumReading(facts: AgentFacts, limits: AlarmLimits): Reading {
  const isKnown = isSilent(facts, limits) === 'FALSE' && facts.rigs.length > 0
  const worst = facts.rigs.reduce<RigFacts | null>((a, b) => (a === null || lostShare(b) > lostShare(a) ? b : a), null)
  if (!isKnown || worst === null) return { kind: 'quorum', values: [['CRITICAL', 'STALE']], text: '' }
  const { rig, data } = worst
  const text =
    data === null ? `${rig}: nothing is said of its channels` : `${rig}: ${data.lost} of ${data.channels} channels`
  // As what must hold, so that a share that is not a number is a loss.
  const holds = lostShare(worst) < limits.dataLostShare
  return { kind: 'quorum', values: [['CRITICAL', holds ? 'FALSE' : 'TRUE']], text }
}

function lostShare({ data }: RigFacts): number {
  // No rig is without channels: of one that says so nothing is known.
  return data !== null && data.channels > 0 ? data.lost / data.channels : 1
}

function backlogReading({ reported }: AgentFacts, limits: AlarmLimits): Reading {
  if (reported === null) return unknown('backlog')
  const { batches, ageUs } = reported
  const isWell = batches < limits.backlogBatches && ageUs < limits.backlogAgeUs
  const text = `${batches} batches, the oldest ${seconds(ageUs)} old`
  return graded('backlog', [!isWell, !(ageUs < limits.backlogCriticalAgeUs)], text)
}

function clockReading({ reported }: AgentFacts, { clockWarnUs, clockCriticalUs }: AlarmLimits): Reading {
  if (reported === null) return unknown('clock')
  const { skewUs } = reported
  const text = `${seconds(Math.abs(skewUs))} ${skewUs < 0 ? 'behind' : 'ahead of'} that of the collector`
  return graded('clock', [!(Math.abs(skewUs) < clockWarnUs), !(Math.abs(skewUs) < clockCriticalUs)], text)
}

function certificateReading({ certificateUntilUs: untilUs }: AgentFacts, nowUs: Micros, limits: AlarmLimits): Reading {
  if (untilUs === null) return unknown('certificate')
  const leftUs = untilUs - nowUs
  const days = Math.floor(Math.abs(leftUs) / DAY_US)
  const text = leftUs > 0 ? `ends ${utcText(untilUs)}, in ${days} days` : `over since ${utcText(untilUs)}`
  return graded('certificate', [!(leftUs > limits.certificateWarnUs), !(leftUs > limits.certificateCriticalUs)], text)
}

/** What is left of the worst golden baseline. Rigs without one have an alarm of their own at the agent. */
function baselineReading({ rigs, reported }: AgentFacts, { baselineDecayMin }: AlarmLimits): Reading {
  if (reported === null || rigs.some(({ data }) => data === null)) return unknown('baseline')
  const known = rigs.filter(({ decay }) => decay !== null)
  const worst = known.reduce<RigFacts | null>((a, b) => (a === null || b.decay! < a.decay! ? b : a), null)
  if (worst === null) return graded('baseline', [false, false], '')
  const decay = worst.decay!
  const text = `${worst.rig}: ${(decay * 100).toFixed(0)} % of its confidence is left`
  return graded('baseline', [!(decay > baselineDecayMin), !(decay > 0)], text)
}

function graded(kind: CollectorAlarmKind, [warning, critical]: readonly [boolean, boolean], text: string): Reading {
  const value = (holds: boolean): ConditionValue => (holds ? 'TRUE' : 'FALSE')
  return {
    kind,
    values: [
      ['WARNING', value(warning)],
      ['CRITICAL', value(critical)],
    ],
    text,
  }
}

function unknown(kind: CollectorAlarmKind): Reading {
  return {
    kind,
    values: [
      ['WARNING', 'STALE'],
      ['CRITICAL', 'STALE'],
    ],
    text: '',
  }
}

/** Names for people, of too many the first. */
export function named(names: readonly string[]): string {
  const more = names.length - NAMES_MAX
  return `${names.slice(0, NAMES_MAX).join(', ')}${more > 0 ? ` and ${more} more` : ''}`
}

function seconds(us: Micros): string {
  return `${(us / 1_000_000).toFixed(us < 10_000_000 ? 1 : 0)} s`
}
