import { invariant } from '../../../shared/lib/assert.ts'
import type { Micros } from '../../../shared/units.ts'
import type { InputSpec, ParamSpec, Plant, PlantModel, SignalSpec } from '../plant.ts'

/** A number for each name. */
export type Numbers<K extends string> = { [name in K]: number }

/**
 * What a model is: tables of names, a state of numbers, and a step that changes the state in place, so that a step allocates
 * nothing. Only `+ − × ÷ √`: a plant is the same to the last bit on every machine.
 */
export type SteppedParts<P extends string, N extends string, I extends string, X extends object> = Readonly<{
  name: string
  about: string
  params: Readonly<Record<P, ParamSpec>>
  init: Readonly<Record<N, ParamSpec>>
  inputs: Readonly<Record<I, InputSpec>>
  /** Each signal with what it is of the state, of the inputs in force and of the parameters. */
  signals: Readonly<
    Record<
      string,
      SignalSpec & Readonly<{ of(x: Readonly<X>, u: Readonly<Numbers<I>>, p: Readonly<Numbers<P>>): number }>
    >
  >
  hazard: string
  stepUs: Micros
  begin(init: Readonly<Numbers<N>>, p: Readonly<Numbers<P>>): X
  step(x: X, u: Readonly<Numbers<I>>, p: Readonly<Numbers<P>>): void
}>

export function steppedModel<P extends string, N extends string, I extends string, X extends object>(
  parts: SteppedParts<P, N, I, X>,
): PlantModel {
  return { ...parts, create: ({ params, init }) => new SteppedPlant(parts, { params, init }) }
}

class SteppedPlant<P extends string, N extends string, I extends string, X extends object> implements Plant {
  atUs: Micros = 0
  private readonly parts: SteppedParts<P, N, I, X>
  private readonly params: Numbers<P>
  private readonly state: X
  /** Inputs in force, and as they will be from the next step on. */
  private readonly inForce: Numbers<I>
  private readonly wanted: Numbers<I>
  private changed = false

  constructor(
    parts: SteppedParts<P, N, I, X>,
    given: Readonly<Record<'params' | 'init', Readonly<Record<string, number>>>>,
  ) {
    this.parts = parts
    this.params = filled(parts.params, given.params)
    this.state = parts.begin(filled(parts.init, given.init), this.params)
    this.inForce = filled(parts.inputs, {})
    this.wanted = { ...this.inForce }
  }

  set(input: string, value: number): void {
    const { inputs, name } = this.parts
    invariant(isKnown(inputs, input), `${name} has no input ${input}`)
    const { minimum, maximum } = inputs[input]
    invariant(
      value >= minimum && value <= maximum,
      `${input} of ${name}: ${value} is not within ${minimum} … ${maximum}`,
    )
    this.wanted[input] = value
    this.changed = true
  }

  advance(toUs: Micros): void {
    const { parts, state, inForce, params } = this
    const { stepUs } = parts
    invariant(toUs >= this.atUs, `${parts.name} cannot go back from ${this.atUs} to ${toUs} µs`)
    if (this.changed && this.atUs + stepUs <= toUs) {
      Object.assign(inForce, this.wanted)
      this.changed = false
    }
    for (; this.atUs + stepUs <= toUs; this.atUs += stepUs) parts.step(state, inForce, params)
  }

  read(signal: string): number {
    const { signals, name } = this.parts
    invariant(isKnown(signals, signal), `${name} has no signal ${signal}`)
    return signals[signal]!.of(this.state, this.inForce, this.params)
  }
}

function isKnown<K extends string>(specs: Readonly<Record<K, unknown>>, name: string): name is K {
  return Object.hasOwn(specs, name)
}

function filled<K extends string>(
  specs: Readonly<Record<K, ParamSpec>>,
  given: Readonly<Record<string, number>>,
): Numbers<K> {
  const names = Object.keys(specs) as K[]
  return Object.fromEntries(names.map((name) => [name, given[name] ?? specs[name].initial])) as Numbers<K>
}
