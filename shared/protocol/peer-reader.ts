import type { TSchema } from 'typebox'
import { Value } from 'typebox/value'
import type { Micros } from '../units.ts'
import {
  INBOUND_SCHEMAS,
  type InboundMessage,
  OUTBOUND_SCHEMAS,
  type OutboundMessage,
  PEER_CONTRACT_VERSION,
  PEER_MESSAGE_BYTES_MAX,
} from './peer-contract.ts'

/** How far the clock of a peer may be off, and how old a message may be. */
export const PEER_AGE_MAX_US: Micros = 120_000_000
const DETAIL_MAX = 256

/** Why a message of a peer is not taken. Each is counted by its name. */
export const PEER_REFUSALS = [
  'too_large',
  'not_json',
  'not_authentic',
  'unknown_type',
  'wrong_version',
  'wrong_shape',
  'wrong_identity',
  'too_old',
  'repeated_message',
  'too_many',
  'contradictory_ack',
  'unknown_action',
  'repeated_ack',
  'ack_after_end',
  'unknown_rig',
  'mode_refused',
  'rate_limited',
  'not_journaled',
] as const
export type PeerRefusal = (typeof PEER_REFUSALS)[number]

export type Refused = Readonly<{ ok: false; refusal: PeerRefusal; detail: string }>
export type Read<T> = Readonly<{ ok: true; message: T }> | Refused

export function refused(refusal: PeerRefusal, detail = ''): Refused {
  return { ok: false, refusal, detail: detail.slice(0, DETAIL_MAX) }
}

/**
 * Reads a message that has proved that it comes from somebody who has the secret.
 *
 * @param identity the only `system_id` that counts
 * @param nowUs wall time
 */
export function readInbound(
  bytes: Uint8Array,
  { identity, nowUs }: Readonly<{ identity: string; nowUs: Micros }>,
): Read<InboundMessage> {
  const read = readMessage<InboundMessage>(bytes, INBOUND_SCHEMAS)
  if (!read.ok) return read
  const { system_id: from, timestamp } = read.message
  if (from !== identity) return refused('wrong_identity', `${from}, expected ${identity}`)
  if (!(Math.abs(nowUs - Date.parse(timestamp) * 1000) <= PEER_AGE_MAX_US)) return refused('too_old', timestamp)
  return read
}

/** Reads what an agent said. */
export function readOutbound(bytes: Uint8Array): Read<OutboundMessage> {
  return readMessage<OutboundMessage>(bytes, OUTBOUND_SCHEMAS)
}

type Schemas = Readonly<Record<string, TSchema>>

function readMessage<T>(bytes: Uint8Array, schemas: Schemas): Read<T> {
  if (bytes.length > PEER_MESSAGE_BYTES_MAX) return refused('too_large', `${bytes.length} bytes`)
  let value: unknown
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch {
    return refused('not_json')
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return refused('not_json', 'not an object')
  const { type, contract_version: version } = value as Record<string, unknown>
  const schema = typeof type === 'string' && Object.hasOwn(schemas, type) ? schemas[type] : undefined
  if (schema === undefined)
    return refused('unknown_type', `${String(type)}, expected one of ${Object.keys(schemas).join(', ')}`)
  if (version !== PEER_CONTRACT_VERSION)
    return refused('wrong_version', `${String(version)}, expected ${PEER_CONTRACT_VERSION}`)
  if (!Value.Check(schema, value)) return refused('wrong_shape', problemsOf(schema, value))
  return { ok: true, message: value as T }
}

function problemsOf(schema: TSchema, value: unknown): string {
  return [...Value.Errors(schema, value)].map(({ instancePath, message }) => `${instancePath} ${message}`).join('; ')
}
