import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import t from 'tap'
import { canonicalBytes } from '../../../shared/codec/canonical.ts'
import { DOMAIN, digestPrefix, fromHex, hmacSha256, toHex } from '../../../shared/crypto/digest.ts'
import type { Canonical } from '../../../shared/model/decision.ts'
import {
  type ActuatorMessage,
  DEADLINE_US_MAX,
  type FromActuator,
  type LinkSide,
  type MessageHead,
  type ToActuator,
} from '../../../shared/protocol/actuator.ts'
import {
  ACTUATOR_FRAME_BYTES_MAX,
  openFrame,
  requestMisfit,
  sealFrame,
} from '../../../shared/protocol/actuator-frame.ts'

const FILE = join(import.meta.dirname, '..', '..', 'vectors', 'actuator-1.json')
const KEY = Uint8Array.from({ length: 32 }, (_, k) => k + 1)
const SESSION = Uint8Array.from({ length: 16 }, (_, k) => 0xf0 - k)
const NONCE = Uint8Array.from({ length: 16 }, (_, k) => 0x10 + k)

const HEADS: Readonly<Record<LinkSide, MessageHead>> = {
  agent: { from: 'agent', to: 'valve-1', session: SESSION, seq: 7, sent_us: 1_500_000, deadline_us: 250_000 },
  actuator: { from: 'valve-1', to: 'agent', session: SESSION, seq: 9, sent_us: 1_600_000, deadline_us: 2_000_000 },
}

const REQUEST = {
  t: 'request',
  key: 'a3f1:0042',
  rig: 'bench',
  action: 'shutdown',
  target: 'relief',
  params: { open: true, ratio: 0.5, steps: 3, why: 'p_chamber' },
  attempt: 1,
} as const

const FROM_AGENT: readonly ToActuator[] = [
  { t: 'hello', nonce: NONCE },
  { t: 'ping' },
  REQUEST,
  { t: 'query', key: 'a3f1:0042' },
  { t: 'proof', id: 3 },
  { t: 'permit', token: 12, begin: false, hold_us: 400_000 },
]
const FROM_ACTUATOR: readonly FromActuator[] = [
  { t: 'hello_ack', nonce: NONCE, testbed: true, idempotent: true, loss_effect: 'de_energise', version: '1.0' },
  { t: 'pong', of: 7, heard: 6 },
  { t: 'ack', key: 'a3f1:0042', stage: 'started', detail: '' },
  { t: 'answer', key: 'a3f1:0042', stage: 'unknown_key', detail: '' },
  { t: 'proof_ack', id: 3, ok: true, detail: '' },
  { t: 'permit_ack', token: 12, held: true },
  { t: 'refused', of: 7, kind: 'delay', detail: '300000 us, good for 250000' },
]
const ALL: readonly [LinkSide, ActuatorMessage][] = [
  ...FROM_AGENT.map((message) => ['agent', message] as const),
  ...FROM_ACTUATOR.map((message) => ['actuator', message] as const),
].map(([side, message]) => [side, message])

/** A frame around any body, proved and whole: what only the holder of the key can make. */
function proved(body: Canonical, key = KEY): Uint8Array {
  const bytes = canonicalBytes(body)
  const mac = hmacSha256(key, Uint8Array.from([...digestPrefix(DOMAIN.actuator), ...bytes]))
  return canonicalBytes([1, bytes, mac, crc32(mac, crc32(bytes))])
}

const body = (change: Record<string, unknown>): Canonical => {
  const fields: Record<string, unknown> = { v: 1, ...HEADS.agent, ...REQUEST, ...change }
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Canonical
}

/** Frames that are refused, each under the kind it counts as. */
function refusedFrames(): Record<string, [string, Uint8Array]> {
  const whole = sealFrame(KEY, HEADS.agent, REQUEST)
  const [version, inner, mac] = [1, canonicalBytes(body({})), whole.slice(-37, -5)]
  return {
    'is nothing': ['corrupt', new Uint8Array(0)],
    'is no list': ['corrupt', canonicalBytes({ v: 1 })],
    'is cut off': ['corrupt', whole.slice(0, -1)],
    'has a byte too many': ['corrupt', Uint8Array.from([...whole, 0])],
    'has a part too many': ['corrupt', canonicalBytes([version, inner, mac, 0, 0])],
    'has a code of another length': ['corrupt', canonicalBytes([version, inner, mac.slice(1), 0])],
    'has another checksum': ['corrupt', canonicalBytes([version, inner, mac, 1])],
    'is too long': ['corrupt', new Uint8Array(ACTUATOR_FRAME_BYTES_MAX + 1)],
    'is of a later version': ['insert', canonicalBytes([2, inner, mac, crc32(mac, crc32(inner))])],
    'is made with another key': [
      'masquerade',
      proved(
        body({}),
        Uint8Array.from({ length: 32 }, () => 9),
      ),
    ],
    'is an answer and no question': ['insert', proved({ v: 1, ...HEADS.agent, t: 'pong', of: 1, heard: 1 })],
    'is of no type': ['insert', proved(body({ t: 'explode' }))],
    'is of a type that every object has': ['insert', proved(body({ t: 'constructor' }))],
    'holds no map': ['insert', proved([1, 2])],
    'lacks a field': ['insert', proved(body({ rig: undefined }))],
    'has a field more': ['insert', proved(body({ force: true }))],
    'is of another version inside': ['insert', proved(body({ v: 2 }))],
    'asks for an action that there is not': ['insert', proved(body({ action: 'self_destruct' }))],
    'has a key that is too short': ['insert', proved(body({ key: 'k' }))],
    'has a list for a parameter': ['insert', proved(body({ params: { a: [1] } }))],
    'has no parameters': ['insert', proved(body({ params: null }))],
    'has a name with blanks': ['insert', proved(body({ rig: 'my rig' }))],
    'is good for no time': ['insert', proved(body({ deadline_us: 0 }))],
    'is good for ever': ['insert', proved(body({ deadline_us: DEADLINE_US_MAX + 1 }))],
    'counts backwards': ['insert', proved(body({ seq: -1 }))],
    'has a short session': ['insert', proved(body({ session: SESSION.slice(1) }))],
  }
}

type Vectors = {
  key: string
  valid: { side: LinkSide; t: string; frame: string }[]
  refused: { what: string; kind: string; frame: string }[]
}

function vectors(): Vectors {
  return {
    key: toHex(KEY),
    valid: ALL.map(([side, message]) => ({ side, t: message.t, frame: toHex(sealFrame(KEY, HEADS[side], message)) })),
    refused: Object.entries(refusedFrames())
      .filter(([what]) => what !== 'is too long')
      .map(([what, [kind, frame]]) => ({ what, kind, frame: toHex(frame) })),
  }
}

const isNew = !existsSync(FILE)
if (isNew) writeFileSync(FILE, `${JSON.stringify(vectors(), null, 2)}\n`)
const pinned = JSON.parse(readFileSync(FILE, 'utf8')) as Vectors

t.test('every message has the bytes it was given once and for all, and comes out as it went in', async (t) => {
  t.notOk(isNew, 'the vectors were missing and are made anew: look at them before they are committed')
  t.same(vectors(), pinned)
  ALL.forEach(([side, message], k) => {
    const opened = openFrame(fromHex(pinned.valid[k]!.frame)!, KEY, side)
    t.same(opened, { ok: true, head: HEADS[side], message }, message.t)
  })
  t.equal(new Set(ALL.map(([, { t: type }]) => type)).size, 13)
})

// verifies SE-41
t.test('what is no message of the link is refused under the kind it counts as', async (t) => {
  for (const { what, kind, frame } of pinned.refused)
    t.match(openFrame(fromHex(frame)!, KEY, 'agent'), { ok: false, kind }, what)
  t.match(openFrame(refusedFrames()['is too long']![1], KEY, 'agent'), { ok: false, kind: 'corrupt' })
})

// verifies SE-41
t.test('noise is noise: no changed bit and no lost byte of a frame goes through', async (t) => {
  const kinds = new Map<string, number>()
  let frames = 0
  for (const [side, message] of ALL) {
    const whole = sealFrame(KEY, HEADS[side], message)
    const tries = [
      ...Array.from({ length: whole.length * 8 }, (_, bit) => {
        const flipped = whole.slice()
        flipped[bit >> 3] = flipped[bit >> 3]! ^ (1 << (bit & 7))
        return flipped
      }),
      ...Array.from({ length: whole.length }, (_, length) => whole.slice(0, length)),
    ]
    for (const bytes of tries) {
      const opened = openFrame(bytes, KEY, side)
      const kind = opened.ok ? 'taken' : opened.kind
      kinds.set(kind, (kinds.get(kind) ?? 0) + 1)
      frames += 1
    }
  }
  // The version stands outside of what is checked: another one is no noise but another protocol.
  t.same([...kinds.keys()].sort(), ['corrupt', 'insert'])
  t.ok(kinds.get('insert')! <= 8 * ALL.length)
  t.comment(`counted: frames with a flipped bit or cut | ${frames} | none taken`)
})

t.test('what cannot be said is refused before it is sent', async (t) => {
  t.equal(requestMisfit(REQUEST), null)
  const wrong: readonly [string, Record<string, unknown>][] = [
    ['params', { params: { a: Number.NaN } }],
    ['params', { params: { a: Number.POSITIVE_INFINITY } }],
    ['params', { params: { a: 'x'.repeat(513) } }],
    ['params', { params: Object.fromEntries(Array.from({ length: 33 }, (_, k) => [`p${k}`, 1])) }],
    ['target', { target: '' }],
    ['attempt', { attempt: -1 }],
    ['action', { action: 'reboot' }],
  ]
  for (const [field, change] of wrong) {
    const message = { ...REQUEST, ...change } as unknown as ActuatorMessage
    t.equal(requestMisfit(message), field)
    t.throws(() => sealFrame(KEY, HEADS.agent, message), { code: 'EXECUTOR_REQUEST' })
  }
  const most = Object.fromEntries(Array.from({ length: 32 }, (_, k) => [`p${k}`, 'é'.repeat(512)]))
  t.throws(() => sealFrame(KEY, HEADS.agent, { ...REQUEST, params: most }), { code: 'EXECUTOR_REQUEST' })
})
