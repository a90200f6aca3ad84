import { crc32 } from 'node:zlib'
import { canonicalBytes } from '../codec/canonical.ts'
import { type CborCaps, decodeSigned } from '../codec/signed-cbor.ts'
import { DOMAIN, digestPrefix, hmacSha256 } from '../crypto/digest.ts'
import { isMacOf, MAC_BYTES } from '../crypto/mac.ts'
import { HbError, isHbError } from '../errors/hb-error.ts'
import { ACTIONS } from '../model/action.ts'
import type { Canonical } from '../model/decision.ts'
import { isChannelName, isId } from '../model/ids.ts'
import type { Bytes } from '../units.ts'
import {
  ACK_STAGES,
  ACTUATOR_TEXT_MAX,
  ACTUATOR_VERSION,
  type ActuatorMessage,
  DEADLINE_US_MAX,
  LINK_ERRORS,
  type LinkError,
  type LinkSide,
  LOSS_EFFECTS,
  type MessageHead,
  PARAMS_MAX,
  SESSION_BYTES,
} from './actuator.ts'

/** A longer frame is refused before it is read. Thirty-two parameters of the longest kind do not come near it. */
export const ACTUATOR_FRAME_BYTES_MAX: Bytes = 32 * 1024
const FRAME_CAPS: CborCaps = { bytesMax: ACTUATOR_FRAME_BYTES_MAX, depthMax: 4, itemsMax: 512 }

/** What a frame came to. `head` is there as soon as the authentication code proves it. */
export type OpenedFrame =
  | Readonly<{ ok: true; head: MessageHead; message: ActuatorMessage }>
  | Readonly<{ ok: false; kind: LinkError; detail: string }>

/**
 * A frame: dCBOR `[1, body, mac, crc]`. `body` are the bytes of one map of head and message; `mac` is HMAC-SHA-256 over
 * the domain and the body, `crc` the CRC-32 of body and mac. Whoever has not the key cannot make the first, and noise is
 * told from a forgery by the second.
 *
 * @throws HbError EXECUTOR_REQUEST when the message cannot be written
 */
export function sealFrame(key: Uint8Array, head: MessageHead, message: ActuatorMessage): Uint8Array {
  const fields = { v: ACTUATOR_VERSION, ...head, ...message }
  const wrong = misfit(fields, message.t)
  if (wrong !== null) throw new HbError('EXECUTOR_REQUEST', { message: message.t, field: wrong })
  const body = canonicalBytes(fields as unknown as Canonical)
  const mac = hmacSha256(key, signed(body))
  const frame = canonicalBytes([ACTUATOR_VERSION, body, mac, crcOf(body, mac)])
  if (frame.length > ACTUATOR_FRAME_BYTES_MAX)
    throw new HbError('EXECUTOR_REQUEST', {
      found: frame.length,
      expected: `at most ${ACTUATOR_FRAME_BYTES_MAX} bytes`,
    })
  return frame
}

/** Opens what the end `side` should have sent. Never throws for foreign bytes. */
export function openFrame(bytes: Uint8Array, key: Uint8Array, side: LinkSide): OpenedFrame {
  const parts = decoded(bytes)
  if (!Array.isArray(parts)) return refuse('corrupt', typeof parts === 'string' ? parts : 'not a list')
  const [version, body, mac, crc] = parts as unknown[]
  if (!(parts.length === 4 && body instanceof Uint8Array && mac instanceof Uint8Array && mac.length === MAC_BYTES))
    return refuse('corrupt', 'not a frame')
  if (crc !== crcOf(body, mac)) return refuse('corrupt', 'its checksum does not fit')
  if (version !== ACTUATOR_VERSION) return refuse('insert', `version ${String(version)}`)
  if (!isMacOf(key, signed(body), mac)) return refuse('masquerade', 'not made with the key of this link')
  const map = decoded(body)
  if (!(map instanceof Map)) return refuse('insert', 'not a map')
  return opened(fieldsOf(map as ReadonlyMap<unknown, unknown>), side)
}

function opened(fields: Record<string, unknown>, side: LinkSide): OpenedFrame {
  const t = fields['t']
  if (typeof t !== 'string' || !Object.hasOwn(SHAPES[side], t))
    return refuse('insert', 'a type that does not belong here')
  const wrong = misfit(fields, t)
  if (wrong !== null) return refuse('insert', `${t}.${wrong}`)
  const {
    v: _v,
    from,
    to,
    session,
    seq,
    sent_us,
    deadline_us,
    ...message
  } = fields as unknown as MessageHead & {
    v: unknown
  } & ActuatorMessage
  const head = { from, to, session, seq, sent_us, deadline_us }
  return { ok: true, head, message: message as unknown as ActuatorMessage }
}

/** Whether an action can be asked for as it is: null, or the field that cannot. */
export function requestMisfit(message: ActuatorMessage): string | null {
  const shape = SHAPES.agent[message.t] ?? SHAPES.actuator[message.t]!
  return misfitIn(message, { t: () => true, ...shape })
}

function refuse(kind: LinkError, detail: string): OpenedFrame {
  return { ok: false, kind, detail }
}

/** The value, or the reason why there is none. */
function decoded(bytes: Uint8Array): Canonical {
  try {
    return decodeSigned(bytes, FRAME_CAPS)
  } catch (error) {
    if (isHbError(error, 'CBOR_REFUSED')) return `bytes: ${String(error.context['reason'])}`
    throw error
  }
}

function signed(body: Uint8Array): Uint8Array {
  const prefix = digestPrefix(DOMAIN.actuator)
  const whole = new Uint8Array(prefix.length + body.length)
  whole.set(prefix)
  whole.set(body, prefix.length)
  return whole
}

function crcOf(body: Uint8Array, mac: Uint8Array): number {
  return crc32(mac, crc32(body))
}

/** Fields of a map with text keys; what is a map in turn becomes an object too. */
function fieldsOf(map: ReadonlyMap<unknown, unknown>): Record<string, unknown> {
  const fields: [string, unknown][] = []
  for (const [name, value] of map)
    fields.push([
      String(name),
      value instanceof Map ? Object.fromEntries(value as ReadonlyMap<string, unknown>) : value,
    ])
  return Object.fromEntries(fields)
}

type Holds = (value: unknown) => boolean
type Shape = Readonly<Record<string, Holds>>

const isCount: Holds = (value) => Number.isSafeInteger(value) && (value as number) >= 0
const isFlag: Holds = (value) => typeof value === 'boolean'
const isName: Holds = (value) => typeof value === 'string' && isId(value)
const isText: Holds = (value) => typeof value === 'string' && value.length <= ACTUATOR_TEXT_MAX
const isLabel: Holds = (value) => typeof value === 'string' && isChannelName(value)
const isNonce: Holds = (value) => value instanceof Uint8Array && value.length === SESSION_BYTES
const isKey: Holds = (value) => typeof value === 'string' && /^[A-Za-z0-9._:-]{8,128}$/.test(value)
const isSpan: Holds = (value) => isCount(value) && (value as number) > 0 && (value as number) <= DEADLINE_US_MAX
const oneOf =
  (words: readonly string[]): Holds =>
  (value) =>
    typeof value === 'string' && words.includes(value)
const isParams: Holds = (value) =>
  typeof value === 'object' &&
  value !== null &&
  Object.keys(value).length <= PARAMS_MAX &&
  Object.entries(value).every(([name, one]) => isLabel(name) && (isText(one) || isFlag(one) || Number.isFinite(one)))

const HEAD: Shape = {
  v: (value) => value === ACTUATOR_VERSION,
  t: isText,
  from: isName,
  to: isName,
  session: (value) => value instanceof Uint8Array && [0, SESSION_BYTES].includes(value.length),
  seq: isCount,
  sent_us: isCount,
  deadline_us: isSpan,
}
const SHAPES: Readonly<Record<LinkSide, Readonly<Record<string, Shape>>>> = {
  agent: {
    hello: { nonce: isNonce },
    ping: {},
    request: {
      key: isKey,
      rig: isName,
      action: oneOf(ACTIONS),
      target: isLabel,
      params: isParams,
      attempt: isCount,
    },
    query: { key: isKey },
    proof: { id: isCount },
    permit: { token: isCount, begin: isFlag, hold_us: isSpan },
  },
  actuator: {
    hello_ack: {
      nonce: isNonce,
      testbed: isFlag,
      idempotent: isFlag,
      loss_effect: oneOf(LOSS_EFFECTS),
      version: isText,
    },
    pong: { of: isCount, heard: isCount },
    ack: { key: isKey, stage: oneOf(ACK_STAGES), detail: isText },
    answer: { key: isKey, stage: oneOf([...ACK_STAGES, 'unknown_key']), detail: isText },
    proof_ack: { id: isCount, ok: isFlag, detail: isText },
    permit_ack: { token: isCount, held: isFlag },
    refused: { of: isCount, kind: oneOf(LINK_ERRORS), detail: isText },
  },
}

function misfit(fields: Record<string, unknown>, t: string): string | null {
  return misfitIn(fields, { ...HEAD, ...(SHAPES.agent[t] ?? SHAPES.actuator[t]!) })
}

/** First field that is missing, of another kind, or not of this message. */
function misfitIn(fields: Readonly<Record<string, unknown>>, shape: Shape): string | null {
  for (const [field, holds] of Object.entries(shape)) if (!holds(fields[field])) return field
  for (const field of Object.keys(fields)) if (!Object.hasOwn(shape, field)) return field
  return null
}
