import { crc32 } from 'node:zlib'
import { canonicalBytes } from '../../shared/codec/canonical.ts'
import { decodeSigned } from '../../shared/codec/signed-cbor.ts'
import { DOMAIN, digestPrefix, hmacSha256 } from '../../shared/crypto/digest.ts'
import { openFrame, sealFrame } from '../../shared/protocol/actuator-frame.ts'
import type { FuzzTarget } from './fuzz.ts'

const KEY = new Uint8Array(32).fill(3)
const SESSION = new Uint8Array(16).fill(4)
const head = { from: 'agent', to: 'valve', session: SESSION, seq: 4, sent_us: 12_000, deadline_us: 300_000 }
const params = { open: true, ratio: 0.25, why: 'p_chamber' }
const frames = [
  sealFrame(KEY, { ...head, session: new Uint8Array(0), seq: 0 }, { t: 'hello', nonce: SESSION }),
  sealFrame(KEY, head, { t: 'permit', token: 9, begin: true, hold_us: 100_000 }),
  sealFrame(KEY, head, {
    ...{ t: 'request', key: 'key-0001', rig: 'r', action: 'shutdown', target: 'relief', params, attempt: 1 },
  }),
]
const bodies = frames.map((frame) => (decodeSigned(frame) as readonly [number, Uint8Array])[1])

/** The frame around any body, as only the holder of the key can make it. */
function proved(body: Uint8Array): Uint8Array {
  const mac = hmacSha256(KEY, Uint8Array.from([...digestPrefix(DOMAIN.actuator), ...body]))
  return canonicalBytes([1, body, mac, crc32(mac, crc32(body))])
}

export function actuatorTargets(): FuzzTarget[] {
  return [
    { name: 'frame of an actuator link', seeds: frames, share: 30, run: (bytes) => openFrame(bytes, KEY, 'agent').ok },
    {
      name: 'message of an actuator link, proved again',
      seeds: bodies,
      share: 50,
      run: (bytes) => openFrame(proved(bytes), KEY, 'agent').ok,
    },
  ]
}
