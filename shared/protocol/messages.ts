import { decodeTransport, encodeTransport } from '../codec/transport.ts'
import { isHbError } from '../errors/hb-error.ts'
import { type ConfigState, SEVERE_NAMED_MAX } from '../model/config-state.ts'
import { isId } from '../model/ids.ts'
import type { MetricVerdict, Mode, OverallVerdict } from '../model/verdict.ts'
import type { Bytes, Micros } from '../units.ts'

/**
 * Messages of a session between agent and collector: one WebSocket binary message each, profile `transport`, a map whose
 * `t` says which. What a decision rests on is never in them, only beside them in signed bytes; so they carry no
 * signature of their own, and TLS with both certificates names the ends.
 */
export const SESSION_VERSION = 1
/** Rigs and programs one agent may announce, batches of one credit, channels and samples of one slice. */
export const RIGS_MAX = 64
export const CREDIT_MAX = 4096
export const SLICE_CHANNELS_MAX = 4096
export const SLICE_SAMPLES_MAX = 20_000
/** Longest text in a message, except vitals. */
export const TEXT_MAX = 512
const VITALS_TEXT_MAX = 512 * 1024

export type RigName = Readonly<{ rig: string; program: string }>

export type HelloMessage = Readonly<{
  t: 'hello'
  v: typeof SESSION_VERSION
  agent: string
  deployment: string
  epoch: number
  spki: Uint8Array
  boot_id: string
  version: string
  programs: readonly string[]
  rigs: readonly RigName[]
}>
export type BatchMessage = Readonly<{
  t: 'batch'
  epoch: number
  batch_seq: number
  cose: Uint8Array
  records: Uint8Array
}>
/** Version of {@link BatchThinnedMessage}. */
export const THINNED_VERSION = 1
/** A batch of which the agent keeps only the signed header: what its decisions said in detail made room for newer ones. */
export type BatchThinnedMessage = Readonly<{
  t: 'batch_thinned'
  v: typeof THINNED_VERSION
  epoch: number
  batch_seq: number
  cose: Uint8Array
}>
/** `vitals` is JSON: it goes to pages as it is and is never decided from. */
export type VitalsMessage = Readonly<{ t: 'vitals'; vitals: string }>
export type SliceChannelMessage = Readonly<{
  channel: string
  unit: string
  time_us: Float64Array
  value: Float64Array
}>
export type SliceMessage = Readonly<{
  t: 'slice'
  id: string
  ok: boolean
  rig: string
  channels: readonly SliceChannelMessage[]
  reason?: string
}>
/** Version of {@link BaselineAnswerMessage}. */
export const BASELINE_ANSWER_VERSION = 1
/** What became of a baseline that the collector sent; `reason` is empty when it is in force. */
export type BaselineAnswerMessage = Readonly<{
  t: 'baseline_answer'
  v: typeof BASELINE_ANSWER_VERSION
  id: string
  rig: string
  role: string
  taken: boolean
  reason: string
}>
/** Version of {@link BundleAnswerMessage}. */
export const BUNDLE_ANSWER_VERSION = 1
/** Reasons in one answer, and characters of each. */
export const BUNDLE_REASONS_MAX = 201
export const BUNDLE_REASON_MAX = 1024
/**
 * What became of a bundle that the collector offered, or had taken back. All reasons why not, each whole; `again_ms` above
 * 0 when nothing is wrong with it and it may be asked for again after that time.
 */
export type BundleAnswerMessage = Readonly<{
  t: 'bundle_answer'
  v: typeof BUNDLE_ANSWER_VERSION
  id: string
  what: 'offer' | 'back'
  digest: string
  taken: boolean
  again_ms: number
  reasons: readonly string[]
}>
/** Version of {@link ConfigStateMessage}. */
export const CONFIG_STATE_VERSION = 1
/**
 * Under what an agent runs, and how it is: its own word, for a rollout and for looking. Sent only after the collector asked
 * for it in this session, on every change, and every few seconds.
 */
export type ConfigStateMessage = Readonly<{ t: 'config_state'; v: typeof CONFIG_STATE_VERSION }> & ConfigState
export type AgentMessage =
  | HelloMessage
  | BatchMessage
  | BatchThinnedMessage
  | VitalsMessage
  | SliceMessage
  | BaselineAnswerMessage
  | BundleAnswerMessage
  | ConfigStateMessage

/** Where to go on: the last batch receipted, 0 for none, and how many may be on the way. */
export type ResumeMessage = Readonly<{ t: 'resume'; epoch: number; batch_seq: number; credit: number }>
export type CreditMessage = Readonly<{ t: 'credit'; batches: number }>
export type ReceiptMessage = Readonly<{ t: 'receipt'; epoch: number; batch_seq: number; receipt: Uint8Array }>
export type RefusalMessage = Readonly<{
  t: 'refusal'
  code: string
  detail: string
  epoch?: number
  batch_seq?: number
}>
/** A signed request of the collector (`downlink.ts`). */
export type DownlinkMessage = Readonly<{ t: 'downlink'; cose: Uint8Array }>
export type CollectorMessage = ResumeMessage | CreditMessage | ReceiptMessage | RefusalMessage | DownlinkMessage

export type ReadMessage<T> = Readonly<{ ok: true; message: T }> | Readonly<{ ok: false; reason: string }>

export function writeMessage(message: AgentMessage | CollectorMessage): Uint8Array {
  return encodeTransport(message)
}

/** Reads what an agent sent. Never throws for foreign bytes. */
export function readAgentMessage(bytes: Uint8Array): ReadMessage<AgentMessage> {
  return readMessage<AgentMessage>(bytes, AGENT_SHAPES)
}

/** Reads what a collector sent. Never throws for foreign bytes. */
export function readCollectorMessage(bytes: Uint8Array): ReadMessage<CollectorMessage> {
  return readMessage<CollectorMessage>(bytes, COLLECTOR_SHAPES)
}

type Holds = (value: unknown) => boolean
type Shape = Readonly<Record<string, Holds>>

const isText: Holds = (value) => typeof value === 'string' && value.length <= TEXT_MAX
const isName: Holds = (value) => typeof value === 'string' && isId(value)
const isCount: Holds = (value) => Number.isSafeInteger(value) && (value as number) >= 0
const isBytes: Holds = (value) => value instanceof Uint8Array
const isDigest: Holds = (value) => typeof value === 'string' && /^[0-9a-f]{64}$/.test(value)
const isDigestOrNone: Holds = (value) => value === '' || isDigest(value)
const isFlag: Holds = (value) => typeof value === 'boolean'
const optional =
  (holds: Holds): Holds =>
  (value) =>
    value === undefined || holds(value)
const listOf =
  (max: number, holds: Holds): Holds =>
  (value) =>
    Array.isArray(value) && value.length <= max && value.every(holds)
const mapOf =
  (shape: Shape): Holds =>
  (value) =>
    isRecord(value) && misfit(value, shape) === null
const isSamples: Holds = (value) => value instanceof Float64Array && value.length <= SLICE_SAMPLES_MAX

const AGENT_SHAPES: Readonly<Record<string, Shape>> = {
  hello: {
    v: (value) => value === SESSION_VERSION,
    agent: isName,
    deployment: isName,
    epoch: isCount,
    spki: isBytes,
    boot_id: isText,
    version: isText,
    programs: listOf(RIGS_MAX, isName),
    rigs: listOf(RIGS_MAX, mapOf({ rig: isName, program: isName })),
  },
  batch: { epoch: isCount, batch_seq: isCount, cose: isBytes, records: isBytes },
  batch_thinned: { v: (value) => value === THINNED_VERSION, epoch: isCount, batch_seq: isCount, cose: isBytes },
  vitals: { vitals: (value) => typeof value === 'string' && value.length <= VITALS_TEXT_MAX },
  slice: {
    id: isText,
    ok: isFlag,
    rig: isName,
    channels: listOf(
      SLICE_CHANNELS_MAX,
      mapOf({ channel: isText, unit: isText, time_us: isSamples, value: isSamples }),
    ),
    reason: optional(isText),
  },
  baseline_answer: {
    v: (value) => value === BASELINE_ANSWER_VERSION,
    id: isText,
    rig: isName,
    role: isText,
    taken: isFlag,
    reason: isText,
  },
  bundle_answer: {
    v: (value) => value === BUNDLE_ANSWER_VERSION,
    id: isText,
    what: (value) => value === 'offer' || value === 'back',
    digest: isDigest,
    taken: isFlag,
    again_ms: isCount,
    reasons: listOf(BUNDLE_REASONS_MAX, (value) => typeof value === 'string' && value.length <= BUNDLE_REASON_MAX),
  },
  config_state: {
    v: (value) => value === CONFIG_STATE_VERSION,
    config: isDigestOrNone,
    bundle: mapOf({ digest: isDigestOrNone, number: isCount, at_us: isCount }),
    ready: isFlag,
    reasons: listOf(RIGS_MAX, isText),
    not_journaled: isCount,
    damage: isCount,
    boot_id: isText,
    rigs: listOf(
      RIGS_MAX,
      mapOf({ rig: isName, mode: isText, verdict: isText, arm: isText, severe: listOf(SEVERE_NAMED_MAX, isText) }),
    ),
  },
}

const COLLECTOR_SHAPES: Readonly<Record<string, Shape>> = {
  resume: { epoch: isCount, batch_seq: isCount, credit: (value) => isCount(value) && (value as number) <= CREDIT_MAX },
  credit: { batches: (value) => isCount(value) && (value as number) <= CREDIT_MAX },
  receipt: { epoch: isCount, batch_seq: isCount, receipt: isBytes },
  refusal: { code: isText, detail: isText, epoch: optional(isCount), batch_seq: optional(isCount) },
  downlink: { cose: isBytes },
}

function readMessage<T>(bytes: Uint8Array, shapes: Readonly<Record<string, Shape>>): ReadMessage<T> {
  let value: unknown
  try {
    value = decodeTransport(bytes)
  } catch (error) {
    if (isHbError(error, 'CBOR_REFUSED')) return { ok: false, reason: `bytes: ${String(error.context['reason'])}` }
    throw error
  }
  if (!isRecord(value)) return { ok: false, reason: 'not a map' }
  const type = value['t']
  const shape = typeof type === 'string' && Object.hasOwn(shapes, type) ? shapes[type] : undefined
  if (shape === undefined) return { ok: false, reason: 'a type that does not belong here' }
  const wrong = misfit(value, { t: isText, ...shape })
  return wrong === null ? { ok: true, message: value as T } : { ok: false, reason: `${String(type)}.${wrong}` }
}

/** First field that is missing, of another kind, or not of this message. */
function misfit(value: Record<string, unknown>, shape: Shape): string | null {
  for (const [field, holds] of Object.entries(shape)) if (!holds(value[field])) return field
  for (const field of Object.keys(value)) if (!Object.hasOwn(shape, field)) return field
  return null
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !ArrayBuffer.isView(value)
}

/** A finding as it travels to pages: `Finding` of shared/model/decision.ts in snake_case. */
export type FindingJson = Readonly<{
  metric: string
  channel: string
  verdict: MetricVerdict
  window_us: Micros
  ground: string
  unit: string
  count: number
  mean: number | null
  min: number | null
  max: number | null
  limit: number | null
  baseline_mean: number | null
  baseline_spread: number | null
  deviation: number | null
  ratio: number | null
  age_us: Micros | null
}>

/** What is expected and how far from it is one limit, in the unit of the metric. */
export type BandVitals = Readonly<{ mean: number; low: number; high: number; kind: string }>

/** A baseline in force on an agent: what it counts as, and what its confidence is the product of. */
export type BaselineVitals = Readonly<{
  digest: string
  kind: string
  /** Confidence that decisions carry: that of the gate, less what had decayed when the configuration was taken. */
  confidence: number
  /** What the agent computes to be left of it now, from its age and where the rig is; decisions do not know of it. */
  decay: number
  decay_reasons: readonly string[]
  age_us: Micros
  inputs: readonly Readonly<{ name: string; value: number; bound: number; score: number }>[]
}>

export type ChannelVitals = Readonly<{
  metric: string
  channel: string
  unit: string
  verdict: MetricVerdict
  value: number | null
  age_us: Micros | null
  limit_min: number | null
  limit_max: number | null
  /** Of the widest window of the golden baseline. */
  baseline: BandVitals | null
  /** The same of the rolling one. */
  rolling: BandVitals | null
  /** Where a detector expects the channel, and how far it lets it go; `kind` is its name. */
  level: BandVitals | null
  windows: readonly Readonly<{
    width_us: Micros
    /** `na`: the nominal rate cannot fill it, or it is not judged for this metric. */
    state: 'judged' | 'na' | 'filling'
    count: number
    mean: number | null
    min: number | null
    max: number | null
    deviation: number | null
  }>[]
}>

/** Alarms of one rig that travel with its vitals, the worst first; the agent has them all. */
export const VITAL_ALARMS_MAX = 64

/** An alarm of a rig that is not NORMAL, as the alarm engine of the agent has it. */
export type AlarmVitals = Readonly<{
  id: string
  title: string
  state: string
  severity: string | null
  occurrence: number
  text: string
  raised_us: Micros
}>

/** The state of one rig, twice a second, unsigned and lossy: for looking, never for deciding. */
export type Vitals = Readonly<{
  v: 1
  type: 'vitals'
  rig: string
  program: string
  time_us: Micros
  wall_us: Micros
  verdict: OverallVerdict
  limits_only: boolean
  mode: Mode
  run: Readonly<{ run: string; article: string; procedure: string; operator: string }> | null
  decision_seq: number
  findings: readonly FindingJson[]
  clock: 'system' | 'recording' | 'external'
  /** Samples that no sensor measured: a simulator or a fault injector made them. */
  simulation: boolean
  samples_per_s: number
  counters: Readonly<{
    received: number
    evaluated: number
    late: number
    duplicate: number
    rejected: number
    shed: number
    missing: number
  }>
  outbox: Readonly<{ batches: number; bytes: Bytes; oldest_us: Micros | null }>
  channels: readonly ChannelVitals[]
  /** `mode` is the one the rig is in, `family` whose baselines it may share; '' for none. */
  baselines: Readonly<{ mode: Mode; family: string; golden: BaselineVitals | null; rolling: BaselineVitals | null }>
  /** What the detectors say of the rig; null while none watches. Score in limits. */
  event: Readonly<{
    state: string
    score: number
    confidence: number | null
    stream: string | null
    channel: string | null
  }> | null
  /** Null for a rig without a policy of actions, which has none. */
  alarms: readonly AlarmVitals[] | null
}>
