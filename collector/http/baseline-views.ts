import { decodeBaseline } from '../../shared/codec/baseline-record.ts'
import { toHex } from '../../shared/crypto/digest.ts'
import type { BaselineMetric } from '../../shared/model/baseline.ts'
import {
  type BaselineRequest,
  type BookState,
  currentOf,
  isInForce,
  slotOf,
  taggedAs,
} from '../../shared/model/baseline-book.ts'
import type { Statement } from '../../shared/model/baseline-statement.ts'
import { PERSONS_NOTE } from '../../shared/model/order.ts'
import type { Micros } from '../../shared/units.ts'
import type { BaselineBook, KnownRecord } from '../baselines.ts'
import type { DecayFound, DecayWatch } from '../decay-watch.ts'
import type { StoredRecord } from '../store/baselines.ts'

type Json = Record<string, unknown>
/** Where everything about baselines is looked up. */
export type BaselineContext = Readonly<{ book: BaselineBook; decay: Pick<DecayWatch, 'found'> }>

/** Baselines that one message tells of: what is in force, what waits, and then the newest. */
export const BASELINES_TOLD_MAX = 500
/** Statements of one answer. */
export const STATEMENTS_TOLD_MAX = 500

/** The book with its newest baselines; all that is in force or waits comes first. */
export function baselinesJson(
  context: BaselineContext,
  { nowUs, limit = BASELINES_TOLD_MAX }: { nowUs: Micros; limit?: number },
): Json {
  const { book } = context
  const { state, entries } = book.log
  const all = [...book.records].map(([digest, record]) => baselineJson(context, { digest, record, nowUs }))
  const rank = (b: Json): number => ((b['in_force'] as string[]).length > 0 ? 0 : isWaiting(b) ? 1 : 2)
  all.sort((a, b) => rank(a) - rank(b) || (b['stored_us'] as number) - (a['stored_us'] as number))
  return {
    book: state.book,
    seq: state.seq,
    prev: state.prev,
    at_us: state.atUs,
    statements: entries.length,
    approvals_required: Math.max(1, book.trust.approvalsRequired),
    operators: book.trust.operators.map(({ name, key }) => ({ name, key: toHex(key.keyId) })),
    damage: book.damage,
    note: PERSONS_NOTE,
    count: all.length,
    baselines: all.slice(0, limit),
  }
}

function isWaiting(baseline: Json): boolean {
  return (baseline['request'] as Json | null)?.['waits_for'] != null
}

type Shown = Readonly<{ digest: string; record: KnownRecord; nowUs: Micros }>

/** One baseline as lists and the page show it. */
export function baselineJson({ book, decay }: BaselineContext, { digest, record, nowUs }: Shown): Json {
  const { state } = book.log
  const { program, rig, family, mode, kind } = record.facts
  const request = newestRequest(state, digest)
  const inForce = (['golden', 'rolling'] as const).filter(
    (as) => currentOf(state, slotOf(record.facts, as), nowUs)?.digest === digest,
  )
  const left = decayJson(state, decay.found.get(digest), { digest, nowUs, toUs: record.toUs })
  return {
    digest,
    program,
    rig,
    family,
    mode,
    kind,
    counts_as: request !== null && isInForce(request, nowUs) ? request.as : 'draft',
    in_force: inForce,
    tags: tagsOf(state, { program, digest, nowUs }),
    confidence: record.gate.confidence * left.factor,
    gate: {
      passed: record.passed,
      reasons: record.gate.reasons,
      confidence: record.gate.confidence,
      inputs: record.gate.inputs,
      policy: toHex(record.gate.policy),
    },
    decay: left,
    segments: { replayed: record.segments, min: record.minSegments, hard: record.hardSegments },
    from_us: record.fromUs,
    to_us: record.toUs,
    made_us: record.madeUs,
    stored_us: record.storedUs,
    bytes: record.bytes,
    request: request === null ? null : requestJson(book, request, nowUs),
  }
}

/** What is left of a confidence: the least of what a person said and what the schedule found. */
function decayJson(
  state: BookState,
  found: DecayFound | undefined,
  { digest, nowUs, toUs }: { digest: string; nowUs: Micros; toUs: Micros },
): { factor: number } & Json {
  const said = state.decay.get(digest)
  const factor = Math.min(said?.factor ?? 1, found?.factor ?? 1)
  const reasons = [...(said !== undefined && said.factor < 1 ? [said.reason] : []), ...(found?.reasons ?? [])]
  return { factor, reasons, age_us: Math.max(0, nowUs - toUs), checked_us: found?.checkedUs ?? null }
}

function tagsOf(
  state: BookState,
  { program, digest, nowUs }: { program: string; digest: string; nowUs: Micros },
): string[] {
  const own = [...state.tags.keys()].filter((key) => key.startsWith(`${program} `))
  const names = own.map((key) => key.slice(program.length + 1))
  return names.filter((tag) => taggedAs(state, { program, tag }, nowUs)?.digest === digest).sort()
}

function newestRequest({ requests }: BookState, digest: string): BaselineRequest | null {
  return [...requests.values()].filter((request) => request.digest === digest).at(-1) ?? null
}

/** A request with the names its keys go by, and what it waits for. */
export function requestJson({ trust }: Pick<BaselineBook, 'trust'>, r: BaselineRequest, nowUs: Micros): Json {
  const person = (key: string) =>
    key === '' ? null : { key, name: trust.operators.find((o) => toHex(o.key.keyId) === key)?.name ?? '' }
  const missing = Math.max(0, Math.max(1, trust.approvalsRequired) - r.approvers.length)
  const waits = { proposed: 'review', reviewed: 'approval' } as Readonly<Record<string, string>>
  const { program, rig, family, mode, digest } = r
  return {
    request: r.request,
    digest,
    ...{ program, rig, family, mode },
    as: r.as,
    status: r.status,
    gate_passed: r.gatePassed,
    waits_for: waits[r.status] ?? null,
    approvals_missing: r.status === 'approved' ? 0 : missing,
    proposer: person(r.proposer),
    reviewer: person(r.reviewer),
    approvers: r.approvers.map(person),
    proposed_us: r.proposedUs,
    changed_us: r.changedUs,
    reason: r.reason,
    break_glass:
      r.breakGlass === null
        ? null
        : {
            by: person(r.breakGlass.by),
            operator: r.breakGlass.operator,
            reason: r.breakGlass.reason,
            until_us: r.breakGlass.untilUs,
            over: nowUs >= r.breakGlass.untilUs,
          },
  }
}

/** Everything that is known of one baseline: its metrics, and every statement about it. */
export function baselineDetailJson(
  context: BaselineContext,
  { digest, stored, nowUs }: { digest: string; stored: StoredRecord; nowUs: Micros },
): Json {
  const record = context.book.records.get(digest)!
  const { context: made, segments, metrics } = decodeBaseline(stored.bytes)
  const about = context.book.log.entries.filter(({ statement }) => statement?.digest === digest)
  return {
    ...baselineJson(context, { digest, record, nowUs }),
    context: made,
    metrics: metrics.map(metricJson),
    segments_used: segments.map(({ source, fromUs, toUs, used, reason }) => ({
      ...{ source, from_us: fromUs, to_us: toUs, used, reason },
    })),
    statements: about.map(({ statement, refused }) => statementJson(context.book, statement!, refused)),
  }
}

function metricJson(m: BaselineMetric): Json {
  return {
    metric: m.metric,
    unit: m.unit,
    count: m.count,
    effective_count: m.effectiveCount,
    mean: m.mean,
    sd: m.sd,
    min: m.min,
    max: m.max,
    step_statistic: m.stepStatistic,
    detectable_shift: m.detectableShift,
    tolerance: m.tolerance,
  }
}

function statementJson({ trust }: Pick<BaselineBook, 'trust'>, s: Statement, refused: string | null): Json {
  return {
    seq: s.seq,
    id: s.id,
    kind: s.kind,
    request: s.request,
    key: s.by,
    name: trust.operators.find((o) => toHex(o.key.keyId) === s.by)?.name ?? '',
    operator: s.operator,
    reason: s.reason,
    tag: s.tag,
    at_us: s.atUs,
    until_us: s.untilUs,
    factor: s.factor,
    refused,
  }
}
