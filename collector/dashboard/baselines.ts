import { fieldsOf, listOf, numberOf, parseInputs, textOf } from './wire.ts'
import type { GateInput } from './wire-types.ts'

/** A person as far as a key tells, and the words that go with what they did. */
export type Person = Readonly<{ key: string; name: string }>

export type RequestJson = Readonly<{
  request: string
  as: string
  status: string
  waitsFor: string
  approvalsMissing: number
  proposer: Person | null
  reviewer: Person | null
  approvers: readonly Person[]
  proposedUs: number | null
  changedUs: number | null
  reason: string
  breakGlass: Readonly<{
    by: Person | null
    operator: string
    reason: string
    untilUs: number | null
    over: boolean
  }> | null
}>

/** A baseline as the collector's book has it. */
export type BaselineJson = Readonly<{
  digest: string
  program: string
  rig: string
  family: string
  mode: string
  kind: string
  countsAs: string
  inForce: readonly string[]
  tags: readonly string[]
  confidence: number | null
  gate: Readonly<{
    passed: boolean
    reasons: readonly string[]
    confidence: number | null
    inputs: readonly GateInput[]
  }>
  decay: Readonly<{ factor: number | null; reasons: readonly string[]; ageUs: number | null; checkedUs: number | null }>
  segments: Readonly<{ replayed: number | null; min: number | null; hard: number | null }>
  request: RequestJson | null
}>

/** The book of the collector, with what is in force and what waits first. */
export type BookJson = Readonly<{
  damage: string
  note: string
  approvalsRequired: number
  count: number
  baselines: readonly BaselineJson[]
}>

const BASELINES_MAX = 500
const PARTS_MAX = 64

/** Reads the book from a message; what is missing is unknown, and a gate that does not say so was not passed. */
export function parseBook(value: unknown): BookJson | null {
  const fields = fieldsOf(value)
  if (fields === undefined) return null
  return {
    damage: textOf(fields['damage']),
    note: textOf(fields['note']),
    approvalsRequired: numberOf(fields['approvals_required']) ?? 1,
    count: numberOf(fields['count']) ?? 0,
    baselines: listOf(fields['baselines'], BASELINES_MAX).flatMap(parseBaseline),
  }
}

function parseBaseline(value: unknown): BaselineJson[] {
  const fields = fieldsOf(value)
  const digest = textOf(fields?.['digest'])
  if (fields === undefined || digest === '') return []
  const [gate, decay, segments] = ['gate', 'decay', 'segments'].map((key) => fieldsOf(fields[key]) ?? {})
  const text = (key: string): string => textOf(fields[key])
  return [
    {
      digest,
      ...{ program: text('program'), rig: text('rig'), family: text('family'), mode: text('mode') },
      kind: text('kind'),
      countsAs: text('counts_as') || 'draft',
      inForce: texts(fields['in_force']),
      tags: texts(fields['tags']),
      confidence: numberOf(fields['confidence']),
      gate: {
        passed: gate!['passed'] === true,
        reasons: texts(gate!['reasons']),
        confidence: numberOf(gate!['confidence']),
        inputs: parseInputs(gate!['inputs']),
      },
      decay: {
        factor: numberOf(decay!['factor']),
        reasons: texts(decay!['reasons']),
        ageUs: numberOf(decay!['age_us']),
        checkedUs: numberOf(decay!['checked_us']),
      },
      segments: {
        replayed: numberOf(segments!['replayed']),
        min: numberOf(segments!['min']),
        hard: numberOf(segments!['hard']),
      },
      request: parseRequest(fields['request']),
    },
  ]
}

function parseRequest(value: unknown): RequestJson | null {
  const fields = fieldsOf(value)
  if (fields === undefined) return null
  const glass = fieldsOf(fields['break_glass'])
  return {
    request: textOf(fields['request']),
    as: textOf(fields['as']),
    status: textOf(fields['status']),
    waitsFor: textOf(fields['waits_for']),
    approvalsMissing: numberOf(fields['approvals_missing']) ?? 0,
    proposer: parsePerson(fields['proposer']),
    reviewer: parsePerson(fields['reviewer']),
    approvers: listOf(fields['approvers'], PARTS_MAX).flatMap((one) => parsePerson(one) ?? []),
    proposedUs: numberOf(fields['proposed_us']),
    changedUs: numberOf(fields['changed_us']),
    reason: textOf(fields['reason']),
    breakGlass:
      glass === undefined
        ? null
        : {
            by: parsePerson(glass['by']),
            operator: textOf(glass['operator']),
            reason: textOf(glass['reason']),
            untilUs: numberOf(glass['until_us']),
            over: glass['over'] === true,
          },
  }
}

function parsePerson(value: unknown): Person | null {
  const fields = fieldsOf(value)
  return fields === undefined ? null : { key: textOf(fields['key']), name: textOf(fields['name']) }
}

function texts(value: unknown): string[] {
  return listOf(value, PARTS_MAX)
    .map(textOf)
    .filter((text) => text !== '')
}
