import { BundleError } from '../../shared/errors/bundle-error.ts'
import { ERRORS, type ErrorCode } from '../../shared/errors/catalog.ts'
import { type ErrorContext, HbError } from '../../shared/errors/hb-error.ts'
import type { BundleProblem } from '../../shared/model/config-bundle.ts'
import type { Millis } from '../../shared/units.ts'

const ANSWER_WITHIN_MS: Millis = 30_000

/** Asks a collector, as its operators reach it. Throws what it refused with, or COLLECTOR_UNREACHABLE. */
export type CollectorAsk = (path: string, init?: RequestInit) => Promise<Response>

/** `url` is the address that operators open. */
export function askerOf(url: string): CollectorAsk {
  const base = url.replace(/\/+$/, '')
  return (path, init = {}) => asked(`${base}${path}`, init)
}

/** Hands in what somebody has signed. */
export async function sendSigned(ask: CollectorAsk, path: string, bytes: Uint8Array): Promise<Record<string, unknown>> {
  const body = new Blob([new Uint8Array(bytes)])
  const answer = await ask(path, { method: 'POST', body, headers: { 'content-type': 'application/octet-stream' } })
  return (await answer.json()) as Record<string, unknown>
}

type Refusal = Readonly<{ code?: string; context?: ErrorContext; problems?: readonly BundleProblem[] }>

async function asked(url: string, init: RequestInit): Promise<Response> {
  let answer: Response
  try {
    answer = await fetch(url, { ...init, signal: AbortSignal.timeout(ANSWER_WITHIN_MS) })
  } catch (cause) {
    throw new HbError('COLLECTOR_UNREACHABLE', { url }, { cause })
  }
  if (answer.ok) return answer
  const said = (await answer.json().catch(() => ({}))) as Refusal
  const { code = '', problems = [] } = said
  if (problems.length > 0) throw new BundleError(problems)
  if (Object.hasOwn(ERRORS, code)) throw new HbError(code as ErrorCode, said.context ?? {})
  throw new HbError('COLLECTOR_UNREACHABLE', { url, status: answer.status, code })
}
