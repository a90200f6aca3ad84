import { type TSchema, Type } from 'typebox'
import { BASELINE_KINDS } from '../../shared/model/baseline.ts'
import { REQUEST_STATUSES } from '../../shared/model/baseline-book.ts'
import { STATEMENT_KINDS } from '../../shared/model/baseline-statement.ts'
import { MODES } from '../../shared/model/verdict.ts'
import { closed, Digest, Micros, orNull, Text, Whole } from './answer-terms.ts'

/** Shapes of what the routes about baselines answer; see {@link ./answers.ts}. */
const Ratio = Type.Number({ minimum: 0, maximum: 1 })
const Key = Type.String({ pattern: '^([0-9a-f]{2})*$', description: 'Id of a key.' })
const Person = closed({ key: Key, name: Text }, 'A key and the name it goes by here; that it is a person is unproven.')
const Subject = { program: Text, rig: Text, family: Text, mode: Type.Enum([...MODES]) }

const Request = closed(
  {
    request: Digest,
    digest: Digest,
    ...Subject,
    as: Type.Enum([...BASELINE_KINDS]),
    status: Type.Enum([...REQUEST_STATUSES]),
    gate_passed: Type.Boolean(),
    waits_for: orNull(Type.Enum(['review', 'approval'])),
    approvals_missing: Whole,
    proposer: orNull(Person),
    reviewer: orNull(Person),
    approvers: Type.Array(Person),
    proposed_us: Micros,
    changed_us: Micros,
    reason: Text,
    break_glass: orNull(closed({ by: Person, operator: Text, reason: Text, until_us: Micros, over: Type.Boolean() })),
  },
  'One proposal of one record.',
)

const GateInput = closed({ name: Text, value: Type.Number(), bound: Type.Number(), score: Type.Number() })

const BASELINE = {
  digest: Digest,
  ...Subject,
  kind: Type.Enum([...BASELINE_KINDS], { description: 'What it is meant to be.' }),
  counts_as: Type.Enum([...BASELINE_KINDS], { description: 'What its statements make of it.' }),
  in_force: Type.Array(Type.Enum(['golden', 'rolling'])),
  tags: Type.Array(Text),
  confidence: Type.Number({ description: 'Confidence of the gate, less what has decayed.' }),
  gate: closed(
    {
      passed: Type.Boolean(),
      reasons: Type.Array(Text),
      confidence: Ratio,
      inputs: Type.Array(GateInput),
      policy: Digest,
    },
    'Computed again from the data of the record.',
  ),
  decay: closed({ factor: Ratio, reasons: Type.Array(Text), age_us: Whole, checked_us: orNull(Micros) }),
  segments: closed({ replayed: Whole, min: Whole, hard: Whole }),
  from_us: Micros,
  to_us: Micros,
  made_us: Micros,
  stored_us: Micros,
  bytes: Whole,
  request: orNull(Request),
}

const Metric = closed({
  metric: Text,
  unit: Text,
  count: Type.Number(),
  effective_count: Type.Number(),
  mean: Type.Number(),
  sd: Type.Number(),
  min: Type.Number(),
  max: Type.Number(),
  step_statistic: Type.Number(),
  detectable_shift: Type.Number(),
  tolerance: orNull(Type.Number()),
})

const Statement = closed({
  seq: Whole,
  id: Digest,
  kind: Type.Enum([...STATEMENT_KINDS]),
  request: Text,
  key: Key,
  name: Text,
  operator: Text,
  reason: Text,
  tag: Text,
  at_us: Micros,
  until_us: Micros,
  factor: Ratio,
  refused: orNull(Text),
})

const List = closed({
  book: Type.String({ pattern: '^[0-9a-f]{32}$' }),
  seq: Whole,
  prev: Digest,
  at_us: Micros,
  statements: Whole,
  approvals_required: Whole,
  operators: Type.Array(closed({ name: Text, key: Key })),
  damage: orNull(Text),
  note: Text,
  count: Whole,
  baselines: Type.Array(closed(BASELINE)),
})

const Detail = closed({
  ...BASELINE,
  context: Type.Object({}, { additionalProperties: Text }),
  metrics: Type.Array(Metric),
  segments_used: Type.Array(
    closed({ source: Text, from_us: Micros, to_us: Micros, used: Type.Boolean(), reason: Text }),
  ),
  statements: Type.Array(Statement),
})

const Taken = closed(
  { digest: Digest, request: Text, statement: Digest, seq: Whole, kind: Type.Enum([...STATEMENT_KINDS]) },
  'It was taken, and is durable.',
)
const Base64 = Type.String({ pattern: '^[A-Za-z0-9+/]*={0,2}$' })

/** The book as it also stands in the fleet message. */
export const BaselineList = List
export const BASELINE_ANSWERS = {
  list: { 200: List },
  detail: { 200: Detail },
  bundle: {
    200: Type.String({ format: 'binary', description: 'Record, quality policy and signed statements (`.hbb`)' }),
  },
  requests: { 200: closed({ requests: Type.Array(Request) }) },
  statements: { 200: closed({ statements: Type.Array(closed({ seq: Whole, cose: Base64 })) }) },
  taken: { 201: Taken },
} as const satisfies Record<string, Readonly<Record<number, TSchema>>>
