import type { Micros } from '../units.ts'
import type { Conversion } from './conversion.ts'
import type { Mode } from './verdict.ts'

/** Level and spread of the means of one window width while nothing is wrong, in the unit of the metric; `limit` in spreads. */
export type BaselineWindow = Readonly<{
  widthUs: Micros
  windows: number
  mean: number
  spread: number
  min: number
  max: number
  limit: number
}>

/**
 * What one detector knows of one channel from nominal data. `numbers` are the detector's own, in its own order and only
 * for the version it was made by. `maxima` are the largest scores it gave in the replay of nominal segments, oldest
 * segment first, and `limit` is the score beyond which it speaks.
 */
export type DetectorFit = Readonly<{
  detector: string
  version: number
  numbers: readonly number[]
  maxima: readonly number[]
  limit: number
}>

/** The sensor behind a channel as far as it was told; dates are `YYYY-MM-DD`. */
export type Calibration = Readonly<{ serial: string; date: string; due: string; offset: number; source: string }>

/** What a baseline knows of one metric, all numbers in its unit unless said otherwise. */
export type BaselineMetric = Readonly<{
  metric: string
  unit: string
  /** Samples, and what they are worth once their autocorrelation is counted. */
  count: number
  effectiveCount: number
  mean: number
  sd: number
  min: number
  max: number
  /** Steps at the ranks of `QUANTILE_RATIOS`, rising, of the newest segment. */
  quantiles: readonly number[]
  /** Variance of a step's noise and growth of the level's variance a step, both squared units. */
  noise: number
  wander: number
  /** |mean of the first half − mean of the second| over the pooled spread of block means: large when the level moved. */
  stepStatistic: number
  /** Smallest lasting shift that the default detector is sure to tell. */
  detectableShift: number
  /** Largest lasting shift the engineer can bear undetected, from the registry; null when none is stated. */
  tolerance: number | null
  windows: readonly BaselineWindow[]
  /** Per detector, sorted by its name. */
  detectors: readonly DetectorFit[]
  conversions: readonly Conversion[]
  calibration: Calibration | null
}>

/** Ranks of {@link BaselineMetric.quantiles}. */
export const QUANTILE_RATIOS = [0, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1] as const

/** A stretch of nominal data a baseline was made from, or one that was offered and left out, with the reason. */
export type BaselineSegment = Readonly<{
  /** Journal id, run id or file name. */
  source: string
  fromUs: Micros
  toUs: Micros
  /** Detector steps in it. */
  steps: number
  used: boolean
  reason: string
  /** Longest silence inside it. */
  gapUs: Micros
  /** Slides in it that were not PASS when it was recorded; −1 when nobody knows (a CSV). */
  alerts: number
}>

/** The six context fields of the run contract; '' where a run does not say. */
export type BaselineContext = Readonly<{
  scenario_id: string
  operating_mode: string
  environment: string
  environment_fingerprint: string
  sensor_config_id: string
  input_data_version: string
}>

/** What a quality gate found. `confidence` is 0–1; `inputs` are the terms it is the product of. */
export type BaselineGate = Readonly<{
  passed: boolean
  /** Why not; empty when passed. */
  reasons: readonly string[]
  confidence: number
  inputs: readonly Readonly<{ name: string; value: number; bound: number; score: number }>[]
  /** Digest of the quality policy's bytes. */
  policy: Uint8Array
}>

/**
 * How a rig is when nothing is wrong, and what that is known from. Immutable: decisions name the digest of its bytes.
 * What has become of it (proposed, approved, expired) is no part of it; that is said by signed statements about the digest.
 */
export type BaselineRecord = Readonly<{
  /** What it is meant to be. Without its approvals it counts as a draft (decisions 11). */
  kind: BaselineKind
  program: string
  /** The rig it was made on; '' for a family. */
  rig: string
  /** Rigs that are alike enough to share it; '' for none. */
  family: string
  mode: Mode
  evaluator: number
  madeUs: Micros
  fromUs: Micros
  toUs: Micros
  /** Width of a detector's step. */
  stepUs: Micros
  context: BaselineContext
  /** Digest of the registry's bytes. */
  registry: Uint8Array
  segments: readonly BaselineSegment[]
  metrics: readonly BaselineMetric[]
  /** Detectors that look at all channels at once, sorted by name; their `channels` are the metrics in order. */
  rigDetectors: readonly DetectorFit[]
  /** Largest score over all channels of each replayed segment, in limits; what confidence is ranked against. */
  rigMaxima: readonly number[]
  gate: BaselineGate
}>

/** Kinds of baseline; only certified ones (golden, rolling) will ever arm anything (decisions 11). */
export const BASELINE_KINDS = ['draft', 'golden', 'rolling'] as const
export type BaselineKind = (typeof BASELINE_KINDS)[number]
