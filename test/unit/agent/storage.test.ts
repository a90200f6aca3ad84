import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { createCheckpointFolder } from '../../../agent/adapters/checkpoint-folder.ts'
import { FileJournal, type JournalOptions } from '../../../agent/adapters/file-journal.ts'
import { FileOutbox } from '../../../agent/adapters/file-outbox.ts'
import { type Files, systemFiles } from '../../../agent/adapters/files.ts'
import { lockHolder, openStateFolder, readStateFolder } from '../../../agent/adapters/state-folder.ts'
import type { JournalDamage, JournalRecord, OutboxEntry } from '../../../agent/ports.ts'
import { signCose } from '../../../shared/crypto/cose.ts'
import { generateSigner } from '../../../shared/crypto/sign.ts'

const UNBOUNDED = Number.MAX_SAFE_INTEGER
const CHAIN = { epoch: 1, keyEpoch: 1, owner: new Uint8Array(16) }
const { signer } = generateSigner()
const text = new TextEncoder()

function folderFor(t: { teardown(fn: () => void): unknown }): string {
  const folder = fs.mkdtempSync(join(tmpdir(), 'hb-storage-'))
  t.teardown(() => fs.rmSync(folder, { recursive: true, force: true }))
  return folder
}

function openJournal(folder: string, more: Partial<JournalOptions> = {}, files: Files = systemFiles): FileJournal {
  const options = {
    folder,
    id: new Uint8Array(16),
    segmentBytes: UNBOUNDED,
    bytesMax: UNBOUNDED,
    neededFrom: () => UNBOUNDED,
  }
  return new FileJournal(files, { ...options, ...more })
}

async function readAll(journal: FileJournal, from = 1, to?: number): Promise<(JournalRecord | JournalDamage)[]> {
  const all: (JournalRecord | JournalDamage)[] = []
  for await (const record of journal.read(from, to)) all.push(record)
  return all
}

const bodies = (n: number): Uint8Array[] => Array.from({ length: n }, (_, k) => text.encode(`input ${k + 1}`))

/** A disk on which writing fails as told: with an error code, after some bytes of it were written. */
function failingFiles(fault: { code: string | null; partial: number }): Files {
  const writeSync = (fd: number, bytes: Uint8Array, offset: number, length: number, position: number): number => {
    if (fault.code === null) return fs.writeSync(fd, bytes, offset, length, position)
    if (fault.partial > 0) {
      const written = fs.writeSync(fd, bytes, offset, Math.min(fault.partial, length), position)
      fault.partial = 0
      return written
    }
    throw Object.assign(new Error(fault.code), { code: fault.code })
  }
  return { ...systemFiles, writeSync: writeSync as Files['writeSync'] }
}

t.test('a journal gives back what was appended, over segments and over a new start', async (t) => {
  const folder = folderFor(t)
  const journal = openJournal(folder, { segmentBytes: 128 })
  for (const body of bodies(20)) journal.append([body])
  t.ok(fs.readdirSync(folder).length > 3, 'in several segments')
  await journal.sync()
  t.equal(journal.durableSeq, 20)
  await journal.close()
  const again = openJournal(folder, { segmentBytes: 128 })
  t.equal(again.lastSeq, 20)
  t.equal(again.torn, null)
  t.same(again.append([text.encode('next')]), { first: 21, last: 21 })
  const read = await readAll(again, 5, 7)
  t.same(
    read.map((r) => r.kind === 'record' && r.seq),
    [5, 6, 7],
  )
  t.equal(Buffer.from((read[0] as JournalRecord).body).toString(), 'input 5')
  await again.close()
})

t.test('a journal cut at any byte keeps every whole record and goes on behind them', async (t) => {
  const folder = folderFor(t)
  const journal = openJournal(folder)
  const ends: number[] = []
  for (const body of bodies(6)) {
    journal.append([body])
    ends.push(journal.bytes)
  }
  await journal.close()
  const file = join(folder, fs.readdirSync(folder)[0]!)
  const whole = fs.readFileSync(file)
  for (let cut = 0; cut < whole.length; cut += 1) {
    fs.writeFileSync(file, whole.subarray(0, cut))
    const opened = openJournal(folder)
    const kept = ends.filter((end) => end <= cut).length
    if (opened.lastSeq !== kept) t.fail(`cut at ${cut}: ${opened.lastSeq} records, expected ${kept}`)
    opened.append([text.encode('after')])
    const read = await readAll(opened)
    if (read.length !== kept + 1 || read.some((r) => r.kind === 'damage')) t.fail(`cut at ${cut}: not whole afterwards`)
    await opened.close()
    for (const name of fs.readdirSync(folder)) if (name.endsWith('.torn')) fs.rmSync(join(folder, name))
  }
  t.pass(`${whole.length} cuts`)
})

// verifies REQ-EVD-005
t.test('a flipped byte anywhere is found: no record is ever given back changed', async (t) => {
  const folder = folderFor(t)
  const journal = openJournal(folder)
  for (const body of bodies(6)) journal.append([body])
  await journal.close()
  const file = join(folder, fs.readdirSync(folder)[0]!)
  const whole = fs.readFileSync(file)
  let named = 0
  for (let at = 0; at < whole.length; at += 1) {
    const flipped = Buffer.from(whole)
    flipped[at] = flipped[at]! ^ 0x10
    fs.writeFileSync(file, flipped)
    const opened = openJournal(folder, { readOnly: true })
    const records = await readAll(opened, 1, 6)
    for (const r of records)
      if (r.kind === 'record' && Buffer.from(r.body).toString() !== `input ${r.seq}`)
        t.fail(`byte ${at}: record ${r.seq} came back changed`)
    if (records.some((r) => r.kind === 'damage')) named += 1
  }
  t.equal(named, whole.length, 'every one of them is named as damage')
})

t.test('a full or read-only disk refuses with its code, leaves no half record, and takes the next one', async (t) => {
  for (const [code, expected] of [
    ['ENOSPC', 'DISK_FULL'],
    ['EROFS', 'DISK_READ_ONLY'],
    ['EIO', 'DISK_FAILED'],
  ] as const) {
    const fault = { code: null as string | null, partial: 0 }
    const folder = folderFor(t)
    const journal = openJournal(folder, {}, failingFiles(fault))
    journal.append([text.encode('before')])
    Object.assign(fault, { code, partial: 9 })
    t.throws(() => journal.append([text.encode('refused')]), { code: expected })
    t.equal(journal.lastSeq, 1)
    fault.code = null
    t.same(journal.append([text.encode('after')]), { first: 2, last: 2 })
    const read = await readAll(journal)
    t.same(
      read.map((r) => (r.kind === 'record' ? Buffer.from(r.body).toString() : r.reason)),
      ['before', 'after'],
    )
    await journal.close()
  }
})

t.test('at its bound the oldest segment goes, but none that a start needs, and pinned ones last', async (t) => {
  const folder = folderFor(t)
  let needed = 1
  const journal = openJournal(folder, { segmentBytes: 100, bytesMax: 400, neededFrom: () => needed })
  for (const body of bodies(30)) journal.append([body])
  t.equal(journal.firstSeq, 1, 'all of it is needed: the bound gives way')
  needed = UNBOUNDED
  for (const body of bodies(10)) journal.append([body])
  t.ok(journal.firstSeq > 20 && journal.bytes <= 500)
  const pinned = journal.firstSeq
  journal.pin(pinned, pinned + 1)
  journal.savePins()
  await journal.close()
  const again = openJournal(folder, { segmentBytes: 100, bytesMax: 400, neededFrom: () => needed })
  for (const body of bodies(30)) again.append([body])
  t.ok(again.bytes <= 500 && again.firstSeq > pinned + 2, 'what is whole begins later')
  t.match(
    await readAll(again, pinned, pinned),
    [{ kind: 'record', seq: pinned }],
    'what was pinned before the start is still there',
  )
  const kinds = (await readAll(again, pinned, again.firstSeq)).map((r) => r.kind)
  t.same([...new Set(kinds)], ['record', 'damage'], 'and the hole behind it is named')
  t.equal(kinds.at(-1), 'record')
  await again.close()
})

t.test('everybody who waits for the disk shares the next sync', async (t) => {
  let syncs = 0
  const files: Files = {
    ...systemFiles,
    fdatasync: ((fd: number, done: (error: Error | null) => void) => {
      syncs += 1
      fs.fdatasync(fd, done)
    }) as Files['fdatasync'],
  }
  const journal = openJournal(folderFor(t), {}, files)
  journal.append(bodies(1))
  await Promise.all(Array.from({ length: 50 }, () => journal.sync()))
  t.equal(syncs, 1)
  t.equal(journal.durableSeq, 1)
  await journal.close()
})

const entry = (batchSeq: number, epoch = 1): OutboxEntry => ({
  epoch,
  batchSeq,
  firstSeq: batchSeq * 10 - 9,
  count: 10,
  madeUs: batchSeq,
  records: text.encode(`records ${batchSeq}`),
  seed: new Uint8Array(32),
  cose: signCose({ typ: 'test', issuer: 'a', subject: 'b', payload: text.encode(`batch ${batchSeq}`), signer }),
})

t.test(
  'an outbox keeps batches, receipts and its place over a start, and deletes only what is receipted',
  async (t) => {
    const folder = folderFor(t)
    const open = (bytesMax = UNBOUNDED): FileOutbox => new FileOutbox(systemFiles, { ...CHAIN, folder, bytesMax })
    const outbox = open()
    for (let seq = 1; seq <= 5; seq += 1) await outbox.append(entry(seq))
    await outbox.receipted(1, text.encode('receipt'))
    t.match(outbox.pending(), { batches: 4, oldestUs: 2 })
    await outbox.close()
    const again = open()
    t.match(again, { lastBatchSeq: 5, lastDecisionSeq: 50, receiptedThrough: 1 })
    t.same(again.head, outbox.head)
    t.same(
      (await again.read(2, 2)).map((e) => e.batchSeq),
      [2, 3],
    )
    await again.close()
    const small = open(again.bytes + 10)
    await t.rejects(small.append(entry(6)), { code: 'OUTBOX_FULL' })
    t.equal(small.lastBatchSeq, 5, 'the refused batch did not count')
    await small.close()
  },
)

t.test('an outbox cut at any byte keeps every batch that was whole', async (t) => {
  const folder = folderFor(t)
  const outbox = new FileOutbox(systemFiles, { ...CHAIN, folder, bytesMax: UNBOUNDED })
  const ends: number[] = []
  for (let seq = 1; seq <= 3; seq += 1) {
    await outbox.append(entry(seq))
    ends.push(outbox.bytes)
  }
  await outbox.close()
  const file = join(folder, fs.readdirSync(folder)[0]!)
  const whole = fs.readFileSync(file)
  for (let cut = 0; cut < whole.length; cut += 1) {
    fs.writeFileSync(file, whole.subarray(0, cut))
    const opened = new FileOutbox(systemFiles, { ...CHAIN, folder, bytesMax: UNBOUNDED })
    const kept = ends.filter((end) => end <= cut).length
    if (opened.lastBatchSeq !== kept) t.fail(`cut at ${cut}: ${opened.lastBatchSeq} batches, expected ${kept}`)
    if ((opened.torn !== null) !== (cut > 0 && !ends.includes(cut)))
      t.fail(`cut at ${cut}: ${JSON.stringify(opened.torn)}`)
    await opened.close()
  }
  const flipped = Buffer.from(whole)
  flipped[40] = flipped[40]! ^ 1
  fs.writeFileSync(file, flipped)
  const damaged = new FileOutbox(systemFiles, { ...CHAIN, folder, bytesMax: UNBOUNDED })
  t.match(
    damaged,
    { lastBatchSeq: 3, chainBroken: false, damage: [{ reason: 'bad_body' }] },
    'what is after it is kept',
  )
  await damaged.close()
  const again = new FileOutbox(systemFiles, { ...CHAIN, folder, bytesMax: UNBOUNDED })
  t.same([again.damage, again.lastBatchSeq], [[], 3], 'said once: the file as it was is put aside')
  await again.close()
})

t.test('a new key begins a new epoch, a new start does not; a folder in use or of another is refused', async (t) => {
  const folder = join(folderFor(t), 'state')
  const want = (key: number, agent = 'bench-1'): Parameters<typeof openStateFolder>[2] => ({
    agent,
    spki: new Uint8Array(44).fill(key),
    realm: 'production',
    nowUs: 1,
  })
  const first = openStateFolder(systemFiles, folder, want(1))
  t.equal(first.identity.epoch, 1)
  t.equal(lockHolder(systemFiles, folder), process.pid)
  t.throws(() => openStateFolder(systemFiles, folder, want(1)), { code: 'STATE_LOCKED' })
  t.equal(readStateFolder(systemFiles, folder).identity.agent, 'bench-1')
  first.release()
  first.release()
  const second = openStateFolder(systemFiles, folder, want(1))
  t.same(second.identity, first.identity)
  second.release()
  const third = openStateFolder(systemFiles, folder, want(2))
  t.equal(third.identity.epoch, 2)
  t.same(third.identity.journalId, first.identity.journalId)
  third.release()
  t.throws(() => openStateFolder(systemFiles, folder, want(2, 'other')), { code: 'STATE_FOLDER_SHAPE' })
  fs.writeFileSync(join(folder, 'lock'), '999999999 1')
  openStateFolder(systemFiles, folder, want(2)).release()
  const strange = join(folderFor(t), 'home')
  fs.mkdirSync(strange)
  fs.writeFileSync(join(strange, 'letter.txt'), 'dear')
  t.throws(() => openStateFolder(systemFiles, strange, want(1)), { code: 'STATE_FOLDER_SHAPE' })
  t.throws(() => readStateFolder(systemFiles, strange), { code: 'STATE_MISSING' })
})

t.test('the newest whole saved state is found; older ones are thinned out within their bound', async (t) => {
  const folder = folderFor(t)
  let journalFirstSeq = 1
  const open = (historyBytesMax: number) =>
    createCheckpointFolder(systemFiles, { folder, keep: 2, historyBytesMax, journalFirstSeq: () => journalFirstSeq })
  const kept = (): number[] =>
    fs
      .readdirSync(folder)
      .map((name) => Number.parseInt(name, 10))
      .sort((a, b) => a - b)
  const states = open(10_000)
  for (let seq = 10; seq <= 100; seq += 10) await states.save(seq, text.encode(`state ${seq}`))
  t.equal(kept().length, 10)
  t.equal(states.neededSeq(), 90, 'what a start may need is only the newest ones')
  const small = open(130)
  await small.save(110, text.encode('state 110'))
  const gaps = kept().map((seq, k, all) => seq - (all[k - 1] ?? seq))
  t.ok(Math.max(...gaps) <= 50, `what is left is spread: ${kept().join(' ')}`)
  t.ok(kept().length <= 5 && kept().includes(10) && kept().includes(110))
  journalFirstSeq = 60
  await small.save(120, text.encode('state 120'))
  t.notOk(kept().includes(10), 'what the journal no longer follows on begins nothing')
  const newest = join(folder, '0000000000000120.hbc')
  const bytes = fs.readFileSync(newest)
  bytes[39] = bytes[39]! ^ 1
  fs.writeFileSync(newest, bytes)
  const found: string[] = []
  for await (const { journalSeq, body } of small.newest()) found.push(`${journalSeq} ${Buffer.from(body).toString()}`)
  t.equal(found[0], '110 state 110')
})
