import type { Canonical, DecisionItem } from '../../shared/model/decision.ts'
import type { Micros } from '../../shared/units.ts'
import { isSafetyCore, type SafetyFacts, safetyFacts } from './safety-view.ts'

/** A value as JSON shows it: maps become objects, bytes become hex, integers beyond 2^53 become text. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }

/** One row of the decision table, made from a verified item. */
export type DecisionRow = Readonly<{
  /**
   * A revision corrects a decision after the fact: it is never what a rig is said to be. `thinned`: all decisions of a
   * batch that came without its records; what each said is not known here. `safety`: what happened to an action, an
   * arming, a bypass or an alarm.
   */
  kind: 'record' | 'range' | 'revision' | 'thinned' | 'safety'
  /** First and last decision this stands for; equal for a record. */
  seq: number
  lastSeq: number
  /** null for a range or what was thinned, which may be about several rigs. */
  rig: string | null
  run: string | null
  verdict: string | null
  /** Number of the decision that a revision corrects; null for everything else. */
  revises: number | null
  timeUs: Micros
  /** JSON text of everything that was disclosed: the six class values and what they say of each finding. */
  body: string
  /** Rigs that this is about. */
  rigs: readonly string[]
  /** What a row of kind `safety` says; absent for every other. */
  safety?: SafetyFacts
}>

/** Turns a verified item into the row that is stored and searched; null when its core is not of a shape this program knows. */
export function decisionRow(item: DecisionItem): DecisionRow | null {
  const core = asObject(item.values[0])
  if (item.kind === 'range') return rangeRow(item, core)
  return isSafetyCore(core) ? safetyRow(item, core) : recordRow(item, core)
}

/** What has a place in every core; the rest is what was said. */
const PLACE: readonly string[] = ['v', 'seq', 'rig', 't_us', 'mode', 'code', 'config']

function safetyRow(item: Extract<DecisionItem, { kind: 'record' }>, core: Fields): DecisionRow | null {
  const { rig, t_us: timeUs, seq } = core
  const safety = safetyFacts(core)
  if (safety === null || typeof rig !== 'string' || typeof timeUs !== 'number' || seq !== item.seq) return null
  const [, , , params, persons, text] = item.values
  const says = Object.entries(core).filter(([name]) => !PLACE.includes(name))
  const body: Json = {
    mode: toJson(core['mode'] ?? null),
    says: Object.fromEntries(says.map(([name, value]) => [name, toJson(value)])),
    params: toJson(params),
    persons: asList(persons).map(toJson),
    text: toJson(text),
    chain: hex(item.chain),
    values: item.values.map(toJson),
  }
  return {
    ...{ kind: 'safety', seq: item.seq, lastSeq: item.seq, rig, run: null, verdict: null, revises: null, timeUs },
    body: JSON.stringify(body),
    rigs: [rig],
    safety,
  }
}

function recordRow(item: Extract<DecisionItem, { kind: 'record' }>, core: Fields): DecisionRow | null {
  const { rig, verdict, run, t_us: timeUs, seq } = core
  if (typeof rig !== 'string' || typeof verdict !== 'string' || typeof timeUs !== 'number' || seq !== item.seq)
    return null
  if (run !== null && typeof run !== 'string') return null
  const revises = revisesOf(core, item.seq)
  if (revises === undefined) return null
  const body: Json = {
    mode: toJson(core['mode'] ?? null),
    limits_only: core['limits_only'] === true,
    action: toJson(core['action'] ?? null),
    findings: findingsOf(item.values, core),
    more: toJson(core['more'] ?? 0),
    chain: hex(item.chain),
    values: item.values.map(toJson),
  }
  return {
    kind: revises === null ? 'record' : 'revision',
    seq: item.seq,
    lastSeq: item.seq,
    rig,
    run,
    verdict,
    revises,
    timeUs,
    body: JSON.stringify(body),
    rigs: [rig],
  }
}

/** Versions 2 and 4 of a core are those of a revision, which names an earlier decision; undefined for what is neither. */
function revisesOf({ v, revises }: Fields, seq: number): number | null | undefined {
  if (v !== 2 && v !== 4) return revises === undefined ? null : undefined
  const isEarlier = typeof revises === 'number' && Number.isSafeInteger(revises) && revises >= 1 && revises < seq
  return isEarlier ? revises : undefined
}

function rangeRow(item: Extract<DecisionItem, { kind: 'range' }>, core: Fields): DecisionRow | null {
  const unchanged = asList(core['unchanged'])
  const timeUs = core['t_last_us']
  const rigs = unchanged.map((entry) => asList(entry)[0])
  if (
    typeof timeUs !== 'number' ||
    unchanged.length === 0 ||
    !rigs.every((rig): rig is string => typeof rig === 'string')
  )
    return null
  const body: Json = {
    unchanged: unchanged.map(toJson),
    count: item.count,
    t_first_us: toJson(core['t_first_us'] ?? null),
    chain: hex(item.chain),
  }
  return {
    kind: 'range',
    seq: item.first,
    lastSeq: item.last,
    rig: null,
    run: null,
    verdict: null,
    revises: null,
    timeUs,
    body: JSON.stringify(body),
    rigs,
  }
}

/**
 * The row that stands for all decisions of a batch without records: where they are, and that their detail was not kept.
 * It names no verdict: that the agent says it left out only repetitions of PASS makes nobody see them pass.
 */
export function thinnedRow({
  firstSeq,
  count,
  span,
}: Readonly<{ firstSeq: number; count: number; span: Readonly<{ lastUs: Micros }> }>): DecisionRow {
  return {
    kind: 'thinned',
    revises: null,
    seq: firstSeq,
    lastSeq: firstSeq + count - 1,
    rig: null,
    run: null,
    verdict: null,
    timeUs: span.lastUs,
    body: thinnedBody(count),
    rigs: [],
  }
}

/**
 * Rows of the decisions from one on: those before were told by an earlier epoch and have theirs. What was thinned may
 * begin before it.
 */
export function rowsFrom(rows: readonly DecisionRow[], seq: number): readonly DecisionRow[] {
  return rows.flatMap((row) => {
    if (row.seq >= seq) return [row]
    if (row.kind !== 'thinned' || row.lastSeq < seq) return []
    return [{ ...row, seq, body: thinnedBody(row.lastSeq - seq + 1) }]
  })
}

function thinnedBody(count: number): string {
  return JSON.stringify({ detail: 'not_kept', count })
}

/** Findings in the words of the page, put together again from their classes. What was not disclosed is null. */
function findingsOf(values: DecisionItem['values'], core: Fields): Json[] {
  const measurements = asList(values[1])
  const limits = asList(values[3])
  const channels = asList(asObject(values[2])['channels'])
  return asList(core['drivers']).map((entry, index) => {
    const driver = asList(entry)
    const measured = asList(measurements[index])
    const limit = asList(limits[index])
    const at = (list: readonly Canonical[], place: number): Json => toJson(list[place] ?? null)
    return {
      metric: at(driver, 0),
      channel: toJson(channels[index] ?? ''),
      verdict: at(driver, 1),
      window_us: at(driver, 3),
      ground: at(driver, 2),
      unit: at(limit, 1),
      count: at(measured, 1),
      mean: at(measured, 2),
      min: at(measured, 3),
      max: at(measured, 4),
      limit: at(limit, 2),
      baseline_mean: at(limit, 3),
      baseline_spread: at(limit, 4),
      deviation: at(limit, 5),
      ratio: at(limit, 6),
      age_us: at(measured, 5),
    }
  })
}

type Fields = { readonly [key: string]: Canonical }

function asObject(value: Canonical | undefined): Fields {
  if (value instanceof Map) {
    const fields: [string, Canonical][] = []
    for (const [key, field] of value) fields.push([String(key), field as Canonical])
    return Object.fromEntries(fields)
  }
  return isPlain(value) ? value : {}
}

function asList(value: Canonical | undefined): readonly Canonical[] {
  return Array.isArray(value) ? (value as readonly Canonical[]) : []
}

function isPlain(value: Canonical | undefined): value is Fields {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof Uint8Array) &&
    !(value instanceof Map)
  )
}

/** JSON of a signed value. Own keys only, so a key named `__proto__` is a key like any other. */
export function toJson(value: Canonical): Json {
  if (typeof value === 'bigint') return value.toString()
  if (value === null || typeof value !== 'object') return value
  if (value instanceof Uint8Array) return hex(value)
  if (Array.isArray(value)) return (value as readonly Canonical[]).map(toJson)
  return Object.fromEntries(Object.entries(asObject(value)).map(([key, field]) => [key, toJson(field)]))
}

const HEX = '0123456789abcdef'

function hex(bytes: Uint8Array): string {
  let text = ''
  for (const byte of bytes) text += HEX[byte >> 4]! + HEX[byte & 15]!
  return text
}
