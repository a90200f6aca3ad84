import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import Fastify from 'fastify'
import t from 'tap'
import { ROOT } from '../../../scripts/sources.ts'
import { webhookProblem, webhookSignature } from '../../../shared/crypto/webhook-signature.ts'
import { INBOUND_SCHEMAS, OUTBOUND_SCHEMAS, PEER_MESSAGE_BYTES_MAX } from '../../../shared/protocol/peer-contract.ts'
import { openPeerFrame, sealPeerFrame } from '../../../shared/protocol/peer-frame.ts'
import { PEER_AGE_MAX_US, readInbound, readOutbound } from '../../../shared/protocol/peer-reader.ts'

type Message = Readonly<Record<string, unknown>>
type Vector = Readonly<{ name: string; way: 'in' | 'out'; refusal?: string; message: Message }>
const VECTORS = JSON.parse(readFileSync(join(ROOT, 'test', 'vectors', 'peer-1.json'), 'utf8')) as Readonly<{
  valid: readonly Vector[]
  invalid: readonly Vector[]
}>
const NOW_US = Date.parse('2026-01-01T00:00:00Z') * 1000
const bytes = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value))
const read = ({ way, message }: Pick<Vector, 'way' | 'message'>, nowUs = NOW_US) =>
  way === 'in' ? readInbound(bytes(message), { identity: 'waveos', nowUs }) : readOutbound(bytes(message))

t.test('what is a message is read as it is, and what is none is refused by name', async (t) => {
  for (const vector of VECTORS.valid) t.same(read(vector), { ok: true, message: vector.message }, vector.name)
  for (const vector of VECTORS.invalid) t.match(read(vector), { ok: false, refusal: vector.refusal }, vector.name)
  const types = new Set(VECTORS.valid.map(({ message }) => message['type']))
  t.same([...types].sort(), Object.keys({ ...OUTBOUND_SCHEMAS, ...INBOUND_SCHEMAS }).sort(), 'every type has a vector')
  t.comment(
    `counted: messages of the peer contract | ${VECTORS.valid.length} + ${VECTORS.invalid.length} | read, refused by name`,
  )
})

t.test('the published schemas, read by another validator, say the same', async (t) => {
  const app = Fastify({ ajv: { customOptions: { removeAdditional: false, coerceTypes: false } } })
  t.teardown(() => app.close())
  for (const type of Object.keys({ ...OUTBOUND_SCHEMAS, ...INBOUND_SCHEMAS })) {
    const file = `${type.toLowerCase().replaceAll('_', '-')}.json`
    const text = readFileSync(join(ROOT, 'docs', 'reference', 'peer', file), 'utf8')
    const { $schema, ...body } = JSON.parse(text) as Record<string, unknown>
    t.equal($schema, 'https://json-schema.org/draft/2020-12/schema')
    app.post(`/${type}`, { schema: { body } }, async () => '')
  }
  const status = async ({ message }: Vector): Promise<number> =>
    (await app.inject({ method: 'POST', url: `/${String(message['type'])}`, payload: message })).statusCode
  for (const vector of VECTORS.valid) t.equal(await status(vector), 200, vector.name)
  const ofType = VECTORS.invalid.filter(({ refusal }) => refusal !== 'unknown_type')
  t.ok(ofType.length > 30)
  for (const vector of ofType) t.equal(await status(vector), 400, vector.name)
})

// verifies SE-41
t.test('who speaks under another name, too early, too late, too long or no JSON is refused', async (t) => {
  const ack = VECTORS.valid.find(({ name }) => name === 'ack')!
  const of = (change: Message, nowUs = NOW_US) => read({ way: 'in', message: { ...ack.message, ...change } }, nowUs)
  t.match(of({ system_id: 'waveos-2' }), { refusal: 'wrong_identity' })
  t.match(of({ system_id: 'bench-1' }), { refusal: 'wrong_identity' }, 'not even under the name of the agent')
  const saidUs = NOW_US + 250_000
  t.match(of({}, saidUs + PEER_AGE_MAX_US), { ok: true })
  t.match(of({}, saidUs - PEER_AGE_MAX_US), { ok: true })
  t.match(of({}, saidUs + PEER_AGE_MAX_US + 1), { refusal: 'too_old' })
  t.match(of({}, saidUs - PEER_AGE_MAX_US - 1), { refusal: 'too_old' })
  t.match(of({ timestamp: '2026-99-99T00:00:00Z' }), { refusal: 'too_old' }, 'a time that is none')
  const raw = (text: Uint8Array) => readInbound(text, { identity: 'waveos', nowUs: NOW_US })
  const padded = (length: number): Uint8Array => {
    const text = JSON.stringify(ack.message)
    return new TextEncoder().encode(text + ' '.repeat(length - text.length))
  }
  t.match(raw(padded(PEER_MESSAGE_BYTES_MAX)), { ok: true })
  t.match(raw(padded(PEER_MESSAGE_BYTES_MAX + 1)), { refusal: 'too_large' })
  for (const text of ['', '{', 'null', '[]', '1', '"ACTION_ACK"'])
    t.match(raw(new TextEncoder().encode(text)), { refusal: 'not_json' }, text)
  t.match(raw(new Uint8Array([0x22, 0xff, 0x22])), { refusal: 'not_json' }, 'no UTF-8')
})

// verifies SE-41
t.test('a frame counts under its key and in its direction, and with every bit of it', async (t) => {
  const key = new Uint8Array(32).fill(7)
  const json = bytes({ a: 1 })
  const frame = sealPeerFrame(key, 'to_agent', json)
  t.same(openPeerFrame(key, 'to_agent', frame), json)
  t.equal(openPeerFrame(key, 'to_peer', frame), null, 'sent back to where it came from')
  t.equal(openPeerFrame(new Uint8Array(32).fill(8), 'to_agent', frame), null)
  for (let bit = 0; bit < frame.length * 8; bit += 1) {
    const flipped = frame.slice()
    flipped[bit >> 3]! ^= 1 << (bit & 7)
    if (openPeerFrame(key, 'to_agent', flipped) !== null) t.fail(`bit ${bit} does not matter`)
  }
  for (let length = 0; length < frame.length; length += 1)
    if (openPeerFrame(key, 'to_agent', frame.slice(0, length)) !== null) t.fail(`cut to ${length}`)
})

// verifies SE-41
t.test('a request counts when id, time and body are those that were signed', async (t) => {
  const secret = new Uint8Array(32).fill(7)
  const body = bytes({ a: 1 })
  const timestampS = NOW_US / 1e6
  const signed = {
    'webhook-id': 'm-1',
    'webhook-timestamp': String(timestampS),
    'webhook-signature': webhookSignature(secret, { id: 'm-1', timestampS, body }),
  }
  const problem = (
    headers: Readonly<Record<string, string | undefined>>,
    change: { body?: Uint8Array; nowUs?: number } = {},
  ) => webhookProblem(secret, headers, { body, nowUs: NOW_US, ...change })
  t.equal(problem(signed), null)
  t.equal(problem({ ...signed, 'webhook-signature': `v1,AAAA ${signed['webhook-signature']}` }), null, 'one of several')
  for (const name of Object.keys(signed)) t.equal(problem({ ...signed, [name]: undefined }), 'unsigned', name)
  t.equal(problem({ ...signed, 'webhook-timestamp': 'NaN' }), 'unsigned')
  t.equal(problem({ ...signed, 'webhook-id': 'm-2' }), 'wrong_signature')
  t.equal(problem({ ...signed, 'webhook-timestamp': String(timestampS + 1) }), 'wrong_signature')
  t.equal(problem(signed, { body: bytes({ a: 2 }) }), 'wrong_signature')
  t.equal(problem(signed, { nowUs: NOW_US + 121e6 }), 'too_old')
  t.equal(problem(signed, { nowUs: NOW_US - 121e6 }), 'too_old')
})
