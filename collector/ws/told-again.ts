import { readPublicKey } from '../../shared/crypto/sign.ts'
import { openThinned } from '../../shared/protocol/batch.ts'
import { type EnrolledAgent, sameBytes } from '../core/chain.ts'
import type { Stores } from '../store/open.ts'
import type { Verified } from './ingest.ts'

type Offered = Readonly<{ agent: string; spki: Uint8Array; nextSeq: number; verified: Verified }> &
  Pick<EnrolledAgent, 'realm'>

/**
 * Whether decisions that are here already are told again as they are stored. null: the batch tells none of them.
 *
 * Decisions with their records are compared by the rolling digest at the last of them: it is over everything before it.
 * A batch without records is the same when it stands for the same decisions and their records come to the same root.
 * `unknown`: one of the two has no records, and was signed over other salts: nothing can be held against it. What is
 * stored stands.
 */
export async function toldAgain(stores: Stores, offered: Offered): Promise<boolean | 'unknown' | null> {
  const { agent, nextSeq, verified } = offered
  const last = verified.decisions.findLast((d) => d.seq < nextSeq)
  if (last === undefined) return null
  if (verified.thinnedRoot !== null) return sameRoot(stores, offered)
  const stored = await stores.decisions.get(agent, last.lastSeq)
  if (stored === undefined) return null
  if (stored.kind === 'thinned') return 'unknown'
  const chain = (JSON.parse(last.body) as { chain: string }).chain
  return stored.seq === last.seq && stored.lastSeq === last.lastSeq && stored.body['chain'] === chain
}

async function sameRoot(
  stores: Stores,
  { agent, spki, realm, verified: { header, thinnedRoot } }: Offered,
): Promise<true | 'unknown'> {
  const stored = await stores.decisions.get(agent, header.firstSeq)
  const batch = stored === undefined ? undefined : await stores.batches.get({ ...stored, agent })
  if (batch === undefined || thinnedRoot === null) return 'unknown'
  const { header: before, root } = openThinned(batch.cose, readPublicKey(spki, realm))
  const isSame = before.firstSeq === header.firstSeq && before.count === header.count && sameBytes(root, thinnedRoot)
  return isSame ? true : 'unknown'
}
