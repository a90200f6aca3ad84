import { didYouMean, type Problem } from '../shared/config/problems.ts'
import { isId } from '../shared/model/ids.ts'
import type { Fault } from './core/fault.ts'
import { FAULT_KINDS, faultKind } from './core/faults/catalogue.ts'
import {
  CONFIG_TARGETS,
  type FaultKind,
  type FaultParam,
  type FaultTarget,
  SINGLE_TARGETS,
} from './core/faults/kind.ts'
import { COMMON_CAUSE } from './core/faults/wanted-fault.ts'

/** A mistake in a fault: `key` is its part, as in `shape` or `params.rate`. */
export type FaultProblem = Pick<Problem, 'key' | 'found' | 'expected' | 'hint'>

/** Names that a rig has, by what they name. What is left out is not looked up. */
export type KnownNames = Readonly<Partial<Record<FaultTarget, readonly string[]>>>

/** Everything that is wrong with a fault; none: it can be injected. */
export function faultProblems(fault: Fault, known: KnownNames = {}): FaultProblem[] {
  const kind = faultKind(fault.class)
  if (kind === undefined) return [unknownWord('class', fault.class, 'a fault', namesOfKinds())]
  return [
    ...targetProblems(fault.target, kind, known),
    ...timeProblems(fault),
    ...shapeProblems(fault, kind),
    ...paramProblems(fault, kind, known),
  ]
}

function namesOfKinds(): string[] {
  return FAULT_KINDS.map(({ name }) => name)
}

/** Words that a fault of this kind may have as its target, as far as they are known. */
function targetNames(kind: FaultKind, known: KnownNames): { names: string[]; all: boolean } {
  const names = kind.targets.flatMap((target) => namesOf(target, known) ?? [])
  return { names, all: kind.targets.every((target) => namesOf(target, known) !== null) }
}

function namesOf(target: FaultTarget, known: KnownNames): readonly string[] | null {
  if (target === 'config') return CONFIG_TARGETS
  return known[target] ?? (SINGLE_TARGETS.includes(target) ? [target] : null)
}

function targetProblems(target: string, kind: FaultKind, known: KnownNames): FaultProblem[] {
  const { names, all } = targetNames(kind, known)
  if (target !== '' && (!all || names.includes(target))) return []
  return [unknownWord('target', target, kind.targets.join(' or '), names)]
}

function timeProblems({ onsetUs, durationUs }: Fault): FaultProblem[] {
  const problems: FaultProblem[] = []
  if (!(Number.isSafeInteger(onsetUs) && onsetUs >= 0))
    problems.push(wrong('onset', `${onsetUs} µs`, 'a time from the start of the run on, in whole µs'))
  if (durationUs !== null && !(Number.isSafeInteger(durationUs) && durationUs > 0))
    problems.push(wrong('duration', `${durationUs} µs`, 'more than nothing, in whole µs'))
  return problems
}

function shapeProblems({ shape, durationUs, periodUs, pulseUs }: Fault, kind: FaultKind): FaultProblem[] {
  const problems: FaultProblem[] = []
  const pulses = shape === 'pulse' || shape === 'periodic'
  if (kind.by !== 'instrumentation' && shape !== 'step' && shape !== 'pulse')
    problems.push(wrong('shape', shape, '`step` or `pulse`: what this fault does has no magnitude in between'))
  else if (shape === 'ramp' && spreadable(kind).grows.length === 0)
    problems.push(wrong('shape', shape, '`step`, `pulse` or `periodic`: this fault is there or not'))
  if (shape === 'ramp' && durationUs === null)
    problems.push(wrong('duration', 'none', 'one, in which a ramp grows to its magnitude'))
  if (pulses && !(pulseUs > 0)) problems.push(wrong('pulse', `${pulseUs} µs`, 'how long a pulse is'))
  if (shape === 'periodic' && !(periodUs > pulseUs))
    problems.push(wrong('period', `${periodUs} µs`, `more than its pulse, ${pulseUs} µs`))
  return problems
}

/** A common cause can do what the fault can that it spreads: asked again with its kind. */
function spreadable(kind: FaultKind): FaultKind {
  return kind.name === COMMON_CAUSE ? { ...kind, grows: ['of the fault it spreads'] } : kind
}

function paramProblems(fault: Fault, kind: FaultKind, known: KnownNames): FaultProblem[] {
  const { params } = fault
  const specs = [...kind.params]
  const problems: FaultProblem[] = []
  if (kind.name === COMMON_CAUSE) {
    const spread = faultKind(String(params['fault'] ?? specs[0]!.initial))
    const able = FAULT_KINDS.filter((one) => one.class === 'sensor' && one.targets.includes('ccg'))
    const names = able.flatMap(({ name }) => (name === COMMON_CAUSE ? [] : [name]))
    if (spread === undefined || !names.includes(spread.name))
      return [unknownWord('params.fault', String(params['fault']), 'a sensor fault that a group can have', names)]
    specs.push(...spread.params)
    if (fault.shape === 'ramp' && spread.grows.length === 0)
      problems.push(wrong('shape', fault.shape, `another one: ${spread.name} is there or not`))
  }
  const given = Object.keys(params)
  const listed = specs.map(({ name }) => name)
  for (const name of given)
    if (!listed.includes(name))
      problems.push(unknownWord(`params.${name}`, name, `a parameter of ${kind.name}`, listed))
  for (const spec of specs) problems.push(...valueProblems(spec, params[spec.name], known))
  return [...problems, ...pairProblems(fault)]
}

function valueProblems(spec: FaultParam, given: number | string | undefined, known: KnownNames): FaultProblem[] {
  const key = `params.${spec.name}`
  if (given === undefined) return spec.initial === null ? [wrong(key, 'nothing', expectedOf(spec))] : []
  if (typeof given === 'number') {
    const fits = spec.range !== null && given >= spec.range[0] && given <= spec.range[1]
    if (fits && (!spec.whole || Number.isSafeInteger(given))) return []
    return [wrong(key, String(given), expectedOf(spec))]
  }
  if (spec.words.includes(given)) return []
  if (spec.names === null || given === '') return [unknownWord(key, given, expectedOf(spec), spec.words)]
  // These stand in frames: a name that none may have would be refused for itself and not for what it says.
  if (spec.name === 'from' || spec.name === 'rig')
    return isId(given) ? [] : [wrong(key, JSON.stringify(given), 'an id: a-z, 0-9 and -, at most 63')]
  const names = spec.names === 'fault' || spec.names === 'text' ? undefined : known[spec.names]
  return names === undefined || names.includes(given) ? [] : [unknownWord(key, given, expectedOf(spec), names)]
}

/** What no parameter shows alone. */
function pairProblems({ class: name, target, params }: Fault): FaultProblem[] {
  const problems: FaultProblem[] = []
  const { value, rail, low, high } = params
  if (value === 'rail' && rail === undefined)
    problems.push(wrong('params.rail', 'nothing', 'where the range ends, for `value: rail`'))
  if (typeof low === 'number' && typeof high === 'number' && !(low < high))
    problems.push(wrong('params.high', String(high), `more than \`low\`, ${low}`))
  if (name === 'sensor.swap' && params['with'] === target)
    problems.push(wrong('params.with', String(target), 'another channel than the target'))
  if (name === 'comms.masquerade' && params['as'] === target)
    problems.push(wrong('params.as', String(target), 'another source than the target'))
  return problems
}

/** What a parameter takes, in words. */
export function expectedOf({ range, whole, unit, words, names }: FaultParam): string {
  const kinds: string[] = []
  if (range !== null) {
    const of = unit === '' ? '' : unit === 'value' ? ' in the unit of the channel' : ` ${unit}`
    kinds.push(`${whole ? 'a whole number' : 'a number'} from ${range[0]} to ${range[1]}${of}`)
  }
  if (words.length > 0) kinds.push(words.map((one) => `\`${one}\``).join(', '))
  if (names !== null) kinds.push(names === 'text' ? 'text' : `the name of a ${names}`)
  return kinds.join(', or ')
}

function wrong(key: string, found: string, expected: string): FaultProblem {
  return { key, found, expected }
}

function unknownWord(key: string, word: string, expected: string, known: readonly string[]): FaultProblem {
  const hint = didYouMean(word, known)
  return { ...wrong(key, JSON.stringify(word), expected), ...(hint === undefined ? {} : { hint }) }
}
