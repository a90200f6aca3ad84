import type { Outcome } from '../core/result.ts'
import type { Expectation } from '../core/scenario.ts'
import type { Gap } from './batch-header.ts'
import { type Candidate, judgeSought, outcome } from './outcome.ts'
import type { Run } from './run-folder.ts'
import { decisionsOf, isOfTime, runTime, seconds, uncoveredIn } from './run-times.ts'
import type { Decision, Finding, Said } from './said.ts'

type Of<K extends Expectation['kind']> = Extract<Expectation, { kind: K }>
type SaidOf<K extends Said['kind']> = Extract<Said, { kind: K }>

/** Words that only a rig can come to; of a metric they are said when the metric is among the findings. */
const OVERALL_ONLY: readonly string[] = ['NO_TEST', 'PASS_WITH_DRIFT']

export function judgeVerdict(run: Run, wanted: Of<'verdict'>): Outcome {
  const { is, metric, ground, within, optional } = wanted
  const about = [metric === null ? '' : ` of ${metric}`, ground === null ? '' : ` (${ground})`].join('')
  const candidates = decisionsOf(run).flatMap((said): Candidate[] => {
    const found = verdictIn(said, wanted)
    return found === null ? [] : [{ said, words: said.verdict, isUnknown: found === 'unknown' }]
  })
  return judgeSought(run, { text: `verdict ${is.join(' or ')}${about}`, within, optional }, candidates)
}

/** Whether a decision is as wanted: it is, it may be, or null: it is not. */
function verdictIn(decision: Decision, { is, metric, ground }: Of<'verdict'>): 'is' | 'unknown' | null {
  if (metric === null && ground === null) return is.includes(decision.verdict) ? 'is' : null
  const { findings, more } = decision
  if (findings === null) return 'unknown'
  const isMeant = (f: Finding): boolean =>
    (metric === null || f.metric === metric) && (ground === null || f.ground === ground)
  const isSo = (f: Finding): boolean =>
    is.includes(f.verdict) || (is.includes(decision.verdict) && OVERALL_ONLY.includes(decision.verdict))
  if (findings.some((f) => isMeant(f) && isSo(f))) return 'is'
  if (more > 0) return 'unknown'
  const isQuiet = ground === null && is.includes('PASS') && !findings.some(isMeant)
  return isQuiet ? 'is' : null
}

/** Whether an id is a name, or that name with what it is about behind a colon, as `permit_lost:pump`. */
export function isNamed(id: string, name: string): boolean {
  return id === name || id.startsWith(`${name}:`)
}

export function judgeAlarm(run: Run, { name, severity, active, within, optional }: Of<'alarm'>): Outcome {
  const candidates = saidOf(run, 'alarm')
    .filter((said) => isNamed(said.id, name) && said.active === active)
    .filter((said) => severity === null || said.severity === severity)
    .map((said) => ({ said, words: `${said.id} ${said.severity} ${said.active ? 'active' : 'over'}` }))
  const told = run.events.flatMap((event): Candidate[] => {
    if (event.kind !== 'alarm' || !isNamed(event.id, name) || event.active !== active) return []
    if (severity !== null && event.severity !== severity) return []
    const words = `${event.id} ${event.change}`
    return [{ said: heardAt(run, event.t_us), words, isUnknown: run.facts.alarms_again === null }]
  })
  const text = `alarm ${name}${severity === null ? '' : ` ${severity}`} ${active ? 'active' : 'over'}`
  return judgeSought(run, { text, within, optional }, [...candidates, ...told])
}

/** Records of an action in a state. */
export function actionsIn(
  run: Run,
  { action, target, state }: Readonly<{ action: string; target: string | null; state: string }>,
): readonly SaidOf<'action'>[] {
  return saidOf(run, 'action').filter(
    (said) => said.action === action && said.state === state && (target === null || said.target === target),
  )
}

export function judgeAction(run: Run, wanted: Of<'action'>): Outcome {
  const { action, target, reaches, reason, within, optional } = wanted
  const candidates = actionsIn(run, { action, target, state: reaches })
    .filter(({ reasons }) => reason === null || reasons.some((ground) => isNamed(ground, reason)))
    .map((said) => ({ said, words: [`${said.action} ${said.target} ${said.state}`, ...said.reasons].join(' ') }))
  const text = `${actionText(action, target)} reaches ${reaches}${reason === null ? '' : ` by ${reason}`}`
  return judgeSought(run, { text, within, optional }, candidates)
}

export function actionText(action: string, target: string | null): string {
  return target === null ? action : `${action} of ${target}`
}

export function judgeArm(run: Run, { state, within, optional }: Of<'arm'>): Outcome {
  const candidates = saidOf(run, 'arm')
    .filter((said) => said.state === state)
    .map((said) => ({ said, words: said.state }))
  return judgeSought(run, { text: `rig ${state}`, within, optional }, candidates)
}

/** An order of people that the kernel refused in a signed record, or that was answered so when it was given. */
export function judgeRefused(run: Run, { reason, within, optional }: Of<'refused'>): Outcome {
  const signed = saidOf(run, 'refused')
    .filter(({ reasons }) => reasons.some((ground) => isNamed(ground, reason)))
    .map((said) => ({ said, words: `${said.input} ${said.subject} refused: ${said.reasons.join(', ')}` }))
  const answered = run.events.flatMap((event): Candidate[] => {
    if (event.kind !== 'order' || !hasWord(event.answer, reason)) return []
    return [{ said: heardAt(run, event.t_us), words: `${event.order}: ${event.answer}` }]
  })
  return judgeSought(run, { text: `order refused by ${reason}`, within, optional }, [...signed, ...answered])
}

/** What the agent told of those it is connected to. It is in no signed record: the bench noted it when it heard it. */
export function judgeTold(run: Run, { event: wanted, why, within, optional }: Of<'told'>): Outcome {
  const told = run.events.flatMap((event): Candidate[] => {
    if (event.kind !== 'told' || event.event !== wanted || !(why === null || hasWord(event.why, why))) return []
    return [{ said: heardAt(run, event.t_us), words: `${event.event}: ${event.why}` }]
  })
  return judgeSought(run, { text: `told ${wanted}${why === null ? '' : ` by ${why}`}`, within, optional }, told)
}

/** Whether a text has a word, alone or in front of a colon. */
function hasWord(text: string, word: string): boolean {
  return text.split(/[^\w:.-]+/).some((part) => isNamed(part, word))
}

/** What the bench heard at a time from the start of the run, as if it were said in a record. */
function heardAt({ facts }: Run, atUs: number): Said {
  return { kind: 'rule', seq: 0, rig: '', atUs: atUs + facts.begin_us }
}

export function judgeGap(run: Run, { reason, optional }: Of<'gap'>): Outcome {
  const fixed = { text: `gap ${reason}`, expected: 'declared by a signed header', optional }
  const gap = run.evidence.gaps.find((one) => one.reason === reason)
  if (gap !== undefined)
    return outcome('met', fixed, {
      observed: gapText(run, gap),
      atUs: isOfTime(reason) ? runTime(run, gap.from) : null,
    })
  const uncovered = uncoveredIn(run, { fromUs: 0, toUs: run.facts.simulated_us })
  return uncovered === null
    ? outcome('missed', fixed, { observed: 'not declared' })
    : outcome('unknown', fixed, { observed: uncovered })
}

function gapText(run: Run, { from, to, reason }: Gap): string {
  if (!isOfTime(reason)) return `${reason} from ${from} to ${to}`
  return `${reason} from ${seconds(runTime(run, from))} to ${seconds(runTime(run, to))}`
}

export function saidOf<K extends Said['kind']>({ evidence }: Run, kind: K): readonly SaidOf<K>[] {
  return evidence.said.filter((said): said is SaidOf<K> => said.kind === kind)
}
