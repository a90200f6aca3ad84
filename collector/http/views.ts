import type { AgentLink } from '../fleet.ts'
import type { AgentRecord } from '../store/agents.ts'
import { bytesOf, type StoredBatch } from '../store/batches.ts'
import type { StoredDecision } from '../store/decisions.ts'
import type { StoredRefusal } from '../store/refusals.ts'
import type { StoredSlice } from '../store/slices.ts'

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64')

/** Id of a decision in addresses: `AGENT:NUMBER`. */
export function decisionId(agent: string, seq: number): string {
  return `${agent}:${seq}`
}

/** Parts of a decision id, or null when it is none. */
export function parseDecisionId(id: string): { agent: string; seq: number } | null {
  const parts = /^([a-z0-9][a-z0-9-]{0,62}):([1-9][0-9]{0,15})$/.exec(id)
  const seq = Number(parts?.[2])
  return parts === null || !Number.isSafeInteger(seq) ? null : { agent: parts[1]!, seq }
}

/** A decision in lists and on the live feed. */
export function decisionJson(d: StoredDecision): Record<string, unknown> {
  return {
    id: decisionId(d.agent, d.seq),
    agent: d.agent,
    program: d.program ?? '',
    rig: d.rig ?? '',
    seq: d.seq,
    time_us: d.timeUs,
    run: d.run,
    verdict: d.verdict,
    mode: d.body['mode'] ?? null,
    limits_only: d.body['limits_only'] ?? false,
    revises: d.revises === null ? null : decisionId(d.agent, d.revises),
    revised_by:
      d.revisedBy === null ? null : { id: decisionId(d.agent, d.revisedBy.seq), verdict: d.revisedBy.verdict },
    findings: d.body['findings'] ?? [],
    batch: { agent: d.agent, epoch: d.epoch, batch_seq: d.batchSeq },
    receipt_us: d.receiptUs,
  }
}

/** What is not known of one decision in a range, or of one whose detail was not kept. Nothing stands for it. */
const UNKNOWN_OF_RANGE = { limits_only: null } as const
const NOT_OF_SAFETY = { limits_only: null, findings: null } as const
const UNKNOWN_OF_THINNED = { program: null, rig: null, limits_only: null, findings: null } as const

/** Everything that is stored of a decision; of an unchanged one, the range it lies in. */
export function decisionDetailJson(d: StoredDecision, asked: number): Record<string, unknown> {
  return {
    ...decisionJson(d),
    ...(d.kind === 'range' ? UNKNOWN_OF_RANGE : {}),
    ...(d.kind === 'safety' ? NOT_OF_SAFETY : {}),
    ...(d.kind === 'thinned' ? UNKNOWN_OF_THINNED : {}),
    kind: d.kind,
    first_seq: d.seq,
    last_seq: d.lastSeq,
    ...d.body,
    id: decisionId(d.agent, asked),
    seq: asked,
  }
}

/** A batch without its bytes. */
export function batchJson(
  b: Omit<StoredBatch, 'cose' | 'records' | 'receipt' | 'header'> & { bytes?: number },
): Record<string, unknown> {
  return {
    agent: b.agent,
    epoch: b.epoch,
    batch_seq: b.batchSeq,
    first_seq: b.firstSeq,
    count: b.count,
    bytes: b.bytes ?? null,
    run: b.run,
    identity: hex(b.identity),
    prev: hex(b.prev),
    recv_us: b.recvUs,
    receipt_us: b.recvUs,
  }
}

/** A batch with the bytes that prove it, in base64: anybody can verify them with a COSE tool and the enrolled key. */
export function batchDetailJson(b: StoredBatch): Record<string, unknown> {
  return {
    ...batchJson({ ...b, bytes: bytesOf(b) }),
    header: JSON.parse(b.header),
    cose: base64(b.cose),
    records: b.records === null ? null : base64(b.records),
    receipt: base64(b.receipt),
  }
}

export function refusalJson(
  r: Omit<StoredRefusal, 'count' | 'firstUs'> & { count?: number; firstUs?: number },
): Record<string, unknown> {
  return {
    code: r.code,
    agent: r.agent,
    detail: r.detail,
    epoch: r.epoch,
    batch_seq: r.batchSeq,
    time_us: r.timeUs,
    first_us: r.firstUs ?? r.timeUs,
    count: r.count ?? 1,
  }
}

export function agentJson(a: AgentRecord, link: AgentLink | undefined): Record<string, unknown> {
  return {
    agent: a.agent,
    deployment: a.deployment,
    program: a.programs[0] ?? '',
    programs: a.programs,
    connected: link !== undefined,
    version: a.version,
    seen_us: a.seenUs,
    enrolled_us: a.enrolledUs,
    rigs: a.rigs,
    head:
      a.head === null
        ? null
        : { epoch: a.head.epoch, batch_seq: a.head.batchSeq, identity: hex(a.head.identity), next_seq: a.head.nextSeq },
  }
}

/** A slice as the page draws it: `metric` is what the findings of the decision call the channel. */
export function sliceJson(slice: StoredSlice, decision: StoredDecision): Record<string, unknown> {
  const findings = (decision.body['findings'] ?? []) as readonly { metric: string; channel: string }[]
  const metrics = new Map(findings.map((f) => [f.channel, f.metric]))
  const channels = JSON.parse(slice.body ?? '[]') as readonly { channel: string }[]
  return {
    decision: decisionId(slice.agent, slice.seq),
    rig: slice.rig,
    state: slice.state,
    from_us: slice.fromUs,
    to_us: slice.toUs,
    channels: channels.map((c) => ({ metric: metrics.get(c.channel) ?? c.channel, ...c })),
  }
}
