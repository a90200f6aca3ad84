import { toHex } from '../../shared/crypto/digest.ts'
import { HARD_ACTIONS } from '../../shared/model/action.ts'
import type { Decision } from '../../shared/model/decision.ts'
import type { OverallVerdict } from '../../shared/model/verdict.ts'
import {
  type ActionRequestMessage,
  type DecisionSnapshot,
  DRIFT_STATUSES,
  type DriftEvent,
  type HealthEvent,
  PEER_CONTRACT_VERSION,
  PEER_METRICS_MAX,
  type PeerSeverity,
} from '../../shared/protocol/peer-contract.ts'
import { whyFinding } from '../../shared/protocol/why.ts'
import type { Micros } from '../../shared/units.ts'
import type { ExecutorRequest } from '../ports.ts'
import { findingJson } from './vitals.ts'

/** Who says it, and the identity and wall time of one message. */
export type Sender = Readonly<{ systemId: string; messageId: string; nowUs: Micros }>

const ISSUE_MAX = 512

/** How bad a verdict is on the scale of events. What is not known is not good. */
export const VERDICT_SEVERITY: Readonly<Record<OverallVerdict, PeerSeverity>> = {
  FAIL: 'high',
  NO_TEST: 'high',
  NO_BASELINE: 'medium',
  PASS_WITH_DRIFT: 'medium',
  PASS: 'info',
}

/** How a rig is. Pure, as all makers here. */
export function healthEvent(decision: Decision, sender: Sender, changed: boolean): HealthEvent {
  const [worst] = decision.findings
  return {
    ...envelope('HEALTH_EVENT', sender),
    ...eventOf(decision),
    status: decision.verdict,
    primary_issue: worst === undefined ? '' : whyFinding(findingJson(worst)).slice(0, ISSUE_MAX),
    payload: { ...placeOf(decision), changed },
  }
}

/** What departs from baseline or limits; null for a verdict that no drift can be said of. */
export function driftEvent(decision: Decision, sender: Sender, isArmed: boolean): DriftEvent | null {
  const status = DRIFT_STATUSES.find((one) => one === decision.verdict)
  if (status === undefined) return null
  const { confidence, baselineConfidence, action } = coreOf(decision)
  const metrics = driftMetrics(decision)
  return {
    ...envelope('DRIFT_EVENT', sender),
    ...eventOf(decision),
    ...(action === null ? {} : { recommended_action: action }),
    status,
    drift_metrics: metrics.slice(0, PEER_METRICS_MAX),
    report_path: '',
    ...{ confidence, baseline_confidence: baselineConfidence, action_allowed: isArmed },
    payload: { ...placeOf(decision), more: Math.max(0, metrics.length - PEER_METRICS_MAX) },
  }
}

/** Metrics that failed or drifted, worst first, each once. */
export function driftMetrics({ findings }: Pick<Decision, 'findings'>): string[] {
  const bad = findings.filter(({ verdict }) => verdict === 'FAIL' || verdict === 'DRIFT')
  return [...new Set(bad.map(({ metric }) => metric))]
}

/** A decision with what it rests on. */
export function decisionSnapshot(decision: Decision, sender: Sender, isArmed: boolean): DecisionSnapshot {
  const core = coreOf(decision)
  return {
    ...envelope('DECISION_SNAPSHOT', sender),
    ...eventOf(decision),
    decision: decision.verdict,
    ...{ confidence: core.confidence, baseline_confidence: core.baselineConfidence, action_allowed: isArmed },
    config_ref: { code: core.code, config: core.config, baseline: core.baseline },
    input_slice_ref: { slice: core.slice },
    payload: { ...placeOf(decision), limits_only: decision.limitsOnly },
  }
}

/** Asks for an action that was released: only what the kernel let through comes here, so it is allowed. */
export function actionRequest(request: ExecutorRequest, sender: Sender): ActionRequestMessage {
  const { key, rig, action, target, params, attempt, budgetMs } = request
  const gentle = action === 'notify' ? 'medium' : 'high'
  return {
    ...envelope('ACTION_REQUEST', sender),
    severity: HARD_ACTIONS.includes(action) ? 'critical' : gentle,
    recommended_action: action,
    action_type: action,
    action_id: key,
    target,
    params: { ...params },
    confidence: null,
    action_allowed: true,
    payload: { rig, attempt, budget_ms: budgetMs },
  }
}

function envelope<K extends string>(type: K, { systemId, messageId, nowUs }: Sender) {
  return {
    type,
    contract_version: PEER_CONTRACT_VERSION,
    timestamp: timestampOf(nowUs),
    system_id: systemId,
    message_id: messageId,
  } as const
}

function timestampOf(us: Micros): string {
  return `${new Date(Math.floor(us / 1000)).toISOString().slice(0, -1)}${String(us % 1000).padStart(3, '0')}Z`
}

function eventOf({ verdict, seq, run }: Decision) {
  return {
    severity: VERDICT_SEVERITY[verdict],
    ...(run === null ? {} : { run_id: run.run }),
    decision_id: String(seq),
  }
}

function placeOf({ rig, mode, timeUs }: Decision) {
  return { rig, mode, t_us: timeUs }
}

type Core = Readonly<{
  confidence: number | null
  baselineConfidence: number | null
  action: 'notify' | null
  code: number | null
  config: string | null
  baseline: string | null
  slice: string | null
}>

/** What the core of a decision says; null for what it does not say, or not as it should. */
function coreOf({ values: [core] }: Decision): Core {
  const of = (key: string): unknown => (typeof core === 'object' && core !== null ? Reflect.get(core, key) : undefined)
  const event = of('event')
  const action = of('action') as { type?: unknown } | null | undefined
  return {
    confidence: share(Array.isArray(event) ? event[2] : null),
    baselineConfidence: share(of('baseline_confidence')),
    action: action?.type === 'notify' ? 'notify' : null,
    code: Number.isSafeInteger(of('code')) ? (of('code') as number) : null,
    ...{ config: hex(of('config')), baseline: hex(of('baseline')), slice: hex(of('slice')) },
  }
}

function share(value: unknown): number | null {
  return typeof value === 'number' && value >= 0 && value <= 1 ? value : null
}

function hex(value: unknown): string | null {
  return value instanceof Uint8Array ? toHex(value) : null
}
