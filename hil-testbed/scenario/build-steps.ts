import type { Static } from 'typebox'
import type { Fault } from '../core/fault.ts'
import type { Step, TimedStep } from '../core/scenario.ts'
import { type InjectSchema, SetupStepSchema, TeardownStepSchema, TimedStepSchema } from './step-schema.ts'
import { microsOf } from './time-text.ts'

export type TimedStepValue = Static<typeof TimedStepSchema>
export type SetupStepValue = Static<typeof SetupStepSchema>
export type TeardownStepValue = Static<typeof TeardownStepSchema>
export type InjectValue = Static<typeof InjectSchema> & Readonly<Record<string, unknown>>

/** Words of a step that are about when, and not about what. */
const WHEN: readonly string[] = ['at', 'when', 'within', 'note']
const words = (schema: Readonly<{ properties: object }>): string[] =>
  Object.keys(schema.properties).filter((key) => !WHEN.includes(key))
export const TIMED_WORDS = words(TimedStepSchema)
export const SETUP_WORDS = words(SetupStepSchema)
export const TEARDOWN_WORDS = words(TeardownStepSchema)

/** Keys that every fault has; the others are parameters of its class. */
const OF_ALL: readonly string[] = ['id', 'target', 'class', 'onset', 'duration', 'shape', 'period', 'pulse']

/** What a fault says of itself, begun at a time. Of a step that waits for a condition, as if it held at `atUs`. */
export function faultOf(inject: InjectValue, atUs: number): Fault {
  const { id, target, class: of, onset, duration, shape, period, pulse } = inject
  const params = Object.entries(inject).filter(([key]) => !OF_ALL.includes(key)) as [string, number | string][]
  return {
    ...{ id, target, class: of, shape },
    onsetUs: atUs + (onset === undefined ? 0 : microsOf(onset)),
    durationUs: duration === undefined ? null : microsOf(duration),
    periodUs: period === undefined ? 0 : microsOf(period),
    pulseUs: pulse === undefined ? 0 : microsOf(pulse),
    params: Object.fromEntries(params),
  }
}

type Word = TimedStepValue & SetupStepValue & TeardownStepValue

/** What a step does, in the order in which its words stand. */
export function actsOf(step: Partial<Word>, atUs: number): Step[] {
  return Object.keys(step).flatMap((word): Step[] => {
    const { inject, clear, mark, stimulate, arm, disarm, order, actuator } = step
    if (word === 'inject') return [{ do: 'inject', fault: faultOf(inject as InjectValue, atUs) }]
    if (word === 'clear') return [{ do: 'clear', id: clear! }]
    if (word === 'mark') return [{ do: 'mark', name: mark! }]
    if (word === 'stimulate') return [{ do: 'stimulate', inputs: stimulate! }]
    if (word === 'arm') return [{ do: 'arm', by: arm!.by, forUs: microsOf(arm!.for) }]
    if (word === 'disarm') return [{ do: 'disarm', by: disarm! }]
    if (word === 'actuator') return [{ do: 'actuator', target: actuator!.target, inputs: actuator!.set }]
    if (word === 'await')
      return [{ do: 'await', condition: step.await!.condition, withinUs: microsOf(step.await!.within) }]
    if (word === 'wait') return [{ do: 'wait', forUs: microsOf(step.wait!) }]
    if (word !== 'order') return []
    const { kind, by, ...fields } = order!
    return [{ do: 'order', kind, by, fields }]
  })
}

/** When each step is, or may be at the earliest: a step without `at` follows the one above. */
export function stepTimes(steps: readonly Partial<TimedStepValue>[]): number[] {
  let atUs = 0
  return steps.map((step) => {
    if (step.at !== undefined) atUs = microsOf(step.at)
    return atUs
  })
}

export function timedSteps(steps: readonly TimedStepValue[]): TimedStep[] {
  const times = stepTimes(steps)
  return steps.map((step, k) => ({
    atUs: times[k]!,
    when: step.when ?? null,
    withinUs: step.within === undefined ? null : microsOf(step.within),
    steps: actsOf(step, times[k]!),
    note: step.note ?? '',
  }))
}
