import type { Fault } from '../core/fault.ts'
import { FAULT_KINDS, faultKind } from '../core/faults/catalogue.ts'
import type { FaultKind } from '../core/faults/kind.ts'
import { COMMON_CAUSE } from '../core/faults/wanted-fault.ts'
import { faultProblems } from '../fault-problems.ts'
import type { Layout } from './layout.ts'

/** A fault that somebody wants in a file: the name it was asked for by, and what carries it out. */
export type Wish = Readonly<{ name: string; faults: readonly Fault[]; rowClock: boolean }>

/** When and how a fault acts, as `Fault` has it. */
export type Timing = Pick<Fault, 'onsetUs' | 'durationUs' | 'shape' | 'periodUs' | 'pulseUs'>

export type WishOptions = Readonly<{
  params: Readonly<Record<string, number | string>>
  channels: readonly string[] | null
  timing: Timing
  rowClock: boolean
}>

/** Why a fault cannot be in a file; null: it can. */
export function unfitReason(kind: FaultKind, layout: Layout): string | null {
  const { name, by } = kind
  if (by === 'runner') return 'it is carried out by a bench, not in a file'
  if (UNSEEN.has(name)) return 'a file has one source and does not say when a row arrived'
  if (kind.class === 'time' && name !== 'time.late' && layout.time < 0) return 'the file has no times'
  if (name === 'sensor.swap' && layout.kind === 'table') return 'rows of a table have no other channel beside them'
  return null
}

const UNSEEN = new Set(['comms.insert', 'comms.masquerade', 'comms.misaddress', 'comms.burst'])

/** Every fault a file may have, by name. */
export function fileFaults(): readonly FaultKind[] {
  return FAULT_KINDS.filter(({ by, name }) => by !== 'runner' && !UNSEEN.has(name))
}

/** A fault by its name in the catalogue, with what it takes of `params`; names of channels that are not given are the first ones. */
export function wishOf(name: string, layout: Layout, { params, channels, timing, rowClock }: WishOptions): Wish {
  const kind = faultKind(name)
  const spread = name === COMMON_CAUSE ? faultKind(String(params['fault'] ?? 'sensor.bias')) : undefined
  const taken = [...(kind?.params ?? []), ...(spread?.params ?? [])].map((param) => param.name)
  const known = channels ?? layout.channels.map((one) => one.name)
  const [first, second] = [
    known[0],
    [...known, ...layout.channels.map((one) => one.name)].find((one) => one !== known[0]),
  ]
  const standIn: Record<string, string | undefined> = { with: second, column: first, to: first && `${first}_renamed` }
  const given = Object.fromEntries(
    taken.flatMap((param) => {
      const value = params[param] ?? standIn[param]
      return value === undefined ? [] : [[param, value]]
    }),
  )
  const target = name === 'sensor.swap' ? (first ?? '') : 'file'
  return { name, faults: [{ id: name, class: name, target, params: given, ...timing }], rowClock }
}

/** What is wrong with a wish for a file, in words; `given`: parameters that somebody typed. */
export function wishProblems({ name, faults }: Wish, layout: Layout, given: readonly string[]): string[] {
  const channel = layout.kind === 'table' ? {} : { channel: layout.channels.map((one) => one.name) }
  const file = { source: ['file'], ccg: ['file'], recording: ['file'] }
  return faults.flatMap((fault) => {
    const kind = faultKind(fault.class)
    const unfit = kind === undefined ? null : unfitReason(kind, layout)
    if (unfit !== null) return [`${name}: ${unfit}`]
    // A parameter that the fault does not have was left out above: told here.
    const unknown = given.filter((one) => kind !== undefined && !(one in fault.params))
    const params = { ...fault.params, ...Object.fromEntries(unknown.map((one) => [one, ''])) }
    return faultProblems({ ...fault, params }, { ...channel, ...file }).map(
      ({ key, found, expected, hint }) =>
        `${name} ${key}: found ${found}, expected ${expected}${hint === undefined ? '' : ` (${hint})`}`,
    )
  })
}
