import type { Canonical, DecisionItem, DecisionValues } from '../../shared/model/decision.ts'
import type { Digests } from './settings.ts'
import type { EvaluatorState, OpenRange } from './state.ts'

/** A decision that has its number; `index` is the place of its rig in the state. */
export type Said = Readonly<{
  index: number
  rig: string
  seq: number
  endUs: number
  key: string
  verdict: string
  values: DecisionValues
}>

/**
 * Puts a decision into the sequence: as a full record when it says something new or when its time has come, else as one
 * more of the open range of unchanged ones. Every decision goes into the rolling digest, recorded in full or not.
 *
 * @returns what is finished by it, in order of sequence: the range that was open, then the record.
 */
export function recordDecision(state: EvaluatorState, said: Said, digests: Digests): DecisionItem[] {
  const settings = state.settings!
  const last = state.records[said.index]!
  const everyUs = said.verdict === 'PASS' ? settings.passRecordEveryUs : settings.notPassRecordEveryUs
  const unchanged = said.key === last.key && said.endUs - last.endUs < everyUs
  const items = unchanged ? [] : closeRange(state)
  state.chain = digests.bytes('chain', state.chain, digests.encode(said.values))
  if (unchanged) {
    state.range = extend(state.range, said)
    state.range.rigs.set(said.rig, { seq: last.seq, verdict: said.verdict })
    return items
  }
  state.records[said.index] = { key: said.key, seq: said.seq, endUs: said.endUs }
  items.push({ kind: 'record', seq: said.seq, values: said.values, chain: state.chain })
  return items
}

/**
 * Puts a revision, or what the safety kernel said, into the sequence: always a full record, and of no effect on which
 * record those after it are like.
 */
export function recordRevision(
  state: EvaluatorState,
  { seq, values }: Readonly<Pick<Said, 'seq' | 'values'>>,
  digests: Digests,
): DecisionItem[] {
  const items = closeRange(state)
  state.chain = digests.bytes('chain', state.chain, digests.encode(values))
  items.push({ kind: 'record', seq, values, chain: state.chain })
  return items
}

/** Ends the open range, if there is one: before a full record, and when the agent stops in order. */
export function closeRange(state: EvaluatorState): DecisionItem[] {
  const range = state.range
  if (range === null) return []
  state.range = null
  const rigs = [...range.rigs.entries()].sort((a, b) => (a[0] < b[0] ? -1 : 1))
  const core: Canonical = {
    v: 1,
    unchanged: rigs.map(([rig, as]) => [rig, as.seq, as.verdict]),
    t_first_us: range.firstUs,
    t_last_us: range.lastUs,
  }
  const values: DecisionValues = [core, null, null, null, null, null]
  return [{ kind: 'range', first: range.first, last: range.last, count: range.count, values, chain: state.chain }]
}

function extend(range: OpenRange | null, said: Said): OpenRange {
  if (range === null)
    return { first: said.seq, last: said.seq, count: 1, firstUs: said.endUs, lastUs: said.endUs, rigs: new Map() }
  range.last = said.seq
  range.count += 1
  range.lastUs = said.endUs
  return range
}
