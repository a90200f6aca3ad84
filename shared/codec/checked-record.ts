import { parseQualityPolicy, policyDigest } from '../config/quality-policy.ts'
import { DOMAIN, digestOf, equalBytes, toHex } from '../crypto/digest.ts'
import { HbError } from '../errors/hb-error.ts'
import type { BaselineGate, BaselineRecord } from '../model/baseline.ts'
import type { RecordFacts } from '../model/baseline-book.ts'
import { isSameGate, type QualityPolicy, recheckGate } from '../model/baseline-gate.ts'
import { laxerThan } from '../model/policy-strictness.ts'
import { decodeBaseline } from './baseline-record.ts'

/** Why the gate of a record counts as not passed, whatever it says itself. */
export type GateProblem = Readonly<{ code: 'gate_differs' | 'policy_laxer'; text: string }>

/**
 * A record with the policy of its gate, both as bytes. `gate` was computed again from the data and is what counts;
 * `problems` says why it counts as not passed beside its own reasons.
 */
export type CheckedRecord = Readonly<{
  digest: string
  record: BaselineRecord
  bytes: Uint8Array
  policy: Uint8Array
  rules: QualityPolicy
  gate: BaselineGate
  /** Whether the gate comes out as the record says. */
  isGateSame: boolean
  /** Where its policy asks for less than the one wanted here. */
  laxer: readonly string[]
  /** Whether all three hold: the gate passed, as the record says, by a policy that is strict enough here. */
  passed: boolean
  problems: readonly GateProblem[]
}>

export type RecordBytes = Readonly<{ bytes: Uint8Array; policy: Uint8Array }>

/**
 * Computes the gate of a record again. `wanted` is what policies must at least ask for here: nobody may bring one that
 * lets everything pass.
 *
 * @throws HbError CBOR_REFUSED, BASELINE_SHAPE, BASELINE_GATE_DIFFERS for another policy, CONFIG_INVALID for one with mistakes
 */
export function checkRecord({ bytes, policy }: RecordBytes, wanted: QualityPolicy): CheckedRecord {
  const record = decodeBaseline(bytes)
  const digest = digestOfRecord(bytes)
  const given = policyDigest(policy)
  if (!equalBytes(given, record.gate.policy))
    throw new HbError('BASELINE_GATE_DIFFERS', {
      baseline: digest,
      found: `policy ${toHex(given)}`,
      expected: toHex(record.gate.policy),
    })
  const { policy: rules } = parseQualityPolicy(`${toHex(given)}.yaml`, policy)
  const gate = recheckGate(record, rules)
  const isGateSame = isSameGate(gate, record.gate)
  const laxer = laxerThan(rules, wanted)
  const passed = isGateSame && gate.passed && laxer.length === 0
  const problems: GateProblem[] = []
  if (!isGateSame)
    problems.push({ code: 'gate_differs', text: 'its quality gate does not come out as the record says' })
  if (laxer.length > 0)
    problems.push({
      code: 'policy_laxer',
      text: `the policy of its gate is laxer than the one wanted here: ${laxer.join('; ')}`,
    })
  return { digest, record, bytes, policy, rules, gate, isGateSame, laxer, passed, problems }
}

/** @throws HbError BASELINE_GATE_DIFFERS when the gate does not come out as the record says */
export function requireSameGate({ digest, record: { gate: said }, gate, isGateSame }: CheckedRecord): void {
  const told = ({ passed, reasons, confidence }: BaselineGate): string =>
    `${passed ? 'passed' : reasons.join('; ')}, confidence ${confidence}`
  if (!isGateSame)
    throw new HbError('BASELINE_GATE_DIFFERS', { baseline: digest, found: told(said), expected: told(gate) })
}

/** What a book must know of a record. */
export function recordFacts({ digest, record, passed }: CheckedRecord): RecordFacts {
  const { program, rig, family, mode, kind } = record
  return { digest, program, rig, family, mode, kind, gatePassed: passed }
}

export function digestOfRecord(bytes: Uint8Array): string {
  return toHex(digestOf(DOMAIN.baseline, bytes))
}
