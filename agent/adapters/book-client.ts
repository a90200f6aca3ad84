import { encodeBundle } from '../../shared/codec/baseline-bundle.ts'
import type { Micros } from '../../shared/units.ts'
import { askerOf, sendSigned } from './collector-client.ts'

/** Where the book of a collector stands: what the next statement of it must name. */
export type BookPosition = Readonly<{ book: string; seq: number; prev: string; atUs: Micros; statements: number }>
export type TakenStatement = Readonly<{ digest: string; request: string; statement: string; seq: number }>

/** The book of baselines of a collector, as its operators reach it: on its own machine, or through a tunnel. */
export interface BookClient {
  fetchBook(): Promise<BookPosition>
  /** A record with its quality policy and its signed proposal. */
  submitRecord(record: Uint8Array, policy: Uint8Array, proposal: Uint8Array): Promise<TakenStatement>
  submitStatement(signed: Uint8Array): Promise<TakenStatement>
  /** Record, policy and statements, as agents open them. */
  fetchBundle(digest: string): Promise<Uint8Array>
}

/** `url` is the address that operators open. Every call throws what the collector refused with, or COLLECTOR_UNREACHABLE. */
export function createBookClient(url: string): BookClient {
  const ask = askerOf(url)
  const say = async (path: string, bytes: Uint8Array): Promise<TakenStatement> =>
    (await sendSigned(ask, path, bytes)) as unknown as TakenStatement
  return {
    async fetchBook() {
      const { book, seq, prev, at_us: atUs, statements } = (await (await ask('/api/baselines')).json()) as Answer
      return { book, seq, prev, atUs, statements }
    },
    submitRecord: (record, policy, proposal) =>
      say('/api/baselines', encodeBundle({ record, policy, statements: [proposal] })),
    submitStatement: (signed) => say('/api/baseline-statements', signed),
    async fetchBundle(digest) {
      const answer = await ask(`/api/baselines/${encodeURIComponent(digest)}/bundle`)
      return new Uint8Array(await answer.arrayBuffer())
    },
  }
}

type Answer = Omit<BookPosition, 'atUs'> & Readonly<{ at_us: Micros }>
