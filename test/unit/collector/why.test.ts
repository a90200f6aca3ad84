import t from 'tap'
import { STREAM_NAMES } from '../../../agent/core/detectors/streams.ts'
import { explainFinding } from '../../../collector/dashboard/why.ts'
import type { FindingJson } from '../../../shared/protocol/messages.ts'

const finding = (ground: string, change: Partial<FindingJson> = {}): FindingJson => ({
  ...{
    metric: 'flow',
    channel: 'Volume Flow',
    verdict: 'DRIFT',
    window_us: 15_000_000,
    ground,
    unit: 'L/min',
    count: 0,
  },
  ...{ mean: 24.13, min: 20, max: 31, limit: 1.9, baseline_mean: 32.1, baseline_spread: 0.4, deviation: -19.9 },
  ...{ ratio: 4.1, age_us: null, ...change },
})
const plain = (...of: Parameters<typeof finding>): string => explainFinding(finding(...of)).replaceAll('\u00a0', ' ')

t.test('every stream of the detectors has a sentence of its own', async (t) => {
  for (const name of STREAM_NAMES) {
    const said = plain(name)
    t.match(said, /^flow \(channel Volume Flow\) .*\.$/)
    t.notMatch(said, `ground “${name}”`, name)
    t.notMatch(said, /null|NaN|undefined/)
    const bare = plain(name, {
      mean: null,
      min: null,
      max: null,
      limit: null,
      baseline_mean: null,
      baseline_spread: null,
    })
    t.notMatch(bare, /null|NaN|undefined|—/, `${name} without numbers`)
  }
  t.ok(STREAM_NAMES.length >= 6, STREAM_NAMES.join(' '))
})

t.test('a detector of levels says from what, by how much, and what is tolerated', async (t) => {
  t.equal(
    plain('level'),
    'flow (channel Volume Flow) has a mean of 24.13 L/min over 15 s: 7.970 L/min below the 32.10 L/min that it has been at lately; 1.900 L/min is tolerated, 4.10 times what is allowed.',
  )
  t.match(plain('golden', { mean: 40 }), /7\.900 L\/min above the 32\.10 L\/min of its golden baseline/)
  t.match(plain('of a later version'), /on the ground “of a later version”/)
})
