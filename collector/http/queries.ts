import { Type } from 'typebox'
import { HbError } from '../../shared/errors/hb-error.ts'
import { ID_PATTERN } from '../../shared/model/ids.ts'
import { OVERALL_VERDICTS } from '../../shared/model/verdict.ts'

/** Rows of one answer; a page asks for the next ones with `before`. */
export const LIST_LIMIT_MAX = 500
export const LIST_LIMIT_DEFAULT = 100

const Id = Type.String({ pattern: ID_PATTERN })
/** Numbers in addresses stay text until they are read here: nothing is coerced on the way. */
const Whole = Type.String({ pattern: '^(0|[1-9][0-9]{0,15})$' })
const Limit = Type.String({ pattern: '^[1-9][0-9]{0,2}$' })
const closed = { additionalProperties: false }

export const NoQuery = Type.Object({}, closed)
export const LimitQuery = Type.Object({ limit: Type.Optional(Limit) }, closed)
export const DecisionsQuery = Type.Object(
  {
    rig: Type.Optional(Id),
    run: Type.Optional(Type.String({ minLength: 1, maxLength: 128 })),
    verdict: Type.Optional(Type.Enum([...OVERALL_VERDICTS])),
    before: Type.Optional(Whole),
    changes: Type.Optional(Type.Enum(['true', 'false'])),
    revisions: Type.Optional(Type.Enum(['true', 'false'])),
    limit: Type.Optional(Limit),
  },
  closed,
)
export const DecisionParams = Type.Object(
  { id: Type.String({ pattern: '^[a-z0-9][a-z0-9-]{0,62}:[1-9][0-9]{0,15}$' }) },
  closed,
)
export const BatchParams = Type.Object({ agent: Id, epoch: Whole, seq: Whole }, closed)

/** Shapes of what the schemas above let through. */
export type LimitQuery = { limit?: string }
export type DecisionsQuery = {
  rig?: string
  run?: string
  verdict?: string
  before?: string
  changes?: string
  revisions?: string
  limit?: string
}
export type DecisionParams = { id: string }
export type BatchParams = { agent: string; epoch: string; seq: string }

export function limitOf(query: LimitQuery): number {
  return query.limit === undefined ? LIST_LIMIT_DEFAULT : Math.min(LIST_LIMIT_MAX, Number(query.limit))
}

/** The signed bytes that a request consists of. @throws HbError COSE_SHAPE without any */
export function signedBytes(body: unknown): Uint8Array {
  if (!(body instanceof Uint8Array)) throw new HbError('COSE_SHAPE', { found: 'no body' })
  return new Uint8Array(body.buffer, body.byteOffset, body.byteLength)
}
