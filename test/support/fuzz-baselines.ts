import { openBundle } from '../../shared/codec/baseline-bundle.ts'
import { openStatement, STATEMENT_TYP, signStatement } from '../../shared/codec/baseline-statement.ts'
import { openConfigBundle } from '../../shared/codec/config-bundle.ts'
import { parseQualityPolicy } from '../../shared/config/quality-policy.ts'
import { openCose, signCose } from '../../shared/crypto/cose.ts'
import { equalBytes } from '../../shared/crypto/digest.ts'
import { readPublicKey } from '../../shared/crypto/sign.ts'
import {
  baselineRecord,
  certifiedBundle,
  createStatementMaker,
  digestHex,
  SIGNERS,
  TRUST,
} from './certified-baselines.ts'
import { signedBundle } from './config-bundles.ts'
import type { FuzzTarget } from './fuzz.ts'

const POLICY = [
  'version: 1',
  'require_quality_gate: true',
  'acceptance_criteria:',
  '  min_time_in_state_s: 60',
  '  stability: {max_coefficient_of_variation: 0.5, exclude_metrics: [flow]}',
  '  allow_constant: [valve]',
].join('\n')

/** What people say about baselines, and what agents open before they compare with anything. */
export function baselineTargets(): FuzzTarget[] {
  const record = baselineRecord()
  const digest = digestHex(record)
  const bundle = certifiedBundle(record)
  const key = readPublicKey(SIGNERS.ada.spki)
  const statement = createStatementMaker(record).say('ada', 'propose')
  const { payload, issuer, subject } = openCose(signStatement(statement, SIGNERS.ada), { typ: STATEMENT_TYP, key })
  const trust = { ...TRUST, nowUs: record.madeUs * 2 }
  const configured = signedBundle([{ name: 'runtime.yaml', bytes: new TextEncoder().encode('version: 1\n') }])
  return [
    {
      name: 'bundle of a configuration',
      seeds: [configured],
      share: 60,
      run: (bytes) => {
        const taken = openConfigBundle(bytes, TRUST.operators).problems.length === 0
        return taken && !equalBytes(bytes, configured) ? 'taken although it is not what was signed' : taken
      },
    },
    {
      name: 'baseline with its statements',
      seeds: [bundle],
      share: 15,
      run: (bytes) => {
        const opened = openBundle(bytes, trust)
        if (opened.effectiveKind === 'draft') return false
        return digestHex(opened.record) === digest || 'certifies another record'
      },
    },
    {
      name: 'statement about a baseline, signed again',
      seeds: [payload],
      share: 15,
      run: (bytes) => {
        const said = openStatement(
          signCose({ typ: STATEMENT_TYP, issuer, subject, payload: bytes, signer: SIGNERS.ada }),
          key,
        )
        return said.digest === digest || 'is about another record'
      },
    },
    {
      name: 'baseline_quality_policy.yaml',
      seeds: [new TextEncoder().encode(POLICY)],
      words: ['&a', '*a', '- ', ': ', '{', '}', '1e999', '.nan', '[[[[', 'min_segments: 3', '\u0000', '---\n'],
      share: 6,
      run: (bytes) => parseQualityPolicy('policy', bytes).policy.hardSegments >= 19 || 'hard actions on too little',
    },
  ]
}
