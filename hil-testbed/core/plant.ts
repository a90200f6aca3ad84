import type { Micros } from '../../shared/units.ts'

/** What a plant shows of itself, takes, or is made with. Units as the registry writes them. */
export type SignalSpec = Readonly<{ unit: string; about: string }>
export type ParamSpec = SignalSpec & Readonly<{ initial: number; minimum: number; maximum: number }>
/** The range is that of the thing itself: a valve is never more than open. */
export type InputSpec = ParamSpec

/**
 * A plant model: fixed step, semi-implicit, its equations in the docstring of its file, and a test against an analytic or
 * fine-step reference. Pure: no clock, no randomness; noise belongs to sensors.
 */
export type PlantModel = Readonly<{
  name: string
  about: string
  /** Truth that sensors and the oracle read. */
  signals: Readonly<Record<string, SignalSpec>>
  /** What actuators and `stimulate` set; takes effect from the next step. */
  inputs: Readonly<Record<string, InputSpec>>
  params: Readonly<Record<string, ParamSpec>>
  /** States that a scenario may set at the start. */
  init: Readonly<Record<string, ParamSpec>>
  /** Where it does harm, unless the scenario says otherwise; an expression of the oracle, as `p_bar > 10`. */
  hazard: string
  stepUs: Micros
  /** Names and ranges were checked by `plantProblems`. Everything left out has its `initial`. */
  create(options: Readonly<{ params: Readonly<Record<string, number>>; init: Readonly<Record<string, number>> }>): Plant
}>

/** A plant as it is now. An external one answers later; a built-in one at once. */
export interface Plant {
  /** Time since its start. */
  readonly atUs: Micros
  /** Sets an input; names and ranges were checked by `inputProblems`. */
  set(input: string, value: number): void
  /** Moves to a time after its start; never back. */
  advance(toUs: Micros): void | Promise<void>
  read(signal: string): number
}
