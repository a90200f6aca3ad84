import type { Realm } from '../../shared/model/realm.ts'
import type { Micros } from '../../shared/units.ts'

/** What the collector has of an agent: the last batch it receipted. */
export type ChainHead = Readonly<{
  epoch: number
  batchSeq: number
  identity: Uint8Array
  /** The decision that must come next: one more than the last that was stored. */
  nextSeq: number
}>

/** The place of a batch as its verified header says it. */
export type OfferedBatch = Readonly<{
  epoch: number
  batchSeq: number
  prev: Uint8Array
  firstSeq: number
  count: number
  identity: Uint8Array
  /** Rigs that its decisions are about. */
  rigs: readonly string[]
  /** Decisions that its header declares lost, first and last. */
  lost: readonly Readonly<{ first: number; last: number }>[]
}>

export type ChainFacts = Readonly<{
  /** null before the first batch of this agent. */
  head: ChainHead | null
  /** What the first batch of the offered epoch must name as the one before it. */
  genesis: Uint8Array
  /** Identity of the batch that is stored at the offered epoch and number; null when none is. */
  stored: Uint8Array | null
  /**
   * Whether the batch tells the decisions of it that are here already as they are stored, by the rolling digest at the
   * last of them; null when none of its decisions is here.
   */
  repeatsStored: boolean | null
  /** Program of every rig the agent has declared. */
  programs: ReadonlyMap<string, string>
}>

/** The only batch that may come next. */
export type ExpectedBatch = Readonly<{ epoch: number; batchSeq: number; prev: Uint8Array; firstSeq: number }>

/** Why a batch is not taken. `detail` is for a person; both go to the agent and to the operators. */
export type ChainRefusal = Readonly<{
  verdict: 'equivocation' | 'gap' | 'wrong_prev' | 'wrong_program' | 'replay'
  detail: string
}>

export type ChainVerdict =
  /** `skipped`: decisions before it that never came; `repeated`: how many of its own are here from an earlier epoch. */
  | Readonly<{ verdict: 'accept'; head: ChainHead; skipped: number; repeated: number }>
  | Readonly<{ verdict: 'duplicate' }>
  | ChainRefusal

/** The batch that must come next in the offered epoch. A new epoch starts at 1 and does not rewind the decisions. */
export function expectedBatch(head: ChainHead | null, epoch: number, genesis: Uint8Array): ExpectedBatch {
  if (head !== null && head.epoch === epoch) {
    return { epoch, batchSeq: head.batchSeq + 1, prev: head.identity, firstSeq: head.nextSeq }
  }
  return { epoch, batchSeq: 1, prev: genesis, firstSeq: head?.nextSeq ?? 1 }
}

/**
 * Says what a verified batch is to the chain of its agent. Taking it is only right when everything fits; the order of
 * the questions decides which name a batch with several faults gets.
 */
export function judgeBatch(facts: ChainFacts, offered: OfferedBatch): ChainVerdict {
  const { head, stored } = facts
  if (stored !== null) {
    if (sameBytes(stored, offered.identity)) return { verdict: 'duplicate' }
    return refused('equivocation', `another batch is stored as ${offered.epoch}/${offered.batchSeq}`)
  }
  if (head !== null && offered.epoch < head.epoch)
    return refused('replay', `epoch ${offered.epoch} ended, ${head.epoch} is running`)
  const expected = expectedBatch(head, offered.epoch, facts.genesis)
  if (offered.batchSeq < expected.batchSeq)
    return refused('replay', `batch ${offered.batchSeq} is older than ${expected.batchSeq}`)
  if (offered.batchSeq > expected.batchSeq)
    return refused('gap', `batch ${expected.batchSeq} must come next, not ${offered.batchSeq}`)
  if (!sameBytes(offered.prev, expected.prev))
    return refused('wrong_prev', `batch ${offered.batchSeq} does not follow the one before it`)
  if (!(offered.count >= 1)) return refused('gap', 'a batch must hold a decision')
  const misplaced = sequenceMistake(facts, offered, expected)
  if (misplaced !== null) return misplaced
  for (const rig of offered.rigs) {
    if (!facts.programs.has(rig))
      return refused('wrong_program', `rig ${rig} was not declared for any program of this agent`)
  }
  const next: ChainHead = {
    epoch: offered.epoch,
    batchSeq: offered.batchSeq,
    identity: offered.identity,
    nextSeq: Math.max(expected.firstSeq, offered.firstSeq + offered.count),
  }
  const ahead = offered.firstSeq - expected.firstSeq
  return {
    verdict: 'accept',
    head: next,
    skipped: Math.max(0, ahead),
    repeated: Math.min(offered.count, Math.max(0, -ahead)),
  }
}

/**
 * Decisions must follow one another. An agent whose outbox was damaged begins a new epoch and tells again what it has no
 * receipt for: that is taken when it is what is stored. What it lost for good it declares, or leaves out of the first
 * batch of an epoch.
 */
function sequenceMistake(
  { head, repeatsStored }: ChainFacts,
  offered: OfferedBatch,
  expected: ExpectedBatch,
): ChainRefusal | null {
  const { firstSeq } = offered
  const isFirst = head?.epoch !== offered.epoch
  if (firstSeq < expected.firstSeq) {
    if (offered.epoch === 1 || repeatsStored === null)
      return refused('replay', `decision ${firstSeq} came before, ${expected.firstSeq} must be next`)
    return repeatsStored ? null : refused('equivocation', `decision ${firstSeq} is stored with another past`)
  }
  const declared = offered.lost.some(({ first, last }) => first <= expected.firstSeq && last === firstSeq - 1)
  return firstSeq === expected.firstSeq || isFirst || declared
    ? null
    : refused('gap', `decision ${expected.firstSeq} must come next, not ${firstSeq}`)
}

/** What is known of an agent by enrolment. */
export type EnrolledAgent = Readonly<{
  agent: string
  deployment: string
  /** That of the collector; absent: production. */
  realm?: Realm
  spki: Uint8Array
  programs: readonly string[]
}>

export type OfferedSession = Readonly<{
  agent: string
  deployment: string
  epoch: number
  spki: Uint8Array
  rigs: readonly Readonly<{ rig: string; program: string }>[]
}>

export type SessionVerdict =
  | Readonly<{ verdict: 'accept' }>
  | Readonly<{
      verdict: 'unknown_agent' | 'wrong_deployment' | 'wrong_key' | 'wrong_program' | 'replay'
      detail: string
    }>

/** Says whether an agent may open a session: who it is must be enrolled, and everything it names must be its own. */
export function judgeSession(
  {
    enrolled,
    certified,
    head,
  }: Readonly<{ enrolled: EnrolledAgent | null; certified: string; head: ChainHead | null }>,
  offered: OfferedSession,
): SessionVerdict {
  if (offered.agent !== certified)
    return { verdict: 'unknown_agent', detail: `the certificate is of ${certified}, the session of ${offered.agent}` }
  if (enrolled === null) return { verdict: 'unknown_agent', detail: `${offered.agent} is not enrolled` }
  if (offered.deployment !== enrolled.deployment)
    return { verdict: 'wrong_deployment', detail: `this is ${enrolled.deployment}, not ${offered.deployment}` }
  if (!sameBytes(offered.spki, enrolled.spki))
    return { verdict: 'wrong_key', detail: 'the signing key is not the enrolled one' }
  for (const { rig, program } of offered.rigs) {
    if (!enrolled.programs.includes(program))
      return { verdict: 'wrong_program', detail: `rig ${rig}: program ${program} is not one of this agent` }
  }
  if (head !== null && offered.epoch < head.epoch)
    return { verdict: 'replay', detail: `epoch ${offered.epoch} ended, ${head.epoch} is running` }
  return { verdict: 'accept' }
}

/** Span of raw samples that is asked for around a decision: what led to it, and how it went on. */
const SLICE_BEFORE_US: Micros = 20_000_000
const SLICE_AFTER_US: Micros = 5_000_000

export function sliceSpan(timeUs: Micros): { fromUs: Micros; toUs: Micros } {
  return { fromUs: Math.max(0, timeUs - SLICE_BEFORE_US), toUs: timeUs + SLICE_AFTER_US }
}

function refused(verdict: ChainRefusal['verdict'], detail: string): ChainRefusal {
  return { verdict, detail }
}

export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i += 1) if (a[i] !== b[i]) return false
  return true
}
