import { HbError } from '../errors/hb-error.ts'
import type { BaselineMetric } from '../model/baseline.ts'
import type { Canonical } from '../model/decision.ts'
import type { Micros } from '../units.ts'
import { canonicalBytes } from './canonical.ts'
import { decodeSigned } from './signed-cbor.ts'

export const BASELINE_VERSION = 1
/** Kinds of baseline; only certified ones (golden, rolling) will ever arm anything (decisions 11). */
export const BASELINE_KINDS = ['draft', 'golden', 'rolling'] as const
export type BaselineKind = (typeof BASELINE_KINDS)[number]

/**
 * How a rig is when nothing is wrong, and what that is known from. The file `.hbb` is the signed-profile CBOR of
 * `{v, kind, rig, program, evaluator, made_us, journal, first_seq, last_seq, from_us, to_us, metrics}`; a decision names
 * the digest of these bytes.
 */
export type BaselineRecord = Readonly<{
  kind: BaselineKind
  rig: string
  program: string
  evaluator: number
  madeUs: Micros
  journal: Uint8Array
  firstSeq: number
  lastSeq: number
  fromUs: Micros
  toUs: Micros
  metrics: readonly BaselineMetric[]
}>

export function encodeBaseline(record: BaselineRecord): Uint8Array {
  return canonicalBytes({
    v: BASELINE_VERSION,
    kind: record.kind,
    rig: record.rig,
    program: record.program,
    evaluator: record.evaluator,
    made_us: record.madeUs,
    journal: record.journal,
    first_seq: record.firstSeq,
    last_seq: record.lastSeq,
    from_us: record.fromUs,
    to_us: record.toUs,
    metrics: record.metrics.map(
      (m): Canonical => [
        m.metric,
        m.unit,
        m.count,
        m.mean,
        m.sd,
        m.min,
        m.max,
        m.windows.map((w) => [w.widthUs, w.windows, w.mean, w.spread, w.min, w.max, w.limit]),
      ],
    ),
  })
}

/** @throws HbError CBOR_REFUSED or BASELINE_SHAPE. */
export function decodeBaseline(bytes: Uint8Array): BaselineRecord {
  const map = decodeSigned(bytes) as unknown
  if (!(map instanceof Map)) throw new HbError('BASELINE_SHAPE', { found: 'no map' })
  const field = <T>(key: string, holds: (value: unknown) => boolean): T => {
    const value: unknown = map.get(key)
    if (!holds(value)) throw new HbError('BASELINE_SHAPE', { key })
    return value as T
  }
  if (map.get('v') !== BASELINE_VERSION || map.size !== 12)
    throw new HbError('BASELINE_SHAPE', { found: `version ${String(map.get('v'))}`, expected: BASELINE_VERSION })
  return {
    kind: field('kind', (v) => (BASELINE_KINDS as readonly unknown[]).includes(v)),
    rig: field('rig', isText),
    program: field('program', isText),
    evaluator: field('evaluator', Number.isSafeInteger),
    madeUs: field('made_us', Number.isSafeInteger),
    journal: field('journal', (v) => v instanceof Uint8Array),
    firstSeq: field('first_seq', Number.isSafeInteger),
    lastSeq: field('last_seq', Number.isSafeInteger),
    fromUs: field('from_us', Number.isSafeInteger),
    toUs: field('to_us', Number.isSafeInteger),
    metrics: field<unknown[][]>('metrics', isMetrics).map(readMetric),
  }
}

function readMetric(row: unknown[]): BaselineMetric {
  const [metric, unit, count, mean, sd, min, max, windows] = row as [
    string,
    string,
    number,
    number,
    number,
    number,
    number,
    number[][],
  ]
  return {
    metric,
    unit,
    count,
    mean,
    sd,
    min,
    max,
    windows: windows.map((w) => ({
      widthUs: w[0]!,
      windows: w[1]!,
      mean: w[2]!,
      spread: w[3]!,
      min: w[4]!,
      max: w[5]!,
      limit: w[6]!,
    })),
  }
}

function isMetrics(value: unknown): boolean {
  return Array.isArray(value) && value.every(isMetric)
}

function isMetric(row: unknown): boolean {
  if (!Array.isArray(row) || row.length !== 8 || !isText(row[0]) || !isText(row[1])) return false
  return row.slice(2, 7).every(Number.isFinite) && Array.isArray(row[7]) && row[7].every(isWindow)
}

/** A spread or limit below zero would make everything, or nothing, a departure. */
function isWindow(row: unknown): boolean {
  return Array.isArray(row) && row.length === 7 && row.every(Number.isFinite) && row[0] > 0 && row[3] >= 0 && row[6] > 0
}

function isText(value: unknown): boolean {
  return typeof value === 'string'
}
