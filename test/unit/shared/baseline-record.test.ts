import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { decodeBaseline, encodeBaseline } from '../../../shared/codec/baseline-record.ts'
import { fromHex, toHex } from '../../../shared/crypto/digest.ts'
import type { BaselineRecord } from '../../../shared/model/baseline.ts'
import { baselineMetric, baselineRecord } from '../../support/baseline-record.ts'

type Vectors = { version: number; valid: string; refused: Record<string, string> }

/** Baselines that must not be taken, by what is wrong with them. */
const REFUSED: Record<string, BaselineRecord> = {
  'a spread below zero': baselineRecord({
    metrics: [baselineMetric('a', { windows: [{ ...baselineMetric('a').windows[0]!, spread: -1 }] })],
  }),
  'a limit of zero': baselineRecord({
    metrics: [baselineMetric('a', { detectors: [{ ...baselineMetric('a').detectors[0]!, limit: 0 }] })],
  }),
  'a wander below zero': baselineRecord({ metrics: [baselineMetric('a', { wander: -1 })] }),
  'a tolerance of zero': baselineRecord({ metrics: [baselineMetric('a', { tolerance: 0 })] }),
  'a quantile too few': baselineRecord({ metrics: [baselineMetric('a', { quantiles: [1, 2] })] }),
  'a factor of zero': baselineRecord({
    metrics: [baselineMetric('a', { conversions: [{ ...baselineMetric('a').conversions[0]!, factor: 0 }] })],
  }),
  'a gate that passed for reasons': baselineRecord({ gate: { ...baselineRecord().gate, reasons: ['gap'] } }),
  'a confidence above one': baselineRecord({ gate: { ...baselineRecord().gate, confidence: 1.5 } }),
  'a step without a width': baselineRecord({ stepUs: 0 }),
}

const FILE = join(import.meta.dirname, '..', '..', 'vectors', 'baseline-2.json')
const isNew = !existsSync(FILE)
const made: Vectors = {
  version: 2,
  valid: toHex(encodeBaseline(baselineRecord())),
  refused: Object.fromEntries(Object.entries(REFUSED).map(([why, record]) => [why, toHex(encodeBaseline(record))])),
}
if (isNew) writeFileSync(FILE, `${JSON.stringify(made, null, 2)}\n`)
const pinned = JSON.parse(readFileSync(FILE, 'utf8')) as Vectors

t.test('a baseline has the bytes it was given once and for all, and reads back as what it says', async (t) => {
  t.notOk(isNew, 'the vectors were missing and are made anew: look at them before they are committed')
  t.same(made, pinned)
  t.same(decodeBaseline(fromHex(pinned.valid)!), baselineRecord())
})

t.test('a baseline that would tolerate everything or nothing is refused', async (t) => {
  for (const [why, bytes] of Object.entries(pinned.refused))
    t.throws(() => decodeBaseline(fromHex(bytes)!), { code: 'BASELINE_SHAPE' }, why)
})

t.test(
  'a baseline of version 1 is refused with its number: nobody knows what its detectors would have said',
  async (t) => {
    const first = JSON.parse(readFileSync(join(FILE, '..', 'formats-1.json'), 'utf8')) as Record<string, string>
    t.throws(() => decodeBaseline(fromHex(first['baseline']!)!), {
      code: 'BASELINE_SHAPE',
      context: { found: 'version 1', expected: 2 },
    })
  },
)
