import { QUANTILE_RATIOS } from '../model/baseline.ts'

/*
 * What rows of a baseline must look like. Numbers are finite, spreads and variances are not negative, limits are
 * positive: a limit of zero would make everything a departure, and one below zero nothing.
 */

const NUMBERS_OF_METRIC = 10
/** noise, wander, step statistic, detectable shift: from this index on nothing is negative. */
const FIRST_VARIANCE = 6

export function isBaselineMetric(row: unknown): boolean {
  if (!Array.isArray(row) || row.length !== 9) return false
  const [metric, unit, numbers, quantiles, tolerance, windows, fits, conversions, calibration] = row as unknown[]
  return (
    isText(metric) &&
    isText(unit) &&
    areNumbers(numbers, NUMBERS_OF_METRIC) &&
    numbers[0]! >= 0 &&
    numbers[3]! >= 0 &&
    numbers.slice(FIRST_VARIANCE).every((v) => v >= 0) &&
    (areNumbers(quantiles, QUANTILE_RATIOS.length) || areNumbers(quantiles, 0)) &&
    (tolerance === null || (isNumber(tolerance) && tolerance > 0)) &&
    Array.isArray(windows) &&
    windows.every(isWindow) &&
    Array.isArray(fits) &&
    fits.every(isDetectorFit) &&
    Array.isArray(conversions) &&
    conversions.every(isConversion) &&
    (calibration === null || isCalibration(calibration))
  )
}

export function isDetectorFit(row: unknown): boolean {
  if (!Array.isArray(row) || row.length !== 5) return false
  const [detector, version, numbers, maxima, limit] = row as unknown[]
  return (
    isText(detector) &&
    Number.isSafeInteger(version) &&
    areNumbers(numbers) &&
    areNumbers(maxima) &&
    isNumber(limit) &&
    limit > 0
  )
}

export function isSegment(row: unknown): boolean {
  if (!Array.isArray(row) || row.length !== 8) return false
  const [source, fromUs, toUs, steps, used, reason, gapUs, alerts] = row as unknown[]
  return (
    isText(source) &&
    [fromUs, toUs, steps, gapUs, alerts].every(Number.isSafeInteger) &&
    typeof used === 'boolean' &&
    isText(reason)
  )
}

export function isGate(row: unknown): boolean {
  if (!Array.isArray(row) || row.length !== 5) return false
  const [passed, reasons, confidence, inputs, policy] = row as unknown[]
  return (
    typeof passed === 'boolean' &&
    Array.isArray(reasons) &&
    reasons.every(isText) &&
    passed === (reasons.length === 0) &&
    isNumber(confidence) &&
    confidence >= 0 &&
    confidence <= 1 &&
    Array.isArray(inputs) &&
    inputs.every((i: unknown) => Array.isArray(i) && i.length === 4 && isText(i[0]) && areNumbers(i.slice(1), 3)) &&
    policy instanceof Uint8Array
  )
}

/** A spread or limit below zero would make everything, or nothing, a departure. */
function isWindow(row: unknown): boolean {
  return areNumbers(row, 7) && row[0]! > 0 && row[3]! >= 0 && row[6]! > 0
}

function isConversion(row: unknown): boolean {
  if (!Array.isArray(row) || row.length !== 6) return false
  return [row[0], row[1], row[4], row[5]].every(isText) && isNumber(row[2]) && row[2] !== 0 && isNumber(row[3])
}

function isCalibration(row: unknown): boolean {
  return Array.isArray(row) && row.length === 5 && [row[0], row[1], row[2], row[4]].every(isText) && isNumber(row[3])
}

function areNumbers(value: unknown, length?: number): value is number[] {
  return Array.isArray(value) && (length === undefined || value.length === length) && value.every(isNumber)
}

function isNumber(value: unknown): value is number {
  return Number.isFinite(value)
}

function isText(value: unknown): value is string {
  return typeof value === 'string'
}
