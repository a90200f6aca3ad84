import { generateSigner } from '../../shared/crypto/sign.ts'
import { buildBatch } from '../../shared/protocol/batch.ts'
import { itemsFrom, plainHeader } from '../../test/support/agent-double.ts'
import type { Measure } from './measure.ts'

const RECORDS = 1_000
const HEADER_BYTES_MAX = 1024

/** Signed batches of nothing but full records, each with its leaves, in this process on one core. */
export function evidence(): Measure[] {
  return [
    {
      names: ['evidence_decisions_per_s', 'evidence_header_bytes'],
      what: `batches of ${RECORDS} full records that are not PASS: canonical bytes, six salted leaves a record, tree, signature`,
      run: async ({ short, say }) => {
        const { signer } = generateSigner()
        const header = plainHeader({
          deployment: 'demo',
          agent: 'bench-1',
          epoch: 1,
          batchSeq: 1,
          prev: new Uint8Array(32),
          firstSeq: 1,
          count: RECORDS,
        })
        let rate = 0
        let headerBytes = 0
        for (let k = 0; k < (short ? 3 : 7); k += 1) {
          const items = Array.from({ length: RECORDS }, (_, i) => itemsFrom(i + 1, 'bench', 'FAIL')[0]!)
          const startMs = performance.now()
          const made = buildBatch({ header, items, seed: new Uint8Array(32).fill(k), signer })
          rate = Math.max(rate, (RECORDS * 1000) / (performance.now() - startMs))
          headerBytes = made.cose.length
        }
        say(`the signed header has ${headerBytes} bytes (at most ${HEADER_BYTES_MAX})`)
        return { evidence_decisions_per_s: rate, evidence_header_bytes: headerBytes }
      },
    },
  ]
}
