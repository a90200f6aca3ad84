import { isBundle, type OpenedBaseline, openBundle, readBundle } from '../../shared/codec/baseline-bundle.ts'
import { canonicalBytes } from '../../shared/codec/canonical.ts'
import { configDigest } from '../../shared/codec/config-digest.ts'
import type { JournalFile } from '../../shared/codec/journal-input.ts'
import type { Equivalence } from '../../shared/config/equivalence.ts'
import { type ParsedRuntime, parseRuntimeFiles } from '../../shared/config/load.ts'
import type { Trust } from '../../shared/config/operators.ts'
import { defaultQualityPolicy, parseQualityPolicy } from '../../shared/config/quality-policy.ts'
import type { RegistryMetric } from '../../shared/config/registry.ts'
import { calibrationOffset } from '../../shared/config/registry-units.ts'
import type { RigConfig } from '../../shared/config/types.ts'
import { DOMAIN, digestOf, toHex } from '../../shared/crypto/digest.ts'
import { HbError } from '../../shared/errors/hb-error.ts'
import type { DecayPolicy } from '../../shared/model/baseline-decay.ts'
import { parseUnit } from '../../shared/model/units.ts'
import type { Mode } from '../../shared/model/verdict.ts'
import { microsFromMillis } from '../../shared/units.ts'
import type { Baseline, EvaluatorSettings, MetricSettings, RigSettings } from '../core/settings.ts'
import { EVALUATOR_VERSION, WINDOW_SAMPLES_MIN } from '../core/settings.ts'
import { injectedTrust } from './injected-trust.ts'
import { type Named, portBaseline } from './port-baseline.ts'

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
 * @throws HbError CONFIG_INVALID, BASELINE_SHAPE, BASELINE_BUNDLE, BATCH_SIGNATURE, COSE_SHAPE, CBOR_REFUSED.
 */
export function compileSettings(files: readonly JournalFile[]): EvaluatorSettings {
  const parsed = parseRuntimeFiles(files)
  const { config } = parsed
  const digest = configDigest(files)
  const rigs = config.rigs.map((rig) => ({ ...compileRig(rig, parsed, files), ...compileSafety(rig, parsed, digest) }))
  return {
    configDigest: digest,
    rigs: rigs.sort((a, b) => (a.rig < b.rig ? -1 : 1)),
    passRecordEveryUs: microsFromMillis(config.decisions.pass_record_every_ms),
    notPassRecordEveryUs: microsFromMillis(config.decisions.not_pass_record_every_ms),
  }
}

function compileRig(rig: RigConfig, parsed: ParsedRuntime, files: readonly JournalFile[]): RigSettings {
  const windowsUs = [...rig.windows_ms].sort((a, b) => a - b).map(microsFromMillis)
  const equivalences = parsed.equivalences.get(rig.rig) ?? []
  const compile = (registry: readonly RegistryMetric[]): MetricSettings[] =>
    registry
      .map((metric) => compileMetric(metric, { windowsUs, equivalences }))
      .sort((a, b) => (a.metric < b.metric ? -1 : 1))
  const registry = parsed.registries.get(rig.rig) ?? []
  const metrics = compile(registry)
  const sources = { named: { registry, equivalences }, files, trust: parsed.trust }
  return {
    rig: rig.rig,
    mode: rig.mode,
    slideUs: microsFromMillis(rig.slide_ms),
    windowsUs,
    latenessUs: microsFromMillis(rig.lateness_ms),
    maxFutureUs: microsFromMillis(rig.max_future_ms),
    latePolicy: rig.late_policy,
    reviseWithinUs: rig.late_policy === 'revise' ? microsFromMillis(rig.revise_within_ms) : 0,
    metrics,
    ...compileModes(parsed.registriesByMode.get(rig.rig), compile),
    stepUs: microsFromMillis(stepMs(rig)),
    baseline: baselineOf(rig, rig.baseline_file, sources),
    rolling: baselineOf(rig, rig.rolling_baseline_file, sources),
    ...modeBaselines(rig, sources),
    settleUs: microsFromMillis(rig.mode_settle_ms),
    ...injectedOf(rig, parsed),
  }
}

/** Outside a testbed nobody may say that samples are injected. */
function injectedOf({ testbed }: RigConfig, { injectorKey }: ParsedRuntime): Pick<RigSettings, 'injected'> {
  return testbed ? { injected: injectedTrust(injectorKey?.spki ?? null) } : {}
}

/** What may be done to a rig. An arming holds for exactly these files under this evaluator (SE-22). */
function compileSafety(rig: RigConfig, parsed: ParsedRuntime, digest: Uint8Array): Pick<RigSettings, 'safety'> {
  const policy = parsed.policies.get(rig.rig)
  const alarms = parsed.alarms.get(rig.rig)
  if (policy === undefined || alarms === undefined) return {}
  const trails = [...(parsed.provenance.get(rig.rig) ?? [])].sort((a, b) => (a.metric < b.metric ? -1 : 1))
  const config = toHex(digestOf(DOMAIN.config, canonicalBytes([digest, EVALUATOR_VERSION])))
  return { safety: { policy, alarms, trails, config } }
}

/** The metrics of every mode; modes without changes of their own share one list. */
function compileModes(
  byMode: ReadonlyMap<Mode, readonly RegistryMetric[]> | undefined,
  compile: (registry: readonly RegistryMetric[]) => readonly MetricSettings[],
): Pick<RigSettings, 'metricsByMode'> {
  if (byMode === undefined || byMode.size === 0) return {}
  const compiled = new Map([...new Set(byMode.values())].map((registry) => [registry, compile(registry)]))
  return { metricsByMode: new Map([...byMode].map(([mode, registry]) => [mode, compiled.get(registry)!])) }
}

type Compiling = Readonly<{ windowsUs: readonly number[]; equivalences: readonly Equivalence[] }>

function compileMetric(m: RegistryMetric, { windowsUs, equivalences }: Compiling): MetricSettings {
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
    ...compileChannels(m, equivalences),
    required: m.required,
    baselineRequired: m.baseline_required,
    idleAfterUs: idleUs,
    nominalRateHz: m.nominal_rate_hz,
    windows: judged,
    persistenceSlides: m.drift_persistence ?? DEFAULT_PERSISTENCE_SLIDES,
    ...(m.drift_clear_slides === 1 ? {} : { clearSlides: m.drift_clear_slides }),
    ...present({
      persistenceOf: m.drift_persistence_of,
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

/** Baselines of modes other than the one at the start. */
function modeBaselines(rig: RigConfig, sources: Sources): Pick<RigSettings, 'modeBaselines'> {
  const files = Object.entries(rig.mode_baseline_files ?? {})
  if (files.length === 0) return {}
  const named = files.map(([mode, name]) => {
    const baseline = baselineOf(rig, name, sources)!
    if (baseline.mode !== mode)
      throw new HbError('BASELINE_SHAPE', { found: `mode ${baseline.mode}`, expected: mode, file: name })
    return [mode as Mode, { baseline, rolling: null }] as const
  })
  return { modeBaselines: new Map(named) }
}

/** Width of a detector's step: a second, or the nearest whole number of slides above it. */
export function stepMs({ detector_step_ms: stepMs, slide_ms: slideMs }: RigConfig): number {
  return stepMs ?? Math.ceil(STEP_MS / slideMs) * slideMs
}

/** Which channels feed a metric, and how their values become its own. */
function compileChannels(
  m: RegistryMetric,
  equivalences: readonly Equivalence[],
): Pick<MetricSettings, 'channels' | 'unitFactors' | 'convertsUnits' | 'equivalences' | 'calibrationOffset'> {
  const mapped = equivalences.filter(({ metric }) => metric === m.metric)
  const offset = calibrationOffset(m)
  return {
    channels: [
      ...new Set([m.metric, ...(m.aliases ?? []), ...(m.source_columns ?? []), ...mapped.map(({ source }) => source)]),
    ],
    unitFactors: new Map(Object.entries(m.unit_map ?? {})),
    ...(parseUnit(m.unit).ok ? { convertsUnits: true } : {}),
    ...(offset === 0 ? {} : { calibrationOffset: offset }),
    ...(mapped.length === 0
      ? {}
      : {
          equivalences: new Map(
            mapped.map(({ source, scale, offset: shift, unit }) => [
              source.normalize('NFC'),
              { factor: scale, offset: shift, unit },
            ]),
          ),
        }),
  }
}

/** The files of a configuration, whom it trusts, and what its names mean. */
type Sources = Readonly<{ named: Named; files: readonly JournalFile[]; trust: Trust }>

function baselineOf(rig: RigConfig, name: string | undefined, { named, files, trust }: Sources): Baseline | null {
  if (name === undefined) return null
  const file = files.find((f) => f.name === name)
  if (file === undefined) throw new HbError('CONFIG_MISSING', { path: name })
  // Whether it has run out is asked at every decision: what a journal gives again must not depend on when it is asked.
  const opened = openBundle(file.bytes, { ...trust, nowUs: 0 })
  const { record } = opened
  const isOurs = record.rig === rig.rig || (record.family !== '' && record.family === rig.family)
  if (!isOurs || record.program !== rig.program) {
    throw new HbError('BASELINE_SHAPE', {
      found: `${record.program}/${record.rig}`,
      expected: `${rig.program}/${rig.rig}`,
      file: file.name,
    })
  }
  const { metrics, stepUs, gate } = record
  const about = { inputs: gate.inputs, metrics, stepUs, policy: decayPolicy(file.bytes) }
  return baselineFrom({ ...opened, record: portBaseline(record, named) }, about)
}

/** The policy beside the record; a bare one has none, and grows old by the defaults. */
function decayPolicy(bytes: Uint8Array): DecayPolicy {
  return isBundle(bytes)
    ? parseQualityPolicy('policy', readBundle(bytes).policy).policy.decay
    : defaultQualityPolicy().policy.decay
}

/** A baseline as the evaluator uses it. Without the statements of those who approved it, it counts as a draft. */
function baselineFrom(
  { record, digest, effectiveKind, basis, request }: OpenedBaseline,
  about: Baseline['about'],
): Baseline {
  return {
    digest,
    about,
    basis,
    kind: effectiveKind,
    validUntilUs: request?.breakGlass?.untilUs ?? null,
    confidence: basis.confidence * basis.decay,
    fromUs: record.fromUs,
    toUs: record.toUs,
    mode: record.mode,
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
