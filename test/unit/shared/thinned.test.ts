import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { batchBody, readOutboxFile } from '../../../agent/adapters/outbox-files.ts'
import { canonicalBytes } from '../../../shared/codec/canonical.ts'
import { encodeRecord } from '../../../shared/codec/record-file.ts'
import { decodeTransport, encodeTransport } from '../../../shared/codec/transport.ts'
import { openCose, signCose } from '../../../shared/crypto/cose.ts'
import { fromHex, toHex } from '../../../shared/crypto/digest.ts'
import { readPublicKey, signerFromPem } from '../../../shared/crypto/sign.ts'
import type { Canonical } from '../../../shared/model/decision.ts'
import {
  BATCH_TYP,
  buildBatch,
  buildThinned,
  openBatch,
  openThinned,
  rootOfItems,
} from '../../../shared/protocol/batch.ts'
import { readAgentMessage, writeMessage } from '../../../shared/protocol/messages.ts'
import {
  createStickWriter,
  openManifest,
  readStick,
  STICK_THINNED_VERSION,
  type StickBatch,
} from '../../../shared/protocol/stick.ts'
import { itemsFrom, plainHeader } from '../../support/agent-double.ts'

/** A key for vectors only; signatures of Ed25519 are the same every time. */
const signer = signerFromPem(`-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g
-----END PRIVATE KEY-----
`)
const key = readPublicKey(signer.spki)
const OWNER = new Uint8Array([1, 2, 3])
const SEED = new Uint8Array(32).fill(5)
const ITEMS = itemsFrom(1, 'r', 'PASS')
const HEADER = plainHeader({
  deployment: 'demo',
  agent: 'bench-1',
  epoch: 1,
  batchSeq: 1,
  prev: new Uint8Array(32),
  firstSeq: 1,
  count: 10,
})
const BATCH = buildBatch({ header: HEADER, items: ITEMS, seed: SEED, signer })
const ENTRY = { epoch: 1, batchSeq: 1, firstSeq: 1, count: 10, madeUs: 9, seed: SEED, cose: BATCH.cose, records: null }
const ABOUT = { deployment: 'demo', agent: 'bench-1', madeUs: 9, version: '0.1.0', rigs: [{ rig: 'r', program: 'p' }] }

function stick(version: 1 | 2, batches: readonly StickBatch[]): Uint8Array {
  const parts: Uint8Array[] = []
  const writer = createStickWriter('batches', (part) => parts.push(part), version)
  for (const batch of batches) writer.batch(batch)
  writer.finish(ABOUT, signer)
  return new Uint8Array(Buffer.concat(parts))
}

const whole = { epoch: 1, batchSeq: 1, cose: BATCH.cose, records: BATCH.records }
const thinned = { epoch: 1, batchSeq: 2, cose: BATCH.cose, records: null }

/** What thinned batches look like wherever they are. */
function vectors(): Record<string, string> {
  return {
    'message batch_thinned': toHex(
      writeMessage({ t: 'batch_thinned', v: 1, epoch: 1, batch_seq: 1, cose: BATCH.cose }),
    ),
    'outbox record of a thinned batch': toHex(encodeRecord(7, batchBody(ENTRY), OWNER)),
    'stick of whole and thinned batches': toHex(stick(STICK_THINNED_VERSION, [whole, thinned])),
    'batch signed anew over a root': toHex(buildThinned({ header: { ...HEADER, epoch: 2 }, root: SEED, signer })),
  }
}

const FILE = join(import.meta.dirname, '..', '..', 'vectors', 'formats-4.json')
const isNew = !existsSync(FILE)
if (isNew) writeFileSync(FILE, `${JSON.stringify(vectors(), null, 2)}\n`)
const pinned = JSON.parse(readFileSync(FILE, 'utf8')) as Record<string, string>
const bytesOf = (name: string): Uint8Array => fromHex(pinned[name]!)!

t.test('thinned batches have the bytes they were given once and for all, and read back as what they are', async (t) => {
  t.notOk(isNew, 'the vectors were missing and are made anew: look at them before they are committed')
  t.same(vectors(), pinned)
  const read = readAgentMessage(bytesOf('message batch_thinned'))
  t.match(read, { ok: true, message: { t: 'batch_thinned', v: 1, epoch: 1, batch_seq: 1 } })
  const [record] = [...readOutboxFile(bytesOf('outbox record of a thinned batch'), OWNER)]
  t.match(record, { kind: 'batch', seq: 7, entry: { batchSeq: 1, firstSeq: 1, count: 10, records: null } })
  t.same((record as { entry: typeof ENTRY }).entry.seed, SEED, 'the seed is kept: with it a replay can prove it')
  const content = readStick('x', bytesOf('stick of whole and thinned batches'), 'batches')
  t.same(
    content.batches.map(({ records }) => records === null),
    [false, true],
  )
  t.match(openManifest(content, 'batches', key), { agent: 'bench-1', count: 2 })
  t.same(openThinned(bytesOf('batch signed anew over a root'), key).root, SEED)
})

t.test('the header that is left stands for the same batch, and its root for the same decisions', async (t) => {
  const opened = openBatch({ ...BATCH, key })
  const left = openThinned(BATCH.cose, key)
  t.same(left.header, opened.header)
  t.same(left.identity, opened.identity)
  t.same(rootOfItems(opened.items, SEED), left.root)
  t.notSame(rootOfItems(opened.items, new Uint8Array(32)), left.root, 'only under its own seed')
  t.notSame(rootOfItems(itemsFrom(1, 'r', 'FAIL'), SEED), left.root)
})

t.test('a thinned batch of another shape is refused wherever it comes from', async (t) => {
  const message = decodeTransport(bytesOf('message batch_thinned')) as Record<string, unknown>
  const { v: _v, ...withoutVersion } = message
  const messages: [string, unknown][] = [
    ['another version', { ...message, v: 2 }],
    ['no version', withoutVersion],
    ['records after all', { ...message, records: new Uint8Array(1) }],
    ['no header', { ...message, cose: null }],
    ['a number below zero', { ...message, batch_seq: -1 }],
    ['as a whole one without records', { t: 'batch', epoch: 1, batch_seq: 1, cose: BATCH.cose }],
    ['as a whole one with null', { t: 'batch', epoch: 1, batch_seq: 1, cose: BATCH.cose, records: null }],
  ]
  for (const [name, value] of messages) t.match(readAgentMessage(encodeTransport(value)), { ok: false }, name)
  const place: Canonical[] = [1, 1, 1, 10, 9]
  const records: [string, Canonical[]][] = [
    ['without a seed', [3, ...place, BATCH.cose]],
    ['with records', [3, ...place, BATCH.cose, BATCH.records, SEED]],
    ['a whole one without records', [1, ...place, BATCH.cose, SEED]],
    ['of an unknown kind', [4, ...place, BATCH.cose, SEED]],
  ]
  for (const [name, body] of records)
    t.match([...readOutboxFile(encodeRecord(1, canonicalBytes(body), OWNER), OWNER)], [{ kind: 'damage' }], name)
  t.throws(() => stick(1, [thinned]), /version 1 has no thinned batches/)
  const head = (version: number): Uint8Array => encodeRecord(1, canonicalBytes([0, version, 'batches']))
  const body = (fields: Canonical[]): Uint8Array => encodeRecord(2, canonicalBytes(fields))
  const sticks: [string, Uint8Array][] = [
    ['a thinned batch under version 1', Buffer.concat([head(1), body([4, 1, 2, BATCH.cose])])],
    ['version 3', Buffer.concat([head(3), body([4, 1, 2, BATCH.cose])])],
    ['a thinned batch with records', Buffer.concat([head(2), body([4, 1, 2, BATCH.cose, BATCH.records])])],
    ['receipts of version 2', Buffer.concat([encodeRecord(1, canonicalBytes([0, 2, 'receipts']))])],
  ]
  for (const [name, bytes] of sticks)
    t.throws(
      () => readStick('x', new Uint8Array(bytes), name.startsWith('receipts') ? 'receipts' : 'batches'),
      {
        code: 'STICK_DAMAGED',
      },
      name,
    )
  const named = readStick('x', bytesOf('stick of whole and thinned batches'), 'batches')
  t.throws(() => openManifest({ ...named, version: 1 }, 'batches', key), { code: 'COSE_SHAPE' })
  const flipped = new Uint8Array(BATCH.cose)
  flipped[flipped.length - 1] = flipped[flipped.length - 1]! ^ 1
  t.throws(() => openThinned(flipped, key), { code: 'BATCH_SIGNATURE' })
  const strange = { ...HEADER, agent: 'bench-2' }
  const other = buildThinned({ header: strange, root: SEED, signer })
  t.match(openThinned(other, key).header, { agent: 'bench-2' }, 'whose it is, the collector asks')
  const { payload } = openCose(BATCH.cose, { typ: BATCH_TYP, key })
  const renamed = signCose({ typ: BATCH_TYP, issuer: 'spiffe://demo/agent/bench-2', subject: 'run/', payload, signer })
  t.throws(() => openThinned(renamed, key), { code: 'BATCH_SHAPE' }, 'signed by another name than it says')
  t.throws(() => openBatch({ ...BATCH, cose: renamed, key }), { code: 'BATCH_SHAPE' })
  const count = messages.length + records.length + sticks.length + 3
  t.comment(`counted: thinned batches of another shape | ${count} | each refused`)
})
