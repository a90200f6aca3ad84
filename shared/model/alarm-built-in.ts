import type { ConditionValue } from './action.ts'
import {
  type AlarmCondition,
  type AlarmDefinition,
  type AlarmDefinitions,
  type AlarmSeverity,
  SHELVE_MAX_US,
} from './alarm.ts'
import type { OverallVerdict } from './verdict.ts'

/** Ids that no policy may use: the built-in alarms, and the prefix of those that the agent raises. */
export const RESERVED_ALARM_IDS = ['rig-fail', 'rig-no-test', 'rig-no-baseline', 'safety'] as const

const MINUTE_US = 60_000_000

type Own = Pick<AlarmDefinition, 'id' | 'title' | 'maxHoldUs' | 'consequence' | 'response' | 'timeToRespondUs'>

function builtIn(verdict: OverallVerdict, severity: AlarmSeverity, own: Own): AlarmDefinition {
  const look = { kind: 'overall', verdicts: [verdict] } as const
  return {
    ...own,
    levels: [{ severity, look, valueByMode: {}, deadband: 0, persistence: { k: 1, n: 1 }, heldUs: 0 }],
    onUnknown: 'hold',
    clear: { slides: 20, us: MINUTE_US / 60 },
    latching: false,
    reAlarmUs: 0,
    maxShelveUs: SHELVE_MAX_US,
    modes: null,
    group: null,
    under: null,
    guidance: 'docs/concepts/alarms.md',
  }
}

/**
 * Alarms that every rig has, so that one without `alarms:` is not silent.
 *
 * NO_TEST is as severe as FAIL, the worst it hides (SE-36). NO_BASELINE hides drift alone, which is no more than a WARNING, and so is
 * UNKNOWN: limits are judged without a baseline, and a limit that is passed is FAIL.
 */
export const BUILT_IN_ALARMS: readonly AlarmDefinition[] = [
  builtIn('FAIL', 'CRITICAL', {
    id: 'rig-fail',
    title: 'A limit of the rig is passed',
    maxHoldUs: null,
    consequence: 'The rig or what is under test may be damaged.',
    response: 'Look at the driver of the verdict; bring the rig to its safe state unless it is known to be harmless.',
    timeToRespondUs: MINUTE_US,
  }),
  builtIn('NO_TEST', 'CRITICAL', {
    id: 'rig-no-test',
    title: 'Nobody knows how the rig is',
    // For all three: without a verdict it is this one that says so.
    maxHoldUs: 10_000_000,
    consequence: 'A limit that is passed goes unseen.',
    response: 'Look for the metrics that are missing or invalid; treat the rig as failed until they are back.',
    timeToRespondUs: MINUTE_US,
  }),
  builtIn('NO_BASELINE', 'UNKNOWN', {
    id: 'rig-no-baseline',
    title: 'There is no baseline for this mode',
    maxHoldUs: null,
    consequence: 'Limits are watched, drift is not.',
    response: 'Make or activate a baseline for this mode, or leave the mode.',
    timeToRespondUs: 60 * MINUTE_US,
  }),
]

/** The built-in alarms before those of a policy. */
export function withBuiltIn(alarms: readonly AlarmDefinition[], gapUs: number): AlarmDefinitions {
  return { alarms: [...BUILT_IN_ALARMS, ...alarms], gapUs }
}

/**
 * Conditions of the built-in alarms.
 *
 * @param verdict of the slide; null when there is none, which is no test.
 * @param allKnown whether every metric of the rig is known, one that is not required too: a metric that failed and then fell
 * silent has not recovered (AL-11).
 */
export function builtInConditions(verdict: OverallVerdict | null, allKnown: boolean): AlarmCondition[] {
  const isTest = verdict !== null && verdict !== 'NO_TEST'
  const fail: ConditionValue = verdict === 'FAIL' ? 'TRUE' : isTest && allKnown ? 'FALSE' : 'STALE'
  // Behind a FAIL there may be anything that is not known.
  const noTest: ConditionValue = !isTest ? 'TRUE' : verdict === 'FAIL' && !allKnown ? 'STALE' : 'FALSE'
  const noBaseline: ConditionValue =
    verdict === 'NO_BASELINE' ? 'TRUE' : verdict === 'PASS' || verdict === 'PASS_WITH_DRIFT' ? 'FALSE' : 'STALE'
  return [
    { alarm: 'rig-fail', severity: 'CRITICAL', value: fail, measured: null },
    { alarm: 'rig-no-test', severity: 'CRITICAL', value: noTest, measured: null },
    { alarm: 'rig-no-baseline', severity: 'UNKNOWN', value: noBaseline, measured: null },
  ]
}
