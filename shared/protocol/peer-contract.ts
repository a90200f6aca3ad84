import { type Static, type TProperties, Type } from 'typebox'
import { ACTIONS } from '../model/action.ts'
import { CHANNEL_NAME_MAX, ID_PATTERN } from '../model/ids.ts'
import { MODES, OVERALL_VERDICTS } from '../model/verdict.ts'

/**
 * What an agent and a peer that runs the plant ("WaveOS") say to each other: one JSON object a message. Types, names and
 * meanings are the predecessor's (`HB_EVENT`); `docs/reference/peer` is generated from here. The agent advises and asks, the
 * peer carries out, and operators stand above both.
 */
export const PEER_CONTRACT_VERSION = 1
/** Longest message either way; a longer one is refused before it is read. */
export const PEER_MESSAGE_BYTES_MAX = 64 * 1024
/** Metrics that one event names; the payload says how many more there are. */
export const PEER_METRICS_MAX = 64
const TEXT_MAX = 512
const PARAMS_MAX = 64

/** The scale of events, least first. It is not the scale of alarms. */
export const PEER_SEVERITIES = ['info', 'low', 'medium', 'high', 'critical'] as const
export type PeerSeverity = (typeof PEER_SEVERITIES)[number]
/** What drift is said of; a rig that is not tested, or has no baseline, has a HEALTH_EVENT alone. */
export const DRIFT_STATUSES = ['PASS', 'PASS_WITH_DRIFT', 'FAIL'] as const
export const ACK_WORDS = ['ok', 'nack'] as const
/** How far an action has come. Without it `ok` is accepted, and nothing more. */
export const ACK_STAGES = ['accepted', 'started', 'progress', 'completed', 'rejected', 'failed'] as const

const text = (description: string, minLength = 0) => Type.String({ minLength, maxLength: TEXT_MAX, description })
const name = (description: string) => Type.String({ pattern: ID_PATTERN, description })
const words = <T extends string>(values: readonly T[], description: string) =>
  Type.Unsafe<T>(Type.String({ enum: [...values], description }))
const digest = (description: string) => Type.String({ pattern: '^[0-9a-f]{64}$', description })
const share = (description: string) =>
  Type.Union([Type.Number({ minimum: 0, maximum: 1 }), Type.Null()], { description })
const timeUs = (description: string) => Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER, description })
const count = (description: string) => Type.Integer({ minimum: 0, description })
const closed = <T extends TProperties>(properties: T, description?: string) =>
  Type.Object(properties, { additionalProperties: false, ...(description === undefined ? {} : { description }) })

const CONFIDENCE = share('How sure the detectors are of the event, 0 to 1; null: not known.')
const BASELINE_CONFIDENCE = share('How much the baseline is to be believed, 0 to 1; null: there is none.')
const ACTION_ALLOWED = Type.Boolean({ description: 'The actions of the rig are armed. Unknown is false.' })

/** `kind` alone differs between the types of messages. */
const envelope = (kind: string, description: string) => ({
  type: Type.Literal(kind, { description }),
  contract_version: Type.Literal(PEER_CONTRACT_VERSION),
  timestamp: Type.String({
    pattern: '^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}(\\.\\d{1,6})?Z$',
    description: 'When it was made, UTC (RFC 3339).',
  }),
  system_id: name('Who says it: the agent, or the peer.'),
  message_id: Type.String({
    pattern: '^[A-Za-z0-9_.:-]{1,128}$',
    description: 'Identity of this message; one that comes again is told by it.',
  }),
})

const event = {
  severity: words(PEER_SEVERITIES, 'How bad it is.'),
  recommended_action: Type.Optional(words(ACTIONS, 'What the agent would do.')),
  run_id: Type.Optional(text('Test run it belongs to.', 1)),
  decision_id: Type.Optional(Type.String({ pattern: '^\\d{1,16}$', description: 'Number of the decision.' })),
}

const place = {
  rig: name('Rig.'),
  mode: words(MODES, 'Mode of the rig.'),
  t_us: timeUs('Event time that it is about, µs since 1970.'),
}

export const HealthEventSchema = closed({
  ...envelope('HEALTH_EVENT', 'How a rig is: at every change of its verdict, and again while decisions are made.'),
  ...event,
  status: words(OVERALL_VERDICTS, 'Verdict.'),
  primary_issue: text('The worst finding in a sentence; empty for none.'),
  payload: closed({ ...place, changed: Type.Boolean({ description: 'The verdict is another one than before.' }) }),
})

export const DriftEventSchema = closed({
  ...envelope('DRIFT_EVENT', 'What departs from its baseline or its limits: whenever it changes.'),
  ...event,
  status: words(DRIFT_STATUSES, 'Verdict.'),
  drift_metrics: Type.Array(Type.String({ maxLength: CHANNEL_NAME_MAX }), {
    maxItems: PEER_METRICS_MAX,
    description: 'Metrics, worst first.',
  }),
  report_path: text('Always empty: decisions are with the collector, under their number.'),
  confidence: CONFIDENCE,
  baseline_confidence: BASELINE_CONFIDENCE,
  action_allowed: ACTION_ALLOWED,
  payload: closed({ ...place, more: count('Metrics that did not fit.') }),
})

export const ActionRequestSchema = closed({
  ...envelope(
    'ACTION_REQUEST',
    'An action is to be carried out. One with an `action_id` that is known is the same again.',
  ),
  ...event,
  action_type: words(ACTIONS, 'What is to be done.'),
  action_id: Type.String({
    minLength: 1,
    maxLength: 128,
    description: 'Idempotency key: never two effects of one key.',
  }),
  target: name('What it is to be done to.'),
  params: Type.Record(Type.String(), Type.Union([Type.String({ maxLength: 1024 }), Type.Number(), Type.Boolean()]), {
    maxProperties: PARAMS_MAX,
    description: 'Parameters.',
  }),
  confidence: CONFIDENCE,
  action_allowed: Type.Literal(true, { description: 'Nothing is asked for that is not allowed.' }),
  payload: closed({
    rig: name('Rig.'),
    attempt: Type.Integer({ minimum: 1, description: 'Counts from 1.' }),
    budget_ms: Type.Number({
      exclusiveMinimum: 0,
      description: 'What is left of its time; later it must not be done.',
    }),
  }),
})

export const DecisionSnapshotSchema = closed({
  ...envelope('DECISION_SNAPSHOT', 'A decision with what it rests on: at every change of the verdict.'),
  ...event,
  decision: words(OVERALL_VERDICTS, 'Verdict.'),
  confidence: CONFIDENCE,
  baseline_confidence: BASELINE_CONFIDENCE,
  action_allowed: ACTION_ALLOWED,
  config_ref: closed({
    code: Type.Union([count('Version of the evaluator.'), Type.Null()]),
    config: Type.Union([digest('Configuration in force.'), Type.Null()]),
    baseline: Type.Union([digest('Baseline.'), Type.Null()]),
  }),
  input_slice_ref: closed({ slice: Type.Union([digest('Closed panes it was made from.'), Type.Null()]) }),
  payload: closed({ ...place, limits_only: Type.Boolean({ description: 'No metric asks for a baseline.' }) }),
})

/** What peers know beside what is here is theirs: it is taken and not looked at. */
const extra = Type.Optional(Type.Object({}, { description: 'Anything else; it is not looked at.' }))

export const ActionAckSchema = closed({
  ...envelope('ACTION_ACK', 'What became of an action.'),
  action_id: Type.String({ minLength: 1, maxLength: 128, description: 'That of the request.' }),
  status: words(ACK_WORDS, '`ok` or `nack`.'),
  stage: Type.Optional(words(ACK_STAGES, 'How far it has come; by default accepted of ok, rejected of nack.')),
  message: Type.Optional(text('For people.')),
  payload: extra,
})

export const ModeChangedSchema = closed({
  ...envelope(
    'MODE_CHANGED',
    'The plant is in another mode, and the rig should be. Only changes that the agent may make by itself.',
  ),
  rig: Type.Optional(name('Rig; needed where the agent has more than one.')),
  from_mode: words(MODES, 'Mode that the rig is in; otherwise it is refused.'),
  to_mode: words(MODES, 'Mode that it should be in.'),
  reason: text('Why.', 1),
  payload: extra,
})

export const PolicyAppliedSchema = closed({
  ...envelope('POLICY_APPLIED', 'The peer runs under another policy of its own. Noted; nothing here changes by it.'),
  policy_id: text('Which policy.', 1),
  version: text('Which version of it.', 1),
  digest: digest('SHA-256 of it.'),
  by: text('Who put it in force.', 1),
  reason: text('Why.', 1),
  payload: extra,
})

/** What an agent says, by type. */
export const OUTBOUND_SCHEMAS = {
  HEALTH_EVENT: HealthEventSchema,
  DRIFT_EVENT: DriftEventSchema,
  ACTION_REQUEST: ActionRequestSchema,
  DECISION_SNAPSHOT: DecisionSnapshotSchema,
} as const
/** What a peer says, by type. */
export const INBOUND_SCHEMAS = {
  ACTION_ACK: ActionAckSchema,
  MODE_CHANGED: ModeChangedSchema,
  POLICY_APPLIED: PolicyAppliedSchema,
} as const

export type OutboundType = keyof typeof OUTBOUND_SCHEMAS
export type InboundType = keyof typeof INBOUND_SCHEMAS
/** The literal of each type, which a computed schema does not carry. */
type As<K extends string, S> = Omit<S, 'type' | 'contract_version'> &
  Readonly<{ type: K; contract_version: typeof PEER_CONTRACT_VERSION }>
export type HealthEvent = As<'HEALTH_EVENT', Static<typeof HealthEventSchema>>
export type DriftEvent = As<'DRIFT_EVENT', Static<typeof DriftEventSchema>>
export type ActionRequestMessage = As<'ACTION_REQUEST', Static<typeof ActionRequestSchema>>
export type DecisionSnapshot = As<'DECISION_SNAPSHOT', Static<typeof DecisionSnapshotSchema>>
export type OutboundMessage = HealthEvent | DriftEvent | ActionRequestMessage | DecisionSnapshot
export type ActionAckMessage = As<'ACTION_ACK', Static<typeof ActionAckSchema>>
export type ModeChangedMessage = As<'MODE_CHANGED', Static<typeof ModeChangedSchema>>
export type PolicyAppliedMessage = As<'POLICY_APPLIED', Static<typeof PolicyAppliedSchema>>
export type InboundMessage = ActionAckMessage | ModeChangedMessage | PolicyAppliedMessage

/** A JSON Schema of each type, as a file of its own holds it: by file name. */
export function peerSchemaFiles(): ReadonlyMap<string, unknown> {
  const all = { ...OUTBOUND_SCHEMAS, ...INBOUND_SCHEMAS }
  return new Map(
    Object.entries(all).map(([type, schema]) => [
      `${type.toLowerCase().replaceAll('_', '-')}.json`,
      { $schema: 'https://json-schema.org/draft/2020-12/schema', title: type, ...schema },
    ]),
  )
}
