import type { FastifyInstance, FastifyReply } from 'fastify'
import { Type } from 'typebox'
import { STATEMENT_BYTES_MAX } from '../../shared/codec/baseline-statement.ts'
import { HbError } from '../../shared/errors/hb-error.ts'
import type { Clock } from '../../shared/lib/clock.ts'
import { type BaselineBook, type Taken, UPLOAD_BYTES_MAX } from '../baselines.ts'
import { BASELINE_ANSWERS } from './baseline-answers.ts'
import {
  type BaselineContext,
  baselineDetailJson,
  baselinesJson,
  requestJson,
  STATEMENTS_TOLD_MAX,
} from './baseline-views.ts'
import { NoQuery, signedBytes } from './queries.ts'
import { uploadsAtOnce } from './uploads.ts'

export type BaselineRoutesContext = Readonly<{ baselines: BaselineContext; clock: Pick<Clock, 'nowUs'> }>

const READ = { permission: 'baseline:read' } as const
/** Who may say something is told by the signature alone: there are no accounts yet (decisions 24). */
const SAY = { permission: 'baseline:say' } as const
const closed = { additionalProperties: false }
const Digest = Type.String({ pattern: '^[0-9a-f]{64}$' })
const DigestParams = Type.Object({ digest: Digest }, closed)
const AfterQuery = Type.Object({ after: Type.Optional(Type.String({ pattern: '^(0|[1-9][0-9]{0,9})$' })) }, closed)

/** Bodies taken in at once; each may be as large as a record. */
export const UPLOADS_MAX = 4

/** Reading the book of baselines, and the only two ways to write: signed bytes, which the book takes or refuses. */
export function baselineRoutes(app: FastifyInstance, context: BaselineRoutesContext): void {
  readRoutes(app, context)
  writeRoutes(app, context)
}

function readRoutes(app: FastifyInstance, { baselines, clock }: BaselineRoutesContext): void {
  const known = (digest: string): BaselineBook => {
    if (!baselines.book.records.has(digest)) throw new HbError('BASELINE_UNKNOWN', { baseline: digest })
    return baselines.book
  }
  app.get(
    '/baselines',
    {
      schema: { summary: 'Baselines, those in force and those that wait first', querystring: NoQuery },
      config: { ...READ, answers: BASELINE_ANSWERS.list },
    },
    async () => baselinesJson(baselines, { nowUs: clock.nowUs() }),
  )
  app.get<{ Params: { digest: string } }>(
    '/baselines/:digest',
    {
      schema: { summary: 'One baseline with all that was said about it', params: DigestParams, querystring: NoQuery },
      config: { ...READ, answers: BASELINE_ANSWERS.detail },
    },
    async ({ params: { digest } }) => {
      const stored = await known(digest).stored(digest)
      return baselineDetailJson(baselines, { digest, stored, nowUs: clock.nowUs() })
    },
  )
  app.get<{ Params: { digest: string } }>(
    '/baselines/:digest/bundle',
    {
      schema: { summary: 'One baseline as agents open it', params: DigestParams, querystring: NoQuery },
      config: { ...READ, answers: BASELINE_ANSWERS.bundle },
    },
    async ({ params: { digest } }, reply) => {
      const bundle = await known(digest).bundle(digest)
      return reply.type('application/octet-stream').send(Buffer.from(bundle))
    },
  )
  app.get(
    '/baseline-requests',
    {
      schema: { summary: 'Every proposal, newest first', querystring: NoQuery },
      config: { ...READ, answers: BASELINE_ANSWERS.requests },
    },
    async () => {
      const { book } = baselines
      const requests = [...book.log.state.requests.values()].reverse()
      return { requests: requests.map((r) => requestJson(book, r, clock.nowUs())) }
    },
  )
  app.get<{ Querystring: { after?: string } }>(
    '/baseline-statements',
    {
      schema: { summary: 'Signed statements of the book, in their order', querystring: AfterQuery },
      config: { ...READ, answers: BASELINE_ANSWERS.statements },
    },
    async ({ query }) => {
      const from = Number(query.after ?? '0')
      const some = baselines.book.log.entries.slice(from, from + STATEMENTS_TOLD_MAX)
      return { statements: some.map(({ bytes }, k) => ({ seq: from + k + 1, cose: base64(bytes) })) }
    },
  )
}

function writeRoutes(app: FastifyInstance, { baselines }: BaselineRoutesContext): void {
  const onRequest = uploadsAtOnce(UPLOADS_MAX)
  app.post(
    '/baselines',
    {
      onRequest,
      bodyLimit: UPLOAD_BYTES_MAX,
      schema: { summary: 'Proposes a record: a bundle of record, quality policy and the signed proposal' },
      config: { ...SAY, answers: BASELINE_ANSWERS.taken },
    },
    async ({ body }, reply) => taken(reply, await baselines.book.submitProposal(signedBytes(body))),
  )
  app.post(
    '/baseline-statements',
    {
      onRequest,
      bodyLimit: STATEMENT_BYTES_MAX,
      schema: { summary: 'Says something about a baseline: one signed statement' },
      config: { ...SAY, answers: BASELINE_ANSWERS.taken },
    },
    async ({ body }, reply) => taken(reply, await baselines.book.submitStatement(signedBytes(body))),
  )
}

function taken(reply: FastifyReply, { digest, request, statement, seq, kind }: Taken): Record<string, unknown> {
  reply.code(201)
  return { digest, request, statement, seq, kind }
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64')
}
