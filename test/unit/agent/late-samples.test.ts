import t from 'tap'
import type { LateSample } from '../../../agent/core/late.ts'
import { LATE_SAMPLES_MAX } from '../../../agent/core/settings.ts'
import { totalCounts } from '../../../agent/core/totals.ts'
import { Pins } from '../../../agent/pipeline/pins.ts'
import { createTimeIndex } from '../../../agent/pipeline/time-index.ts'
import {
  type Collected,
  digestOfRun,
  feed,
  feedAll,
  frameInput,
  frameOf,
  rigOf,
  T0,
  tickInput,
} from '../../support/evaluator-rig.ts'
import { hostileInputs } from '../../support/hostile-inputs.ts'
import { arrivalOf, type LatePolicy, lateRun, sentSamples } from '../../support/late-rig.ts'

const samplesOf = (out: Collected): LateSample[] => out.late.flatMap(({ samples }) => samples)

t.test('every policy: nothing is lost from the ledger, and what is late is late', async (t) => {
  const sent = sentSamples(21)
  const late = sent.filter((s) => s.late).length
  const inputs = arrivalOf(sent, 21)
  for (const policy of ['drop', 'side_output', 'revise'] as const satisfies readonly LatePolicy[]) {
    const counts = totalCounts(rigOf(feedAll(lateRun(policy, inputs))))
    t.equal(counts.received, sent.length, policy)
    t.equal(counts.late, late, policy)
    const { evaluated, duplicate, rejected, shed, pending } = counts
    t.equal(counts.received, evaluated + counts.late + duplicate + rejected + shed + pending, policy)
  }
})

t.test('side_output changes no byte of any decision', async (t) => {
  const inputs = arrivalOf(sentSamples(22), 22)
  t.equal(digestOfRun(feedAll(lateRun('side_output', inputs))), digestOfRun(feedAll(lateRun('drop', inputs))))
  for (const seed of [1, 2, 3])
    t.equal(
      digestOfRun(feedAll(hostileInputs(seed, 400, 'side_output'))),
      digestOfRun(feedAll(hostileInputs(seed, 400))),
    )
})

t.test('what is late comes out with everything that is known of it, under side_output and revise only', async (t) => {
  const sent = sentSamples(23)
  const inputs = arrivalOf(sent, 23)
  t.equal(feedAll(lateRun('drop', inputs)).late.length, 0)
  for (const policy of ['side_output', 'revise'] as const) {
    const found = samplesOf(feedAll(lateRun(policy, inputs)))
    const key = (s: { channel: string; timeUs: number }): string => `${s.channel} ${s.timeUs}`
    t.same(
      found.map(key).sort(),
      sent
        .filter((s) => s.late)
        .map(key)
        .sort(),
    )
    for (const s of found) {
      const of = sent.find((x) => key(x) === key(s))!
      t.match(s, { metric: of.channel, value: of.value, seq: of.seq, source: 'daq-b/e1', quality: 0 })
      t.ok(s.behindUs > 0 && s.slideEndUs > s.timeUs && s.slideEndUs - s.timeUs <= 50_000)
      t.equal(s.revisable, policy === 'revise')
    }
  }
})

t.test('hostile inputs: late samples come out as often as the ledger counts them', async (t) => {
  for (let seed = 1; seed <= 6; seed += 1) {
    const out = feedAll(hostileInputs(seed, 400, 'side_output'))
    const listed = out.late.reduce((n, e) => n + e.samples.length + e.more, 0)
    const late = out.state.rigs.reduce((n, rig) => n + totalCounts(rig).late, 0)
    t.equal(listed, late)
    t.ok(late > 0)
    t.ok(samplesOf(out).every((s) => s.value === null || Number.isFinite(s.value)))
  }
})

t.test('past the bound late samples of one input are a number, and the ledger still has them', async (t) => {
  const out = feedAll(lateRun('side_output', [tickInput(T0 + 10_000_000)]))
  const times = Array.from({ length: LATE_SAMPLES_MAX + 10 }, (_, k) => T0 + k)
  feed(
    out,
    frameInput(T0 + 10_000_000, frameOf({ channels: ['b'], seq: 1, times, values: [times.map(() => Number.NaN)] })),
  )
  t.equal(out.late.length, 1)
  t.equal(out.late[0]!.samples.length, LATE_SAMPLES_MAX)
  t.equal(out.late[0]!.more, 10)
  t.equal(out.late[0]!.samples[0]!.value, null, 'what is no number is kept as such')
  t.equal(totalCounts(rigOf(out)).late, LATE_SAMPLES_MAX + 10)
  t.equal(rigOf(out).late!.samples.length, 0, 'nothing stays behind')
})

t.test('records with late samples are kept, those near each other as one span', async (t) => {
  const spans: [number, number][] = []
  const pins = new Pins({
    journal: { pin: (from, to) => spans.push([from, to]) },
    times: createTimeIndex(),
    startSeq: 1,
  })
  const late = { kind: 'late' as const, rig: 'rig-a', samples: [], more: 0 }
  pins.take([late], T0, 500)
  pins.take([], T0, 501)
  pins.take([late], T0, 1500)
  pins.take([late], T0, 9000)
  t.same(spans, [
    [500, 500],
    [500, 1500],
    [9000, 9000],
  ])
})
