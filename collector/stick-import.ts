import { readPublicKey, type Signer } from '../shared/crypto/sign.ts'
import type { ErrorCode } from '../shared/errors/catalog.ts'
import { isHbError } from '../shared/errors/hb-error.ts'
import type { Clock } from '../shared/lib/clock.ts'
import { signReceipt } from '../shared/protocol/receipt.ts'
import {
  openManifest,
  readStick,
  type StickBatch,
  type StickContent,
  StickError,
  type StickManifest,
  type StickProblem,
  type StickReceipt,
} from '../shared/protocol/stick.ts'
import { stickBytes } from '../shared/protocol/stick-bytes.ts'
import { type EnrolledAgent, judgeSession } from './core/chain.ts'
import { SESSION_CODE } from './session-codes.ts'
import type { Stores } from './store/open.ts'
import type { VerifyPool } from './verify/pool.ts'
import { createIngest, type IngestOutcome, type Offerer } from './ws/ingest.ts'

export type StickImportOptions = Readonly<{
  stores: Stores
  pool: VerifyPool
  clock: Pick<Clock, 'nowUs' | 'monotonicUs'>
  enrolled: ReadonlyMap<string, EnrolledAgent>
  signer: Signer
  progress(done: number, of: number): void
}>

export type StickImport = Readonly<{
  manifest: StickManifest
  /** Receipts of every batch of the file that is stored now, before or by this. */
  receipts: readonly StickReceipt[]
  /** Batches that were not here before. */
  stored: number
  /** Where it ended before its end; null when all of it was taken. */
  refused: StickProblem | null
}>

/** Batches on their way at once: so many make one transaction. */
const OFFERED_AT_ONCE = 256

/**
 * Takes the batches of a file from a stick by the way that batches from a session take: the same verification, the same
 * chain, the same transaction before the receipt. A file whose bytes, manifest or signatures are not right is refused
 * whole, with everything that is wrong; where its chain does not fit, what came before is stored and receipted.
 *
 * May run beside the collector: the keys of the database let only one of two writers store a batch, and the other one
 * finds it there.
 *
 * @throws StickError, HbError STICK_DAMAGED, DATABASE_…
 */
export async function importStick(file: string, options: StickImportOptions): Promise<StickImport> {
  const content = readStick(file, stickBytes(file), 'batches')
  const { agent, manifest } = await knownAgent(content, options)
  const problems = await signatureProblems(content, agent, options)
  if (problems.length > 0) {
    const [first] = problems
    await record(options, { agent: agent.agent, code: first!.code, detail: `${first!.key}: ${first!.found}` })
    throw new StickError(problems)
  }
  const before = await options.stores.agents.head(agent.agent)
  const isNew = content.batches.some(
    ({ epoch, batchSeq }) =>
      before === null || epoch > before.epoch || (epoch === before.epoch && batchSeq > before.batchSeq),
  )
  // A stick of long ago says nothing new of its rigs.
  if (isNew) {
    const { version, rigs } = manifest
    await options.stores.agents.declare(agent.agent, { version, bootId: '', rigs, nowUs: options.clock.nowUs() })
  }
  return { manifest, ...(await offerAll(content, agent, options)) }
}

/** Whose file it is, by a signature of the enrolled key, and whether that agent may say what it says: as with a hello. */
async function knownAgent(
  content: StickContent,
  options: StickImportOptions,
): Promise<{ agent: EnrolledAgent; manifest: StickManifest }> {
  const { file, claims } = content
  const enrolled = options.enrolled.get(claims) ?? null
  const refuse = async (code: ErrorCode, detail: string): Promise<never> => {
    await record(options, { agent: claims, code, detail })
    throw new StickError([{ file, key: 'manifest', found: detail, code }])
  }
  if (enrolled === null) return refuse('AGENT_UNKNOWN', `${claims === '' ? 'nobody' : claims} is not enrolled`)
  let manifest: StickManifest
  try {
    manifest = openManifest(content, 'batches', readPublicKey(enrolled.spki, enrolled.realm))
  } catch (error) {
    if (!isHbError(error)) throw error
    return refuse(error.code, error.message)
  }
  const { agent, deployment, rigs } = manifest
  const epoch = content.batches.at(-1)?.epoch ?? 0
  const head = await options.stores.agents.head(agent)
  // An epoch that is over may still lie on a stick: whether its batches are here is asked of each of them.
  const offered = { agent, deployment, epoch: Math.max(epoch, head?.epoch ?? 0), spki: enrolled.spki, rigs }
  const verdict = judgeSession({ enrolled, certified: claims, head }, offered)
  if (verdict.verdict !== 'accept') return refuse(SESSION_CODE[verdict.verdict], verdict.detail)
  return { agent: enrolled, manifest }
}

async function signatureProblems(
  { file, batches }: StickContent,
  { spki, agent, deployment }: EnrolledAgent,
  { pool, progress }: StickImportOptions,
): Promise<StickProblem[]> {
  const problems: StickProblem[] = []
  for (let from = 0; from < batches.length; from += OFFERED_AT_ONCE) {
    const part = batches.slice(from, from + OFFERED_AT_ONCE)
    const results = await Promise.all(part.map(({ cose, records }) => pool.verify({ cose, records, spki })))
    results.forEach((result, k) => {
      const key = nameOf(part[k]!)
      if (!result.ok) problems.push({ file, key, found: result.detail, code: result.code as ErrorCode })
      else if (result.header.agent !== agent || result.header.deployment !== deployment) {
        const found = `a batch of ${result.header.deployment}/${result.header.agent}`
        problems.push({ file, key, found, expected: `${deployment}/${agent}`, code: 'CHAIN_REPLAY' })
      }
    })
    progress(from + part.length, batches.length)
  }
  return problems
}

async function offerAll(
  { file, batches }: StickContent,
  agent: EnrolledAgent,
  options: StickImportOptions,
): Promise<Pick<StickImport, 'receipts' | 'stored' | 'refused'>> {
  let stored = 0
  const ingest = createIngest({
    ...options,
    signReceipt: (facts) => signReceipt(facts, options.signer),
    stored() {
      stored += 1
    },
    refused: (refusal) => record(options, refusal),
  })
  const from: Offerer = { agent, open: true }
  const receipts: StickReceipt[] = []
  for (let at = 0; at < batches.length; at += OFFERED_AT_ONCE) {
    const part = batches.slice(at, at + OFFERED_AT_ONCE)
    const outcomes = await Promise.all(part.map((batch) => ingest.offer(from, batch)))
    for (const [k, outcome] of outcomes.entries()) {
      const { epoch, batchSeq } = part[k]!
      if (outcome.result === 'receipt') receipts.push({ epoch, batchSeq, receipt: outcome.receipt })
      else return { receipts, stored, refused: problemOf(file, part[k]!, outcome) }
    }
  }
  return { receipts, stored, refused: null }
}

function problemOf(
  file: string,
  batch: StickBatch,
  outcome: Exclude<IngestOutcome, { result: 'receipt' }>,
): StickProblem {
  const key = nameOf(batch)
  if (outcome.result === 'ignored') return { file, key, found: 'not looked at', code: 'VERIFY_FAILED' }
  return { file, key, found: outcome.detail, code: outcome.code as ErrorCode }
}

function nameOf({ epoch, batchSeq }: StickBatch): string {
  return `batch ${epoch}/${batchSeq}`
}

type Refused = Readonly<{
  agent: string
  code: string
  detail: string
  epoch?: number | null
  batchSeq?: number | null
}>

/** Where operators see it, as with a session. */
async function record({ stores, clock }: StickImportOptions, refusal: Refused): Promise<void> {
  await stores.refusals.record({ epoch: null, batchSeq: null, ...refusal, timeUs: clock.nowUs() })
}
