import { HbError } from '../errors/hb-error.ts'
import {
  BASELINE_KINDS,
  type BaselineContext,
  type BaselineGate,
  type BaselineMetric,
  type BaselineRecord,
  type BaselineSegment,
  type DetectorFit,
} from '../model/baseline.ts'
import type { Canonical } from '../model/decision.ts'
import { MODES } from '../model/verdict.ts'
import { isBaselineMetric, isDetectorFit, isGate, isSegment } from './baseline-shape.ts'
import { canonicalBytes } from './canonical.ts'
import { decodeSigned } from './signed-cbor.ts'

export const BASELINE_VERSION = 2

/**
 * The bytes of a baseline: signed-profile CBOR of a map with `v`, one key a field and rows for what repeats. Its digest
 * (domain `baseline`) is its name for ever. The file `.hbb` holds these bytes, alone or with the signed statements of
 * those who proposed, reviewed and approved it.
 */
export function encodeBaseline(r: BaselineRecord): Uint8Array {
  return canonicalBytes({
    v: BASELINE_VERSION,
    kind: r.kind,
    program: r.program,
    rig: r.rig,
    family: r.family,
    mode: r.mode,
    evaluator: r.evaluator,
    made_us: r.madeUs,
    from_us: r.fromUs,
    to_us: r.toUs,
    step_us: r.stepUs,
    context: CONTEXT_KEYS.map((key) => r.context[key]),
    registry: r.registry,
    segments: r.segments.map((s) => [s.source, s.fromUs, s.toUs, s.steps, s.used, s.reason, s.gapUs, s.alerts]),
    metrics: r.metrics.map(metricRow),
    rig_detectors: r.rigDetectors.map(fitRow),
    rig_maxima: r.rigMaxima,
    gate: [
      r.gate.passed,
      r.gate.reasons,
      r.gate.confidence,
      r.gate.inputs.map((i) => [i.name, i.value, i.bound, i.score]),
      r.gate.policy,
    ],
  })
}

/** @throws HbError CBOR_REFUSED or BASELINE_SHAPE. */
export function decodeBaseline(bytes: Uint8Array): BaselineRecord {
  const map = decodeSigned(bytes) as unknown
  if (!(map instanceof Map)) throw new HbError('BASELINE_SHAPE', { found: 'no map' })
  if (map.get('v') !== BASELINE_VERSION || map.size !== 18)
    throw new HbError('BASELINE_SHAPE', { found: `version ${String(map.get('v'))}`, expected: BASELINE_VERSION })
  const field = <T>(key: string, holds: (value: unknown) => boolean): T => {
    const value: unknown = map.get(key)
    if (!holds(value)) throw new HbError('BASELINE_SHAPE', { key })
    return value as T
  }
  return {
    kind: field('kind', (v) => (BASELINE_KINDS as readonly unknown[]).includes(v)),
    program: field('program', isText),
    rig: field('rig', isText),
    family: field('family', isText),
    mode: field('mode', (v) => (MODES as readonly unknown[]).includes(v)),
    evaluator: field('evaluator', Number.isSafeInteger),
    madeUs: field('made_us', Number.isSafeInteger),
    fromUs: field('from_us', Number.isSafeInteger),
    toUs: field('to_us', Number.isSafeInteger),
    stepUs: field('step_us', (v) => Number.isSafeInteger(v) && (v as number) > 0),
    context: contextOf(
      field('context', (v) => Array.isArray(v) && v.length === CONTEXT_KEYS.length && v.every(isText)),
    ),
    registry: field('registry', (v) => v instanceof Uint8Array),
    segments: field<SegmentRow[]>('segments', (v) => isList(v, isSegment)).map(segmentOf),
    metrics: field<MetricRow[]>('metrics', (v) => isList(v, isBaselineMetric)).map(metricOf),
    rigDetectors: field<FitRow[]>('rig_detectors', (v) => isList(v, isDetectorFit)).map(fitOf),
    rigMaxima: field('rig_maxima', (v) => isList(v, Number.isFinite)),
    gate: gateOf(field<GateRow>('gate', isGate)),
  }
}

const CONTEXT_KEYS = [
  'scenario_id',
  'operating_mode',
  'environment',
  'environment_fingerprint',
  'sensor_config_id',
  'input_data_version',
] as const

type FitRow = [detector: string, version: number, numbers: number[], maxima: number[], limit: number]
type SegmentRow = [string, number, number, number, boolean, string, number, number]
type GateRow = [boolean, string[], number, [string, number, number, number][], Uint8Array]
type MetricRow = [
  metric: string,
  unit: string,
  numbers: number[],
  quantiles: number[],
  tolerance: number | null,
  windows: number[][],
  detectors: FitRow[],
  conversions: [string, string, number, number, string, string][],
  calibration: [string, string, string, number, string] | null,
]

function metricRow(m: BaselineMetric): Canonical {
  return [
    m.metric,
    m.unit,
    [m.count, m.effectiveCount, m.mean, m.sd, m.min, m.max, m.noise, m.wander, m.stepStatistic, m.detectableShift],
    m.quantiles,
    m.tolerance,
    m.windows.map((w) => [w.widthUs, w.windows, w.mean, w.spread, w.min, w.max, w.limit]),
    m.detectors.map(fitRow),
    m.conversions.map((c) => [c.from, c.to, c.factor, c.offset, c.source, c.version]),
    m.calibration === null
      ? null
      : [m.calibration.serial, m.calibration.date, m.calibration.due, m.calibration.offset, m.calibration.source],
  ]
}

function metricOf([metric, unit, n, quantiles, tolerance, windows, fits, conversions, cal]: MetricRow): BaselineMetric {
  return {
    metric,
    unit,
    count: n[0]!,
    effectiveCount: n[1]!,
    mean: n[2]!,
    sd: n[3]!,
    min: n[4]!,
    max: n[5]!,
    noise: n[6]!,
    wander: n[7]!,
    stepStatistic: n[8]!,
    detectableShift: n[9]!,
    quantiles,
    tolerance,
    windows: windows.map((w) => ({
      widthUs: w[0]!,
      windows: w[1]!,
      mean: w[2]!,
      spread: w[3]!,
      min: w[4]!,
      max: w[5]!,
      limit: w[6]!,
    })),
    detectors: fits.map(fitOf),
    conversions: conversions.map(([from, to, factor, offset, source, version]) => ({
      from,
      to,
      factor,
      offset,
      source,
      version,
    })),
    calibration: cal === null ? null : { serial: cal[0], date: cal[1], due: cal[2], offset: cal[3], source: cal[4] },
  }
}

function fitRow(f: DetectorFit): Canonical {
  return [f.detector, f.version, f.numbers, f.maxima, f.limit]
}

function fitOf([detector, version, numbers, maxima, limit]: FitRow): DetectorFit {
  return { detector, version, numbers, maxima, limit }
}

function segmentOf([source, fromUs, toUs, steps, used, reason, gapUs, alerts]: SegmentRow): BaselineSegment {
  return { source, fromUs, toUs, steps, used, reason, gapUs, alerts }
}

function gateOf([passed, reasons, confidence, inputs, policy]: GateRow): BaselineGate {
  return {
    passed,
    reasons,
    confidence,
    inputs: inputs.map(([name, value, bound, score]) => ({ name, value, bound, score })),
    policy,
  }
}

function contextOf(values: string[]): BaselineContext {
  return Object.fromEntries(CONTEXT_KEYS.map((key, k) => [key, values[k]])) as unknown as BaselineContext
}

function isList(value: unknown, holds: (item: unknown) => boolean): boolean {
  return Array.isArray(value) && value.every(holds)
}

function isText(value: unknown): boolean {
  return typeof value === 'string'
}
