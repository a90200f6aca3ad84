import type { ErrorCode } from '../../shared/errors/catalog.ts'
import { isHbError } from '../../shared/errors/hb-error.ts'
import { invariant } from '../../shared/lib/assert.ts'
import type { Clock } from '../../shared/lib/clock.ts'
import { genesisPrev } from '../../shared/protocol/batch.ts'
import type { ReceiptFacts } from '../../shared/protocol/receipt.ts'
import { type ChainHead, type ChainRefusal, type EnrolledAgent, judgeBatch, sameBytes } from '../core/chain.ts'
import type { BatchDecision, StoredBatch } from '../store/batches.ts'
import type { Stores } from '../store/open.ts'
import type { VerifyPool } from '../verify/pool.ts'
import type { VerifyResult } from '../verify/worker.ts'

/** A batch as it came, with the place its sender gives it. */
export type OfferedMessage = Readonly<{ epoch: number; batchSeq: number; cose: Uint8Array; records: Uint8Array }>

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
  clock: Pick<Clock, 'nowUs'>
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
  /** Settles when nothing is on its way any more. */
  drained(): Promise<void>
}

/** Batches of one transaction: what has come while the one before was being written, but not more than this. */
const GROUP_MAX = 256

const CODE_OF: Readonly<Record<ChainRefusal['verdict'], ErrorCode>> = {
  equivocation: 'CHAIN_EQUIVOCATION',
  gap: 'CHAIN_GAP',
  wrong_prev: 'CHAIN_WRONG_PREV',
  wrong_program: 'AGENT_WRONG_PROGRAM',
  replay: 'CHAIN_REPLAY',
}

type Verified = Extract<VerifyResult, { ok: true }>
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
  readonly here: Map<string, StoredBatch>
}

export function createIngest(options: IngestOptions): Ingest {
  const ready: Entry[] = []
  const tails = new Map<string, Promise<void>>()
  let turning: Promise<void> | null = null

  function turn(): void {
    turning ??= runGroups().finally(() => {
      turning = null
    })
  }

  async function runGroups(): Promise<void> {
    while (ready.length > 0) await runGroup(options, ready.splice(0, GROUP_MAX))
  }

  return {
    offer(from, message) {
      const { agent, spki } = from.agent
      const verifying = options.pool.verify({ cose: message.cose, records: message.records, spki })
      return new Promise((settle) => {
        const before = tails.get(agent) ?? Promise.resolve()
        const mine = before.then(async () => {
          ready.push({ from, message, verified: await verifying, settle })
          turn()
        })
        tails.set(agent, mine)
      })
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
  try {
    const agents = new Map<string, Working>()
    for (const entry of group) await judgeEntry(options, { entry, agents, accepted, again })
    if (accepted.length > 0) await options.stores.batches.append(accepted)
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
}>

async function judgeEntry(options: IngestOptions, { entry, agents, accepted, again }: Group): Promise<void> {
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
  const verdict = judgeBatch(
    {
      repeatsStored: await repeatsStored(options.stores, { agent: place.agent, nextSeq, verified }),
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
  } else if (verdict.verdict === 'accept') {
    const batch = batchOf(options, from.agent.agent, { message, verified })
    working.head = verdict.head
    working.here.set(`${place.epoch}/${place.batchSeq}`, batch)
    const decisions = verified.decisions
      .filter((d) => d.seq >= nextSeq)
      .map((d) => ({ ...d, program: d.rig === null ? null : (working.programs.get(d.rig) ?? null) }))
    accepted.push({ entry, batch, decisions, notices: noticesOf(verified.header, { ...verdict, renewed }) })
  } else {
    await refuse(options, entry, { code: CODE_OF[verdict.verdict], detail: verdict.detail })
  }
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

/**
 * Whether decisions that are here already are told again as they are stored: the rolling digest at the last of them is
 * over everything before it. Null when the batch tells none of them.
 */
async function repeatsStored(
  stores: Stores,
  { agent, nextSeq, verified }: { agent: string; nextSeq: number; verified: Verified },
): Promise<boolean | null> {
  const last = verified.decisions.findLast((d) => d.seq < nextSeq)
  if (last === undefined) return null
  const stored = await stores.decisions.get(agent, last.lastSeq)
  if (stored === undefined) return null
  const chain = (JSON.parse(last.body) as { chain: string }).chain
  return stored.seq === last.seq && stored.lastSeq === last.lastSeq && stored.body['chain'] === chain
}

/** Spans one batch is reported for by name. */
const LOST_MAX = 16

function noticesOf(
  header: Verified['header'],
  { skipped, repeated, renewed }: { skipped: number; repeated: number; renewed: boolean },
): Notice[] {
  const notices: Notice[] = []
  if (renewed)
    notices.push({ code: 'CHAIN_RENEWED', detail: `epoch ${header.epoch}, ${repeated} decisions told again` })
  if (skipped > 0)
    notices.push({ code: 'CHAIN_SKIPPED', detail: `${skipped} decisions before ${header.firstSeq} never came` })
  for (const { from, to, reason } of header.gaps.slice(0, LOST_MAX)) {
    const what = LOST_UNITS[reason]
    if (what !== undefined) notices.push({ code: 'EVIDENCE_LOST', detail: `${what} ${from}–${to}: ${reason}` })
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
