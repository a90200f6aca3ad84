import type {
  BaselineBand,
  BaselineVitals,
  ChannelVitals,
  DecisionJson,
  FindingJson,
  GateInput,
  LossCounts,
  RefusalJson,
  SliceJson,
  Vitals,
  WindowVitals,
} from './wire-types.ts'

/** Bounds on what one message may make the page draw; what is beyond is left out, and a message past them is not a reason to fail. */
const CHANNELS_MAX = 512
const FINDINGS_MAX = 64
const WINDOWS_MAX = 16
const INPUTS_MAX = 64
const TEXT_MAX = 256
const SLICE_SAMPLES_MAX = 200_000

type Fields = Readonly<Record<string, unknown>>

/** The fields of a JSON object; undefined for anything else. */
export function fieldsOf(value: unknown): Fields | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : undefined
}

/** Text, cut to a length a page can show. Anything else is empty text. */
export function textOf(value: unknown): string {
  return typeof value === 'string' ? value.slice(0, TEXT_MAX) : ''
}

/** A finite number or null: JSON has no NaN, and a page must not calculate with one. */
export function numberOf(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) ? value : null
}

export function listOf(value: unknown, max: number): readonly unknown[] {
  return Array.isArray(value) ? value.slice(0, max) : []
}

/**
 * Reads vitals from a message of the collector. What is missing becomes unknown (null, empty, `?`), never a good value:
 * a verdict that is not there is not PASS.
 */
export function parseVitals(value: unknown): Vitals | undefined {
  const fields = fieldsOf(value)
  const rig = textOf(fields?.['rig'])
  if (fields === undefined || rig === '') return undefined
  const outbox = fieldsOf(fields['outbox']) ?? {}
  return {
    v: 1,
    type: 'vitals',
    rig,
    program: textOf(fields['program']),
    agent: textOf(fields['agent']),
    time_us: numberOf(fields['time_us']) ?? 0,
    wall_us: numberOf(fields['wall_us']) ?? 0,
    verdict: (textOf(fields['verdict']) || 'NO_TEST') as Vitals['verdict'],
    limits_only: fields['limits_only'] === true,
    mode: (textOf(fields['mode']) || '?') as Vitals['mode'],
    run: parseRun(fields['run']),
    decision_seq: numberOf(fields['decision_seq']) ?? 0,
    findings: listOf(fields['findings'], FINDINGS_MAX).flatMap(parseFinding),
    clock: fields['clock'] === 'recording' || fields['clock'] === 'external' ? fields['clock'] : 'system',
    // What is not said to be measured is not shown as measured.
    simulation: fields['simulation'] !== false,
    samples_per_s: numberOf(fields['samples_per_s']) ?? 0,
    counters: parseCounters(fields['counters']),
    outbox: {
      batches: numberOf(outbox['batches']) ?? 0,
      bytes: numberOf(outbox['bytes']) ?? 0,
      oldest_us: numberOf(outbox['oldest_us']),
    },
    channels: listOf(fields['channels'], CHANNELS_MAX).flatMap(parseChannel),
    baselines: parseBaselines(fields['baselines']),
    event: parseEvent(fields['event']),
    // The collector keeps them and tells them by themselves.
    alarms: null,
  }
}

function parseBaselines(value: unknown): Vitals['baselines'] {
  const fields = fieldsOf(value)
  const mode = (textOf(fields?.['mode']) || '?') as Vitals['mode']
  const [golden, rolling] = [fields?.['golden'], fields?.['rolling']].map(parseBaselineVitals)
  return { mode, family: textOf(fields?.['family']), golden: golden ?? null, rolling: rolling ?? null }
}

function parseBaselineVitals(value: unknown): BaselineVitals | null {
  const fields = fieldsOf(value)
  const digest = textOf(fields?.['digest'])
  if (fields === undefined || digest === '') return null
  return {
    digest,
    // What does not say that it is certified is not.
    kind: textOf(fields['kind']) || 'draft',
    confidence: numberOf(fields['confidence']) ?? 0,
    decay: numberOf(fields['decay']) ?? 0,
    decay_reasons: listOf(fields['decay_reasons'], WINDOWS_MAX).map(textOf),
    age_us: numberOf(fields['age_us']) ?? 0,
    inputs: parseInputs(fields['inputs']),
  }
}

export function parseInputs(value: unknown): GateInput[] {
  return listOf(value, INPUTS_MAX).flatMap((entry) => {
    const fields = fieldsOf(entry)
    const [number, bound, score] = ['value', 'bound', 'score'].map((key) => numberOf(fields?.[key]))
    if (number == null || bound == null || score == null) return []
    return [{ name: textOf(fields?.['name']), value: number, bound, score }]
  })
}

function parseEvent(value: unknown): Vitals['event'] {
  const fields = fieldsOf(value)
  if (fields === undefined) return null
  return {
    state: textOf(fields['state']) || '?',
    score: numberOf(fields['score']) ?? 0,
    confidence: numberOf(fields['confidence']),
    stream: textOf(fields['stream']) || null,
    channel: textOf(fields['channel']) || null,
  }
}

function parseRun(value: unknown): Vitals['run'] {
  const run = fieldsOf(value)
  if (run === undefined) return null
  return {
    run: textOf(run['run']),
    article: textOf(run['article']),
    procedure: textOf(run['procedure']),
    operator: textOf(run['operator']),
  }
}

function parseCounters(value: unknown): LossCounts {
  const counts = fieldsOf(value) ?? {}
  const count = (name: string) => numberOf(counts[name]) ?? 0
  return {
    received: count('received'),
    evaluated: count('evaluated'),
    late: count('late'),
    duplicate: count('duplicate'),
    rejected: count('rejected'),
    shed: count('shed'),
    missing: count('missing'),
  }
}

export function parseFinding(value: unknown): FindingJson[] {
  const fields = fieldsOf(value)
  if (fields === undefined) return []
  return [
    {
      metric: textOf(fields['metric']),
      channel: textOf(fields['channel']),
      verdict: (textOf(fields['verdict']) || '?') as FindingJson['verdict'],
      window_us: numberOf(fields['window_us']) ?? 0,
      ground: textOf(fields['ground']),
      unit: textOf(fields['unit']),
      count: numberOf(fields['count']) ?? 0,
      mean: numberOf(fields['mean']),
      min: numberOf(fields['min']),
      max: numberOf(fields['max']),
      limit: numberOf(fields['limit']),
      baseline_mean: numberOf(fields['baseline_mean']),
      baseline_spread: numberOf(fields['baseline_spread']),
      deviation: numberOf(fields['deviation']),
      ratio: numberOf(fields['ratio']),
      age_us: numberOf(fields['age_us']),
    },
  ]
}

function parseChannel(value: unknown): ChannelVitals[] {
  const fields = fieldsOf(value)
  if (fields === undefined) return []
  return [
    {
      metric: textOf(fields['metric']),
      channel: textOf(fields['channel']),
      unit: textOf(fields['unit']),
      verdict: (textOf(fields['verdict']) || '?') as ChannelVitals['verdict'],
      value: numberOf(fields['value']),
      age_us: numberOf(fields['age_us']),
      limit_min: numberOf(fields['limit_min']),
      limit_max: numberOf(fields['limit_max']),
      baseline: parseBand(fields['baseline']),
      rolling: parseBand(fields['rolling']),
      level: parseBand(fields['level']),
      windows: listOf(fields['windows'], WINDOWS_MAX).flatMap(parseWindow),
    },
  ]
}

function parseBand(value: unknown): BaselineBand | null {
  const fields = fieldsOf(value)
  const mean = numberOf(fields?.['mean'])
  const low = numberOf(fields?.['low'])
  const high = numberOf(fields?.['high'])
  return mean === null || low === null || high === null ? null : { mean, low, high, kind: textOf(fields?.['kind']) }
}

function parseWindow(value: unknown): WindowVitals[] {
  const fields = fieldsOf(value)
  const width = numberOf(fields?.['width_us'])
  if (fields === undefined || width === null) return []
  const state = fields['state']
  return [
    {
      width_us: width,
      state: state === 'judged' || state === 'na' ? state : 'filling',
      count: numberOf(fields['count']) ?? 0,
      mean: numberOf(fields['mean']),
      min: numberOf(fields['min']),
      max: numberOf(fields['max']),
      deviation: numberOf(fields['deviation']),
    },
  ]
}

export function parseDecision(value: unknown): DecisionJson | undefined {
  const fields = fieldsOf(value)
  const id = textOf(fields?.['id'])
  if (fields === undefined || id === '') return undefined
  const batch = fieldsOf(fields['batch'])
  return {
    id,
    agent: textOf(fields['agent']),
    program: textOf(fields['program']),
    rig: textOf(fields['rig']),
    seq: numberOf(fields['seq']) ?? 0,
    time_us: numberOf(fields['time_us']) ?? 0,
    verdict: (textOf(fields['verdict']) || 'NO_TEST') as DecisionJson['verdict'],
    mode: (textOf(fields['mode']) || '?') as DecisionJson['mode'],
    limits_only: fields['limits_only'] === true,
    revises: textOf(fields['revises']) || null,
    revised_by: parseRevisedBy(fields['revised_by']),
    findings: listOf(fields['findings'], FINDINGS_MAX).flatMap(parseFinding),
    batch:
      batch === undefined
        ? null
        : {
            agent: textOf(batch['agent']),
            epoch: numberOf(batch['epoch']) ?? 0,
            batch_seq: numberOf(batch['batch_seq']) ?? 0,
          },
    receipt_us: numberOf(fields['receipt_us']),
  }
}

function parseRevisedBy(value: unknown): DecisionJson['revised_by'] {
  const fields = fieldsOf(value)
  const id = textOf(fields?.['id'])
  return id === '' ? null : { id, verdict: (textOf(fields?.['verdict']) || 'NO_TEST') as DecisionJson['verdict'] }
}

export function parseRefusal(value: unknown): RefusalJson | undefined {
  const fields = fieldsOf(value)
  const code = textOf(fields?.['code'])
  if (fields === undefined || code === '') return undefined
  return {
    code,
    agent: textOf(fields['agent']),
    detail: textOf(fields['detail']),
    time_us: numberOf(fields['time_us']) ?? 0,
  }
}

/** Reads a slice; channels whose times and values do not fit together are left out. */
export function parseSlice(value: unknown): SliceJson | undefined {
  const fields = fieldsOf(value)
  if (fields === undefined) return undefined
  const channels = listOf(fields['channels'], CHANNELS_MAX).flatMap((entry) => {
    const channel = fieldsOf(entry)
    const times = channel?.['t_us']
    const values = channel?.['value']
    if (!Array.isArray(times) || !Array.isArray(values) || times.length !== values.length) return []
    if (times.length > SLICE_SAMPLES_MAX || !times.every((time) => numberOf(time) !== null)) return []
    return [
      {
        metric: textOf(channel?.['metric']),
        channel: textOf(channel?.['channel']),
        unit: textOf(channel?.['unit']),
        t_us: times as number[],
        value: values.map(numberOf),
      },
    ]
  })
  return { decision: textOf(fields['decision']), channels }
}
