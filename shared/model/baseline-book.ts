import type { Micros } from '../units.ts'
import type { BaselineKind } from './baseline.ts'
import { type BaselineSubject, BREAK_GLASS_MAX_US, type Statement, type StatementKind } from './baseline-statement.ts'

/** Where a proposal stands. */
export const REQUEST_STATUSES = ['proposed', 'reviewed', 'approved', 'rejected', 'withdrawn', 'expired'] as const
export type RequestStatus = (typeof REQUEST_STATUSES)[number]

/** What the book must know of a record. `gatePassed` is computed again from its data, never read from it. */
export type RecordFacts = BaselineSubject & Readonly<{ digest: string; kind: BaselineKind; gatePassed: boolean }>

/** Who may do what. Keys are ids in hex. */
export type BookRules = Readonly<{
  operators: ReadonlySet<string>
  /** Those of them that may approve. */
  approvers: ReadonlySet<string>
  /** Keys that must approve, beside proposer and reviewer. */
  approvalsRequired: number
}>

/** One proposal of one record. A closed one is never used again. */
export type BaselineRequest = BaselineSubject &
  Readonly<{
    request: string
    digest: string
    as: BaselineKind
    status: RequestStatus
    gatePassed: boolean
    proposer: string
    reviewer: string
    approvers: readonly string[]
    proposedUs: Micros
    changedUs: Micros
    /** Why it was closed, or proposed. */
    reason: string
    breakGlass: Readonly<{ by: string; operator: string; reason: string; untilUs: Micros }> | null
  }>

/** An entry of the history of a tag, oldest first. */
export type Tagged = Readonly<{
  request: string
  digest: string
  by: string
  atUs: Micros
  kind: 'approve' | 'tag' | 'rollback'
}>
export type DecayState = Readonly<{ factor: number; reason: string; atUs: Micros; by: string }>

/** What all statements of a book come to. Never changed: every step makes another one. */
export type BookState = Readonly<{
  book: string
  seq: number
  prev: string
  atUs: Micros
  requests: ReadonlyMap<string, BaselineRequest>
  /** Golden and rolling by {@link slotOf}. */
  slots: ReadonlyMap<string, readonly Tagged[]>
  /** Other tags by programme and name. */
  tags: ReadonlyMap<string, readonly Tagged[]>
  decay: ReadonlyMap<string, DecayState>
}>

export const STATEMENT_REFUSALS = [
  'other_book',
  'out_of_order',
  'time_goes_back',
  'unknown_key',
  'record_missing',
  'record_differs',
  'kind_draft',
  'already_open',
  'request_unknown',
  'request_closed',
  'digest_differs',
  'not_reviewed',
  'already_reviewed',
  'same_person',
  'not_the_proposer',
  'not_an_approver',
  'gate_not_passed',
  'gate_passed',
  'break_glass_too_long',
  'not_approved',
  'tag_reserved',
  'no_earlier_baseline',
  'factor_out_of_range',
] as const
export type StatementRefusal = (typeof STATEMENT_REFUSALS)[number]
export type Applied = Readonly<{ ok: true; state: BookState }> | Readonly<{ ok: false; reason: StatementRefusal }>

/** Every permitted step of a request; what is absent is forbidden. An approval short of the number asked for stays `reviewed`. */
export const REQUEST_STEPS: Readonly<Record<RequestStatus, Partial<Record<StatementKind, RequestStatus>>>> = {
  proposed: {
    review: 'reviewed',
    reject: 'rejected',
    withdraw: 'withdrawn',
    expire: 'expired',
    break_glass: 'proposed',
  },
  reviewed: {
    approve: 'approved',
    reject: 'rejected',
    withdraw: 'withdrawn',
    expire: 'expired',
    break_glass: 'reviewed',
  },
  approved: { expire: 'expired' },
  rejected: {},
  withdrawn: {},
  expired: {},
}

/** Tags that only approvals and rollbacks move. */
const RESERVED_TAGS: readonly string[] = ['golden', 'rolling', 'draft']

export function emptyBook(book: string, genesis: string): BookState {
  const none = new Map<string, never>()
  return { book, seq: 0, prev: genesis, atUs: 0, requests: none, slots: none, tags: none, decay: none }
}

/**
 * Takes one statement, whose signature was verified, or says why not. A refused one changes nothing but its place in the
 * chain: it was said, and it counts for nothing.
 */
export function applyStatement(
  state: BookState,
  s: Statement,
  { rules, records }: Readonly<{ rules: BookRules; records: ReadonlyMap<string, RecordFacts> }>,
): Applied {
  if (s.book !== state.book) return refuse('other_book')
  if (s.seq !== state.seq + 1 || s.prev !== state.prev) return refuse('out_of_order')
  if (s.atUs < state.atUs) return refuse('time_goes_back')
  if (!rules.operators.has(s.by)) return refuse('unknown_key')
  const next = passOver(state, s)
  if (s.kind === 'propose') return propose(next, s, records.get(s.digest))
  if (s.kind === 'tag') return tag(next, s)
  if (s.kind === 'rollback') return rollback(next, s)
  if (s.kind === 'decay') return decay(next, s, records.get(s.digest))
  return step(next, s, rules)
}

/** The state behind a statement that counts for nothing. */
export function passOver(state: BookState, { id, seq, atUs }: Statement): BookState {
  return { ...state, seq, prev: id, atUs: Math.max(state.atUs, atUs) }
}

/** Key of a golden or rolling baseline: programme, rig or family, mode, kind. No part can hold a blank. */
export function slotOf(subject: BaselineSubject, as: BaselineKind): string {
  return [subject.program, `rig:${subject.rig}`, `family:${subject.family}`, subject.mode, as].join(' ')
}

/** Whether a request counts at a time: approved, and not by a break-glass that is over. */
export function isInForce(request: BaselineRequest | undefined, nowUs: Micros): boolean {
  if (request?.status !== 'approved') return false
  if (request.gatePassed) return true
  return request.breakGlass !== null && nowUs < request.breakGlass.untilUs
}

/** The golden or rolling baseline in force at a time: the newest entry of its history that still counts. */
export function currentOf(state: BookState, slot: string, nowUs: Micros): Tagged | null {
  return newestInForce(state, state.slots.get(slot) ?? [], nowUs)
}

/** What a tag of a programme names at a time; null when there is no such tag or nothing of it counts. */
export function taggedAs(
  state: BookState,
  { program, tag: name }: { program: string; tag: string },
  nowUs: Micros,
): Tagged | null {
  return newestInForce(state, state.tags.get(tagKey(program, name)) ?? [], nowUs)
}

function newestInForce(state: BookState, history: readonly Tagged[], nowUs: Micros): Tagged | null {
  return [...history].reverse().find((one) => isInForce(state.requests.get(one.request), nowUs)) ?? null
}

function propose(state: BookState, s: Statement, record: RecordFacts | undefined): Applied {
  if (record === undefined) return refuse('record_missing')
  if (record.kind === 'draft' || s.as === 'draft') return refuse('kind_draft')
  if (!isSameSubject(record, s) || record.kind !== s.as) return refuse('record_differs')
  const open = [...state.requests.values()].some(
    (r) => r.digest === s.digest && (r.status === 'proposed' || r.status === 'reviewed' || isInForce(r, s.atUs)),
  )
  if (open) return refuse('already_open')
  const { program, rig, family, mode, digest, as } = s
  const request: BaselineRequest = {
    ...{ program, rig, family, mode, digest, as },
    request: s.id,
    status: 'proposed',
    gatePassed: record.gatePassed,
    proposer: s.by,
    reviewer: '',
    approvers: [],
    proposedUs: s.atUs,
    changedUs: s.atUs,
    reason: s.reason,
    breakGlass: null,
  }
  return taken(withRequest(state, request))
}

function step(state: BookState, s: Statement, rules: BookRules): Applied {
  const request = state.requests.get(s.request)
  if (request === undefined) return refuse('request_unknown')
  if (request.digest !== s.digest || request.as !== s.as || !isSameSubject(request, s)) return refuse('digest_differs')
  const to = REQUEST_STEPS[request.status][s.kind]
  if (to === undefined) return refuse(noStep(request.status, s.kind))
  const changed = { ...request, status: to, changedUs: s.atUs, reason: s.reason }
  if (s.kind === 'withdraw' && s.by !== request.proposer) return refuse('not_the_proposer')
  if (s.kind === 'break_glass') return breakGlass(state, s, request)
  if (s.kind === 'review') {
    if (s.by === request.proposer) return refuse('same_person')
    return taken(withRequest(state, { ...changed, reviewer: s.by }))
  }
  if (s.kind === 'approve') return approve(state, s, { request, rules })
  return taken(withRequest(state, changed))
}

function approve(
  state: BookState,
  s: Statement,
  { request, rules }: { request: BaselineRequest; rules: BookRules },
): Applied {
  if (!rules.approvers.has(s.by)) return refuse('not_an_approver')
  if ([request.proposer, request.reviewer, ...request.approvers].includes(s.by)) return refuse('same_person')
  const isCovered = request.breakGlass !== null && s.atUs < request.breakGlass.untilUs
  if (!request.gatePassed && !isCovered) return refuse('gate_not_passed')
  const approvers = [...request.approvers, s.by]
  const isEnough = approvers.length >= Math.max(1, rules.approvalsRequired)
  const status = isEnough ? 'approved' : request.status
  const changed = withRequest(state, { ...request, approvers, status, changedUs: s.atUs, reason: s.reason })
  if (!isEnough) return taken(changed)
  return taken(withSlot(changed, slotOf(request, request.as), entry(s, { kind: 'approve', request: request.request })))
}

function breakGlass(state: BookState, s: Statement, request: BaselineRequest): Applied {
  if (request.gatePassed) return refuse('gate_passed')
  if (!(s.untilUs > s.atUs && s.untilUs - s.atUs <= BREAK_GLASS_MAX_US)) return refuse('break_glass_too_long')
  const { by, operator, reason, untilUs } = s
  return taken(withRequest(state, { ...request, changedUs: s.atUs, breakGlass: { by, operator, reason, untilUs } }))
}

/** A tag names a baseline that is in force; which one, people see from its digest. */
function tag(state: BookState, s: Statement): Applied {
  if (RESERVED_TAGS.includes(s.tag) || s.tag === '') return refuse('tag_reserved')
  const request = state.requests.get(s.request)
  if (request === undefined) return refuse('request_unknown')
  if (request.digest !== s.digest || !isSameSubject(request, s)) return refuse('digest_differs')
  if (!isInForce(request, s.atUs)) return refuse('not_approved')
  const key = tagKey(s.program, s.tag)
  const history = [...(state.tags.get(key) ?? []), entry(s, { kind: 'tag', request: s.request })]
  return taken({ ...state, tags: new Map(state.tags).set(key, history) })
}

/** Back to a baseline that was in force before: it has all its approvals already, so that one person may do it at once. */
function rollback(state: BookState, s: Statement): Applied {
  const isSlot = s.tag === 'golden' || s.tag === 'rolling'
  const slot = isSlot ? slotOf(s, s.tag as BaselineKind) : tagKey(s.program, s.tag)
  const history = (isSlot ? state.slots : state.tags).get(slot) ?? []
  const current = newestInForce(state, history, s.atUs)
  const before = [...history].reverse().find((one) => one.digest === s.digest && one.request === s.request)
  if (before === undefined || current?.digest === s.digest) return refuse('no_earlier_baseline')
  if (!isInForce(state.requests.get(s.request), s.atUs)) return refuse('not_approved')
  const back = entry(s, { kind: 'rollback', request: s.request })
  if (isSlot) return taken(withSlot(state, slot, back))
  return taken({ ...state, tags: new Map(state.tags).set(slot, [...history, back]) })
}

function decay(state: BookState, s: Statement, record: RecordFacts | undefined): Applied {
  if (record === undefined) return refuse('record_missing')
  if (!isSameSubject(record, s)) return refuse('record_differs')
  if (!(s.factor >= 0 && s.factor <= 1)) return refuse('factor_out_of_range')
  const known: DecayState = { factor: s.factor, reason: s.reason, atUs: s.atUs, by: s.by }
  return taken({ ...state, decay: new Map(state.decay).set(s.digest, known) })
}

function noStep(status: RequestStatus, kind: StatementKind): StatementRefusal {
  if (status === 'proposed' && kind === 'approve') return 'not_reviewed'
  return status === 'reviewed' && kind === 'review' ? 'already_reviewed' : 'request_closed'
}

function entry(s: Statement, { kind, request }: Pick<Tagged, 'kind' | 'request'>): Tagged {
  return { request, digest: s.digest, by: s.by, atUs: s.atUs, kind }
}

function isSameSubject(a: BaselineSubject, b: BaselineSubject): boolean {
  return a.program === b.program && a.rig === b.rig && a.family === b.family && a.mode === b.mode
}

function tagKey(program: string, name: string): string {
  return `${program} ${name}`
}

function withRequest(state: BookState, request: BaselineRequest): BookState {
  return { ...state, requests: new Map(state.requests).set(request.request, request) }
}

function withSlot(state: BookState, slot: string, one: Tagged): BookState {
  return { ...state, slots: new Map(state.slots).set(slot, [...(state.slots.get(slot) ?? []), one]) }
}

function taken(state: BookState): Applied {
  return { ok: true, state }
}

function refuse(reason: StatementRefusal): Applied {
  return { ok: false, reason }
}
