import { readPublicKey, type VerifyKey } from '../../shared/crypto/sign.ts'
import { isHbError } from '../../shared/errors/hb-error.ts'
import type { Canonical } from '../../shared/model/decision.ts'
import type { Realm } from '../../shared/model/realm.ts'
import { type BatchHeader, openBatch, openThinned, type ThinnedBatch } from '../../shared/protocol/batch.ts'
import { type DecisionRow, decisionRow, thinnedRow, toJson } from '../core/decision-view.ts'

/** `records` null: a batch whose detail the agent did not keep. */
export type VerifyTask = Readonly<{ cose: Uint8Array; records: Uint8Array | null; spki: Uint8Array; realm: Realm }>

/** Only plain data: it crosses a thread, and an error object would arrive without its code. */
export type VerifyResult =
  | Readonly<{
      ok: true
      header: BatchHeader
      headerJson: string
      /** Of a batch without its records: what they come to. null: they are here, and do. */
      thinnedRoot: Uint8Array | null
      identity: Uint8Array
      decisions: readonly DecisionRow[]
    }>
  | Readonly<{ ok: false; code: string; detail: string }>

/** Keys read so far; reading one costs more than verifying with it. Of more the oldest is forgotten. */
export const KEYS_MAX = 1_024
const keys = new Map<string, VerifyKey>()

/** Verifies one batch off the event loop and turns its decisions into rows. Never throws for what a batch contains. */
export function verifyBatch({ cose, records, spki, realm }: VerifyTask): VerifyResult {
  try {
    const key = keyOf(spki, realm)
    if (records === null) return thinnedResult(openThinned(cose, key))
    const { header, items, identity } = openBatch({ cose, records, key })
    const decisions: DecisionRow[] = []
    for (const item of items) {
      const row = decisionRow(item)
      if (row === null)
        return {
          ok: false,
          code: 'BATCH_SHAPE',
          detail: `decision ${item.kind === 'record' ? item.seq : item.first} has another shape`,
        }
      decisions.push(row)
    }
    return { ok: true, header, headerJson: headerJsonOf(header), thinnedRoot: null, identity, decisions }
  } catch (error) {
    if (isHbError(error)) return { ok: false, code: error.code, detail: error.message }
    // A bug in reading must cost the sender of these bytes its batch, not the collector its worker.
    return { ok: false, code: 'VERIFY_FAILED', detail: error instanceof Error ? error.message : String(error) }
  }
}

function thinnedResult({ header, root, identity }: ThinnedBatch): VerifyResult {
  const decisions = [thinnedRow(header)]
  return { ok: true, header, headerJson: headerJsonOf(header), thinnedRoot: root, identity, decisions }
}

function headerJsonOf(header: BatchHeader): string {
  return JSON.stringify(toJson(header as unknown as Canonical))
}

function keyOf(spki: Uint8Array, realm: Realm): VerifyKey {
  const name = `${realm} ${Buffer.from(spki).toString('hex')}`
  const known = keys.get(name)
  if (known !== undefined) return known
  const oldest = keys.keys().next()
  if (keys.size >= KEYS_MAX && oldest.done !== true) keys.delete(oldest.value)
  const key = readPublicKey(spki, realm)
  keys.set(name, key)
  return key
}

/** How many keys are remembered here. */
export function keysRemembered(): number {
  return keys.size
}
