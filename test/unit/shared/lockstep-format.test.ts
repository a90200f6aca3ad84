import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { fromHex, toHex } from '../../../shared/crypto/digest.ts'
import {
  decodeLockstep,
  encodeLockstep,
  LOCKSTEP_BYTES_MAX,
  type LockstepMessage,
  type LockstepSide,
} from '../../../shared/protocol/lockstep.ts'

type Vectors = Readonly<{
  valid: readonly Readonly<{ name: string; side: LockstepSide; message: LockstepMessage; bytes: string }>[]
  invalid: readonly Readonly<{ name: string; side: LockstepSide; bytes: string; detail: string }>[]
}>
const FILE = join(import.meta.dirname, '..', '..', 'vectors', 'lockstep-1.json')
const { valid, invalid } = JSON.parse(readFileSync(FILE, 'utf8')) as Vectors

t.test('messages of a lock-step have the bytes they were given once and for all', async (t) => {
  for (const { name, side, message, bytes } of valid) {
    t.equal(toHex(encodeLockstep(message)), bytes, name)
    t.same(decodeLockstep(side, fromHex(bytes)!), { ok: true, message }, name)
    t.match(decodeLockstep(side === 'bench' ? 'agent' : 'bench', fromHex(bytes)!), { ok: false }, `${name}, other end`)
  }
})

t.test('what is no such message is refused by what is wrong with it', async (t) => {
  for (const { name, side, bytes, detail } of invalid)
    t.same(decodeLockstep(side, fromHex(bytes)!), { ok: false, detail }, name)
  t.match(decodeLockstep('bench', new Uint8Array(LOCKSTEP_BYTES_MAX + 1)), { ok: false, detail: 'bytes: too_large' })
})
