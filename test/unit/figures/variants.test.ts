import { join } from 'node:path'
import t from 'tap'
import type { Fault } from '../../../hil-testbed/core/fault.ts'
import type { ScenarioRow } from '../../../hil-testbed/core/scenario.ts'
import { faultProblems } from '../../../hil-testbed/fault-problems.ts'
import { loadScenarios } from '../../../hil-testbed/scenario/load.ts'
import { orderFrom } from '../../../scripts/figures/order.ts'
import { REMARKS } from '../../../scripts/figures/remarks.ts'
import { faultRow, nominalRow, quietMoments, SETTLED_US, WATCHED_US } from '../../../scripts/figures/rows.ts'
import { MEASURED_KINDS, magnitudeOf, VARIANTS, variantsOf } from '../../../scripts/figures/variants.ts'
import { ROOT } from '../../../scripts/sources.ts'

const base = loadScenarios([join(ROOT, 'hil-testbed', 'figures')]).rows[0]!

function faultIn(row: ScenarioRow): Fault {
  const step = row.steps[0]?.steps[0]
  if (step?.do !== 'inject') throw new Error('no fault')
  return step.fault
}

t.test('every fault that the acquisitions carry out is measured, and could stand in a scenario of the vessel', (t) => {
  const measured = new Set(VARIANTS.map((variant) => variant.class))
  t.strictSame([...measured].sort(), [...MEASURED_KINDS].sort())
  VARIANTS.forEach((variant, index) => {
    const row = faultRow(base, variant, { index, seed: 3 })
    const { sensors } = row.rig
    const known = {
      channel: sensors.map(({ channel }) => channel),
      source: sensors.map(({ source }) => source),
      ccg: sensors.flatMap(({ ccg }) => ccg),
    }
    t.strictSame(faultProblems(faultIn(row), known), [], `${variant.class} ${magnitudeOf(variant)}`)
    t.ok(variant.channels.length > 0 && variant.channels.every((name) => known.channel.includes(name)))
  })
  t.end()
})

t.test('a fault and its magnitude come once, and what is remarked is about one of them', (t) => {
  const names = VARIANTS.map((variant) => `${variant.class} ${magnitudeOf(variant)}`)
  t.equal(new Set(names).size, names.length)
  for (const remarks of Object.values(REMARKS))
    for (const name of Object.keys(remarks)) t.ok(names.includes(name), name)
  t.end()
})

t.test(
  'the moment of a fault follows from seed and row, after the windows are full, and is watched to its end',
  (t) => {
    const onsets = Array.from({ length: 40 }, (_, k) => {
      const row = faultRow(base, VARIANTS[0]!, { index: 0, seed: k + 1 })
      const { onsetUs } = faultIn(row)
      t.ok(onsetUs >= SETTLED_US && onsetUs + WATCHED_US < row.clock.durationUs)
      return onsetUs
    })
    t.ok(new Set(onsets).size > 35, 'each seed has its own')
    t.strictSame(
      faultRow(base, VARIANTS[0]!, { index: 0, seed: 9 }),
      faultRow(base, VARIANTS[0]!, { index: 0, seed: 9 }),
    )
    t.not(faultIn(faultRow(base, VARIANTS[0]!, { index: 1, seed: 9 })).onsetUs, onsets[8])
    t.end()
  },
)

t.test('a shared supply is on the channels that have it, and the baseline knows nothing of it', (t) => {
  const index = VARIANTS.findIndex(({ common }) => common.length > 0)
  const { rig } = faultRow(base, VARIANTS[index]!, { index, seed: 1 })
  const on = rig.sensors.filter(({ ccg }) => ccg.includes('psu-shared')).map(({ channel }) => channel)
  t.strictSame(on, ['p_a', 'p_b'])
  t.strictSame(rig.nominal, base.rig.nominal)
  t.end()
})

t.test('a nominal run has no fault, and spans as long as a watch that do not overlap', (t) => {
  const row = nominalRow(base, 4, 1)
  t.strictSame(row.steps, [])
  t.strictSame(
    quietMoments(row.clock.durationUs),
    [11, 26, 41, 56].map((s) => s * 1_000_000),
  )
  t.end()
})

t.test('a command line that makes no sense is told, and a part is not what the document is made of', (t) => {
  t.match(orderFrom([]), { words: [], seeds: 20, minutes: 6, jobs: 2, json: false, write: false, from: null })
  t.equal(orderFrom([]).variants.length, VARIANTS.length)
  t.strictSame(
    orderFrom(['--only', 'time,comms.lose']).variants,
    VARIANTS.filter((variant) => variant.class === 'comms.lose' || variant.class.startsWith('time.')),
  )
  t.strictSame(variantsOf(['comms.los']), [], 'half a name is none')
  for (const wrong of [
    ['--only', 'gremlins'],
    ['--seeds', '0'],
    ['--seeds', 'many'],
    ['--minutes', '0'],
    ['--jobs', '65'],
    ['--write', '--seeds', '19'],
    ['--write', '--only', 'time'],
    ['--compare'],
    ['more'],
  ])
    t.throws(() => orderFrom(wrong), { code: 'USAGE' }, wrong.join(' '))
  t.end()
})
