import { didYouMean } from '../shared/config/problems.ts'
import type { ParamSpec } from './core/plant.ts'
import { PLANT_MODELS, plantNamed } from './core/plants/models.ts'
import type { PlantSpec } from './core/scenario.ts'

/** One mistake, and the key it is at, from the key of the plant on: `model`, `params.orifice`. Whoever read the file knows the line. */
export type PlantProblem = Readonly<{ key: string; found: string; expected: string; hint?: string }>

/** All mistakes in what a scenario says of its plant. What an external one has is known only when it has said hello. */
export function plantProblems(
  spec: Pick<PlantSpec, 'model' | 'params' | 'init' | 'command' | 'stepUs'>,
): PlantProblem[] {
  if (spec.command !== null) return externalProblems(spec.command, spec.stepUs)
  const model = plantNamed(spec.model)
  if (model === undefined) {
    const names = PLANT_MODELS.map(({ name }) => name)
    return [problem('model', spec.model, `one of ${names.join(', ')}`, didYouMean(spec.model, names))]
  }
  return [...valueProblems('params', spec.params, model.params), ...valueProblems('init', spec.init, model.init)]
}

/** All mistakes in inputs that are to be set on a built-in plant, by a stimulus or an actuator. `key` is where they stand. */
export function inputProblems(key: string, model: string, inputs: Readonly<Record<string, number>>): PlantProblem[] {
  return valueProblems(key, inputs, plantNamed(model)?.inputs ?? {})
}

/** Where the bench puts what a plant connects to; the second never is a UNIX socket, which some ZeroMQ libraries do not know. */
export const ENDPOINT_PLACES = ['{endpoint}', '{tcp_endpoint}'] as const
/** Longest step of an external plant: a plant that moves once a minute is none to react to. */
const EXTERNAL_STEP_MAX_US = 60_000_000

function externalProblems(command: readonly string[], stepUs: number): PlantProblem[] {
  const problems: PlantProblem[] = []
  if (command.length === 0 || command[0] === '') problems.push(problem('command', '[]', 'a program and its arguments'))
  else if (!command.some((word) => ENDPOINT_PLACES.some((place) => word.includes(place))))
    problems.push(problem('command', command.join(' '), `${ENDPOINT_PLACES.join(' or ')} in one of its arguments`))
  if (!(Number.isSafeInteger(stepUs) && stepUs >= 1 && stepUs <= EXTERNAL_STEP_MAX_US))
    problems.push(problem('step_us', String(stepUs), `a whole number from 1 to ${EXTERNAL_STEP_MAX_US}`))
  return problems
}

function valueProblems(
  key: string,
  values: Readonly<Record<string, number>>,
  specs: Readonly<Record<string, ParamSpec>>,
): PlantProblem[] {
  const names = Object.keys(specs)
  return Object.entries(values).flatMap(([name, value]) => {
    const spec = Object.hasOwn(specs, name) ? specs[name] : undefined
    if (spec === undefined)
      return [problem(`${key}.${name}`, `\`${name}\``, `one of ${names.join(', ')}`, didYouMean(name, names))]
    // Stated as what must hold, so that NaN is a mistake.
    if (value >= spec.minimum && value <= spec.maximum) return []
    return [problem(`${key}.${name}`, String(value), `${spec.minimum} to ${withUnit(spec.maximum, spec.unit)}`)]
  })
}

/** A value with its unit; a mere number has the unit 1. */
export function withUnit(value: number, unit: string): string {
  return unit === '1' ? String(value) : `${value} ${unit}`
}

function problem(key: string, found: string, expected: string, hint?: string): PlantProblem {
  return { key, found, expected, ...(hint === undefined ? {} : { hint }) }
}
