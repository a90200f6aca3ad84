import type {
  ChannelVitals,
  DecisionJson,
  FindingJson,
  RefusalJson,
  SliceJson,
  Vitals,
} from '../../collector/dashboard/wire-types.ts'

/** Text that would run if the page took it for markup. */
export const HOSTILE = '<img src=x onerror="window.pwned=1"><script>window.pwned=1</script>'
export const HOSTILE_RIG = '<b onmouseover=window.pwned=1>rig</b>'

/** One that is connected, and one that is not. */
export const AGENTS = [
  { agent: 'bench-1', program: 'demo', connected: true, version: '0.1.0' },
  { agent: 'rack-1', program: 'demo', connected: false, version: '0.1.0' },
]

const WIDTHS_US = [250_000, 1_000_000, 10_000_000, 60_000_000]

/** Mean of the flow while its valve closes, and what it is held against: 12.5σ low, three times what is allowed. */
export const FLOW_FINDING: FindingJson = {
  metric: 'flow',
  channel: 'Volume Flow RateRMS',
  verdict: 'FAIL',
  window_us: 10_000_000,
  ground: 'fail_min',
  unit: 'L/min',
  count: 480,
  mean: 24.13,
  min: 22.8,
  max: 30.9,
  limit: 26,
  baseline_mean: 32.1,
  baseline_spread: 0.64,
  deviation: -12.45,
  ratio: 3.1,
  age_us: null,
}

const DRIFT_FINDING: FindingJson = {
  ...FLOW_FINDING,
  metric: 'pressure',
  channel: 'Pressure',
  verdict: 'DRIFT',
  ground: 'drift_threshold',
  unit: 'bar',
  mean: 1.31,
  min: 1.2,
  max: 1.4,
  limit: 0.2,
  baseline_mean: 1.02,
  baseline_spread: 0.06,
  deviation: 4.83,
  ratio: 1.45,
}

const SILENT_FINDING: FindingJson = {
  ...FLOW_FINDING,
  metric: 'current',
  channel: 'Current',
  verdict: 'STALE',
  ground: 'silent',
  unit: 'A',
  window_us: 0,
  count: 0,
  mean: null,
  min: null,
  max: null,
  limit: 2_000_000,
  baseline_mean: null,
  baseline_spread: null,
  deviation: null,
  ratio: null,
  age_us: 7_400_000,
}

type ChannelSample = Partial<ChannelVitals> & Pick<ChannelVitals, 'metric' | 'unit'>

function channelOf(sample: ChannelSample): ChannelVitals {
  const { value = 1, baseline = null } = sample
  const spread = baseline === null ? null : (baseline.high - baseline.low) / 6
  return {
    channel: sample.metric,
    verdict: 'PASS',
    value,
    age_us: 180_000,
    limit_min: null,
    limit_max: null,
    baseline,
    rolling: null,
    level: null,
    windows: WIDTHS_US.map((width_us, at) => ({
      width_us,
      state: at === 0 ? 'na' : at === 3 ? 'filling' : 'judged',
      count: width_us / 20_000,
      mean: at === 0 || at === 3 ? null : value,
      min: value === null ? null : value * 0.98,
      max: value === null ? null : value * 1.02,
      deviation: spread === null || value === null || baseline === null ? null : (value - baseline.mean) / spread,
    })),
    ...sample,
  }
}

function bandOf(mean: number, reach: number): ChannelVitals['baseline'] {
  return { mean, low: mean - reach, high: mean + reach, kind: 'draft' }
}

const WATER_CHANNELS: readonly ChannelVitals[] = [
  channelOf({
    metric: 'accelerometer_1',
    channel: 'Accelerometer1RMS',
    unit: 'g',
    value: 0.0284,
    limit_max: 0.25,
    baseline: bandOf(0.0281, 0.004),
  }),
  channelOf({
    metric: 'current',
    channel: 'Current',
    unit: 'A',
    value: 2.07,
    limit_min: 0.2,
    limit_max: 4,
    baseline: bandOf(2.1, 0.6),
  }),
  channelOf({
    metric: 'flow',
    channel: 'Volume Flow RateRMS',
    unit: 'L/min',
    verdict: 'FAIL',
    value: 23.9,
    limit_min: 26,
    limit_max: 40,
    baseline: bandOf(32.1, 2),
    rolling: { ...bandOf(31.2, 2.6)!, kind: 'rolling' },
    level: { mean: 29.4, low: 27.9, high: 30.9, kind: 'level' },
  }),
  channelOf({
    metric: 'pressure',
    channel: 'Pressure',
    unit: 'bar',
    verdict: 'DRIFT',
    value: 1.31,
    limit_min: 0,
    limit_max: 3,
    baseline: bandOf(1.02, 0.2),
  }),
  channelOf({
    metric: 'temperature',
    channel: 'Temperature',
    unit: '°C',
    value: 71.32,
    limit_max: 90,
    baseline: bandOf(71.4, 1.2),
    rolling: { ...bandOf(71.9, 1.5)!, kind: 'rolling' },
    level: { mean: 71.3, low: 70.9, high: 71.7, kind: 'level' },
  }),
  channelOf({
    metric: 'voltage',
    channel: 'Voltage',
    unit: 'V',
    verdict: 'STALE',
    value: 228.4,
    age_us: 7_400_000,
    limit_min: 200,
    limit_max: 250,
    baseline: bandOf(229, 9),
  }),
]

export const GOLDEN_DIGEST = '4be1'.repeat(16)
export const ROLLING_DIGEST = '0c77'.repeat(16)
const DAY_US = 86_400_000_000

const INPUTS = [
  { name: 'sample_size', value: 36_000, bound: 1000, score: 1 },
  { name: 'environment_match', value: 0.9, bound: 0.7, score: 0.9 },
  { name: 'step_statistic', value: 4.2, bound: 20, score: 1 },
  { name: 'segments', value: 20, bound: 5, score: 0.952_381 },
]

/** A rig compared with a certified golden baseline and a rolling one that has decayed, and whose detector speaks. */
export const WATER_BASELINES = {
  mode: 'test',
  family: '',
  golden: {
    digest: GOLDEN_DIGEST,
    kind: 'golden',
    confidence: 0.857,
    decay: 1,
    decay_reasons: [],
    age_us: 2.4 * DAY_US,
    inputs: INPUTS,
  },
  rolling: {
    digest: ROLLING_DIGEST,
    kind: 'draft',
    confidence: 0.71,
    decay: 0.42,
    decay_reasons: ['age_sec 5.1e+5 of 6.05e+5', 'drifted_metrics 1 of 6: flow'],
    age_us: 5.9 * DAY_US,
    inputs: INPUTS,
  },
} as const

export const WATER_EVENT = {
  state: 'alarm',
  score: 3.42,
  confidence: 0.952,
  stream: 'level',
  channel: 'Volume Flow RateRMS',
}

const PERSON = (name: string) => ({ key: `${name.length}a`.repeat(8), name })

/** The book of a collector: golden in force, rolling waiting for an approval with its gate not passed, and one of somebody else. */
export function bookOf(nowUs: number): Record<string, unknown> {
  const golden = {
    digest: GOLDEN_DIGEST,
    ...{ program: 'demo', rig: 'water-loop', family: '', mode: 'test', kind: 'golden', counts_as: 'golden' },
    ...{ in_force: ['golden'], tags: ['flight-7'], confidence: 0.857 },
    gate: { passed: true, reasons: [], confidence: 0.857, inputs: INPUTS, policy: 'ab'.repeat(32) },
    decay: { factor: 1, reasons: [], age_us: 2.4 * DAY_US, checked_us: nowUs },
    segments: { replayed: 20, min: 5, hard: 20 },
    request: {
      ...{ request: '11'.repeat(32), digest: GOLDEN_DIGEST, as: 'golden', status: 'approved', gate_passed: true },
      ...{ waits_for: null, approvals_missing: 0, proposer: PERSON('ada'), reviewer: PERSON('grace') },
      ...{
        approvers: [PERSON('kay')],
        proposed_us: nowUs - DAY_US,
        changed_us: nowUs - DAY_US / 2,
        reason: 'as built',
      },
      break_glass: null,
    },
  }
  const reasons = ['baseline too loose to protect flow: detectable_shift 2.6 > 1.5 L/min']
  const rolling = {
    ...golden,
    ...{ digest: ROLLING_DIGEST, kind: 'rolling', counts_as: 'draft', in_force: [], tags: [], confidence: 0.298 },
    gate: { ...golden.gate, passed: false, reasons, confidence: 0.71 },
    decay: { factor: 0.42, reasons: WATER_BASELINES.rolling.decay_reasons, age_us: 5.9 * DAY_US, checked_us: nowUs },
    request: {
      ...golden.request,
      ...{ digest: ROLLING_DIGEST, as: 'rolling', status: 'reviewed', waits_for: 'approval', approvals_missing: 1 },
      ...{ approvers: [], reason: HOSTILE, gate_passed: false },
    },
  }
  const other = { ...golden, digest: '99'.repeat(32), rig: 'skab-valve' }
  return {
    ...{ book: '0b'.repeat(16), seq: 9, prev: '22'.repeat(32), at_us: nowUs, statements: 9, approvals_required: 1 },
    ...{ operators: [], damage: null, note: 'keys distinct, persons unproven', count: 3 },
    baselines: [golden, rolling, other],
  }
}

/** Vitals of a rig that is well, with `change` over them. */
export function vitalsOf(rig: string, nowUs: number, change: Partial<Vitals> & { heard_age_ms?: number } = {}): Vitals {
  return {
    v: 1,
    type: 'vitals',
    rig,
    program: 'demo',
    agent: 'bench-1',
    time_us: nowUs - 310_000,
    wall_us: nowUs,
    verdict: 'PASS',
    limits_only: false,
    mode: 'nominal',
    run: null,
    decision_seq: 40,
    findings: [],
    clock: 'system',
    simulation: false,
    samples_per_s: 400,
    counters: { received: 48_213, evaluated: 48_190, late: 0, duplicate: 2, rejected: 0, shed: 0, missing: 0 },
    outbox: { batches: 1, bytes: 18_400, oldest_us: nowUs - 900_000 },
    channels: [channelOf({ metric: 'load', unit: '1', value: 0.42, limit_max: 8 })],
    baselines: { mode: 'nominal', family: '', golden: null, rolling: null },
    event: null,
    alarms: null,
    ...change,
  }
}

/** One rig in every state a tile can have, and one that is hostile. */
export function fleetVitals(nowUs: number): readonly Vitals[] {
  const run = { run: 'run-7', article: 'SN-0042', procedure: 'TP-11', operator: 'mira' }
  const counters = { received: 96_240, evaluated: 96_101, late: 12, duplicate: 4, rejected: 3, shed: 0, missing: 2 }
  return [
    vitalsOf('water-loop', nowUs, {
      verdict: 'FAIL',
      simulation: true,
      mode: 'test',
      run,
      counters,
      findings: [FLOW_FINDING, DRIFT_FINDING],
      channels: WATER_CHANNELS,
      baselines: WATER_BASELINES,
      event: WATER_EVENT,
    }),
    vitalsOf('host', nowUs, { agent: 'rack-1', limits_only: true }),
    vitalsOf('skab-valve', nowUs, {
      agent: 'rack-1',
      verdict: 'PASS_WITH_DRIFT',
      clock: 'recording',
      time_us: 1_583_766_000_000_000,
      findings: [DRIFT_FINDING],
    }),
    vitalsOf('silent', nowUs, { verdict: 'NO_TEST', mode: 'degraded', findings: [SILENT_FINDING] }),
    vitalsOf('fresh', nowUs, { verdict: 'NO_BASELINE' }),
    vitalsOf('gone', nowUs - 61_000_000, { heard_age_ms: 61_000 }),
    vitalsOf(HOSTILE_RIG, nowUs, {
      run: { ...run, article: HOSTILE },
      mode: HOSTILE as Vitals['mode'],
      channels: [
        channelOf({ metric: HOSTILE, channel: HOSTILE, unit: HOSTILE, verdict: HOSTILE as ChannelVitals['verdict'] }),
      ],
      findings: [{ ...FLOW_FINDING, metric: HOSTILE, channel: HOSTILE, unit: HOSTILE, ground: HOSTILE }],
    }),
  ]
}

export function decisionOf(seq: number, timeUs: number, change: Partial<DecisionJson> = {}): DecisionJson {
  return {
    id: `bench-1:${seq}`,
    agent: 'bench-1',
    program: 'demo',
    rig: 'water-loop',
    seq,
    time_us: timeUs,
    verdict: 'PASS',
    mode: 'test',
    limits_only: false,
    revises: null,
    revised_by: null,
    findings: [],
    batch: { agent: 'bench-1', epoch: 1, batch_seq: Math.ceil(seq / 10) },
    receipt_us: timeUs + 900_000,
    ...change,
  }
}

/** A batch of ten decisions as the collector tells of it, in the fleet and on the live feed. */
export function batchOf(batchSeq: number, recvUs: number, receiptUs: number | null): Readonly<Record<string, unknown>> {
  const place = { agent: 'bench-1', epoch: 1, batch_seq: batchSeq, first_seq: batchSeq * 10 - 9, count: 10 }
  return { ...place, bytes: 8_192, run: null, identity: 'aa', prev: 'bb', recv_us: recvUs, receipt_us: receiptUs }
}

export function refusalOf(code: string, detail: string, timeUs: number): RefusalJson {
  return { code, agent: 'bench-1', detail, time_us: timeUs }
}

/** 60 s of the flow at 20 Hz around `timeUs`: level, and from 4 s before it falling; half a second of it is missing. */
export function sliceOf(decision: string, timeUs: number): SliceJson {
  const t_us = Array.from({ length: 1200 }, (_, at) => timeUs - 30_000_000 + at * 50_000)
  const value = t_us.map((us, at) => {
    const fallenS = Math.max(0, (us - timeUs + 4_000_000) / 1_000_000)
    if (at >= 300 && at < 310) return null
    return Math.max(22.5, 32.1 - fallenS * 1.6) + Math.sin(at * 1.7) * 0.45
  })
  return { decision, channels: [{ metric: 'flow', channel: 'Volume Flow RateRMS', unit: 'L/min', t_us, value }] }
}
