import t from 'tap'
import {
  type BaselineCandidate,
  type BaselineTag,
  type SelectionInput,
  selectBaseline,
} from '../../../shared/model/baseline-selection.ts'
import { predecessorVectors, VECTORS_ABSENT } from '../../support/predecessor-vectors.ts'

type Vector = Readonly<{
  name: string
  runs_oldest_first: BaselineCandidate[]
  tags: BaselineTag[]
  run_meta: Record<string, string>
  policy: SelectionInput['policy']
  registry_hash: string
  expected: { match: Record<string, unknown> }
}>

const PASSED = { program: 'demo', subsystem: 'loop', test_name: 'soak', status: 'PASS', registry_hash: 'h1' }
const RUN = { program: 'demo', subsystem: 'loop', test_name: 'soak', run_id: 'now', operating_mode: 'nominal' }

function select(change: Partial<SelectionInput>) {
  return selectBaseline({ run: RUN, candidates: [], tags: [], policy: {}, registryHash: 'h1', ...change })
}

t.test('a selection is the one of the predecessor, in its words', async (t) => {
  const vectors = predecessorVectors('baseline_select') as readonly Vector[] | null
  if (vectors === null) {
    t.comment(VECTORS_ABSENT)
    return
  }
  t.equal(vectors.length, 13)
  for (const { name, runs_oldest_first, tags, run_meta, policy, registry_hash, expected } of vectors) {
    const selected = selectBaseline({
      run: run_meta,
      candidates: runs_oldest_first,
      tags,
      policy,
      registryHash: registry_hash,
    })
    const { usable, match, ...told } = selected
    const { ratio, ...matched } = match
    t.same({ ...told, match: matched }, expected, name)
    t.equal(ratio, match.possible === 0 ? 0 : match.score / match.possible, `${name}: ratio`)
    t.equal(usable, selected.baseline_run_id !== null && name !== 'tag hash mismatch', `${name}: usable`)
  }
})

t.test('a run is never its own baseline, however it is asked for', (t) => {
  const itself = { ...PASSED, run_id: 'now' }
  t.match(select({ candidates: [itself] }), { baseline_run_id: null, reason: 'no_runs', usable: false })
  const tagged = { tags: [{ tag: 'golden', run_id: 'now' }], policy: { strategy: 'golden' } } as const
  t.match(select({ candidates: [itself], ...tagged }), { warning: 'a run is never its own baseline', usable: false })
  const explicit = { strategy: 'explicit', run_id: 'now' } as const
  t.match(select({ candidates: [itself], policy: explicit }), { reason: 'explicit', usable: false })
  t.end()
})

t.test('mode, program and registry are no votes: what is known to differ is not chosen', (t) => {
  const others: BaselineCandidate[] = [
    { ...PASSED, run_id: 'other-mode', operating_mode: 'maintenance' },
    { ...PASSED, run_id: 'other-program', program: 'else' },
    { ...PASSED, run_id: 'other-test', test_name: 'vibration' },
    { ...PASSED, run_id: 'other-registry', registry_hash: 'h0' },
  ]
  t.match(select({ candidates: others }), { baseline_run_id: null, reason: 'no_runs' })
  t.match(select({ candidates: others, policy: { fallback: 'latest' } }), { baseline_run_id: null, reason: 'no_runs' })
  for (const { run_id } of others.filter(({ test_name }) => test_name !== 'vibration'))
    t.match(
      select({ candidates: others, tags: [{ tag: 'golden', run_id }], policy: { tag: 'golden' } }),
      { baseline_run_id: run_id, reason: 'tag', warning: /mismatch/, usable: false },
      run_id,
    )
  const good = { ...PASSED, run_id: 'good', operating_mode: 'nominal' }
  t.match(select({ candidates: [good, ...others] }), {
    baseline_run_id: 'good',
    reason: 'last_pass',
    match: { level: 'HIGH', matched_fields: ['operating_mode'] },
  })
  t.end()
})

t.test('a tag belongs to a program', (t) => {
  const candidates = [
    { ...PASSED, run_id: 'theirs', program: 'else' },
    { ...PASSED, run_id: 'ours' },
  ]
  const theirs = { tag: 'golden', run_id: 'theirs', program: 'else' }
  const policy = { strategy: 'golden' } as const
  t.match(select({ candidates, tags: [theirs], policy }), { baseline_run_id: null, reason: 'tag_not_found' })
  const tags = [{ tag: 'golden', run_id: 'ours', program: 'demo' }, theirs]
  t.match(select({ candidates, tags, policy }), { baseline_run_id: 'ours', reason: 'tag', match: { level: 'TAG' } })
  t.match(
    select({ candidates, tags: [{ tag: 'golden', run_id: 'gone' }], policy }),
    { warning: 'baseline gone is not among the runs', usable: false },
    'a tag of what was deleted is no baseline',
  )
  t.end()
})

t.test('rolling is the newest of this program that is in force as such, and no run', (t) => {
  const candidates: BaselineCandidate[] = [
    { ...PASSED, run_id: 'v1', kind: 'rolling' },
    { ...PASSED, run_id: 'v2', kind: 'rolling' },
    { ...PASSED, run_id: 'v3', kind: 'rolling', program: 'else' },
    { ...PASSED, run_id: 'run-1' },
  ]
  const policy = { strategy: 'rolling' } as const
  t.match(select({ candidates, policy }), { baseline_run_id: 'v2', reason: 'rolling', match: { level: 'ROLLING' } })
  t.match(select({ candidates: candidates.slice(3), policy }), { baseline_run_id: 'run-1', reason: 'last_pass' })
  t.end()
})

t.test('a run that was judged again counts as it was judged last', (t) => {
  const candidates = [
    { ...PASSED, run_id: 'twice' },
    { ...PASSED, run_id: 'twice', status: 'FAIL' },
  ]
  t.match(select({ candidates }), { baseline_run_id: null, reason: 'no_pass' })
  t.end()
})

t.test('what is chosen explicitly is found, or said not to be there', (t) => {
  const candidates = [{ ...PASSED, run_id: 'a' }]
  t.match(select({ candidates, policy: { strategy: 'explicit', run_id: 'a' } }), {
    baseline_run_id: 'a',
    reason: 'explicit',
    match: { level: 'EXPLICIT' },
    usable: true,
  })
  t.match(select({ candidates, policy: { strategy: 'explicit', run_id: 'b' } }), {
    baseline_run_id: null,
    reason: 'explicit_not_found',
  })
  t.match(select({ policy: { strategy: 'tag' } }), { reason: 'tag_not_found' })
  t.end()
})
