import { createHmac, timingSafeEqual } from 'node:crypto'
import type { Micros } from '../units.ts'

/** How far the timestamp of a signed request may be from the clock of the receiver. */
export const WEBHOOK_AGE_MAX_US: Micros = 120_000_000

/** A request as Standard Webhooks 1.0.0 signs it: HMAC-SHA-256 over `ID.TIMESTAMP.BODY`, seconds since 1970. */
export type SignedRequest = Readonly<{ id: string; timestampS: number; body: string | Uint8Array }>

/** `v1,BASE64`: the value of `webhook-signature`. */
export function webhookSignature(secret: Uint8Array, { id, timestampS, body }: SignedRequest): string {
  const code = createHmac('sha256', secret).update(`${id}.${timestampS}.`).update(body).digest('base64')
  return `v1,${code}`
}

/** Headers of a request by their names in lower case; several of one name are a list. */
export type WebhookHeaders = Readonly<Record<string, string | readonly string[] | undefined>>

/**
 * Whether who sent a request has the secret, and sent it lately; null when so, else why not. Whether it came before is for
 * the receiver to know by its id. A list of signatures in one header, as when a secret is changed, counts when one is right.
 */
export function webhookProblem(
  secret: Uint8Array,
  headers: WebhookHeaders,
  { body, nowUs }: Readonly<{ body: Uint8Array; nowUs: Micros }>,
): 'unsigned' | 'too_old' | 'wrong_signature' | null {
  const [id, timestamp, signatures] = ['webhook-id', 'webhook-timestamp', 'webhook-signature'].map((n) => headers[n])
  if (typeof id !== 'string' || typeof timestamp !== 'string' || typeof signatures !== 'string') return 'unsigned'
  if (!/^\d{1,12}$/.test(timestamp)) return 'unsigned'
  const expected = Buffer.from(webhookSignature(secret, { id, timestampS: Number(timestamp), body }))
  const isRight = signatures.split(' ').some((found) => {
    const bytes = Buffer.from(found)
    return bytes.length === expected.length && timingSafeEqual(bytes, expected)
  })
  if (!isRight) return 'wrong_signature'
  return Math.abs(nowUs - Number(timestamp) * 1_000_000) <= WEBHOOK_AGE_MAX_US ? null : 'too_old'
}
