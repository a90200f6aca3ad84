import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { BatchHeader, Gap } from './batch-header.ts'
import { EvidenceFault } from './cbor.ts'
import { ChainReader } from './chain-reader.ts'
import { framesOf } from './record-frames.ts'
import type { Decision, Said } from './said.ts'
import { signerKeyOf } from './signed-message.ts'

/** Event times of which nobody can say what was decided: the detail is gone, or the decisions are. */
export type UnknownSpan = Readonly<{ fromUs: number; toUs: number; why: string }>

/** What the signed records of an agent say, verified from the first batch to the last. Times are event times, µs since 1970. */
export type Evidence = Readonly<{
  /** Why they cannot be believed; empty when they can. */
  problems: readonly string[]
  /** In order of time, revisions left out: they correct what was told, they were not told at that time. */
  said: readonly Said[]
  revisions: readonly Decision[]
  gaps: readonly Gap[]
  unknown: readonly UnknownSpan[]
  counters: BatchHeader['counters'] | null
  /** A flag of any of the headers. */
  flags: BatchHeader['flags']
  /** Rolling digest over all decisions, hex; '' when the last ones are not there in full. */
  digest: string
  batches: number
  /** Decisions that batches stand for, each once. */
  decisions: number
  /** Newest slide that was closed when the last batch was signed. */
  throughUs: number | null
  /** Receipts of a collector, and decisions behind the last batch that has one. */
  receipts: number
  unreceipted: number
}>

const NAME = /^\d{16}\.hbo$/

/** Files with the public keys of whose word counts; that of a collector may not be there, and then no receipt may be. */
export type KeyFiles = Readonly<{ agent: string; collector: string }>

/**
 * Reads and verifies the outbox of an agent, and the receipts of its collector in it. What a killed process had begun to write, at the end of the newest file, is
 * nothing; anything else that is not whole, not signed, not in its place, or missing without a header that says so, is a
 * problem, and reading ends there.
 */
export function readEvidence(outbox: string, keys: KeyFiles): Evidence {
  const chain = new ChainReader()
  const problems: string[] = []
  let where = keys.agent
  try {
    const names = existsSync(outbox) ? readdirSync(outbox).filter((name) => NAME.test(name)) : []
    const agent = names.length === 0 ? null : signerKeyOf(readFileSync(keys.agent, 'utf8'), 'agent')
    where = keys.collector
    const collector = existsSync(keys.collector) ? signerKeyOf(readFileSync(keys.collector, 'utf8'), 'collector') : null
    if (agent !== null) chain.trust(agent, collector)
    for (const [k, name] of names.sort().entries()) {
      const { frames, end } = framesOf(readFileSync(join(outbox, name)))
      for (const frame of frames) {
        where = `${name} at byte ${frame.offset}`
        chain.take(frame)
      }
      if (end.is === 'damaged' || (end.is === 'torn' && k < names.length - 1)) {
        where = `${name} at byte ${end.offset}`
        throw new EvidenceFault(end.why)
      }
    }
  } catch (thrown) {
    const isRead = thrown instanceof Error && 'code' in thrown
    if (!(thrown instanceof EvidenceFault || isRead)) throw thrown
    problems.push(`${where}: ${thrown.message}`)
  }
  return { problems, ...chain.said() }
}
