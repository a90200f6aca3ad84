import t from 'tap'
import { LEVEL } from '../../../agent/core/detectors/level.ts'
import { newestSwapUs } from '../../../agent/core/replaced.ts'
import { REPLACED_MAX, type RigSettings } from '../../../agent/core/settings.ts'
import type { EvaluatorInput } from '../../../agent/core/step.ts'
import { CalibrationWatch, type OverdueCalibration, overdueCalibrations } from '../../../agent/pipeline/calibrations.ts'
import { type ChannelOrder, channelInput } from '../../../agent/pipeline/channels.ts'
import { statedOf } from '../../../agent/pipeline/stated.ts'
import type { RegistryMetric } from '../../../shared/config/registry.ts'
import { createVirtualClock } from '../../../shared/lib/clock.ts'
import { cutEverywhere } from '../../support/cuts.ts'
import {
  type Collected,
  configInput,
  evaluatorSettings,
  feed,
  feedAll,
  judgedAt,
  mergedInputs,
  metricBaseline,
  metricSettings,
  RIG,
  rigOf,
  rigSettings,
  steadyInputs,
  T0,
  windowBaseline,
} from '../../support/evaluator-rig.ts'

const SWAP_US = T0 + 2_000_000

function swapInput(nowUs: number, channel: string, serial = 'S-2'): EvaluatorInput {
  return {
    kind: 'channel',
    nowUs,
    rig: RIG,
    command: 'replace',
    channel,
    serial,
    calDate: '2023-11-01',
    calDue: '2024-11-01',
    operator: 'Ada',
    reason: 'broken',
  }
}

/** Two metrics with a baseline of data that begin at `fromUs`; `a` also listens to `a-alias`. */
function rig(fromUs: number, more: Partial<RigSettings> = {}): RigSettings {
  const known = ['a', 'b'].map((m) => metricBaseline(m, { mean: 1, spread: 0.1, limit: 5 }))
  const metrics = [
    metricSettings('a', { baselineRequired: true, channels: ['a', 'a-alias'] }),
    metricSettings('b', { baselineRequired: true }),
  ]
  const baseline = { ...windowBaseline(new Uint8Array(32).fill(8), known), fromUs }
  return rigSettings(metrics, { baseline, ...more })
}

const fed = (seconds = 4) => steadyInputs({ fromUs: T0, toUs: T0 + seconds * 1_000_000, channels: ['a', 'b'] })
const swapped = (settings: RigSettings): EvaluatorInput[] => [
  configInput(T0, evaluatorSettings([settings])),
  ...mergedInputs(fed(), [swapInput(SWAP_US, 'a-alias')]),
]
const groundOf = (out: Collected, metric: string, us: number) => {
  const judgement = judgedAt(out, metric, us)
  return judgement === undefined ? undefined : (judgement.finding?.ground ?? judgement.verdict)
}

t.test('what a baseline knew of a sensor that was replaced counts no more, from that moment on', async (t) => {
  const out = feedAll(swapped(rig(T0 - 9_000_000)))
  t.equal(groundOf(out, 'a', SWAP_US), 'PASS', 'up to it')
  t.equal(groundOf(out, 'a', SWAP_US + 50_000), 'sensor_replaced')
  t.equal(groundOf(out, 'b', SWAP_US + 50_000), 'PASS', 'the others go on')
  const last = out.decisions.at(-1)!
  t.equal(last.verdict, 'NO_BASELINE')
  t.match(last.findings[0], { metric: 'a', verdict: 'NO_BASELINE', ground: 'sensor_replaced' })
  t.match((last.values[0] as { drivers: unknown }).drivers, [['a', 'NO_BASELINE', 'sensor_replaced', 0]])
  t.match(rigOf(out).replaced.get('a'), { sinceUs: SWAP_US, channel: 'a-alias', serial: 'S-2', calDue: '2024-11-01' })
})

t.test('limits still hold, and a channel that the rig does not have changes nothing', async (t) => {
  const limited = rig(T0 - 9_000_000)
  const metrics = limited.metrics.map((m) => (m.metric === 'a' ? { ...m, invariantMax: 0.5 } : m))
  const out = feedAll(swapped({ ...limited, metrics }))
  t.equal(groundOf(out, 'a', SWAP_US + 1_000_000), 'invariant_max')
  const other = feedAll([
    configInput(T0, evaluatorSettings([rig(T0 - 9_000_000)])),
    ...mergedInputs(fed(), [swapInput(SWAP_US, 'nobody')]),
  ])
  t.equal(other.decisions.at(-1)!.verdict, 'PASS')
  t.equal(rigOf(other).replaced.size, 0)
})

t.test('a baseline of data from after the swap counts; an older one that comes back does not', async (t) => {
  const out = feedAll(swapped(rig(T0 - 9_000_000)))
  const configure = (fromUs: number, tag: number, atUs: number) => {
    feed(out, configInput(atUs, evaluatorSettings([rig(fromUs)], tag)))
    const more = steadyInputs({ fromUs: atUs, toUs: atUs + 2_000_000, channels: ['a', 'b'], seqFrom: tag * 1000 })
    for (const input of more) feed(out, input)
    return out.decisions.at(-1)!.verdict
  }
  t.equal(configure(SWAP_US + 500_000, 2, T0 + 4_000_000), 'PASS')
  t.equal(configure(T0 - 9_000_000, 3, T0 + 6_000_000), 'NO_BASELINE', 'rolled back to the time before the swap')
  t.equal(configure(SWAP_US - 1, 4, T0 + 8_000_000), 'NO_BASELINE', 'data that begin before it')
})

t.test('a swap survives every cut, and a second look knows when it was', async (t) => {
  const plain = cutEverywhere(swapped(rig(T0 - 9_000_000)), 30)
  t.equal(plain.differs, null)
  const late = cutEverywhere(swapped(rig(T0 - 9_000_000, { latePolicy: 'revise', reviseWithinUs: 500_000 })), 30)
  t.equal(late.differs, null)
  const out = feedAll(swapped(rig(T0 - 9_000_000, { latePolicy: 'revise', reviseWithinUs: 500_000 })))
  t.same(out.revisions, [], 'a second look judges slides from before the swap as they were judged')
})

t.test('a baseline made after the swap begins after it, and says of which sensor it is', async (t) => {
  const out = feedAll(swapped(rig(T0 - 9_000_000)))
  const state = rigOf(out)
  t.equal(newestSwapUs(state), SWAP_US)
  t.equal(state.firstUs[0], SWAP_US, 'windows with samples of both sensors are no windows of either')
  t.ok(state.firstUs[1]! < SWAP_US)
  const metrics = [{ metric: 'a', unit: 'bar', tolerance: 0.5 }] as unknown as RegistryMetric[]
  const inForce = { metrics, equivalences: [], registry: { file: 'r.yaml', version: '1.0' } }
  t.same(statedOf(state, 'a', inForce), {
    tolerance: 0.5,
    conversions: [],
    calibration: { serial: 'S-2', date: '2023-11-01', due: '2024-11-01', offset: 0, source: '' },
  })
  t.same(statedOf(state, 'b', inForce), { tolerance: null, conversions: [], calibration: null })
})

t.test(
  'detectors get nothing new of a sensor that was replaced, and who makes a baseline still sees its steps',
  async (t) => {
    const level = { detector: LEVEL.name, version: LEVEL.version, numbers: [1, 0.01, 0, 0.0001], maxima: [1], limit: 4 }
    const settings = rig(T0 - 9_000_000)
    const known = ['a', 'b'].map((m) => ({
      ...metricBaseline(m, { mean: 1, spread: 0.1, limit: 5 }),
      detectors: [level],
    }))
    const baseline = { ...settings.baseline!, metrics: new Map(known.map((m) => [m.metric, m])) }
    const value = (channel: number, us: number) => (channel === 0 && us > SWAP_US ? 9 : 1)
    const run = (...more: EvaluatorInput[]) =>
      feedAll([
        configInput(T0, evaluatorSettings([{ ...settings, baseline }])),
        ...mergedInputs(steadyInputs({ fromUs: T0, toUs: T0 + 40_000_000, channels: ['a', 'b'], value }), more),
      ])
    const [kept, replaced] = [run(), run(swapInput(SWAP_US, 'a'))].map((out) => out.decisions.at(-1)!)
    const eventOf = (decision: typeof kept) => (decision!.values[0] as { event: [string, number, number] }).event
    t.equal(eventOf(kept)[0], 'alarm', 'the level has changed, and nobody said why')
    t.equal(eventOf(replaced)[0], 'nominal')
    t.ok(eventOf(replaced)[1] < 1)
    t.match(replaced!.findings, [{ metric: 'a', ground: 'sensor_replaced' }])
  },
)

t.test('conversions of a baseline are those that its samples went through', async (t) => {
  const settings = rigSettings([metricSettings('a', { convertsUnits: true, calibrationOffset: 0.25 })])
  const out = feedAll([
    configInput(T0, evaluatorSettings([settings])),
    ...steadyInputs({ fromUs: T0, toUs: T0 + 1_000_000, unit: 'kPa' }),
  ])
  const calibration = { offset: 0.25, source: 'Lab 7', date: '2026-01-31' }
  const metrics = [{ metric: 'a', unit: 'bar', calibration }] as unknown as RegistryMetric[]
  const inForce = { metrics, equivalences: [], registry: { file: 'r.yaml', version: '1.0' } }
  t.same(statedOf(rigOf(out), 'a', inForce), {
    tolerance: null,
    conversions: [
      { from: 'kPa', to: 'bar', factor: 0.01, offset: 0, source: 'unit table', version: '1' },
      { from: 'bar', to: 'bar', factor: 1, offset: 0.25, source: 'Lab 7', version: '2026-01-31' },
    ],
    calibration: { serial: '', date: '2026-01-31', due: '', offset: 0.25, source: 'Lab 7' },
  })
})

t.test(
  'replaced sensors that are remembered have a bound; those of metrics in force are never forgotten',
  async (t) => {
    const out = feedAll([configInput(T0, evaluatorSettings([rig(0)])), ...fed(1)])
    const { replaced } = rigOf(out)
    const sensor = { sinceUs: 1, channel: 'x', serial: 's', calDate: '2023-01-01', calDue: '2024-01-01' }
    feed(out, swapInput(T0 + 1_000_000, 'a'))
    for (let k = 0; replaced.size < REPLACED_MAX; k += 1) replaced.set(`gone-${k}`, sensor)
    feed(out, swapInput(T0 + 1_100_000, 'b'))
    t.equal(replaced.size, REPLACED_MAX)
    t.ok(replaced.has('a') && replaced.has('b') && !replaced.has('gone-0'))
  },
)

const ORDER: ChannelOrder = {
  command: 'replace',
  rig: null,
  channel: 'a-alias',
  serial: 'S-2',
  cal_date: '2026-01-01',
  cal_due: '2027-01-01',
  operator: 'Ada',
  reason: '',
}

t.test('bad input: an order about a channel or a date that is none says what to do', async (t) => {
  const settings = [rig(0), { ...rig(0), rig: 'rig-b' }]
  const { state } = feedAll([configInput(T0, evaluatorSettings(settings))])
  const order = (more: Partial<ChannelOrder>) => () => channelInput(state, { ...ORDER, rig: RIG, ...more }, T0)
  t.match(order({})(), { metric: 'a', input: { kind: 'channel', rig: RIG, channel: 'a-alias', calDue: '2027-01-01' } })
  t.throws(order({ rig: null }), { code: 'CHANNEL_UNKNOWN', context: { rigs: 'rig-a, rig-b', expected: '--rig' } })
  t.throws(order({ channel: 'a-alia' }), { code: 'CHANNEL_UNKNOWN', context: { hint: 'did you mean `a-alias`?' } })
  t.throws(order({ rig: 'rig-c' }), { code: 'RIG_UNKNOWN', context: { known: 'rig-a, rig-b' } })
  t.throws(order({ cal_date: '2026-02-30' }), { code: 'USAGE', context: { found: 'cal_date 2026-02-30' } })
  t.throws(order({ cal_due: '2025-01-01' }), { code: 'USAGE', context: { expected: 'a day behind 2026-01-01' } })
})

const metric = (name: string, date: string, due?: string): RegistryMetric =>
  ({
    metric: name,
    unit: 'bar',
    calibration: { offset: 0, source: `lab of ${name}`, date, ...(due === undefined ? {} : { due }) },
  }) as unknown as RegistryMetric

t.test('a calibration past its date is said once; of two, that of the younger sensor counts', async (t) => {
  const registries = new Map([
    [
      'r',
      [
        metric('kept', '2025-01-01', '2026-01-01'),
        metric('new', '2025-01-01', '2026-01-01'),
        metric('ever', '2020-01-01'),
      ],
    ],
  ])
  const replaced = new Map([['new', { serial: 'S-9', calDate: '2025-06-01', calDue: '2026-06-01' }]])
  const at = (date: string) => Date.parse(`${date}T12:00:00Z`) * 1000
  t.same(
    overdueCalibrations(registries, () => replaced, at('2026-01-01')),
    [],
    'the day it is due still counts',
  )
  t.same(
    overdueCalibrations(registries, () => replaced, at('2026-01-02')),
    [{ rig: 'r', metric: 'kept', due: '2026-01-01', source: 'lab of kept' }],
  )
  t.match(overdueCalibrations(registries, () => replaced, at('2026-06-02'))[1], { metric: 'new', source: 'sensor S-9' })

  const clock = createVirtualClock(at('2026-01-01'))
  const said: OverdueCalibration[] = []
  const watch = new CalibrationWatch({
    clock,
    nowUs: () => clock.nowUs(),
    registries: () => registries,
    replaced: () => replaced,
    overdue: (found) => said.push(found),
  })
  const cancel = watch.start()
  t.same(said, [])
  await clock.advance(2 * 86_400_000_000)
  cancel()
  t.same(
    said.map((found) => found.metric),
    ['kept'],
    'once',
  )
})
