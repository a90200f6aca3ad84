import { MOMENTS_FIELDS, type Moments, momentsAt } from '../../shared/math/moments.ts'
import type { Finding } from '../../shared/model/decision.ts'
import type { MetricVerdict } from '../../shared/model/verdict.ts'
import { compareWindow, RATIO_MAX } from './compare.ts'
import { isSure, voiceOf } from './detectors/monitor.ts'
import type { Voice } from './detectors/voice.ts'
import { mismatchIn } from './mismatch.ts'
import { departureLasts, forgetDeparture, forgetDepartures } from './persistence.ts'
import { isReplaced } from './replaced.ts'
import { baselinesIn, type MetricBaseline, type MetricSettings, metricsIn, WINDOW_FILL_RATIO } from './settings.ts'
import { monitorOf, type RigState } from './state.ts'
import { isSettling } from './watch.ts'

/** What was found of one metric in one slide; `finding` is null only for PASS. */
export type Judgement = { verdict: MetricVerdict; finding: Finding | null }

/**
 * Judges one metric at the end of a slide, from the joined windows of {@link RigState.windowRows}.
 *
 * A limit that was passed is FAIL whatever else is wrong. After that comes everything unknown: silent (STALE), rubbish
 * in the shortest window (INVALID), too few samples (INSUFFICIENT), nothing to compare with (NO_BASELINE). Only what
 * is left can be DRIFT or PASS.
 */
export function judgeMetric(rig: RigState, metric: number, endUs: number): Judgement {
  const settings = metricsIn(rig.settings, rig.mode)[metric]!
  const newest = rig.newestUs[metric]!
  const ageUs = newest < 0 ? null : endUs - newest
  const find = (verdict: MetricVerdict, ground: string, more: Partial<Finding> = {}): Judgement => ({
    verdict,
    finding: {
      ...EMPTY,
      metric: settings.metric,
      channel: settings.channels[0]!,
      unit: settings.unit,
      verdict,
      ground,
      ageUs,
      ...more,
    },
  })

  const limits = passedLimit(rig, metric, settings)
  if (limits !== null) return find('FAIL', limits.ground, limits.more)
  const unknown = unknownOf(rig, metric, settings, { endUs, newest })
  if (unknown !== null) {
    // A departure lasts only while it is seen: what nobody knows about is no part of it.
    forgetDepartures(rig, metric)
    return find(unknown.verdict, unknown.ground, unknown.more)
  }
  const { baseline: golden } = baselinesIn(rig.settings, rig.mode)
  const baseline = golden?.metrics.get(settings.metric)
  if (golden === null || baseline === undefined || baseline.unit !== settings.unit) {
    return settings.baselineRequired ? find('NO_BASELINE', 'no_baseline') : { verdict: 'PASS', finding: null }
  }
  if (isReplaced(rig, settings.metric, { baseline: golden, endUs })) {
    forgetDepartures(rig, metric)
    return find('NO_BASELINE', 'sensor_replaced')
  }
  if (isSettling(rig, endUs)) {
    forgetDepartures(rig, metric)
    return settings.baselineRequired ? find('INSUFFICIENT', 'settling') : { verdict: 'PASS', finding: null }
  }
  const monitor = monitorOf(rig)
  const voice = monitor === null ? null : voiceOf(monitor, metric)
  const drift = worstDeparture(rig, metric, settings, baseline)
  if (drift === 'nothing_compared' && !isWatched(rig, metric))
    return settings.baselineRequired ? find('NO_BASELINE', 'no_baseline') : { verdict: 'PASS', finding: null }
  const window = drift === 'nothing_compared' ? null : drift
  if (voice !== null && !((window?.more.ratio ?? 0) > voice.ratio))
    return find('DRIFT', voice.stream, heard(rig, voice))
  if (window !== null) return find('DRIFT', window.ground, window.more)
  // A fault that stands is told once the detectors have seen enough: until then nobody knows.
  if (monitor !== null && !isSure(monitor) && isWatched(rig, metric) && settings.baselineRequired)
    return find('INSUFFICIENT', 'warming_up')
  return { verdict: 'PASS', finding: null }
}

/** Why nobody knows how a metric is: silence, rubbish or too few samples; null when it can be judged. */
function unknownOf(
  rig: RigState,
  metric: number,
  settings: MetricSettings,
  { endUs, newest }: { endUs: number; newest: number },
): (Passed & { verdict: MetricVerdict }) | null {
  const shortest = settings.windows[0]!
  const silentUs = endUs - Math.max(newest, rig.originUs)
  const allowedUs = silenceAllowedUs(settings, rig.settings.slideUs)
  const isSilent = !(silentUs <= allowedUs)
  // What arrives and cannot be converted is no silence.
  const withinUs = isSilent ? Math.max(allowedUs, rig.settings.windowsUs[shortest]!) : rig.settings.windowsUs[shortest]!
  const mismatch = mismatchIn(rig, metric, { endUs, withinUs })
  if (mismatch !== null) return { verdict: 'INVALID', ground: mismatch, more: {} }
  if (isSilent)
    return {
      verdict: 'STALE',
      ground: 'silent',
      more: { limit: settings.idleAfterUs, ratio: silentUs / settings.idleAfterUs },
    }
  const row = momentsAt(rig.windowRows[shortest]!, metric)
  if (row.invalid > 0) return { verdict: 'INVALID', ground: 'invalid_samples', more: about(rig, shortest, row) }
  const unfilled = firstUnfilled(rig, metric, settings, endUs)
  if (unfilled === null) return null
  return {
    verdict: 'INSUFFICIENT',
    ground: 'window_not_filled',
    more: about(rig, unfilled, momentsAt(rig.windowRows[unfilled]!, metric)),
  }
}

/**
 * Longest silence at the end of a slide that is none yet. A deadline lies between two slides, so it is judged at the nearer
 * one: at most half a slide early or late, where the first slide behind it would be up to a whole one late. But a channel
 * that keeps its nominal rate is never silent, however narrow its `idle_after`.
 */
export function silenceAllowedUs({ idleAfterUs, nominalRateHz }: MetricSettings, slideUs: number): number {
  return Math.max(idleAfterUs - slideUs / 2, Math.min(idleAfterUs, 1_000_000 / nominalRateHz))
}

const EMPTY = {
  windowUs: 0,
  count: 0,
  mean: null,
  min: null,
  max: null,
  limit: null,
  baselineMean: null,
  baselineSpread: null,
  deviation: null,
  ratio: null,
} as const

type Passed = { ground: string; more: Partial<Finding> }

/** Tells whether window `w` holds enough samples of a metric to say anything. */
export function isFilled(settings: MetricSettings, windowUs: number, count: number): boolean {
  return count >= Math.max(1, Math.floor(((settings.nominalRateHz * windowUs) / 1_000_000) * WINDOW_FILL_RATIO))
}

/**
 * Invariants must hold for every sample, so they are held against the extremes of the shortest judged window;
 * fail thresholds are held against the mean of every judged window that is filled.
 */
function passedLimit(rig: RigState, metric: number, settings: MetricSettings): Passed | null {
  const shortest = settings.windows[0]!
  const row = momentsAt(rig.windowRows[shortest]!, metric)
  if (row.count > 0) {
    const { invariantMin, invariantMax, invariantEq } = settings
    const more = about(rig, shortest, row)
    if (invariantEq !== undefined && !(row.min === invariantEq && row.max === invariantEq))
      return { ground: 'invariant_eq', more: { ...more, limit: invariantEq } }
    if (invariantMax !== undefined && !(row.max <= invariantMax))
      return {
        ground: 'invariant_max',
        more: { ...more, limit: invariantMax, ratio: outside(row.max, invariantMin, invariantMax) },
      }
    if (invariantMin !== undefined && !(row.min >= invariantMin))
      return {
        ground: 'invariant_min',
        more: { ...more, limit: invariantMin, ratio: outside(row.min, invariantMin, invariantMax) },
      }
  }
  const { failMin, failMax } = settings
  if (failMin === undefined && failMax === undefined) return null
  for (const w of settings.windows) {
    const window = momentsAt(rig.windowRows[w]!, metric)
    if (!isFilled(settings, rig.settings.windowsUs[w]!, window.count)) continue
    const above = failMax !== undefined && !(window.mean <= failMax)
    const below = failMin !== undefined && !(window.mean >= failMin)
    if (above || below)
      return {
        ground: above ? 'fail_max' : 'fail_min',
        more: {
          ...about(rig, w, window),
          limit: above ? failMax : failMin!,
          ratio: outside(window.mean, failMin, failMax),
        },
      }
  }
  return null
}

/** |distance from the middle of the allowed band| over half its width; for a one-sided limit the value over the limit. */
function outside(value: number, min: number | undefined, max: number | undefined): number | null {
  if (min !== undefined && max !== undefined && max > min)
    return finite(Math.abs(value - (min + max) / 2) / ((max - min) / 2))
  const limit = max ?? min
  if (limit === undefined || limit === 0) return null
  return max !== undefined ? finite(value / limit) : finite(limit / value)
}

function finite(ratio: number): number | null {
  return Number.isFinite(ratio) && ratio > 0 ? ratio : null
}

function about(rig: RigState, w: number, row: Moments): Partial<Finding> {
  const windowUs = rig.settings.windowsUs[w]!
  return row.count === 0
    ? { windowUs, count: 0 }
    : { windowUs, count: row.count, mean: row.mean, min: row.min, max: row.max }
}

/** The first judged window that is older than the evaluation and yet not filled; the shortest one always counts. */
function firstUnfilled(rig: RigState, metric: number, settings: MetricSettings, endUs: number): number | null {
  for (const w of settings.windows) {
    const widthUs = rig.settings.windowsUs[w]!
    if (w !== settings.windows[0] && endUs - Math.max(rig.originUs, rig.firstUs[metric]!) < widthUs) continue
    if (!isFilled(settings, widthUs, rig.windowRows[w]![metric * MOMENTS_FIELDS]!)) return w
  }
  return null
}

/** Compares every filled window that the baseline knows, keeps count of departures, and gives the worst that lasts. */
function worstDeparture(
  rig: RigState,
  metric: number,
  settings: MetricSettings,
  baseline: MetricBaseline,
): Passed | null | 'nothing_compared' {
  let worst: Passed | null = null
  let compared = 0
  const windows = rig.settings.windowsUs.length
  const watched = isWatched(rig, metric)
  for (const w of settings.windows) {
    const widthUs = rig.settings.windowsUs[w]!
    const row = momentsAt(rig.windowRows[w]!, metric)
    const known = baseline.windows.find((b) => b.widthUs === widthUs)
    const at = metric * windows + w
    if (known === undefined || !isFilled(settings, widthUs, row.count)) {
      forgetDeparture(rig, at)
      continue
    }
    compared += 1
    const ownLimit = !watched || widthUs <= rig.settings.stepUs
    const departure = compareWindow(row, known, { settings, ownLimit })
    if (!departureLasts(rig, at, departure !== null, settings)) continue
    const passed: Passed = {
      // Within tolerance in this slide, and not long enough yet for the drift to be over.
      ground: departure?.ground ?? 'not_cleared',
      more: {
        ...about(rig, w, row),
        limit: departure?.limit ?? null,
        baselineMean: known.mean,
        baselineSpread: known.spread,
        deviation: departure?.deviation ?? null,
        ratio: departure?.ratio ?? null,
      },
    }
    if (worst === null || (passed.more.ratio ?? 0) > (worst.more.ratio ?? 0)) worst = passed
  }
  return compared === 0 ? 'nothing_compared' : worst
}

/** Tells whether a detector that knows how the level wanders watches a metric. */
function isWatched(rig: RigState, metric: number): boolean {
  const monitor = monitorOf(rig)
  if (monitor === null) return false
  return monitor.channels.some(({ stream, fits }) => stream.use === 'event' && fits[metric] !== null)
}

/** What a detector says, as a finding says it: distances in the unit of the metric, the spread is what one score is. */
function heard(rig: RigState, voice: Voice): Partial<Finding> {
  const { level, perScore, distance } = voice
  const isMeasured = level !== null && perScore !== null && distance !== null
  return {
    windowUs: voice.steps * rig.settings.stepUs,
    ratio: Math.min(voice.ratio, RATIO_MAX),
    ...(isMeasured
      ? {
          mean: level + distance,
          limit: perScore * voice.limit,
          baselineMean: level,
          baselineSpread: perScore,
          deviation: perScore > 0 ? distance / perScore : null,
        }
      : {}),
  }
}
