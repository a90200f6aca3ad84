import t from 'tap'
import { defaultBaselinePolicy, parseBaselinePolicy, selectionPolicy } from '../../../shared/config/baseline-policy.ts'
import { bytesOf, problemsOf } from '../../support/config-texts.ts'

const read = (text: string) => parseBaselinePolicy('baseline_policy.yaml', bytesOf(text))
const mistakes = (text: string) => problemsOf(() => read(text))

t.test('a policy of the predecessor is read with its own keys', (t) => {
  const { policy, sha256 } = read(`baseline_policy:
  strategy: golden
  fallback: latest
  warn_on_mismatch: true
  tag: golden
  dual_baseline: { use_golden_for_hard_gates: true, use_rolling_for_early_warning: true }
  governance: { require_approval: true, approvals_required: 1, approvers: [alice] }
  distribution_drift_enabled: false
  context_match: [scenario_id, operating_mode]
  missing_data: { min_coverage: 0.8, mode: degrade }
`)
  t.match(policy, { strategy: 'golden', missing_data: { min_coverage: 0.8, mode: 'degrade' } })
  t.match(sha256, /^[0-9a-f]{64}$/)
  t.same(selectionPolicy(policy, 'run-7'), {
    strategy: 'golden',
    fallback: 'latest',
    context_match: ['scenario_id', 'operating_mode'],
    tag: 'golden',
    run_id: 'run-7',
  })
  t.end()
})

t.test('without a file every key has its default', (t) => {
  const { policy } = defaultBaselinePolicy()
  t.match(policy, { strategy: 'last_pass', fallback: 'none', distribution_drift_enabled: true })
  t.equal(policy.context_match.length, 6)
  t.end()
})

t.test('every mistake is told at once, with what was probably meant', (t) => {
  t.match(mistakes('baseline_policy: { stratgy: tag, fallback: newest }'), [
    { key: 'baseline_policy.stratgy', hint: 'did you mean `strategy`?' },
    { key: 'baseline_policy.fallback', found: '"newest"' },
  ])
  t.match(mistakes('baseline_policy: { strategy: tag }'), [{ found: '`tag` without a tag' }])
  t.match(mistakes('baseline_policy: { strategy: rolling, tag: golden }'), [{ found: 'a tag beside `rolling`' }])
  t.match(mistakes('baseline_policy: { governance: { require_approval: false } }'), [{ hint: /arms nothing/ }])
  t.match(mistakes('baseline_policy: { warn_on_mismatch: false }'), [{ expected: 'true' }])
  t.match(mistakes('baseline_policy: { governance: { approvals_required: 2, approvers: [a, a] } }'), [
    { found: '1 people for 2 approvals' },
  ])
  t.match(mistakes('baseline_policy: { missing_data: { min_coverage: 2 } }'), [{ expected: /from 0 to 1/ }])
  t.end()
})
