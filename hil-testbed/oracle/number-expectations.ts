import type { Outcome } from '../core/result.ts'
import type { Counted, Expectation } from '../core/scenario.ts'
import { COUNTERS, type CounterName } from './batch-header.ts'
import { parseCondition } from './formula.ts'
import { outcome } from './outcome.ts'
import { seriesOf } from './robustness.ts'
import type { Run } from './run-folder.ts'
import { anchorUs, seconds, uncoveredIn } from './run-times.ts'
import { actionsIn, actionText, isNamed } from './said-expectations.ts'
import { alarmSpans, NOT_AGAIN } from './span-expectations.ts'

type Of<K extends Expectation['kind']> = Extract<Expectation, { kind: K }>
type Bounds = Readonly<{ least: number; most: number | null }>

export function judgeCount(run: Run, { of, least, most }: Of<'count'>): Outcome {
  const { name, count, isOfBench } = counted(run, of)
  const uncovered = isOfBench ? null : uncoveredIn(run, { fromUs: 0, toUs: run.facts.simulated_us })
  const untold = 'alarm' in of && run.facts.alarms_again === null ? NOT_AGAIN : null
  return judgeNumber(`count of ${name}`, { least, most }, { count, mayBeMore: uncovered ?? untold })
}

function counted(run: Run, of: Counted): Readonly<{ name: string; count: number; isOfBench: boolean }> {
  if ('effect' in of) {
    const count = run.events.filter((event) => event.kind === 'effect' && event.actuator === of.effect).length
    return { name: `effects of ${of.effect}`, count, isOfBench: true }
  }
  if ('alarm' in of) {
    const count = alarmSpans(run).filter(({ id }) => isNamed(id, of.alarm)).length
    return { name: `alarm ${of.alarm}`, count, isOfBench: false }
  }
  const keys = new Set(actionsIn(run, of).map(({ key }) => key))
  return { name: `${actionText(of.action, of.target)} ${of.state}`, count: keys.size, isOfBench: false }
}

/** Sum over the life of the agent, as the last signed header has it. */
export function judgeCounter(run: Run, { counter, least, most }: Of<'counter'>): Outcome {
  const { counters } = run.evidence
  const fixed = { text: `counter ${counter}`, expected: boundsText({ least, most }) }
  if (!(COUNTERS as readonly string[]).includes(counter))
    return outcome('unknown', fixed, { observed: `no header has it: ${COUNTERS.join(', ')}` })
  if (counters === null) return outcome('unknown', fixed, { observed: 'no signed record' })
  const uncovered = uncoveredIn(run, { fromUs: 0, toUs: run.facts.simulated_us })
  return judgeNumber(fixed.text, { least, most }, { count: counters[counter as CounterName], mayBeMore: uncovered })
}

function judgeNumber(
  text: string,
  bounds: Bounds,
  { count, mayBeMore }: Readonly<{ count: number; mayBeMore: string | null }>,
): Outcome {
  const { least, most } = bounds
  const fixed = { text, expected: boundsText(bounds) }
  const observed = String(count)
  if (most !== null && count > most) return outcome('missed', fixed, { observed })
  const isEnough = count >= least
  if (mayBeMore !== null && !(isEnough && most === null))
    return outcome('unknown', fixed, { observed: `${observed} or more: ${mayBeMore}` })
  return outcome(isEnough ? 'met' : 'missed', fixed, { observed })
}

function boundsText({ least, most }: Bounds): string {
  if (most === least) return `exactly ${least}`
  return most === null ? `at least ${least}` : `${least} to ${most}`
}

/** When what went wrong was dealt with: the plant was acted on, or is back out of its hazard; null when neither. */
export function handledUs(run: Run, fromUs: number): Readonly<{ atUs: number; by: string }> | null {
  const effect = run.events.find((event) => event.kind === 'plant_effect' && event.t_us >= fromUs)
  if (effect !== undefined && effect.kind === 'plant_effect') return { atUs: effect.t_us, by: effect.actuator }
  const overUs = hazardOverUs(run, fromUs)
  return overUs === null ? null : { atUs: overUs, by: 'end of the hazard' }
}

/** First moment after which the plant, having been in its hazard since a time, never was again. */
function hazardOverUs({ row, truth }: Run, fromUs: number): number | null {
  const parsed = parseCondition(row.rig.plant.hazard)
  if (truth === null || !parsed.ok) return null
  const series = seriesOf(parsed.formula, truth, 'absolute').truth
  const last = series.findLastIndex((value, i) => value >= 0 && truth.tUs[i]! >= fromUs)
  const wasIn = last >= 0 && series.some((value, i) => value > 0 && truth.tUs[i]! >= fromUs)
  return wasIn && last < series.length - 1 ? truth.tUs[last + 1]! : null
}

export function judgeFhti(run: Run, { from, maxUs, fttiUs }: Of<'fhti'>): Outcome {
  const fixed = { text: `FHTI from ${from}`, expected: `at most ${seconds(maxUs)} of FTTI ${seconds(fttiUs)}` }
  const fromUs = anchorUs(run, from)
  if (fromUs === null) return outcome('unknown', fixed, { observed: `${from} was not seen` })
  const handled = handledUs(run, fromUs)
  if (handled === null) {
    const ended = run.facts.simulated_us < fromUs + maxUs
    return outcome(ended ? 'unknown' : 'missed', fixed, { observed: ended ? 'the run ended first' : 'not handled' })
  }
  const { atUs, by } = handled
  const fhtiUs = atUs - fromUs
  const boundUs = Math.min(maxUs, fttiUs)
  const observed = `${seconds(fhtiUs)}, by ${by}`
  return outcome(fhtiUs <= boundUs ? 'met' : 'missed', fixed, { observed, atUs, margin: 1 - fhtiUs / boundUs })
}

export function judgeStartRefused(run: Run, { code }: Of<'start_refused'>): Outcome {
  const fixed = { text: `start refused with ${code}`, expected: `an exit that is not 0, and ${code}` }
  const exits = run.events.filter((event) => event.kind === 'agent' && event.is === 'exited')
  const exit = exits.find((event) => event.kind === 'agent' && event.refused !== undefined) ?? exits[0]
  if (exit === undefined || exit.kind !== 'agent') return outcome('missed', fixed, { observed: 'it did not exit' })
  const log = `${run.log}\n${run.facts.log_tail.join('\n')}`
  const isSaid = exit.refused === undefined ? log.split(/\W+/).includes(code) : exit.refused === code
  const observed = `exit ${exit.code ?? 'by a signal'}, ${code} ${isSaid ? '' : 'not '}said`
  const isRefused = isSaid && exit.code !== null && exit.code !== 0
  return outcome(isRefused ? 'met' : 'missed', fixed, { observed, atUs: exit.t_us })
}

export function judgeReplay({ facts }: Run): Outcome {
  const fixed = { text: 'replay is equal', expected: 'the same bytes' }
  if (facts.replay === null) return outcome('unknown', fixed, { observed: 'not asked' })
  return outcome(facts.replay.equal ? 'met' : 'missed', fixed, { observed: facts.replay.detail })
}

export function judgeCollected({ facts, evidence }: Run): Outcome {
  const fixed = { text: 'collected exactly once', expected: `${evidence.decisions} decisions, all receipted` }
  if (facts.collected === null) return outcome('unknown', fixed, { observed: 'no collector' })
  const { decisions, missing, duplicate } = facts.collected
  const isAll = missing === 0 && duplicate === 0 && decisions === evidence.decisions && evidence.unreceipted === 0
  return outcome(isAll ? 'met' : 'missed', fixed, {
    observed: `${decisions} decisions, ${missing} missing, ${duplicate} findings in the store, ${evidence.unreceipted} without a receipt`,
  })
}
