import { decodeBaseline } from '../../shared/codec/baseline-record.ts'
import { canonicalBytes } from '../../shared/codec/canonical.ts'
import type { JournalFile } from '../../shared/codec/journal-input.ts'
import { parseRuntimeFiles } from '../../shared/config/load.ts'
import type { RegistryMetric } from '../../shared/config/registry.ts'
import type { RigConfig } from '../../shared/config/types.ts'
import { DOMAIN, digestOf } from '../../shared/crypto/digest.ts'
import { HbError } from '../../shared/errors/hb-error.ts'
import type { BaselineRecord } from '../../shared/model/baseline.ts'
import { microsFromMillis } from '../../shared/units.ts'
import type { Baseline, EvaluatorSettings, MetricSettings, RigSettings } from '../core/settings.ts'
import { WINDOW_SAMPLES_MIN } from '../core/settings.ts'

/** A channel that says nothing for this many of its intervals is idle, but never sooner than {@link IDLE_MIN_US} (decisions 8). */
const IDLE_INTERVALS = 5
const IDLE_MIN_US = 1_000_000
const DEFAULT_PERSISTENCE_SLIDES = 5
/** Width of a detector's step when none is configured. */
const STEP_MS = 1000

/**
 * The evaluator's settings from the exact bytes of the configuration files: the journal holds these bytes, so a replay
 * years later gets the same settings from them.
 *
 * @throws HbError CONFIG_INVALID, BASELINE_SHAPE, CBOR_REFUSED.
 */
export function compileSettings(files: readonly JournalFile[]): EvaluatorSettings {
  const { config, registries } = parseRuntimeFiles(files)
  const rigs = config.rigs.map((rig) => compileRig(rig, registries.get(rig.rig) ?? [], files))
  return {
    configDigest: configDigest(files),
    rigs: rigs.sort((a, b) => (a.rig < b.rig ? -1 : 1)),
    passRecordEveryUs: microsFromMillis(config.decisions.pass_record_every_ms),
    notPassRecordEveryUs: microsFromMillis(config.decisions.not_pass_record_every_ms),
  }
}

/** Digest of everything that configures the evaluator: names and digests of the files, sorted by name. */
export function configDigest(files: readonly JournalFile[]): Uint8Array {
  const named = files.map((file) => [file.name, digestOf(DOMAIN.file, file.bytes)] as const)
  named.sort((a, b) => (a[0] < b[0] ? -1 : 1))
  return digestOf(DOMAIN.config, canonicalBytes(named))
}

function compileRig(rig: RigConfig, registry: readonly RegistryMetric[], files: readonly JournalFile[]): RigSettings {
  const windowsUs = [...rig.windows_ms].sort((a, b) => a - b).map(microsFromMillis)
  const metrics = registry.map((metric) => compileMetric(metric, windowsUs))
  return {
    rig: rig.rig,
    mode: rig.mode,
    slideUs: microsFromMillis(rig.slide_ms),
    windowsUs,
    latenessUs: microsFromMillis(rig.lateness_ms),
    maxFutureUs: microsFromMillis(rig.max_future_ms),
    latePolicy: rig.late_policy,
    reviseWithinUs: rig.late_policy === 'revise' ? microsFromMillis(rig.revise_within_ms) : 0,
    metrics: metrics.sort((a, b) => (a.metric < b.metric ? -1 : 1)),
    stepUs: microsFromMillis(stepMs(rig)),
    baseline: baselineOf(rig, rig.baseline_file, files),
    rolling: baselineOf(rig, rig.rolling_baseline_file, files),
  }
}

function compileMetric(m: RegistryMetric, windowsUs: readonly number[]): MetricSettings {
  const judged: number[] = []
  windowsUs.forEach((widthUs, w) => {
    const wanted = m.windows_ms === undefined || m.windows_ms.some((ms) => microsFromMillis(ms) === widthUs)
    if (wanted && (m.nominal_rate_hz * widthUs) / 1_000_000 >= WINDOW_SAMPLES_MIN) judged.push(w)
  })
  const idleUs =
    m.idle_after_ms === undefined
      ? Math.max(IDLE_MIN_US, Math.floor((IDLE_INTERVALS * 1_000_000) / m.nominal_rate_hz))
      : microsFromMillis(m.idle_after_ms)
  return {
    metric: m.metric,
    unit: m.unit,
    channels: [...new Set([m.metric, ...(m.aliases ?? []), ...(m.source_columns ?? [])])],
    unitFactors: new Map(Object.entries(m.unit_map ?? {})),
    required: m.required,
    baselineRequired: m.baseline_required,
    idleAfterUs: idleUs,
    nominalRateHz: m.nominal_rate_hz,
    windows: judged,
    persistenceSlides: m.drift_persistence ?? DEFAULT_PERSISTENCE_SLIDES,
    ...present({
      invariantMin: m.invariant_min,
      invariantMax: m.invariant_max,
      invariantEq: m.invariant_eq,
      failMin: m.fail_min,
      failMax: m.fail_max ?? m.fail_threshold,
      driftThreshold: m.drift_threshold,
      driftRatio: m.drift_percent === undefined ? undefined : m.drift_percent / 100,
      minEffect: m.min_effect,
      deviationLimit: m.deviation_limit,
    }),
  }
}

/** Width of a detector's step: a second, or the nearest whole number of slides above it. */
export function stepMs({ detector_step_ms: stepMs, slide_ms: slideMs }: RigConfig): number {
  return stepMs ?? Math.ceil(STEP_MS / slideMs) * slideMs
}

function baselineOf(rig: RigConfig, name: string | undefined, files: readonly JournalFile[]): Baseline | null {
  if (name === undefined) return null
  const file = files.find((f) => f.name === name)
  if (file === undefined) throw new HbError('CONFIG_MISSING', { path: name })
  const record = decodeBaseline(file.bytes)
  if (record.rig !== rig.rig || record.program !== rig.program) {
    throw new HbError('BASELINE_SHAPE', {
      found: `${record.program}/${record.rig}`,
      expected: `${rig.program}/${rig.rig}`,
      file: file.name,
    })
  }
  return baselineFrom(record, file.bytes)
}

/** A baseline as the evaluator uses it. */
export function baselineFrom(record: BaselineRecord, bytes: Uint8Array): Baseline {
  return {
    digest: digestOf(DOMAIN.baseline, bytes),
    // Without the statements of those who approved it, a record is a draft whatever it is meant to be.
    kind: 'draft',
    confidence: record.gate.confidence,
    toUs: record.toUs,
    rigDetectors: record.rigDetectors,
    rigMaxima: record.rigMaxima,
    metrics: new Map(record.metrics.map((m) => [m.metric, m])),
  }
}

/** Leaves out what is not declared: absent is not the same as zero. */
function present<T extends Record<string, number | undefined>>(fields: T): { [K in keyof T]?: number } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: number
  }
}
