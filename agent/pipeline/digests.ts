import { canonicalBytes } from '../../shared/codec/canonical.ts'
import { DOMAIN, digestOf } from '../../shared/crypto/digest.ts'
import type { Digests } from '../core/settings.ts'

/** The hash functions the evaluator is given: SHA-256 with domain prefixes, over bytes and canonical bytes. */
export const evaluatorDigests: Digests = {
  bytes: (domain, ...parts) => digestOf(DOMAIN[domain], ...parts),
  encode: canonicalBytes,
}
