import type { Path } from '../../shared/config/document.ts'
import type { Micros } from '../../shared/units.ts'
import { faultKind } from '../core/faults/catalogue.ts'
import { faultProblems, type KnownNames } from '../fault-problems.ts'
import {
  faultOf,
  type InjectValue,
  SETUP_WORDS,
  type SetupStepValue,
  stepTimes,
  TEARDOWN_WORDS,
  TIMED_WORDS,
  type TimedStepValue,
} from './build-steps.ts'
import { checkFaults, type PlacedFault } from './check-faults.ts'
import { checkInputs, signalsOf } from './check-rig.ts'
import { namedOnce, oneWordOf } from './check-words.ts'
import { lookAtCondition, lookUp, type RowContext } from './row-context.ts'
import { microsOf, timeText } from './time-text.ts'

/** Moments that expectations may name, and when each is; null where that is known only when it comes. */
export type Anchors = ReadonlyMap<string, Micros | null>

type Step = Partial<TimedStepValue & SetupStepValue & { clear?: string }>
type At = Readonly<{ step: Step; path: Path }>

/** What is wrong with setup, steps and teardown. @returns the faults and marks that there are */
export function checkSteps(context: RowContext): Anchors {
  const { value, notes } = context
  const sound = (key: 'setup' | 'steps' | 'teardown'): At[] =>
    ((value[key] ?? []) as Step[]).flatMap((step, k) =>
      notes.file.isSound([key, k]) ? [{ step, path: [key, k] }] : [],
    )
  const [setup, steps, teardown] = [sound('setup'), sound('steps'), sound('teardown')]
  const setupUs = checkSetup(context, setup)
  checkTimes(context, setupUs)
  const anchors = checkNames(context, steps)
  for (const { step, path } of steps) {
    if (!TIMED_WORDS.some((word) => word in step) && step.note === undefined && step.when === undefined)
      notes.add(path, 'no word', `one of ${TIMED_WORDS.join(', ')}`)
    if (step.when !== undefined) lookAtCondition(context, [...path, 'when'], step.when, signalsOf(context))
    if (step.inject !== undefined) checkFault(context, [...path, 'inject'], step.inject as InjectValue, step)
  }
  checkFaults(context, placedFaults(steps))
  for (const { step, path } of setup)
    if (oneWordOf(notes, path, step, SETUP_WORDS) === 'await')
      lookAtCondition(context, [...path, 'await', 'condition'], step.await!.condition, signalsOf(context))
  for (const { step, path } of teardown) oneWordOf(notes, path, step, TEARDOWN_WORDS)
  const faults = steps.flatMap(({ step }) => (step.inject === undefined ? [] : [step.inject.id]))
  for (const one of [...setup, ...steps, ...teardown]) checkActs(context, one, faults)
  return anchors
}

/** Faults of kinds that there are. */
function placedFaults(steps: readonly At[]): PlacedFault[] {
  return steps.flatMap(({ step, path }) => {
    if (step.inject === undefined) return []
    const fault = faultOf(step.inject as InjectValue, step.at === undefined ? 0 : microsOf(step.at))
    return faultKind(fault.class) === undefined
      ? []
      : [{ fault, path: [...path, 'inject'], isTimed: step.when === undefined && step.at !== undefined }]
  })
}

/** @returns when it is over at the earliest */
function checkSetup({ notes, clock }: RowContext, setup: readonly At[]): Micros {
  const waitsUs = setup.reduce((sum, { step }) => sum + (step.wait === undefined ? 0 : microsOf(step.wait)), 0)
  if (clock !== null && waitsUs >= clock.durationUs)
    notes.add(['setup'], `waits of ${timeText(waitsUs)}`, `less than the run, ${timeText(clock.durationUs)}`)
  return waitsUs
}

function checkTimes({ notes, value, clock }: RowContext, setupUs: Micros): void {
  const steps = (value.steps ?? []) as Step[]
  if (!notes.file.isSound(['steps'])) return
  const times = stepTimes(steps)
  steps.forEach((step, k) => {
    const path: Path = ['steps', k]
    const atUs = times[k]!
    if (step.at === undefined && step.when === undefined)
      notes.add([...path, 'at'], 'nothing', '`at`, a time, or `when`, an expression over plant truth')
    if (step.within !== undefined && step.when === undefined)
      notes.add([...path, 'within'], '`within` without `when`', 'both, or `at` alone')
    if (step.at !== undefined && k > 0 && atUs < times[k - 1]!)
      notes.add([...path, 'at'], timeText(atUs), `not before the step above, ${timeText(times[k - 1]!)}`)
    if (step.at !== undefined && atUs < setupUs)
      notes.add([...path, 'at'], timeText(atUs), `not before setup is over, ${timeText(setupUs)} at the earliest`)
    if (clock === null) return
    if (step.at !== undefined && atUs >= clock.durationUs)
      notes.add([...path, 'at'], timeText(atUs), `before the end of the run, ${timeText(clock.durationUs)}`)
    else if (step.within !== undefined && atUs + microsOf(step.within) > clock.durationUs)
      notes.add(
        [...path, 'within'],
        `until ${timeText(atUs + microsOf(step.within))}`,
        `no later than the end of the run, ${timeText(clock.durationUs)}`,
      )
    if (step.at !== undefined && clock.isLockstep && atUs % clock.quantumUs !== 0)
      notes.add([...path, 'at'], timeText(atUs), `a whole multiple of the quantum, ${timeText(clock.quantumUs)}`)
  })
}

/** Faults and marks, each once and none called `start`. */
function checkNames({ notes, value }: RowContext, steps: readonly At[]): Anchors {
  const times = notes.file.isSound(['steps']) ? stepTimes((value.steps ?? []) as Step[]) : []
  const anchors = new Map<string, Micros | null>([['start', 0]])
  const named = steps.flatMap(({ step, path }) => {
    const atUs = step.when === undefined ? (times[Number(path[1])] ?? null) : null
    const found: { name: string; path: Path; atUs: Micros | null }[] = []
    if (step.mark !== undefined) found.push({ name: step.mark, path: [...path, 'mark'], atUs })
    if (step.inject !== undefined) {
      const delayUs = step.inject.onset === undefined ? 0 : microsOf(step.inject.onset)
      found.push({ name: step.inject.id, path: [...path, 'inject', 'id'], atUs: atUs === null ? null : atUs + delayUs })
    }
    return found
  })
  namedOnce(notes, [{ name: 'start', path: ['steps'] }, ...named], 'fault and mark')
  for (const { name, atUs } of named) anchors.set(name, atUs)
  return anchors
}

function checkFault(context: RowContext, path: Path, inject: InjectValue, step: Step): void {
  const { notes, clock } = context
  const fault = faultOf(inject, step.at === undefined ? 0 : microsOf(step.at))
  for (const { key, found, expected, hint } of faultProblems(fault, knownTargets(context)))
    notes.add([...path, key.replace(/^params\./, '')], found, expected, hint)
  if (step.when !== undefined && inject.onset !== undefined)
    notes.add([...path, 'onset'], '`onset` in a step with `when`', 'none: it begins when the condition holds')
  if (clock !== null && inject.onset !== undefined && step.when === undefined && fault.onsetUs >= clock.durationUs)
    notes.add([...path, 'onset'], timeText(fault.onsetUs), `before the end of the run, ${timeText(clock.durationUs)}`)
  const kind = faultKind(fault.class)
  if (kind?.by === 'instrumentation' && context.plant !== null && context.plant.file !== null)
    notes.add([...path, 'class'], `\`${fault.class}\``, 'none of sensors and links: a recording is sent as it was')
  if (kind?.by === 'file')
    notes.add(
      [...path, 'class'],
      `\`${fault.class}\``,
      'a fault of a run: this one is of recordings alone (`hb inject`)',
    )
}

function knownTargets({ rig, sensors, registry }: RowContext): KnownNames {
  if (rig === null) return {}
  return {
    channel: sensors.map(({ channel }) => channel),
    ...(registry === null
      ? {}
      : {
          source: [...new Set(sensors.map(({ source }) => source))],
          ccg: [...new Set(sensors.flatMap(({ ccg }) => ccg))],
        }),
    actuator: Object.keys(rig.actuators ?? {}),
    operator: rig.operators ?? [],
    peer: rig.peer === undefined ? [] : ['peer'],
    collector: rig.collector === true ? ['collector'] : [],
  }
}

/** Names in what a step does. */
function checkActs(context: RowContext, { step, path }: At, faults: readonly string[]): void {
  const { notes, rig } = context
  const people = rig === null ? null : (rig.operators ?? [])
  if (step.clear !== undefined) lookUp(notes, [...path, 'clear'], step.clear, faults, 'the id of a fault')
  if (step.stimulate !== undefined) checkInputs(context, [...path, 'stimulate'], step.stimulate)
  for (const word of ['arm', 'order'] as const)
    step[word]?.by.forEach((name, k) => {
      lookUp(notes, [...path, word, 'by', k], name, people, 'an operator of the rig')
    })
  if (step.arm !== undefined && step.arm.by.length !== 2)
    notes.add([...path, 'arm', 'by'], 'one person', 'two: nobody arms alone')
  if (step.disarm !== undefined) lookUp(notes, [...path, 'disarm'], step.disarm, people, 'an operator of the rig')
  if (step.actuator === undefined) return
  const { target, set } = step.actuator
  const actuators = rig === null ? null : Object.keys(rig.actuators ?? {})
  lookUp(notes, [...path, 'actuator', 'target'], target, actuators, 'an actuator of the rig')
  checkInputs(context, [...path, 'actuator', 'set'], set)
}
