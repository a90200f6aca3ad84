import t from 'tap'
import {
  defaultBaselinePolicy,
  loadBaselinePolicy,
  parseBaselinePolicy,
} from '../../../shared/config/baseline-policy.ts'
import type { ConfigError } from '../../../shared/config/problems.ts'

const read = (text: string) => parseBaselinePolicy('baseline_policy.yaml', new TextEncoder().encode(text))

function mistakes(text: string): { key: string; line: number; hint: string | undefined }[] {
  try {
    read(text)
    return []
  } catch (error) {
    return (error as ConfigError).problems.map(({ key, line, hint }) => ({ key, line, hint }))
  }
}

t.test("the predecessor's keys are read, and what is left out has its default", (t) => {
  t.match(defaultBaselinePolicy(), {
    strategy: 'last_pass',
    fallback: 'none',
    warn_on_mismatch: true,
    distribution_drift_enabled: true,
    missing_data: { min_coverage: 0, mode: 'fail' },
    dual_baseline: { use_golden_for_hard_gates: true, use_rolling_for_early_warning: true },
  })
  t.equal(defaultBaselinePolicy().context_match.length, 6)
  const policy = read(`version: "1.0"
baseline_policy:
  strategy: tag
  tag: release-4
  fallback: latest
  warn_on_mismatch: true
  distribution_drift_enabled: false
  context_match: [scenario_id, environment]
  dual_baseline: { use_golden_for_hard_gates: true, use_rolling_for_early_warning: false }
  governance: { require_approval: true, approvals_required: 2, approvers: [alice] }
  missing_data: { min_coverage: 0.8, mode: degrade }
`)
  t.match(policy, {
    strategy: 'tag',
    tag: 'release-4',
    fallback: 'latest',
    context_match: ['scenario_id', 'environment'],
    governance: { approvals_required: 2, approvers: ['alice'] },
    missing_data: { min_coverage: 0.8, mode: 'degrade' },
  })
  t.end()
})

t.test('every mistake is told at once, with what was probably meant', (t) => {
  const found = mistakes(`baseline_policy:
  strategy: last_pas
  fall_back: latest
  warn_on_mismatch: false
  context_match: [scenario_id, enviroment, scenario_id]
  dual_baseline: { use_golden_for_hard_gates: false }
  governance: { require_approval: false, approvals_required: 0 }
  missing_data: { min_coverage: 2, mode: degrad }
`)
  t.same(
    found.map(({ key, line }) => `${line} ${key}`),
    [
      '2 baseline_policy.strategy',
      '3 baseline_policy.fall_back',
      '4 baseline_policy.warn_on_mismatch',
      '5 baseline_policy.context_match[1]',
      '5 baseline_policy.context_match[2]',
      '6 baseline_policy.dual_baseline.use_golden_for_hard_gates',
      '7 baseline_policy.governance.require_approval',
      '7 baseline_policy.governance.approvals_required',
      '8 baseline_policy.missing_data.min_coverage',
      '8 baseline_policy.missing_data.mode',
    ],
  )
  const hintOf = (key: string) => found.find((one) => one.key === `baseline_policy.${key}`)?.hint
  t.match(hintOf('strategy'), /last_pass/)
  t.match(hintOf('fall_back'), /fallback/)
  t.match(hintOf('context_match[1]'), /environment/)
  t.match(hintOf('missing_data.mode'), /degrade/)
  t.end()
})

t.test('a tag is named where the strategy is one', (t) => {
  t.match(mistakes('baseline_policy: { strategy: tag }\n'), [{ key: 'baseline_policy.strategy', hint: /golden/ }])
  t.same(mistakes('baseline_policy: { strategy: golden }\n'), [])
  t.same(mistakes('baseline_policy: { strategy: explicit }\n'), [], 'the command line may name the run')
  t.end()
})

t.test('a file that is not there is told as such', (t) => {
  t.throws(() => loadBaselinePolicy('/nowhere/baseline_policy.yaml'), { code: 'CONFIG_MISSING' })
  t.end()
})
