import type { AlarmsJson } from './alarms.ts'
import type { BookJson } from './baselines.ts'
import { RIG_LOST_MS, RIG_STATES, type RigState } from './look.ts'
import { worstRatio } from './margin.ts'
import type { ConfigJson, RolloutJson } from './rollout.ts'
import type { SafetyJson } from './safety.ts'
import type { DecisionJson, RefusalJson, Vitals } from './wire-types.ts'

/** Points of a sparkline: one minute of vitals at 2 Hz. */
export const HISTORY_POINTS_MAX = 120
/** Rigs and agents remembered by the page; of more, the one not heard of for longest is dropped. */
export const RIGS_MAX = 1000
/** Decisions, batches and refusals kept for the lists; older ones are at the collector. */
export const DECISIONS_MAX = 200
export const REVISIONS_MAX = 500
export const BATCHES_MAX = 500
export const REFUSALS_MAX = 100

/** Vitals further behind than this were not overtaken on the way: the clock of the rig went back. */
const OVERTAKEN_MAX_US = 10_000_000

/** One rig as the page knows it. `heardMs` and `sinceMs` are monotonic times of this page. */
export type RigRow = {
  readonly key: string
  readonly program: string
  readonly rig: string
  agent: string
  vitals: Vitals | null
  heardMs: number
  /** Worst ratio to what is allowed, oldest first; null where nothing could be said. */
  readonly history: (number | null)[]
  /** When the verdict became what it is, as far as this page has seen. */
  sinceMs: number
  /** The page saw it become so; else it has been so for longer than the page knows. */
  sawChange: boolean
  /** The present verdict has been looked at in this page: a FAIL no longer flashes. Not an acknowledgement. */
  seen: boolean
}

export type AgentRow = { agent: string; program: string; connected: boolean; heardMs: number; version: string }

/** What is known of a batch here: received is not yet receipted, and only verified batches are receipted. */
export type BatchRow = {
  agent: string
  epoch: number
  batchSeq: number
  firstSeq: number
  count: number
  bytes: number | null
  receivedUs: number | null
  receiptUs: number | null
}

/** Everything the page shows. Mutated by `absorb` only; the page draws what is in it four times a second. */
export type PageModel = {
  label: string
  /** Monotonic time of this page when anything was last heard from the collector; null before the first message. */
  heardMs: number | null
  collectorNowUs: number | null
  readonly rigs: Map<string, RigRow>
  readonly agents: Map<string, AgentRow>
  readonly decisions: DecisionJson[]
  /** Revisions by the id of the decision they correct, in the order in which they were heard of. */
  readonly revisions: Map<string, DecisionJson>
  readonly batches: Map<string, BatchRow>
  readonly refusals: RefusalJson[]
  /** The collector's book of baselines; null from a collector that has none. */
  book: BookJson | null
  /** Armings, bypasses, safety alarms and actions; null from a collector that knows of none. */
  safety: SafetyJson | null
  /** Open alarms, and who acts unseen; null from a collector that has none. */
  alarms: AlarmsJson | null
  /** By agent; empty from a collector that knows of none. */
  readonly configs: Map<string, ConfigJson>
  /** The newest one. */
  rollout: RolloutJson | null
  /** Messages of the collector that this page did not understand. */
  notUnderstood: number
}

export function createPageModel(): PageModel {
  return {
    label: '',
    heardMs: null,
    collectorNowUs: null,
    rigs: new Map(),
    agents: new Map(),
    decisions: [],
    revisions: new Map(),
    batches: new Map(),
    refusals: [],
    book: null,
    safety: null,
    alarms: null,
    configs: new Map(),
    rollout: null,
    notUnderstood: 0,
  }
}

export function rigKey(program: string, rig: string): string {
  return `${program}/${rig}`
}

/** The state a rig is shown in. FAIL outlives the link: the last thing heard was that it fails, and nobody has said otherwise. */
export function rigState(row: RigRow, nowMs: number): RigState {
  const { vitals } = row
  if (vitals === null) return 'LOST'
  if (vitals.verdict === 'FAIL') return 'FAIL'
  // As what must hold, so that an age that is not a number is an age that is too large.
  if (!(nowMs - row.heardMs < RIG_LOST_MS)) return 'LOST'
  return RIG_STATES.includes(vitals.verdict) ? vitals.verdict : 'NO_TEST'
}

/** Rigs worst first; those that are equally bad in order of name, so that a wall at rest does not move. */
export function worstFirst(model: PageModel, nowMs: number): { row: RigRow; state: RigState }[] {
  return [...model.rigs.values()]
    .map((row) => ({ row, state: rigState(row, nowMs) }))
    .sort((a, b) => RIG_STATES.indexOf(a.state) - RIG_STATES.indexOf(b.state) || (a.row.key < b.row.key ? -1 : 1))
}

export function countStates(rigs: readonly { state: RigState }[]): Record<RigState, number> {
  const counts: Record<RigState, number> = { FAIL: 0, LOST: 0, NO_TEST: 0, NO_BASELINE: 0, PASS_WITH_DRIFT: 0, PASS: 0 }
  for (const { state } of rigs) counts[state] += 1
  return counts
}

/**
 * Age of what a rig's numbers describe: how far its event time was behind its own clock when it spoke, and how long ago
 * that was. A recording has no age of its own, so only the silence counts.
 */
export function dataAgeMs(row: RigRow, nowMs: number): number | null {
  if (row.vitals === null) return null
  return nowMs - row.heardMs + watermarkLagMs(row.vitals)
}

/** How far the rig's event time was behind its clock when it spoke; 0 for a recording, whose time is its own. */
export function watermarkLagMs(vitals: Vitals): number {
  return vitals.clock === 'recording' ? 0 : Math.max(0, (vitals.wall_us - vitals.time_us) / 1000)
}

/** The batch that carries a decision, from the decision itself or from the span of a batch of its agent. */
export function batchOf(model: PageModel, decision: DecisionJson): BatchRow | undefined {
  if (decision.batch !== null) {
    const known = model.batches.get(
      batchKey(decision.batch.agent || decision.agent, decision.batch.epoch, decision.batch.batch_seq),
    )
    if (known !== undefined) return known
  }
  for (const batch of model.batches.values()) {
    const inside = decision.seq >= batch.firstSeq && decision.seq < batch.firstSeq + batch.count
    if (batch.agent === decision.agent && inside) return batch
  }
  return undefined
}

export function batchKey(agent: string, epoch: number, batchSeq: number): string {
  return `${agent}/${epoch}/${batchSeq}`
}

/**
 * Takes vitals in. Those that are a little older than what is here are passed over: they were on the way when the fleet
 * was sent. Much older ones are a clock that was put right, and a page that passed them over would show the rig as lost.
 */
export function absorbVitals(model: PageModel, vitals: Vitals, nowMs: number): void {
  const key = rigKey(vitals.program, vitals.rig)
  const known = model.rigs.get(key)
  if (known?.vitals && isOvertaken(vitals, known.vitals)) return
  const row: RigRow = known ?? {
    key,
    program: vitals.program,
    rig: vitals.rig,
    agent: vitals.agent,
    vitals: null,
    heardMs: nowMs,
    history: [],
    sinceMs: nowMs,
    sawChange: false,
    seen: false,
  }
  if (row.vitals?.verdict !== vitals.verdict) {
    row.sinceMs = nowMs
    row.sawChange = row.vitals !== null
    row.seen = false
  }
  row.vitals = vitals
  row.heardMs = nowMs
  if (vitals.agent !== '') row.agent = vitals.agent
  row.history.push(worstRatio(vitals))
  if (row.history.length > HISTORY_POINTS_MAX) row.history.shift()
  model.rigs.set(key, row)
  if (model.rigs.size > RIGS_MAX) forgetQuietest(model.rigs)
}

function isOvertaken(late: Vitals, known: Vitals): boolean {
  const behindUs = known.wall_us - late.wall_us
  return late.time_us < known.time_us && behindUs > 0 && behindUs < OVERTAKEN_MAX_US
}

/** Takes a decision in, newest first by event time; one that is already here is replaced by what is newer about it. */
export function absorbDecision(model: PageModel, decision: DecisionJson): void {
  const at = model.decisions.findIndex((known) => known.id === decision.id)
  if (at >= 0) model.decisions.splice(at, 1)
  const place = model.decisions.findIndex((known) => known.time_us <= decision.time_us)
  model.decisions.splice(place < 0 ? model.decisions.length : place, 0, decision)
  if (model.decisions.length > DECISIONS_MAX) model.decisions.length = DECISIONS_MAX
}

/** Takes in what late samples make of an earlier decision. It is never shown as what a rig is. */
export function absorbRevision(model: PageModel, revision: DecisionJson): void {
  if (revision.revises === null) return
  model.revisions.set(revision.revises, revision)
  const oldest = model.revisions.keys().next()
  if (model.revisions.size > REVISIONS_MAX && !oldest.done) model.revisions.delete(oldest.value)
}

/** What a decision was revised to, as far as the page knows. */
export function revisionOf(model: PageModel, decision: DecisionJson): DecisionJson['revised_by'] {
  const heard = model.revisions.get(decision.id)
  return heard === undefined ? decision.revised_by : { id: heard.id, verdict: heard.verdict }
}

/** Takes in what is new about a batch; a receipt may be heard of before the batch or after it. */
export function absorbBatch(model: PageModel, batch: BatchRow): void {
  const key = batchKey(batch.agent, batch.epoch, batch.batchSeq)
  const known = model.batches.get(key)
  model.batches.delete(key)
  model.batches.set(key, {
    ...batch,
    firstSeq: batch.firstSeq || (known?.firstSeq ?? 0),
    count: batch.count || (known?.count ?? 0),
    bytes: batch.bytes ?? known?.bytes ?? null,
    receivedUs: batch.receivedUs ?? known?.receivedUs ?? null,
    receiptUs: batch.receiptUs ?? known?.receiptUs ?? null,
  })
  const oldest = model.batches.keys().next()
  if (model.batches.size > BATCHES_MAX && !oldest.done) model.batches.delete(oldest.value)
}

/** Takes a refusal in, newest first; the same one told twice is one. */
export function absorbRefusal(model: PageModel, refusal: RefusalJson): void {
  const same = (known: RefusalJson) =>
    known.code === refusal.code &&
    known.agent === refusal.agent &&
    known.time_us === refusal.time_us &&
    known.detail === refusal.detail
  if (model.refusals.some(same)) return
  model.refusals.unshift(refusal)
  model.refusals.sort((a, b) => b.time_us - a.time_us)
  if (model.refusals.length > REFUSALS_MAX) model.refusals.length = REFUSALS_MAX
}

export function absorbAgent(model: PageModel, agent: AgentRow): void {
  model.agents.set(agent.agent, agent)
  if (model.agents.size > RIGS_MAX) forgetQuietest(model.agents)
}

function forgetQuietest(rows: Map<string, { heardMs: number }>): void {
  let quietest: string | undefined
  let heardMs = Number.POSITIVE_INFINITY
  for (const [key, row] of rows) {
    if (row.heardMs >= heardMs) continue
    quietest = key
    heardMs = row.heardMs
  }
  if (quietest !== undefined) rows.delete(quietest)
}
