import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import {
  appendLineage,
  LINEAGE_BYTES_MAX,
  type LineageRow,
  readLineage,
} from '../../../../agent/adapters/run-lineage.ts'
import { chooseBaseline } from '../../../../agent/offline/choose-baseline.ts'
import { readRunFolder } from '../../../../agent/offline/run-folder.ts'
import { defaultBaselinePolicy } from '../../../../shared/config/baseline-policy.ts'
import { writeRun } from '../../../support/run-directories.ts'

const VALUES = { latency_ms: [10, 'ms'] } as const

function row(runId: string, change: Partial<LineageRow> = {}): LineageRow {
  return {
    run_id: runId,
    status: 'PASS',
    baseline_run_id: 'x',
    registry_hash: 'h1',
    policy_hash: null,
    baseline_reason: 'explicit',
    baseline_match_level: 'EXPLICIT',
    baseline_match_score: 0,
    baseline_match_fields: [],
    baseline_confidence: null,
    created_at: '2026-03-01T00:00:00.000Z',
    ...change,
  }
}

function runsFolder(t: { teardown(run: () => void): void }, ...ids: string[]) {
  const path = mkdtempSync(join(tmpdir(), 'hb-runs-'))
  t.teardown(() => rmSync(path, { recursive: true, force: true }))
  for (const id of [...ids, 'now']) writeRun(join(path, `folder-of-${id}`), id, VALUES)
  const choose = (named?: string, registryHash = 'h1') =>
    chooseBaseline({
      run: readRunFolder(join(path, 'folder-of-now')),
      named,
      runs: path,
      policy: defaultBaselinePolicy(),
      registryHash,
    })
  return { path, choose }
}

t.test(
  'of the runs of a folder the one that passed last is compared with, found by its id and not by its folder',
  (t) => {
    const { path, choose } = runsFolder(t, 'a', 'b')
    t.match(choose(), { baseline: null, selected: { reason: 'no_pass' } }, 'nobody judged any of them')
    appendLineage(path, row('a'))
    appendLineage(path, row('b', { status: 'PASS_WITH_DRIFT' }))
    appendLineage(path, row('now'))
    t.match(choose(), { baseline: { meta: { run_id: 'a' } }, selected: { reason: 'last_pass' } })
    appendLineage(path, row('a', { status: 'FAIL' }))
    t.match(choose(), { baseline: null, selected: { reason: 'no_pass' } }, 'judged again, it failed; and never itself')
    t.end()
  },
)

t.test('a name is a tag, the id of a run, or a folder', (t) => {
  const { path, choose } = runsFolder(t, 'a', 'b')
  writeFileSync(join(path, 'baseline_tags.json'), JSON.stringify({ tags: [{ tag: 'golden', run_id: 'b' }] }))
  t.match(choose('golden'), { baseline: { meta: { run_id: 'b' } }, selected: { reason: 'tag' } })
  t.match(choose('a'), { baseline: { meta: { run_id: 'a' } }, selected: { reason: 'explicit' } })
  t.match(choose('nobody'), { baseline: null, selected: { reason: 'explicit_not_found' } })
  t.match(choose('now'), { baseline: null, selected: { warning: 'a run is never its own baseline' } })
  t.match(choose(join(path, 'folder-of-a')), { baseline: { meta: { run_id: 'a' } }, selected: null })
  t.end()
})

t.test('a run that another registry judged is no baseline', (t) => {
  const { path, choose } = runsFolder(t, 'a')
  appendLineage(path, row('a', { registry_hash: 'h0' }))
  t.match(choose(), { baseline: null, selected: { reason: 'no_runs' } })
  t.match(choose('a'), { baseline: null, selected: { warning: 'baseline registry hash mismatch (h0 != h1)' } })
  t.match(choose('a', 'h0'), { baseline: { meta: { run_id: 'a' } } })
  t.end()
})

t.test('verdicts that cannot be read choose nothing', (t) => {
  for (const text of ['{"run_id":"a"}\n', 'null\n', '{"run_id":"a","status":"PA']) {
    const { path, choose } = runsFolder(t, 'a')
    writeFileSync(join(path, 'lineage.jsonl'), `${JSON.stringify(row('a'))}\n${text}`)
    t.throws(() => choose(), { code: 'RUN_META_SHAPE', context: { line: 2 } })
  }
  const { path } = runsFolder(t)
  writeFileSync(join(path, 'lineage.jsonl'), '')
  truncateSync(join(path, 'lineage.jsonl'), LINEAGE_BYTES_MAX + 1)
  t.throws(() => readLineage(path), { code: 'RUN_META_SHAPE' })
  t.throws(() => appendLineage(join(path, 'gone'), row('a')), { code: 'REPORT_UNWRITABLE' })
  t.end()
})
