import { parseAlarms } from './alarms.ts'
import { parseBook } from './baselines.ts'
import {
  type AgentRow,
  absorbAgent,
  absorbBatch,
  absorbDecision,
  absorbRefusal,
  absorbRevision,
  absorbVitals,
  type BatchRow,
  type PageModel,
} from './page-model.ts'
import { parseConfig, parseConfigs, parseRollout } from './rollout.ts'
import { parseSafety } from './safety.ts'
import { fieldsOf, listOf, numberOf, parseDecision, parseRefusal, parseVitals, textOf } from './wire.ts'

/** Items of one kind in one message; a longer list is cut. */
const LIST_MAX = 1000

/**
 * Takes one message of the collector into the model. A message of an unknown type or shape still proves that the link
 * lives; it is counted as not understood and otherwise passed over, so an older page works with a newer collector.
 *
 * @returns whether something changed that a person should see at once: a verdict, a decision, a refusal, the link.
 */
export function absorb(model: PageModel, message: unknown, nowMs: number): boolean {
  const first = model.heardMs === null
  model.heardMs = nowMs
  const fields = fieldsOf(message)
  if (fields === undefined) return notUnderstood(model, first)
  model.collectorNowUs = numberOf(fields['now_us']) ?? model.collectorNowUs
  switch (fields['type']) {
    case 'fleet':
      return absorbFleet(model, fields, nowMs) || first
    case 'heartbeat':
    // Raw samples have come; whoever shows them asks for them itself.
    case 'slice':
      return first
    case 'vitals': {
      const vitals = parseVitals(fieldsOf(fields['vitals']) ?? fields)
      if (vitals === undefined) return notUnderstood(model, first)
      const before = model.rigs.get(`${vitals.program}/${vitals.rig}`)?.vitals?.verdict
      absorbVitals(model, vitals, nowMs)
      return before !== vitals.verdict || first
    }
    case 'decision': {
      const decision = parseDecision(fieldsOf(fields['decision']) ?? fields)
      if (decision === undefined) return notUnderstood(model, first)
      absorbDecision(model, decision)
      return true
    }
    case 'revision': {
      const revision = parseDecision(fieldsOf(fields['revision']))
      if (revision === undefined) return notUnderstood(model, first)
      absorbRevision(model, revision)
      return true
    }
    case 'batch':
    case 'receipt':
      absorbBatch(model, parseBatch(fieldsOf(fields[fields['type']]) ?? fields, fields['type']))
      return first
    case 'refusal': {
      const refusal = parseRefusal(fieldsOf(fields['refusal']) ?? fields)
      if (refusal === undefined) return notUnderstood(model, first)
      absorbRefusal(model, refusal)
      return true
    }
    case 'baselines':
    case 'safety':
    case 'alarms':
    case 'rollouts':
      absorbStanding(model, fields)
      return true
    case 'config':
      return absorbConfig(model, fields['config']) || notUnderstood(model, first)
    case 'agent':
      absorbAgent(model, parseAgent(fieldsOf(fields['agent']) ?? fields, nowMs))
      return true
    default:
      return notUnderstood(model, first)
  }
}

/** What stands, each as a whole; what a message does not have stays. */
function absorbStanding(model: PageModel, fields: Readonly<Record<string, unknown>>): void {
  model.book = parseBook(fields['baselines']) ?? model.book
  model.safety = parseSafety(fields['safety']) ?? model.safety
  model.alarms = parseAlarms(fields['alarms']) ?? model.alarms
  model.rollout = parseRollout(fields['rollouts']) ?? model.rollout
}

/** @returns false for what says of no agent what it runs */
function absorbConfig(model: PageModel, value: unknown): boolean {
  const config = parseConfig(value)
  if (config !== null) model.configs.set(config.agent, config)
  return config !== null
}

/** The whole fleet: sent when a page connects, and again by GET /api/fleet. */
function absorbFleet(model: PageModel, fields: Readonly<Record<string, unknown>>, nowMs: number): boolean {
  model.label = textOf(fields['label']) || model.label
  absorbStanding(model, fields)
  for (const config of parseConfigs(fields['configs'])) model.configs.set(config.agent, config)
  for (const entry of listOf(fields['agents'], LIST_MAX)) {
    const agent = fieldsOf(entry)
    if (agent !== undefined) absorbAgent(model, parseAgent(agent, nowMs))
  }
  for (const entry of listOf(fields['vitals'] ?? fields['rigs'], LIST_MAX)) {
    const vitals = parseVitals(entry)
    if (vitals === undefined) continue
    const ageMs = numberOf(fieldsOf(entry)?.['heard_age_ms']) ?? 0
    absorbVitals(model, vitals, nowMs - ageMs)
  }
  for (const entry of listOf(fields['decisions'], LIST_MAX)) {
    const decision = parseDecision(entry)
    if (decision !== undefined) absorbDecision(model, decision)
  }
  for (const entry of listOf(fields['revisions'], LIST_MAX).toReversed()) {
    const revision = parseDecision(entry)
    if (revision !== undefined) absorbRevision(model, revision)
  }
  // They come newest first and are kept in the order in which they happened.
  for (const entry of listOf(fields['batches'], LIST_MAX).toReversed()) {
    const batch = fieldsOf(entry)
    if (batch !== undefined) absorbBatch(model, parseBatch(batch, 'batch'))
  }
  for (const entry of listOf(fields['refusals'], LIST_MAX)) {
    const refusal = parseRefusal(entry)
    if (refusal !== undefined) absorbRefusal(model, refusal)
  }
  return true
}

function parseAgent(fields: Readonly<Record<string, unknown>>, nowMs: number): AgentRow {
  return {
    agent: textOf(fields['agent']),
    program: textOf(fields['program']),
    connected: fields['connected'] === true,
    heardMs: nowMs,
    version: textOf(fields['version']),
  }
}

function parseBatch(fields: Readonly<Record<string, unknown>>, type: 'batch' | 'receipt'): BatchRow {
  const receiptUs = numberOf(fields['receipt_us'])
  return {
    agent: textOf(fields['agent']),
    epoch: numberOf(fields['epoch']) ?? 0,
    batchSeq: numberOf(fields['batch_seq']) ?? 0,
    firstSeq: numberOf(fields['first_seq']) ?? 0,
    count: numberOf(fields['count']) ?? 0,
    bytes: numberOf(fields['bytes']),
    receivedUs: type === 'batch' ? numberOf(fields['recv_us']) : null,
    receiptUs: type === 'receipt' ? (receiptUs ?? numberOf(fields['recv_us'])) : receiptUs,
  }
}

function notUnderstood(model: PageModel, first: boolean): boolean {
  model.notUnderstood += 1
  return first
}
