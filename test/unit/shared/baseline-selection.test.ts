import t from 'tap'
import {
  type BaselineCandidate,
  dualBaselines,
  type SelectionInput,
  selectBaseline,
} from '../../../shared/model/baseline-selection.ts'
import { predecessorVectors, VECTORS_ABSENT } from '../../support/predecessor-vectors.ts'

const RUN = { run_id: 'now', program: 'pumps', subsystem: 'main', test_name: 'soak', operating_mode: 'nominal' }
const { run_id: _, ...SAME } = RUN

function passed(runId: string, more: Partial<BaselineCandidate> = {}): BaselineCandidate {
  return { ...SAME, run_id: runId, status: 'PASS', registry_hash: 'h1', ...more }
}

function selected(candidates: readonly BaselineCandidate[], more: Partial<SelectionInput> = {}) {
  return selectBaseline({ run: RUN, candidates, tags: [], policy: {}, registryHash: 'h1', ...more })
}

t.test("the predecessor's selections", (t) => {
  const vectors = predecessorVectors('baseline_select') as readonly Vector[] | null
  if (vectors === null) {
    t.comment(VECTORS_ABSENT)
    t.end()
    return
  }
  t.equal(vectors.length, 13)
  for (const { name, runs_oldest_first, tags, run_meta, policy, registry_hash, expected, deviate } of vectors) {
    const found = selectBaseline({
      run: run_meta,
      candidates: runs_oldest_first,
      tags,
      policy,
      registryHash: registry_hash,
    })
    const { ratio, ...match } = found.match
    const { baseline_run_id, reason, warning } = found
    t.equal(deviate, undefined, `${name}: none of them shows a defect`)
    t.same({ baseline_run_id, reason, warning, match }, expected, name)
    t.equal(ratio, match.possible === 0 ? 0 : match.score / match.possible)
    t.equal(found.usable, expected.baseline_run_id !== null && !/hash mismatch/.test(expected.warning ?? ''), name)
  }
  t.end()
})

type Vector = Readonly<{
  name: string
  runs_oldest_first: BaselineCandidate[]
  tags: SelectionInput['tags']
  run_meta: SelectionInput['run']
  policy: SelectionInput['policy']
  registry_hash: string
  deviate?: string
  expected: {
    baseline_run_id: string | null
    reason: string
    warning: string | null
    match: Record<string, unknown>
  } & {
    match: { score: number; possible: number }
  }
}>

t.test('a run is never its own baseline, however it is chosen', (t) => {
  t.match(selected([passed('now')]), { baseline_run_id: null, reason: 'no_runs', usable: false })
  t.match(selected([passed('before'), passed('now')]), { baseline_run_id: 'before' })
  t.match(selected([passed('now')], { policy: { fallback: 'latest' } }), { baseline_run_id: null })
  const tags = [{ tag: 'golden', run_id: 'now', program: 'pumps' }]
  t.match(selected([passed('now')], { tags, policy: { strategy: 'golden' } }), {
    usable: false,
    warning: 'a run is never its own baseline',
  })
  t.match(selected([passed('now')], { policy: { strategy: 'explicit', run_id: 'now' } }), { usable: false })
  t.end()
})

t.test('another mode is never compared with; one that is not stated matches worse', (t) => {
  const stress = passed('stress', { operating_mode: 'stress', scenario_id: 's' })
  const { operating_mode: __, ...unstated } = passed('unstated')
  const run = { ...RUN, scenario_id: 's' }
  t.match(selected([stress], { run }), { baseline_run_id: null, usable: false })
  t.match(selected([stress], { run, policy: { fallback: 'latest' } }), { baseline_run_id: null })
  t.match(selected([unstated, stress], { run }), { baseline_run_id: 'unstated', match: { level: 'LOW' } })
  t.match(selected([stress], { run, policy: { context_match: ['scenario_id'] } }), { baseline_run_id: null })
  const tags = [{ tag: 'golden', run_id: 'stress' }]
  t.match(selected([stress], { tags, policy: { tag: 'golden' } }), {
    usable: false,
    warning: 'baseline mode mismatch (stress != nominal)',
  })
  t.end()
})

t.test('another registry is never compared with', (t) => {
  const other = passed('other', { registry_hash: 'h0' })
  t.match(selected([other]), { baseline_run_id: null, reason: 'no_runs' })
  t.match(selected([other], { policy: { fallback: 'latest' } }), { baseline_run_id: null })
  t.match(selected([passed('same'), other]), { baseline_run_id: 'same' })
  const tags = [{ tag: 'golden', run_id: 'other', program: 'pumps' }]
  t.match(selected([other], { tags, policy: { tag: 'golden' } }), {
    usable: false,
    warning: 'baseline registry hash mismatch (h0 != h1)',
  })
  t.match(selected([other], { policy: { strategy: 'explicit', run_id: 'other' } }), { usable: false })
  t.end()
})

t.test('another program, subsystem or test is no candidate', (t) => {
  for (const key of ['program', 'subsystem', 'test_name'])
    t.match(selected([passed('other', { [key]: 'else' })]), { baseline_run_id: null, reason: 'no_runs' }, key)
  t.end()
})

t.test('a tag belongs to one program', (t) => {
  const tags = [
    { tag: 'golden', run_id: 'mine', program: 'pumps' },
    { tag: 'golden', run_id: 'theirs', program: 'fans' },
  ]
  const candidates = [passed('mine'), passed('theirs', { program: 'fans' })]
  t.match(selected(candidates, { tags, policy: { strategy: 'golden' } }), { baseline_run_id: 'mine', usable: true })
  t.match(selected(candidates, { tags: tags.slice(1), policy: { strategy: 'golden' } }), { reason: 'tag_not_found' })
  t.match(selected([], { tags, policy: { strategy: 'golden' } }), {
    usable: false,
    warning: 'baseline mine is not among the runs',
  })
  t.end()
})

t.test('of several tags of one name the newest that may be compared with counts', (t) => {
  const tags = ['first', 'second', 'stress'].map((run_id) => ({ tag: 'golden', run_id, program: 'pumps' }))
  const candidates = [passed('first'), passed('second'), passed('stress', { operating_mode: 'stress' })]
  t.match(selected(candidates, { tags, policy: { tag: 'golden' } }), { baseline_run_id: 'second', usable: true })
  t.end()
})

t.test('rolling is the newest version of the same program, and last_pass where there is none', (t) => {
  const policy = { strategy: 'rolling' } as const
  const theirs = passed('v3', { kind: 'rolling', program: 'fans' })
  const candidates = [passed('v1', { kind: 'rolling' }), passed('v2', { kind: 'rolling' }), passed('run'), theirs]
  t.match(selected(candidates, { policy }), { baseline_run_id: 'v2', reason: 'rolling', match: { level: 'ROLLING' } })
  t.match(selected([passed('run'), theirs], { policy }), { baseline_run_id: 'run', reason: 'last_pass' })
  t.end()
})

t.test('explicit names a run, and says when there is none', (t) => {
  const policy = { strategy: 'explicit', run_id: 'a' } as const
  t.match(selected([passed('a', { status: 'FAIL' })], { policy }), {
    baseline_run_id: 'a',
    reason: 'explicit',
    match: { level: 'EXPLICIT' },
  })
  t.match(selected([passed('b')], { policy }), { baseline_run_id: null, reason: 'explicit_not_found', usable: false })
  t.end()
})

t.test('a run that was judged twice counts as it was judged last', (t) => {
  t.match(selected([passed('a'), passed('a', { status: 'FAIL' })]), { baseline_run_id: null, reason: 'no_pass' })
  t.end()
})

t.test('golden and rolling stand beside each other', (t) => {
  const candidates = [passed('g'), passed('r', { kind: 'rolling' })]
  const input = { run: RUN, candidates, policy: {}, registryHash: 'h1' }
  const tags = [{ tag: 'golden', run_id: 'g', program: 'pumps' }]
  t.same(dualBaselines({ ...input, tags }), { hard_gates: 'g', early_warning: 'r' })
  t.same(dualBaselines({ ...input, tags: [], candidates: [] }), { hard_gates: null, early_warning: null })
  t.same(dualBaselines({ ...input, tags, registryHash: 'h2' }), { hard_gates: null, early_warning: null })
  t.end()
})
