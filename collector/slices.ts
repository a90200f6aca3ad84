import { HbError } from '../shared/errors/hb-error.ts'
import type { Clock } from '../shared/lib/clock.ts'
import type { Micros } from '../shared/units.ts'
import { sliceSpan } from './core/chain.ts'
import type { Fleet } from './fleet.ts'
import type { StoredDecision } from './store/decisions.ts'
import type { SliceStore, StoredSlice } from './store/slices.ts'

export type SliceAnswer =
  | Readonly<{ state: 'there'; slice: StoredSlice }>
  /** Asked for; `connected` says whether anybody can answer now. Without, it is asked again when the agent comes back. */
  | Readonly<{ state: 'asked'; connected: boolean }>

/** A question is not repeated before this. */
const ASK_AGAIN_US: Micros = 10_000_000
/** What was answered sooner after the decision may lack its end, and is asked for once more when somebody looks. */
const SETTLED_AFTER_US: Micros = 30_000_000

/**
 * The raw samples around a decision: from the store, or asked for from the agent.
 *
 * @throws HbError SLICE_UNAVAILABLE when the agent has said that it cannot, and asking again is not due.
 */
export async function sliceFor(
  { slices, fleet, clock }: Readonly<{ slices: SliceStore; fleet: Fleet; clock: Pick<Clock, 'nowUs'> }>,
  decision: StoredDecision & { rig: string },
): Promise<SliceAnswer> {
  const known = await slices.get(decision.agent, decision.seq)
  const nowUs = clock.nowUs()
  const due = known === undefined || nowUs - known.askedUs >= ASK_AGAIN_US || nowUs < known.askedUs
  const settled = known?.state === 'there' && known.askedUs - decision.receiptUs >= SETTLED_AFTER_US
  const link = fleet.link(decision.agent)
  if (!settled && due) {
    const { fromUs, toUs } = sliceSpan(decision.timeUs)
    const question = { agent: decision.agent, seq: decision.seq, rig: decision.rig, fromUs, toUs, askedUs: nowUs }
    // An answer that is there already stays the answer while nobody can give a better one.
    if (link !== undefined || known?.body == null) await slices.ask(question)
    link?.askSlice(question)
  }
  if (known !== undefined && known.body !== null) return { state: 'there', slice: known }
  if (known?.state === 'refused' && !due) {
    throw new HbError('SLICE_UNAVAILABLE', { agent: decision.agent, seq: decision.seq, reason: known.reason })
  }
  return { state: 'asked', connected: link !== undefined }
}
