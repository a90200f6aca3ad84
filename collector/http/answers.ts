import { type TSchema, Type } from 'typebox'
import { ID_PATTERN } from '../../shared/model/ids.ts'
import { METRIC_VERDICTS, OVERALL_VERDICTS } from '../../shared/model/verdict.ts'
import { Alarms } from './alarm-answers.ts'
import { closed, Micros, orNull, Whole } from './answer-terms.ts'
import { BaselineList } from './baseline-answers.ts'
import { ConfigOfAgent, Rollout } from './rollout-answers.ts'
import { Safety } from './safety-answers.ts'

/**
 * Shapes of what the routes answer, for `/openapi.json` and for whoever reads it. They describe and do not filter: what is
 * sent is not passed through them, and a test holds the answers to them.
 */
/** What an agent says of itself, unsigned: only what is relied on is described. */
const open = <T extends Record<string, TSchema>>(properties: T, description: string) =>
  Type.Object(properties, { additionalProperties: true, description })

const Id = Type.String({ pattern: ID_PATTERN })
const Hex = Type.String({ pattern: '^([0-9a-f]{2})*$' })
const Base64 = Type.String({ pattern: '^[A-Za-z0-9+/]*={0,2}$' })
const Verdict = Type.Enum([...OVERALL_VERDICTS])
const MaybeNumber = orNull(Type.Number())
const RigOf = closed({ rig: Id, program: Id })

const Finding = closed(
  {
    metric: Type.String(),
    channel: Type.String(),
    verdict: Type.Enum([...METRIC_VERDICTS]),
    window_us: orNull(Whole),
    ground: Type.String(),
    unit: orNull(Type.String()),
    count: MaybeNumber,
    mean: MaybeNumber,
    min: MaybeNumber,
    max: MaybeNumber,
    limit: MaybeNumber,
    baseline_mean: MaybeNumber,
    baseline_spread: MaybeNumber,
    deviation: MaybeNumber,
    ratio: MaybeNumber,
    age_us: MaybeNumber,
  },
  'A departure; what was not disclosed is null.',
)

const DECISION = {
  id: Type.String({ description: '`AGENT:NUMBER`' }),
  agent: Id,
  program: Type.String(),
  rig: Type.String(),
  seq: Whole,
  time_us: Micros,
  run: orNull(Type.String()),
  verdict: orNull(Verdict),
  mode: orNull(Type.String()),
  limits_only: Type.Boolean(),
  revises: orNull(Type.String({ description: 'Id of the decision that this one corrects, for evidence alone.' })),
  revised_by: orNull(
    closed({ id: Type.String(), verdict: Verdict }, 'What late samples make of it; what was done stays done.'),
  ),
  findings: Type.Array(Finding),
  batch: closed({ agent: Id, epoch: Whole, batch_seq: Whole }),
  receipt_us: Micros,
}
const Decision = closed(DECISION, 'A decision as it stands in lists.')
const DETAIL = { ...DECISION, first_seq: Whole, last_seq: Whole, chain: Hex }
const DecisionDetail = Type.Union([
  closed(
    {
      ...DETAIL,
      kind: Type.Enum(['record', 'revision']),
      action: Type.Unknown(),
      more: Whole,
      values: Type.Array(Type.Unknown()),
    },
    'A full record, or a revision, which is one too.',
  ),
  closed(
    {
      ...DETAIL,
      limits_only: Type.Null(),
      kind: Type.Literal('range'),
      unchanged: Type.Array(Type.Unknown()),
      count: Whole,
      t_first_us: orNull(Micros),
    },
    'Decisions that said the same as the record before.',
  ),
  closed(
    {
      ...DECISION,
      program: Type.Null(),
      rig: Type.Null(),
      limits_only: Type.Null(),
      findings: Type.Null(),
      first_seq: Whole,
      last_seq: Whole,
      kind: Type.Literal('thinned'),
      detail: Type.Literal('not_kept'),
      count: Whole,
    },
    'Decisions of a batch that came without its records: that they were made is signed, what each said is not kept.',
  ),
])

const SafetyDetail = closed(
  {
    ...DETAIL,
    limits_only: Type.Null(),
    findings: Type.Null(),
    kind: Type.Literal('safety'),
    says: Type.Object({ kind: Type.String() }, { additionalProperties: true }),
    params: Type.Unknown(),
    persons: Type.Array(Type.String()),
    text: orNull(Type.String()),
    values: Type.Array(Type.Unknown()),
  },
  'What happened to an action, an arming, a bypass or an alarm: numbered and signed as decisions are.',
)

const BATCH = {
  agent: Id,
  epoch: Whole,
  batch_seq: Whole,
  first_seq: Whole,
  count: Whole,
  bytes: orNull(Whole),
  run: Type.String(),
  identity: Hex,
  prev: Hex,
  recv_us: Micros,
  receipt_us: orNull(Micros),
}
const Batch = closed(BATCH, 'A batch without its bytes.')
const BatchDetail = closed(
  { ...BATCH, header: Type.Unknown(), cose: Base64, records: orNull(Base64), receipt: Base64 },
  'A batch with the bytes that prove it, for any COSE tool and the enrolled key. `records` null: its detail was not kept.',
)

const Refusal = closed({
  code: Type.String(),
  agent: Type.String({ description: 'Who it claimed to be; empty when it could not be said.' }),
  detail: Type.String(),
  epoch: orNull(Whole),
  batch_seq: orNull(Whole),
  time_us: Micros,
  first_us: Micros,
  count: Whole,
})

const Agent = closed({
  agent: Id,
  deployment: Id,
  program: Type.String(),
  programs: Type.Array(Id),
  connected: Type.Boolean(),
  version: Type.String(),
  seen_us: orNull(Micros),
  enrolled_us: Micros,
  rigs: Type.Array(RigOf),
  head: orNull(closed({ epoch: Whole, batch_seq: Whole, identity: Hex, next_seq: Whole })),
})
const Vitals = open(
  { agent: Id, rig: Id, program: Id, heard_age_ms: Type.Number({ minimum: 0 }) },
  'What an agent last said of a rig: for looking, never for deciding.',
)

const Fleet = closed({
  type: Type.Literal('fleet'),
  now_us: Micros,
  label: Id,
  agents: Type.Array(Agent),
  vitals: Type.Array(Vitals),
  decisions: Type.Array(Decision),
  revisions: Type.Array(Decision),
  batches: Type.Array(Batch),
  refusals: Type.Array(Refusal),
  baselines: BaselineList,
  safety: Safety,
  alarms: Alarms,
  configs: Type.Array(ConfigOfAgent),
  rollouts: Type.Array(Rollout, { description: 'The newest one, or none.' }),
})

const Slice = closed({
  decision: Type.String(),
  rig: Id,
  state: Type.String(),
  from_us: Micros,
  to_us: Micros,
  channels: Type.Array(
    closed({
      metric: Type.String(),
      channel: Type.String(),
      unit: Type.String(),
      t_us: Type.Array(Type.Number()),
      value: Type.Array(MaybeNumber),
    }),
  ),
})
const SliceAsked = closed(
  { decision: Type.String(), state: Type.Literal('asked'), connected: Type.Boolean() },
  'Asked for. Without a connected agent it is asked again when it comes back.',
)

/** Every answer that is no success. */
export const Refused = Type.Object(
  {
    code: Type.String({ description: 'A code of docs/reference/errors.md, or that of the listener itself.' }),
    message: Type.Optional(Type.String()),
    remedy: Type.Optional(Type.String()),
    context: Type.Optional(Type.Object({}, { additionalProperties: true })),
    problems: Type.Optional(
      Type.Array(Type.Object({ code: Type.String(), found: Type.String(), expected: Type.String() }), {
        description: 'Everything that is wrong with a bundle.',
      }),
    ),
  },
  { additionalProperties: false },
)

/** Answers of each route by status. */
export const ANSWERS = {
  fleet: { 200: Fleet },
  agents: { 200: closed({ agents: Type.Array(Agent) }) },
  decisions: { 200: closed({ decisions: Type.Array(Decision) }) },
  decision: { 200: Type.Union([DecisionDetail, SafetyDetail]) },
  batch: { 200: BatchDetail },
  slice: { 200: Slice, 202: SliceAsked },
  refusals: { 200: closed({ refusals: Type.Array(Refusal) }) },
} as const satisfies Record<string, Readonly<Record<number, TSchema>>>
