import { canonicalBytes } from '../../shared/codec/canonical.ts'
import { encodeRecord, readRecords } from '../../shared/codec/record-file.ts'
import { listIn } from '../../shared/codec/signed-cbor.ts'
import { concat } from '../../shared/crypto/cose.ts'
import type { Bytes } from '../../shared/units.ts'
import type { OutboxEntry } from '../ports.ts'
import { type Files, replaceFile } from './files.ts'

/** Kinds of an outbox record: a signed batch, the receipt of one, and a batch of which only the signed header is kept. */
const BATCH = 1
export const RECEIPT = 2
const THINNED = 3

export type OutboxRecord =
  | Readonly<{ kind: 'batch'; seq: number; bytes: Bytes; end: number; entry: OutboxEntry }>
  | Readonly<{ kind: 'receipt'; seq: number; end: number; epoch: number; batchSeq: number }>
  | Readonly<{ kind: 'damage'; from: number; to: number; reason: string }>

/** Body of the record of a batch, whole or thinned. */
export function batchBody({ epoch, batchSeq, firstSeq, count, madeUs, cose, records, seed }: OutboxEntry): Uint8Array {
  const place = [epoch, batchSeq, firstSeq, count, madeUs, cose]
  return canonicalBytes(records === null ? [THINNED, ...place, seed] : [BATCH, ...place, records, seed])
}

/** Everything in one file of the outbox, in order. What cannot be read is damage, whatever is wrong with it. */
export function* readOutboxFile(bytes: Uint8Array, owner: Uint8Array): Generator<OutboxRecord> {
  for (const record of readRecords(bytes, { owner })) {
    if (record.kind === 'damage') yield record
    else yield recordFrom(record)
  }
}

function recordFrom(record: { seq: number; body: Uint8Array; offset: number; end: number }): OutboxRecord {
  const value = listIn(record.body)
  const { seq, end, body } = record
  const entry = value?.[0] === BATCH || value?.[0] === THINNED ? entryFrom(value) : null
  if (entry !== null) return { kind: 'batch', seq, bytes: body.length, end, entry }
  if (value?.[0] === RECEIPT && value.length === 4 && isWhole(value[1]) && isWhole(value[2]))
    return { kind: 'receipt', seq, end, epoch: value[1], batchSeq: value[2] }
  return { kind: 'damage', from: record.offset, to: end, reason: 'bad_record' }
}

function entryFrom(value: unknown[]): OutboxEntry | null {
  const isThinned = value[0] === THINNED
  const numbers = value.slice(1, 6)
  const parts = value.slice(6)
  if (
    value.length !== (isThinned ? 8 : 9) ||
    !numbers.every(isWhole) ||
    !parts.every((part) => part instanceof Uint8Array)
  )
    return null
  const [epoch, batchSeq, firstSeq, count, madeUs] = numbers as [number, number, number, number, number]
  const [cose, second, third] = parts as [Uint8Array, Uint8Array, Uint8Array | undefined]
  const [records, seed] = third === undefined ? [null, second] : [second, third]
  return { epoch, batchSeq, firstSeq, count, madeUs, cose, records, seed }
}

function isWhole(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

/** Damaged files that are put aside; of more the oldest goes. */
export const ASIDE_MAX = 8

/**
 * Keeps a copy of a damaged file as `<name>.damaged` and writes the file anew with what can be read of it, each record
 * under its number: so the damage is reported once, and what was there can still be looked at.
 */
export function putAside(
  files: Files,
  { folder, name, owner }: { folder: string; name: string; owner: Uint8Array },
): void {
  const bytes = new Uint8Array(files.readFileSync(`${folder}/${name}`))
  files.writeFileSync(`${folder}/${name}.damaged`, bytes, { mode: 0o600 })
  const aside = files
    .readdirSync(folder)
    .filter((other) => other.endsWith('.damaged'))
    .sort()
  for (const oldest of aside.slice(0, -ASIDE_MAX)) files.unlinkSync(`${folder}/${oldest}`)
  const kept: Uint8Array[] = []
  for (const record of readRecords(bytes, { owner })) {
    if (record.kind === 'record' && recordFrom(record).kind !== 'damage')
      kept.push(encodeRecord(record.seq, record.body, owner))
  }
  replaceFile(files, folder, name, concat(...kept))
}
