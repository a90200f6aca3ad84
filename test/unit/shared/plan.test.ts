import t from 'tap'
import { parseAsserts, parsePlan } from '../../../shared/config/plan.ts'
import { bytesOf, problemsOf } from '../../support/config-texts.ts'

const PLAN = `plan_id: nightly
requirements:
  - { id: REQ-1, scenarios: [soak] }
scenarios:
  - id: soak
    run_artifact_dir: runs/soak
    baseline_artifact_dir: runs/baseline
    asserts: asserts.yaml
  - { id: cold, run_artifact_dir: runs/cold, baseline_mode: last_known_good, baseline_key: cold, set_golden: true }
`
const inPlan = (text: string) => problemsOf(() => parsePlan('plan.yaml', bytesOf(text)))
const inAsserts = (text: string) => problemsOf(() => parseAsserts('asserts.yaml', bytesOf(text)))

t.test('a plan of the predecessor is read in its own words', (t) => {
  t.match(parsePlan('plan.yaml', bytesOf(PLAN)), {
    plan_id: 'nightly',
    requirements: [{ id: 'REQ-1', scenarios: ['soak'] }],
    scenarios: [
      { id: 'soak', baseline_mode: 'explicit', set_golden: false },
      { id: 'cold', set_golden: true },
    ],
  })
  t.match(parseAsserts('asserts.yaml', bytesOf('asserts: [{ id: A, metric: m, op: in, value: [0, 1] }]')), [
    { op: 'in', value: [0, 1], severity: 'error' },
  ])
  t.end()
})

t.test('every mistake of a plan is told at once, with what was probably meant', (t) => {
  t.match(inPlan(PLAN.replace('scenarios: [soak]', 'scenarios: [soka]').replace('id: cold', 'id: soak')), [
    { key: 'requirements[0].scenarios[0]', found: '`soka`', hint: 'did you mean `soak`?' },
    { key: 'scenarios[1].id', found: '`soak` a second time' },
  ])
  t.match(inPlan(PLAN.replace('    baseline_artifact_dir: runs/baseline\n', '')), [
    { found: '`explicit` without a folder' },
  ])
  t.match(inPlan(PLAN.replace('baseline_key: cold, ', '')), [
    { found: '`last_known_good` without a key' },
    { found: 'true without a key' },
  ])
  t.match(inPlan(PLAN.replace('baseline_key: cold', 'baseline_key: cold, baseline_artifact_dir: x')), [
    { found: 'a folder beside `last_known_good`' },
  ])
  t.match(inPlan(PLAN.replace('id: soak', 'id: ../../etc')), [
    { found: '`soak`' },
    { key: 'scenarios[0].id', found: '"../../etc"' },
  ])
  t.match(inPlan(`${PLAN}redaction_policy: strict\n`), [{ key: 'redaction_policy', found: /not known/ }])
  t.end()
})

t.test('an assertion that could never be judged is a mistake', (t) => {
  t.match(inAsserts('asserts: [{ id: A, metric: m, op: in, value: 1 }]'), [{ expected: 'a list, as in `[0, 1]`' }])
  t.match(inAsserts('asserts: [{ id: A, metric: m, op: "<", value: [1] }]'), [{ expected: 'a number' }])
  t.match(inAsserts('asserts: [{ id: A, metric: m, op: "=<", value: 1 }]'), [{ key: 'asserts[0].op' }])
  const one = '{ id: A, metric: m, op: "<", value: 1 }'
  t.match(inAsserts(`asserts: [${one}, ${one}]`), [{ found: '`A` a second time' }])
  t.end()
})
