import { parseQualityPolicy, policyDigest } from '../config/quality-policy.ts'
import { DOMAIN, digestOf, equalBytes, toHex } from '../crypto/digest.ts'
import { HbError } from '../errors/hb-error.ts'
import type { BaselineGate, BaselineRecord } from '../model/baseline.ts'
import type { RecordFacts } from '../model/baseline-book.ts'
import type { DecayPolicy } from '../model/baseline-decay.ts'
import { isSameGate, type QualityPolicy, recheckGate } from '../model/baseline-gate.ts'
import { decodeBaseline } from './baseline-record.ts'

/**
 * A record with the policy of its gate, both as bytes. `gate` was computed again from the data and is what counts;
 * `isGateSame` says whether the record told the truth about it.
 */
export type CheckedRecord = Readonly<{
  digest: string
  record: BaselineRecord
  bytes: Uint8Array
  policy: Uint8Array
  rules: QualityPolicy
  decay: DecayPolicy
  gate: BaselineGate
  isGateSame: boolean
}>

/** @throws HbError CBOR_REFUSED, BASELINE_SHAPE, BASELINE_GATE_DIFFERS for another policy, CONFIG_INVALID for one with mistakes */
export function checkRecord({ bytes, policy }: Readonly<{ bytes: Uint8Array; policy: Uint8Array }>): CheckedRecord {
  const record = decodeBaseline(bytes)
  const digest = toHex(digestOf(DOMAIN.baseline, bytes))
  const given = policyDigest(policy)
  if (!equalBytes(given, record.gate.policy))
    throw new HbError('BASELINE_GATE_DIFFERS', {
      baseline: digest,
      found: `policy ${toHex(given)}`,
      expected: toHex(record.gate.policy),
    })
  const { policy: rules, decay } = parseQualityPolicy(`${toHex(given)}.yaml`, policy)
  const gate = recheckGate(record, rules)
  return { digest, record, bytes, policy, rules, decay, gate, isGateSame: isSameGate(gate, record.gate) }
}

/** What a book must know of a record. */
export function recordFacts({ digest, record, gate, isGateSame }: CheckedRecord): RecordFacts {
  const { program, rig, family, mode, kind } = record
  return { digest, program, rig, family, mode, kind, gatePassed: isGateSame && gate.passed }
}
