import type { ErrorCode } from '../../shared/errors/catalog.ts'
import { isHbError } from '../../shared/errors/hb-error.ts'
import { invariant } from '../../shared/lib/assert.ts'
import type { Clock } from '../../shared/lib/clock.ts'
import { genesisPrev } from '../../shared/protocol/batch.ts'
import type { ReceiptFacts } from '../../shared/protocol/receipt.ts'
import type { Micros } from '../../shared/units.ts'
import { type ChainHead, type ChainRefusal, type EnrolledAgent, judgeBatch, sameBytes } from '../core/chain.ts'
import { rowsFrom } from '../core/decision-view.ts'
import type { BatchDecision, BatchReceipt, BatchWithDecisions, StoredBatch } from '../store/batches.ts'
import type { Stores } from '../store/open.ts'
import type { VerifyPool } from '../verify/pool.ts'
import type { VerifyResult } from '../verify/worker.ts'
import { toldAgain } from './told-again.ts'

/** A batch as it came, with the place its sender gives it. `records` null: the agent did not keep its detail. */
export type OfferedMessage = Readonly<{
  epoch: number
  batchSeq: number
  cose: Uint8Array
  records: Uint8Array | null
}>

/** Who offers. `open` turns false at the first refusal: what such a session has sent besides is not looked at any more. */
export type Offerer = { readonly agent: EnrolledAgent; open: boolean }

export type IngestOutcome =
  | Readonly<{ result: 'receipt'; receipt: Uint8Array }>
  /** The batch is at fault; recorded where operators see it. */
  | Readonly<{ result: 'refused'; code: ErrorCode; detail: string }>
  /** The collector is at fault: nothing is stored, nothing recorded, and the agent should send it again later. */
  | Readonly<{ result: 'unavailable'; code: string; detail: string }>
  | Readonly<{ result: 'ignored' }>

export type IngestOptions = Readonly<{
  stores: Stores
  pool: VerifyPool
  clock: Pick<Clock, 'nowUs' | 'monotonicUs'>
  signReceipt(facts: ReceiptFacts): Uint8Array
  /** Called after the batch is durable, before its receipt is given. */
  stored(batch: StoredBatch, decisions: readonly BatchDecision[]): void
  refused(
    refusal: Readonly<{ code: string; agent: string; detail: string; epoch: number | null; batchSeq: number | null }>,
  ): Promise<void>
}>

/** The way of a batch: verify, chain and sequence check, one transaction a group, receipt. */
export interface Ingest {
  /** Takes batches of one agent in the order of the calls. Never rejects. */
  offer(from: Offerer, message: OfferedMessage): Promise<IngestOutcome>
  /** How long the batch that has waited for longest is on its way; 0 for none. */
  waitingUs(): Micros
  /** Settles when nothing is on its way any more. */
  drained(): Promise<void>
}

/** Batches of one transaction: what has come while the one before was being written, but not more than this. */
export const GROUP_MAX = 256

const CODE_OF: Readonly<Record<ChainRefusal['verdict'], ErrorCode>> = {
  equivocation: 'CHAIN_EQUIVOCATION',
  gap: 'CHAIN_GAP',
  wrong_prev: 'CHAIN_WRONG_PREV',
  wrong_program: 'AGENT_WRONG_PROGRAM',
  replay: 'CHAIN_REPLAY',
}

export type Verified = Extract<VerifyResult, { ok: true }>
type Entry = { from: Offerer; message: OfferedMessage; verified: VerifyResult; settle(outcome: IngestOutcome): void }
type Accepted = Readonly<{
  entry: Entry
  batch: StoredBatch
  decisions: readonly BatchDecision[]
  notices: readonly Notice[]
}>
/** Taken, and still somebody should know. */
type Notice = Readonly<{ code: ErrorCode; detail: string }>
/** What a group knows of an agent while it is being judged; becomes true only with the commit. */
type Working = {
  head: ChainHead | null
  readonly programs: ReadonlyMap<string, string>
  readonly here: Map<string, BatchReceipt>
}

export function createIngest(options: IngestOptions): Ingest {
  const ready: Entry[] = []
  const tails = new Map<string, Promise<void>>()
  /** When each batch on its way came, the oldest first. */
  const waiting = new Set<{ sinceUs: Micros }>()
  let turning: Promise<void> | null = null

  function turn(): void {
    turning ??= runGroups()
  }

  async function runGroups(): Promise<void> {
    while (ready.length > 0) await runGroup(options, ready.splice(0, GROUP_MAX))
    // At once: what comes between the last look and a later moment would wait for ever.
    turning = null
  }

  return {
    offer(from, message) {
      const { agent, spki } = from.agent
      const verifying = options.pool.verify({ cose: message.cose, records: message.records, spki })
      const mark = { sinceUs: options.clock.monotonicUs() }
      waiting.add(mark)
      return new Promise((done) => {
        const settle = (outcome: IngestOutcome): void => {
          waiting.delete(mark)
          done(outcome)
        }
        const before = tails.get(agent) ?? Promise.resolve()
        const mine = before.then(async () => {
          ready.push({ from, message, verified: await verifying, settle })
          turn()
        })
        tails.set(agent, mine)
      })
    },
    waitingUs() {
      const oldest = waiting.values().next()
      return oldest.done === true ? 0 : options.clock.monotonicUs() - oldest.value.sinceUs
    },
    async drained() {
      await Promise.all(tails.values())
      while (turning !== null) await turning
    },
  }
}

/** Never throws: whatever goes wrong settles every entry. */
async function runGroup(options: IngestOptions, group: readonly Entry[]): Promise<void> {
  const accepted: Accepted[] = []
  const again: { entry: Entry; receipt: Uint8Array }[] = []
  const completed: BatchWithDecisions[] = []
  try {
    const agents = new Map<string, Working>()
    for (const entry of group) await judgeEntry(options, { entry, agents, accepted, again, completed })
    if (accepted.length > 0) await options.stores.batches.append(accepted)
    if (completed.length > 0) await options.stores.batches.complete(completed)
    for (const { batch, decisions } of accepted) options.stored(batch, decisions)
    for (const { entry, batch } of accepted) entry.settle({ result: 'receipt', receipt: batch.receipt })
    for (const { entry, receipt } of again) entry.settle({ result: 'receipt', receipt })
    await recordNotices(options, accepted)
  } catch (error) {
    const code = isHbError(error) ? error.code : 'DATABASE_FAILED'
    const detail = error instanceof Error ? error.message : String(error)
    // Settling twice changes nothing: those with a receipt keep it.
    for (const entry of group) entry.settle({ result: 'unavailable', code, detail })
  }
}

type Group = Readonly<{
  entry: Entry
  agents: Map<string, Working>
  accepted: Accepted[]
  again: { entry: Entry; receipt: Uint8Array }[]
  /** Batches that are here without their records and have come whole. */
  completed: BatchWithDecisions[]
}>

async function judgeEntry(options: IngestOptions, group: Group): Promise<void> {
  const { entry, agents, accepted, again } = group
  const { from, message, verified } = entry
  if (!from.open) {
    entry.settle({ result: 'ignored' })
    return
  }
  if (!verified.ok) {
    if (verified.code === 'VERIFY_FAILED')
      entry.settle({ result: 'unavailable', code: verified.code, detail: verified.detail })
    else await refuse(options, entry, { code: verified.code as ErrorCode, detail: verified.detail })
    return
  }
  const mistake = placeMistake(from.agent, message, verified)
  if (mistake !== null) {
    await refuse(options, entry, mistake)
    return
  }
  const working = agents.get(from.agent.agent) ?? (await loadAgent(options.stores, from.agent.agent))
  agents.set(from.agent.agent, working)
  const place = { agent: from.agent.agent, epoch: verified.header.epoch, batchSeq: verified.header.batchSeq }
  const here = working.here.get(`${place.epoch}/${place.batchSeq}`) ?? (await options.stores.batches.receipt(place))
  const nextSeq = working.head?.nextSeq ?? 1
  const renewed = working.head !== null && verified.header.epoch > working.head.epoch
  const told = await toldAgain(options.stores, { ...from.agent, nextSeq, verified })
  const verdict = judgeBatch(
    {
      repeatsStored: told === 'unknown' ? true : told,
      head: working.head,
      genesis: genesisPrev({ ...place, deployment: from.agent.deployment, spki: from.agent.spki }),
      stored: here?.identity ?? null,
      programs: working.programs,
    },
    {
      ...verified.header,
      identity: verified.identity,
      rigs: verified.decisions.flatMap((d) => d.rigs),
      lost: verified.header.gaps
        .filter(({ reason }) => reason === 'decisions_lost')
        .map(({ from: first, to: last }) => ({ first, last })),
    },
  )
  if (verdict.verdict === 'duplicate') {
    invariant(here !== undefined && sameBytes(here.identity, verified.identity), 'a duplicate is what is stored')
    again.push({ entry, receipt: here.receipt })
    if (here.thinned) complete(options, group, { message, verified, working, here })
  } else if (verdict.verdict === 'accept') {
    const batch = batchOf(options, from.agent.agent, { message, verified })
    working.head = verdict.head
    working.here.set(`${place.epoch}/${place.batchSeq}`, { ...batch, thinned: message.records === null })
    const decisions = decisionsOf(verified, working, nextSeq)
    const notices = noticesOf(verified.header, { ...verdict, renewed, uncompared: told === 'unknown' })
    accepted.push({ entry, batch, decisions, notices })
  } else {
    await refuse(options, entry, { code: CODE_OF[verdict.verdict], detail: verdict.detail })
  }
}

type Completing = Readonly<{ message: OfferedMessage; verified: Verified; working: Working; here: BatchReceipt }>

/** A batch that is here without its records has come whole: the whole one wins. */
function complete(options: IngestOptions, { entry, completed }: Group, offered: Completing): void {
  const { message, verified, working, here } = offered
  // Which rigs it is about could not be asked while its records were missing.
  const isOwn = verified.decisions.every((d) => d.rigs.every((rig) => working.programs.has(rig)))
  if (message.records === null || !isOwn) return
  const batch = { ...batchOf(options, entry.from.agent.agent, { message, verified }), receipt: here.receipt }
  completed.push({ batch, decisions: decisionsOf(verified, working, 1) })
  working.here.set(`${message.epoch}/${message.batchSeq}`, { ...here, thinned: false })
}

async function loadAgent(stores: Stores, agent: string): Promise<Working> {
  const [head, programs] = await Promise.all([stores.agents.head(agent), stores.agents.programs(agent)])
  return { head, programs, here: new Map() }
}

/** What the message says around the batch must be what was signed, and it must be of the agent that sent it. */
function placeMistake(
  agent: EnrolledAgent,
  message: OfferedMessage,
  { header }: Verified,
): { code: ErrorCode; detail: string } | null {
  if (header.agent !== agent.agent || header.deployment !== agent.deployment) {
    return { code: 'CHAIN_REPLAY', detail: `the batch is of ${header.deployment}/${header.agent}` }
  }
  if (header.epoch !== message.epoch || header.batchSeq !== message.batchSeq) {
    return {
      code: 'SESSION_PROTOCOL',
      detail: `sent as ${message.epoch}/${message.batchSeq}, signed as ${header.epoch}/${header.batchSeq}`,
    }
  }
  return null
}

function batchOf(
  options: IngestOptions,
  agent: string,
  { message, verified }: { message: OfferedMessage; verified: Verified },
): StoredBatch {
  const { header, identity } = verified
  const recvUs = options.clock.nowUs()
  const { epoch, batchSeq, prev, firstSeq, count, run } = header
  const receipt = options.signReceipt({ agent, epoch, batchSeq, identity, recvUs })
  return {
    agent,
    epoch,
    batchSeq,
    identity,
    prev,
    firstSeq,
    count,
    run,
    header: verified.headerJson,
    recvUs,
    cose: message.cose,
    records: message.records,
    receipt,
  }
}

async function refuse(
  options: IngestOptions,
  { from, message, settle }: Entry,
  { code, detail }: { code: ErrorCode; detail: string },
): Promise<void> {
  from.open = false
  await options.refused({ code, agent: from.agent.agent, detail, epoch: message.epoch, batchSeq: message.batchSeq })
  settle({ result: 'refused', code, detail })
}

function decisionsOf({ decisions }: Verified, { programs }: Working, fromSeq: number): BatchDecision[] {
  return rowsFrom(decisions, fromSeq).map((d) => ({
    ...d,
    program: d.rig === null ? null : (programs.get(d.rig) ?? null),
  }))
}

/** Spans one batch is reported for by name. */
export const LOST_MAX = 16

function noticesOf(
  header: Verified['header'],
  {
    skipped,
    repeated,
    renewed,
    uncompared,
  }: { skipped: number; repeated: number; renewed: boolean; uncompared: boolean },
): Notice[] {
  const notices: Notice[] = []
  const detail = `epoch ${header.epoch}, ${repeated} decisions told again`
  if (uncompared)
    notices.push({ code: 'CHAIN_RENEWED', detail: `${detail}; what is stored of them has no detail to compare with` })
  else if (renewed) notices.push({ code: 'CHAIN_RENEWED', detail })
  if (skipped > 0)
    notices.push({ code: 'CHAIN_SKIPPED', detail: `${skipped} decisions before ${header.firstSeq} never came` })
  for (const { from, to, reason } of header.gaps.slice(0, LOST_MAX)) {
    const what = LOST_UNITS[reason]
    if (reason === 'pass_detail_thinned')
      notices.push({ code: 'DETAIL_THINNED', detail: `decisions ${from}–${to}: what only repeated PASS` })
    else if (what !== undefined) notices.push({ code: 'EVIDENCE_LOST', detail: `${what} ${from}–${to}: ${reason}` })
  }
  return notices
}

const LOST_UNITS: Readonly<Record<string, string>> = {
  decisions_lost: 'decisions',
  journal_lost: 'journal records',
  journal_not_evaluated: 'journal records',
}

async function recordNotices(options: IngestOptions, accepted: readonly Accepted[]): Promise<void> {
  for (const { batch, notices } of accepted)
    for (const { code, detail } of notices)
      await options.refused({ code, agent: batch.agent, detail, epoch: batch.epoch, batchSeq: batch.batchSeq })
}
