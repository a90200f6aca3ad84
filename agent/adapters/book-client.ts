import { encodeBundle } from '../../shared/codec/baseline-bundle.ts'
import { ERRORS, type ErrorCode } from '../../shared/errors/catalog.ts'
import { type ErrorContext, HbError } from '../../shared/errors/hb-error.ts'
import type { Micros, Millis } from '../../shared/units.ts'

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

const ANSWER_WITHIN_MS: Millis = 30_000
const OCTETS = 'application/octet-stream'

/** `url` is the address that operators open. Every call throws what the collector refused with, or COLLECTOR_UNREACHABLE. */
export function createBookClient(url: string): BookClient {
  const base = url.replace(/\/+$/, '')
  const ask = (path: string, init: RequestInit = {}): Promise<Response> => asked(`${base}${path}`, init)
  const say = async (path: string, bytes: Uint8Array): Promise<TakenStatement> => {
    const body = new Blob([new Uint8Array(bytes)])
    const answer = await ask(path, { method: 'POST', body, headers: { 'content-type': OCTETS } })
    return (await answer.json()) as TakenStatement
  }
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

async function asked(url: string, init: RequestInit): Promise<Response> {
  let answer: Response
  try {
    answer = await fetch(url, { ...init, signal: AbortSignal.timeout(ANSWER_WITHIN_MS) })
  } catch (cause) {
    throw new HbError('COLLECTOR_UNREACHABLE', { url }, { cause })
  }
  if (answer.ok) return answer
  const said = (await answer.json().catch(() => ({}))) as { code?: string; context?: ErrorContext }
  const code = said.code ?? ''
  if (Object.hasOwn(ERRORS, code)) throw new HbError(code as ErrorCode, said.context ?? {})
  throw new HbError('COLLECTOR_UNREACHABLE', { url, status: answer.status, code })
}
