import type { MetricProvenance, Rule } from '../../../shared/model/actions-policy.ts'
import type { BaselineKind } from '../../../shared/model/baseline.ts'
import type { CertificateBasis } from '../../../shared/model/baseline-arming.ts'
import type { Canonical } from '../../../shared/model/decision.ts'
import type { Provenance } from '../../../shared/model/telemetry.ts'
import type { MetricVerdict, Mode, OverallVerdict } from '../../../shared/model/verdict.ts'
import type { Micros } from '../../../shared/units.ts'

/** One window of a metric at the end of a slide. */
export type WindowSeen = Readonly<{ windowUs: Micros; filled: boolean; mean: number; min: number; max: number }>

/** What is known of one metric. */
export type MetricSeen = Readonly<{
  verdict: MetricVerdict
  windows: readonly WindowSeen[]
  /** Age of the newest sample in event time; null when there was none. */
  ageUs: Micros | null
  /** The same by the local monotonic clock at its arrival (SE-08). */
  arrivalAgeUs: Micros | null
  /** The worst that is in the windows: one sample that is not live makes all of them not live (SE-12). */
  provenance: Provenance
  /** Who really sent the newest sample; '' when that is not known. */
  publisher: string
  trail: MetricProvenance
}>

/** What the kernel judges by: a slide that has closed, or what is known at the time of an input. */
export type Seen = Readonly<{
  /** Event time of the newest closed slide. */
  endUs: Micros
  nowUs: Micros
  mode: Mode
  verdict: OverallVerdict
  event: 'warming_up' | 'nominal' | 'alarm' | null
  metric(name: string): MetricSeen | null
  /** `confidence` is that of the gate times what stated decay, age and wander left of it, 0–1; `decay` of the basis is their product. */
  baseline: Readonly<{ kind: BaselineKind; confidence: number; basis?: CertificateBasis | null }> | null
  /** Digest in hex of everything in force: policy, limits, baselines, rig, software. */
  config: string
  /** The clock was stepped by more than the bound since the samples came in (SE-08). */
  clockStepped: boolean
  /**
   * The slides behind the newest closed one that the samples of a rule reach into, oldest first, each as it would be if nothing
   * more came (SE-29). Absent: nothing is looked at before its slide has closed.
   */
  early?(rule: Rule): readonly Seen[]
}>

/** Digest of a value, for keys of actions. */
export type KeyOf = (value: Canonical) => string
