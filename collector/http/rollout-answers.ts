import { type TSchema, Type } from 'typebox'
import { ID_PATTERN } from '../../shared/model/ids.ts'
import { closed, Digest, Micros, orNull, Text, Whole } from './answer-terms.ts'

const Id = Type.String({ pattern: ID_PATTERN })
const RolloutId = Type.String({ pattern: '^[0-9a-f]{16}$' })
const Texts = Type.Array(Text)

/** Under what an agent runs. */
export const ConfigOfAgent = closed(
  {
    agent: Id,
    said_us: orNull(Micros),
    config: orNull(Digest),
    bundle: orNull(closed({ digest: Digest, number: Whole, at_us: Whole })),
    ready: orNull(Type.Boolean()),
    reasons: Texts,
    answer: orNull(
      closed(
        { what: Type.Enum(['offer', 'back']), digest: Digest, taken: Type.Boolean(), reasons: Texts, at_us: Micros },
        'What it last answered to a bundle, with all its reasons.',
      ),
    ),
  },
  'Under what an agent says that it runs. `said_us` null: it never said; `bundle` null: the files of its disk.',
)

export const Rollout = closed({
  id: RolloutId,
  digest: Digest,
  number: Whole,
  by: Type.String({ description: 'Whose key signed the order.' }),
  reason: Text,
  stages: Text,
  started_us: Micros,
  ended_us: orNull(Micros),
  status: Type.Enum(['RUNNING', 'ROLLING_BACK', 'COMPLETED', 'ROLLED_BACK']),
  counts: Type.Array(Whole, { description: 'Agents that have it after each stage.' }),
  stage: Whole,
  soak_us: Whole,
  within_us: Whole,
  reasons: Type.Array(Text, { description: 'Why it was taken back.' }),
  agents: Type.Array(
    closed({
      agent: Id,
      phase: Type.Enum(['waiting', 'offered', 'taken', 'refused', 'going_back', 'back', 'not_back']),
      detail: Text,
      well: Type.Boolean(),
    }),
    { description: 'In the order in which they get it.' },
  ),
  note: Text,
})
const Note = closed({ time_us: Micros, agent: Text, what: Text, detail: Text })

export const ROLLOUT_ANSWERS = {
  list: { 200: closed({ rollouts: Type.Array(Rollout) }) },
  detail: { 200: closed({ rollout: Rollout, record: Type.Array(Note) }) },
  ordered: {
    201: closed({ id: RolloutId, digest: Digest, agents: Whole, stages: Type.Array(Whole) }, 'It has begun.'),
    202: closed({ id: RolloutId }, 'It ends: agents that have the bundle go back.'),
  },
} as const satisfies Record<string, Readonly<Record<number, TSchema>>>
