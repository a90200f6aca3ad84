import type { Outcome } from '../core/result.ts'
import type { Expectation, Span } from '../core/scenario.ts'
import { type Formula, parseFormula } from './formula.ts'
import { outcome } from './outcome.ts'
import { judgeFormula } from './robustness.ts'
import type { Run } from './run-folder.ts'
import { decisionsOf, gapsIn, runTime, saidIn, seconds, spanIn, uncoveredIn, type Window } from './run-times.ts'
import type { Said } from './said.ts'
import { actionsIn, actionText, isNamed, saidOf } from './said-expectations.ts'
import { reaches } from './truth.ts'

type Of<K extends Expectation['kind']> = Extract<Expectation, { kind: K }>
type Fixed = Readonly<{ text: string; expected: string }>

/** What a rig is while nobody decides about it. */
const WITHOUT_DECISION = 'NO_TEST'

export function judgeNever(run: Run, { what, span }: Of<'never'>): Outcome {
  const window = spanIn(run, span)
  if ('plant' in what) return neverPlant(run, what.plant, span)
  const fixed = (name: string): Fixed => ({ text: `never ${name}${spanText(span)}`, expected: 'not once' })
  if ('verdict' in what) {
    const hits = decisionsOf(run).filter(({ verdict }) => what.verdict.includes(verdict))
    return neverSaid(run, fixed(`verdict ${what.verdict.join(' or ')}`), { hits, window })
  }
  if ('alarm' in what) {
    const hits = alarmSpans(run).filter(({ id }) => isNamed(id, what.alarm))
    const hit = hits.find(({ fromUs, toUs }) => fromUs <= window.toUs && toUs >= window.fromUs)
    if (hit === undefined && run.facts.alarms_again === null)
      return outcome('unknown', fixed(`alarm ${what.alarm}`), { observed: NOT_AGAIN })
    if (hit === undefined) return neverSaid(run, fixed(`alarm ${what.alarm}`), { hits: [], window })
    const atUs = Math.max(hit.fromUs, window.fromUs)
    return outcome('missed', fixed(`alarm ${what.alarm}`), { observed: `${hit.id} at ${seconds(atUs)}`, atUs })
  }
  const name = `${actionText(what.action, what.target)} ${what.state}`
  return neverSaid(run, fixed(name), { hits: actionsIn(run, what), window })
}

function neverSaid(
  run: Run,
  fixed: Fixed,
  { hits, window }: Readonly<{ hits: readonly Said[]; window: Window }>,
): Outcome {
  const times = hits.map((said) => saidIn(run, said, window)).filter((atUs) => atUs !== null)
  if (times.length > 0) {
    const atUs = Math.min(...times)
    return outcome('missed', fixed, { observed: `at ${seconds(atUs)}`, atUs })
  }
  const uncovered = uncoveredIn(run, window)
  return uncovered === null
    ? outcome('met', fixed, { observed: 'not once' })
    : outcome('unknown', fixed, { observed: uncovered })
}

/** Alarms that people were told of stand in no signed record. */
export const NOT_AGAIN = 'what was told of alarms was not held against the record'

/** From when to when alarms were active, signed or told to people, in times of the run; to infinity when they were to the end. */
export function alarmSpans(
  run: Run,
): readonly Readonly<{ id: string; severity: string; fromUs: number; toUs: number }>[] {
  const spans: { id: string; severity: string; fromUs: number; toUs: number }[] = []
  const open = new Map<string, (typeof spans)[number]>()
  const told = run.events.flatMap((event) =>
    event.kind === 'alarm' && run.facts.alarms_again !== null
      ? [{ ...event, severity: event.severity ?? '', rig: 'told', atUs: event.t_us + run.facts.begin_us }]
      : [],
  )
  for (const { id, severity, active, rig, atUs } of [...saidOf(run, 'alarm'), ...told]) {
    const key = `${rig}/${id}`
    const before = open.get(key)
    if (!active) {
      if (before !== undefined) before.toUs = runTime(run, atUs)
      open.delete(key)
    } else if (before === undefined) {
      const span = { id, severity, fromUs: runTime(run, atUs), toUs: Number.POSITIVE_INFINITY }
      spans.push(span)
      open.set(key, span)
    }
  }
  return spans
}

function neverPlant(run: Run, text: string, span: Span): Outcome {
  const { fromUs, toUs } = spanIn(run, span)
  const fixed = { text: `never ${text}${spanText(span)}`, expected: `not (${text})` }
  return judgeText(run, fixed, text, (of) => ({ kind: 'always', span: { fromUs, toUs }, of: { kind: 'not', of } }))
}

export function judgeStl(run: Run, { formula }: Of<'stl'>): Outcome {
  const fixed = { text: formula, expected: formula }
  // It is judged where the run ended, not where its truth did.
  if (run.truth !== null && !reaches(run.truth, run.facts.simulated_us))
    return outcome('unknown', fixed, { observed: 'the truth of the plant ends before the run' })
  return judgeText(run, fixed, formula, (whole) => whole)
}

function judgeText(run: Run, fixed: Fixed, text: string, made: (formula: Formula) => Formula): Outcome {
  if (run.truth === null) return outcome('unknown', fixed, { observed: 'no truth of the plant' })
  const parsed = parseFormula(text, run.truth.signals.keys())
  if (!parsed.ok) {
    const [{ column, found, expected }] = parsed.problems as [(typeof parsed.problems)[number]]
    return outcome('unknown', fixed, { observed: `column ${column}: ${found}, expected ${expected}` })
  }
  const { is, robustness, share, atUs } = judgeFormula(made(parsed.formula), run.truth)
  if (is === 'unknown') return outcome('unknown', fixed, { observed: 'the truth of the plant does not say' })
  const words = robustness === null ? 'no bound' : `robustness ${Number(robustness.toPrecision(6))}`
  if (is === 'true') return outcome('met', fixed, { observed: words, margin: share })
  return outcome('missed', fixed, { observed: `${words}, at ${seconds(atUs!)}`, atUs, margin: share })
}

/** Every decision of a span must be one of these. While there is none, a rig is NO_TEST. */
export function judgeAlways(run: Run, { verdict, span }: Of<'always'>): Outcome {
  const window = spanIn(run, span)
  const text = `always verdict ${verdict.join(' or ')}${spanText(span)}`
  const fixed = { text, expected: verdict.join(' or ') }
  const inside = decisionsOf(run).map((said) => ({ atUs: saidIn(run, said, window), word: said.verdict }))
  const gaps = gapsIn(run, window).map(({ atUs, reason }) => ({
    atUs: Math.max(atUs, window.fromUs),
    word: `${WITHOUT_DECISION} (${reason})`,
  }))
  const wrong = [
    ...inside.filter(({ word }) => !verdict.includes(word)),
    ...(verdict.includes(WITHOUT_DECISION) ? [] : gaps),
  ]
    .filter((one): one is { atUs: number; word: string } => one.atUs !== null)
    .sort((a, b) => a.atUs - b.atUs)[0]
  if (wrong !== undefined)
    return outcome('missed', fixed, { observed: `${wrong.word} at ${seconds(wrong.atUs)}`, atUs: wrong.atUs })
  const uncovered = uncoveredIn(run, window)
  const decided = inside.some(({ atUs }) => atUs !== null)
  if (uncovered !== null || !decided) return outcome('unknown', fixed, { observed: uncovered ?? 'no decision' })
  return outcome('met', fixed, { observed: 'every decision' })
}

function spanText({ fromUs, toUs }: Span): string {
  if (fromUs === 0 && toUs === null) return ''
  return ` from ${seconds(fromUs)}${toUs === null ? '' : ` to ${seconds(toUs)}`}`
}
