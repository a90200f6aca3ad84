import { type IncomingMessage, type RequestOptions, request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import { webhookSignature } from '../crypto/webhook-signature.ts'
import { HbError } from '../errors/hb-error.ts'
import type { Clock } from '../lib/clock.ts'
import type { Bytes, Millis } from '../units.ts'

/** Longest answer that is read; a longer one is none. */
const ANSWER_BYTES_MAX: Bytes = 16 * 1024

export type HttpPeer = Readonly<{ url: string; secret: Uint8Array; ca: string | null; clock: Clock }>
export type HttpPost = Readonly<{ id: string; body: unknown; timeoutMs: Millis }>
export type HttpAnswerText = Readonly<{ status: number; text: string }>

/** One request. `url` is never in a problem of it but as `handed` names it: it may be a secret. */
export type HttpRequest = Readonly<{
  url: string
  method: 'GET' | 'POST'
  headers: Readonly<Record<string, string | number>>
  text: string
  ca: string | null
  timeoutMs: Millis
  clock: Pick<Clock, 'after'>
}>

type Asked = Readonly<{ handed: Promise<void>; answer: Promise<HttpAnswerText> }>

/**
 * `handed` settles when the request has left this process, and rejects when it certainly has not; `answer` settles with what
 * came back, and rejects when nothing whole did. Redirects are answers like any other.
 */
export function sendRequest({ url, method, headers, text, ca, timeoutMs, clock }: HttpRequest): Asked {
  const options: RequestOptions = { method, headers, agent: false }
  const secure = { ...(ca === null ? {} : { ca }), minVersion: 'TLSv1.2', rejectUnauthorized: true } as const
  const asked = url.startsWith('https:') ? requestHttps(url, { ...options, ...secure }) : requestHttp(url, options)
  const cancel = clock.after(timeoutMs, () => asked.destroy(new Error(`no answer within ${timeoutMs} ms`)))
  const handed = new Promise<void>((resolve, reject) => {
    asked.once('finish', resolve)
    asked.once('error', (cause) =>
      reject(new HbError('EXECUTOR_UNREACHABLE', { url, reason: cause.message }, { cause })),
    )
  })
  const answer = new Promise<HttpAnswerText>((resolve, reject) => {
    asked.once('error', reject)
    asked.once('response', (response) => readAnswer(response).then(resolve, reject))
  }).finally(cancel)
  // Whoever waits for one of them need not wait for the other.
  handed.catch(() => undefined)
  answer.catch(() => undefined)
  asked.end(text)
  return { handed, answer }
}

/**
 * One POST of JSON, as {@link sendRequest}.
 *
 * Signed as Standard Webhooks 1.0.0 has it: `webhook-signature: v1,BASE64` is HMAC-SHA-256 over `ID.TIMESTAMP.BODY`.
 * The receiver compares the timestamp with its clock, and must know an `idempotency-key` again.
 */
export function postJson(peer: HttpPeer, { id, body, timeoutMs }: HttpPost): Asked {
  const { url, ca, clock } = peer
  const text = JSON.stringify(body)
  return sendRequest({ url, method: 'POST', headers: signedHeaders(peer, id, text), text, ca, timeoutMs, clock })
}

function signedHeaders({ secret, clock }: HttpPeer, id: string, text: string): Record<string, string | number> {
  const timestampS = Math.floor(clock.nowUs() / 1_000_000)
  return {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
    'idempotency-key': id,
    'webhook-id': id,
    'webhook-timestamp': String(timestampS),
    'webhook-signature': webhookSignature(secret, { id, timestampS, body: text }),
  }
}

function readAnswer(response: IncomingMessage): Promise<HttpAnswerText> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = []
    let bytes = 0
    response.on('data', (part: Buffer) => {
      bytes += part.length
      if (bytes > ANSWER_BYTES_MAX) response.destroy(new Error(`an answer of more than ${ANSWER_BYTES_MAX} bytes`))
      else parts.push(part)
    })
    response.once('error', reject)
    response.once('aborted', () => reject(new Error('the answer was cut off')))
    response.once('end', () =>
      resolve({ status: response.statusCode ?? 0, text: Buffer.concat(parts).toString('utf8') }),
    )
  })
}
