import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { decisionValues } from '../../agent/core/decide.ts'
import { decisionRow } from '../../collector/core/decision-view.ts'
import { canonicalBytes } from '../../shared/codec/canonical.ts'
import { decodeSigned } from '../../shared/codec/signed-cbor.ts'
import { fromHex, toHex } from '../../shared/crypto/digest.ts'
import type { Canonical, DecisionItem, Finding } from '../../shared/model/decision.ts'
import { buildRecords, readRecordMap } from '../../shared/protocol/batch-records.ts'
import { evaluatorSettings, metricSettings, rigSettings, T0 } from '../support/evaluator-rig.ts'

const FILE = join(import.meta.dirname, '..', 'vectors', 'revision-4.json')

/** `records`: a record map with one revision in it; `core`: its core alone; `refused`: cores that are none of a revision. */
type Vectors = { records: string; core: string; refused: Record<string, string> }

const RUN = { run: 'run-1', article: 'SN', procedure: 'P', operator: 'Ada', startedUs: 7, note: 'n' }
const FINDING: Finding = {
  metric: 'flow',
  channel: 'Volume Flow',
  verdict: 'FAIL',
  windowUs: 250_000,
  ground: 'invariant_max',
  unit: 'bar',
  count: 13,
  mean: 8.5,
  min: 5,
  max: 99,
  limit: 10,
  baselineMean: null,
  baselineSpread: null,
  deviation: null,
  ratio: 9.9,
  ageUs: 10_000,
}

/** A revision of fixed content; `code` is that of the evaluator which made the first ones. */
function madeRevision(): Extract<DecisionItem, { kind: 'record' }> {
  const rig = rigSettings([metricSettings('flow')])
  const found = { endUs: T0, verdict: 'FAIL', findings: [FINDING], slice: new Uint8Array(32).fill(4) } as const
  const slide = { ...found, mode: 'test', run: RUN, event: null } as const
  const values = decisionValues(evaluatorSettings([rig]), rig, slide, { seq: 30, action: null, revises: 12 })
  const core = { ...(values[0] as { readonly [key: string]: Canonical }), code: 1 }
  const [, ...others] = values
  return { kind: 'record', seq: 30, values: [core, ...others], chain: new Uint8Array(32).fill(9) }
}

function vectors(): Vectors {
  const item = madeRevision()
  const core = item.values[0] as { readonly [key: string]: Canonical }
  const { revises: _, ...unnamed } = core
  const refused: Record<string, Canonical> = {
    'names nothing': unnamed,
    'names itself': { ...core, revises: item.seq },
    'names a later one': { ...core, revises: item.seq + 1 },
    'names number zero': { ...core, revises: 0 },
    'names text': { ...core, revises: '1' },
    'names half a number': { ...core, revises: 1.5 },
    'is of version 1': { ...core, v: 1 },
    'is of version 3': { ...core, v: 3 },
    'is of version 5': { ...core, v: 5 },
  }
  return {
    records: toHex(buildRecords([item], new Uint8Array(32).fill(5)).records),
    core: toHex(canonicalBytes(core)),
    refused: Object.fromEntries(Object.entries(refused).map(([what, value]) => [what, toHex(canonicalBytes(value))])),
  }
}

const isNew = !existsSync(FILE)
if (isNew) writeFileSync(FILE, `${JSON.stringify(vectors(), null, 2)}\n`)
const pinned = JSON.parse(readFileSync(FILE, 'utf8')) as Vectors

t.test('a revision has the bytes it was given once and for all', async (t) => {
  t.notOk(isNew, 'the vectors were missing and are made anew: look at them before they are committed')
  t.same(vectors(), pinned)
})

t.test('pinned bytes of a revision read back as what it corrects', async (t) => {
  const [item] = readRecordMap(fromHex(pinned.records)!).items
  const core = decodeSigned(fromHex(pinned.core)!) as Map<string, Canonical>
  t.match(decisionRow(item!), { kind: 'revision', revises: core.get('revises'), seq: core.get('seq') })
  t.equal(core.get('v'), 4)
  t.equal(core.get('action'), null)
})

t.test('revisions of version 2, from before detectors, are read for ever', async (t) => {
  const file = join(FILE, '..', 'formats-3.json')
  const old = JSON.parse(readFileSync(file, 'utf8')) as Vectors
  const [item] = readRecordMap(fromHex(old.records)!).items
  t.match(decisionRow(item!), { kind: 'revision', revises: 12, seq: 30 })
  for (const [what, hex] of Object.entries(old.refused)) {
    const values = [decodeSigned(fromHex(hex)!), ...item!.values.slice(1)] as unknown as DecisionItem['values']
    t.equal(decisionRow({ ...item!, values }), null, what)
  }
})

t.test('a core that is none of a revision makes no row, and so its batch is refused', async (t) => {
  const [item] = readRecordMap(fromHex(pinned.records)!).items
  for (const [what, hex] of Object.entries(pinned.refused)) {
    const values = [decodeSigned(fromHex(hex)!), ...item!.values.slice(1)] as unknown as DecisionItem['values']
    t.equal(decisionRow({ ...item!, values }), null, what)
  }
})
