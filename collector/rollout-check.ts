import { lookIntoFleetBundle } from '../shared/codec/fleet-bundle.ts'
import { openRolloutOrder } from '../shared/codec/rollout-order.ts'
import type { Trust } from '../shared/config/operators.ts'
import { coseIdentity, coseKeyId } from '../shared/crypto/cose.ts'
import { equalBytes, toHex } from '../shared/crypto/digest.ts'
import { isHbError } from '../shared/errors/hb-error.ts'
import { ROLLOUT_ID_CHARS } from '../shared/model/rollout.ts'
import { bytesIn, type SqlReader, type SqlRow } from '../shared/sqlite/database.ts'

const HAS_TABLE = `SELECT 1 AS one FROM sqlite_schema WHERE type = 'table' AND name = 'rollouts'`

/**
 * Whether rollouts are what was ordered: the order has the identity that names the rollout and a good signature of who is
 * still trusted, the row says what it says, and a bundle that is kept is the one with its digest.
 *
 * @returns what is wrong; nothing for a database that no newer collector has opened yet.
 */
export async function checkRollouts(db: SqlReader, trust: Trust): Promise<string[]> {
  if ((await db.get(HAS_TABLE)) === undefined) return []
  const found: string[] = []
  for (const row of await db.all('SELECT * FROM rollouts ORDER BY seq')) {
    const what = wrongOrder(row, trust)
    if (what !== null) found.push(`${String(row['id'])}: ${what}`)
  }
  for (const row of await db.all('SELECT digest, bytes FROM rollout_bundles'))
    if (!isBundle(bytesIn(row, 'bytes'), String(row['digest'])))
      found.push(`bundle ${String(row['digest'])} is not what was kept`)
  return found
}

function wrongOrder(row: SqlRow, { operators }: Trust): string | null {
  const signed = bytesIn(row, 'signed_order')
  try {
    if (toHex(coseIdentity(signed)).slice(0, ROLLOUT_ID_CHARS) !== row['id']) return 'its order is another one'
    const keyId = coseKeyId(signed)
    const operator = operators.find(({ key }) => equalBytes(key.keyId, keyId))
    // Somebody who is not trusted any more: the identity of the bytes is all that can be said.
    if (operator === undefined) return null
    const { digest, stages, reason } = openRolloutOrder(signed, operator.key)
    const isSame = digest === row['digest'] && stages === row['stages'] && reason === row['reason']
    return isSame && operator.name === row['by_whom'] ? null : 'it is not remembered as it was ordered'
  } catch (error) {
    if (isHbError(error)) return error.message
    throw error
  }
}

function isBundle(bytes: Uint8Array, digest: string): boolean {
  try {
    const look = lookIntoFleetBundle(bytes)
    return look.digest === digest && look.problems.length === 0
  } catch (error) {
    if (isHbError(error)) return false
    throw error
  }
}
