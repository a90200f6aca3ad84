/** What a fault acts on, and so what its `target` names. `agent`, `collector` and `recording` are their own name. */
export const FAULT_TARGETS = [
  'channel',
  'source',
  'ccg',
  'actuator',
  'agent',
  'collector',
  'peer',
  'config',
  'operator',
  'recording',
] as const
export type FaultTarget = (typeof FAULT_TARGETS)[number]

/** Targets of which there is one, called by the word itself. */
export const SINGLE_TARGETS: readonly FaultTarget[] = ['agent', 'collector', 'peer', 'recording']
/** What a `config` fault may be about. */
export const CONFIG_TARGETS = ['runtime', 'registry', 'policy', 'baseline', 'bundle'] as const

/** Classes, in the order of hil-bench.md 8.3; `recording` is what only a file can have. */
export const FAULT_CLASSES = [
  'sensor',
  'comms',
  'time',
  'compute',
  'storage',
  'actuator',
  'peer',
  'collector',
  'config',
  'operator',
  'security',
  'recording',
] as const
export type FaultClass = (typeof FAULT_CLASSES)[number]

/** One parameter of a fault: a number in a range, one of some words, the name of something, or several of these. */
export type FaultParam = Readonly<{
  name: string
  /** Of the number, as the registry writes units; '' for none, `value` for that of the channel. */
  unit: string
  about: string
  /** What it is when it is left out; null: it must be given. */
  initial: number | string | null
  /** Range of the numbers it takes, both ends included; null: it takes no number. */
  range: readonly [number, number] | null
  /** Whether the number must be whole. */
  whole: boolean
  words: readonly string[]
  /** What it may be the name of: a target, or text of its own; null: of nothing. */
  names: FaultTarget | 'fault' | 'text' | null
}>

export type FaultKind = Readonly<{
  /** `class.name`. */
  name: string
  class: FaultClass
  about: string
  targets: readonly FaultTarget[]
  params: readonly FaultParam[]
  /** Parameters that a `ramp` brings from nothing to their value; none: the fault is there or not, and no ramp fits it. */
  grows: readonly string[]
  /** Who carries it out: the acquisitions (`createInstrumentation`), the runner of a scenario, or `hb inject` on a file alone. */
  by: 'instrumentation' | 'runner' | 'file'
}>

const NOTHING = { unit: '', whole: false, words: [], names: null, range: null } as const
/** Largest number a value may have: the agent takes none beyond. */
const VALUE: readonly [number, number] = [-1e150, 1e150]

/** A number; `initial` null: it must be given. */
export function number(
  name: string,
  unit: string,
  initial: number | null,
  range: readonly [number, number],
  about: string,
): FaultParam {
  return { ...NOTHING, name, unit, initial, range, about }
}

/** A number in the unit of the channel. */
export function value(name: string, initial: number | null, about: string): FaultParam {
  return number(name, 'value', initial, VALUE, about)
}

export function whole(
  name: string,
  unit: string,
  initial: number,
  range: readonly [number, number],
  about: string,
): FaultParam {
  return { ...number(name, unit, initial, range, about), whole: true }
}

/** Milliseconds, 0 … a day. */
export function millis(name: string, initial: number, about: string): FaultParam {
  return number(name, 'ms', initial, [0, 86_400_000], about)
}

/** Which share of samples, frames or requests it hits. */
export function share(initial: number, of: string): FaultParam {
  return number('share', '', initial, [0, 1], `share of the ${of} that it hits, each by itself`)
}

export function word(name: string, words: readonly string[], about: string): FaultParam {
  return { ...NOTHING, name, initial: words[0]!, words, about }
}

/** The name of something; `initial` null: it must be given. */
export function named(
  name: string,
  names: FaultTarget | 'fault' | 'text',
  initial: string | null,
  about: string,
): FaultParam {
  return { ...NOTHING, name, names, initial, about }
}

type Row = Readonly<{ about: string; params?: readonly FaultParam[]; grows?: readonly string[] }>

/** Kinds of one class with what they have in common. */
export function kindsOf(
  of: FaultClass,
  targets: readonly FaultTarget[],
  by: FaultKind['by'],
  rows: Readonly<Record<string, Row & Readonly<{ targets?: readonly FaultTarget[] }>>>,
): FaultKind[] {
  return Object.entries(rows).map(([name, row]) => ({
    name: `${of}.${name}`,
    class: of,
    about: row.about,
    targets: row.targets ?? targets,
    params: row.params ?? [],
    grows: row.grows ?? [],
    by,
  }))
}
