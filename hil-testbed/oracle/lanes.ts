import type { LaneSpan, Lanes } from '../core/result.ts'
import type { Run } from './run-folder.ts'
import { decisionsOf, runTime } from './run-times.ts'
import { saidOf } from './said-expectations.ts'
import { alarmSpans } from './span-expectations.ts'

/** Spans of one lane that are kept; the report takes no more (`LANE_SPANS_MAX` of hil-testbed/core/result.ts). */
const MAX = 500

/** What the signed records say over time, for a plot. */
export function lanesOf(run: Run): Lanes {
  const lanes = { verdicts: verdictSpans(run), alarms: alarmLane(run), actions: actionSpans(run) }
  const all = Object.values(lanes).flat().length
  const kept = (spans: readonly LaneSpan[]): readonly LaneSpan[] => spans.slice(0, MAX)
  const [verdicts, alarms, actions] = [kept(lanes.verdicts), kept(lanes.alarms), kept(lanes.actions)]
  return { verdicts, alarms, actions, thinned: all - verdicts.length - alarms.length - actions.length }
}

/** One span for as long as the verdict is the same; a gap of time ends it. */
function verdictSpans(run: Run): LaneSpan[] {
  const spans: { from_us: number; to_us: number | null; name: string; is: string }[] = []
  for (const { atUs, verdict } of decisionsOf(run)) {
    const from_us = runTime(run, atUs)
    const last = spans.at(-1)
    if (last !== undefined && last.is === verdict) continue
    if (last !== undefined) last.to_us = from_us
    spans.push({ from_us, to_us: null, name: '', is: verdict })
  }
  return spans
}

function alarmLane(run: Run): LaneSpan[] {
  return alarmSpans(run).map(({ id, severity, fromUs, toUs }) => ({
    ...{ from_us: fromUs, to_us: Number.isFinite(toUs) ? toUs : null },
    ...{ name: id, is: severity },
  }))
}

/** One span for every state of an action, until its next. */
function actionSpans(run: Run): LaneSpan[] {
  const records = saidOf(run, 'action')
  return records.map(({ key, action, target, state, atUs }, k) => {
    const next = records.find((other, at) => at > k && other.key === key)
    const to_us = next === undefined ? null : runTime(run, next.atUs)
    return { from_us: runTime(run, atUs), to_us, name: `${action} ${target}`, is: state }
  })
}
