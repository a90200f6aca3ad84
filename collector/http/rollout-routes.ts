import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import { HANDED_ORDER_BYTES_MAX } from '../../shared/codec/rollout-order.ts'
import { HbError } from '../../shared/errors/hb-error.ts'
import type { Stores } from '../store/open.ts'
import { NoQuery, signedBytes } from './queries.ts'
import { ROLLOUT_ANSWERS } from './rollout-answers.ts'
import { noteJson, type RolloutContext, rolloutJson, rolloutsJson } from './rollout-views.ts'
import { uploadsAtOnce } from './uploads.ts'

export type RolloutRoutesContext = Readonly<{ rollouts: RolloutContext; stores: Pick<Stores, 'rollouts'> }>

const READ = { permission: 'fleet:read' } as const
/** Who may order something is told by the signature alone: there are no accounts yet (decisions 24). */
const SAY = { permission: 'rollout:say' } as const
const IdParams = Type.Object({ id: Type.String({ pattern: '^[0-9a-f]{16}$' }) }, { additionalProperties: false })

/** Looking at rollouts, and the one way to order something: signed bytes. */
export function rolloutRoutes(app: FastifyInstance, { rollouts: context, stores }: RolloutRoutesContext): void {
  app.get(
    '/rollouts',
    {
      schema: { summary: 'Rollouts, newest first', querystring: NoQuery },
      config: { ...READ, answers: ROLLOUT_ANSWERS.list },
    },
    async () => ({ rollouts: await rolloutsJson(stores, context) }),
  )
  app.get<{ Params: { id: string } }>(
    '/rollouts/:id',
    {
      schema: { summary: 'One rollout with its record', params: IdParams, querystring: NoQuery },
      config: { ...READ, answers: ROLLOUT_ANSWERS.detail },
    },
    async ({ params: { id } }) => {
      const stored = await stores.rollouts.get(id)
      if (stored === undefined) throw new HbError('ROLLOUT_UNKNOWN', { rollout: id })
      const record = (await stores.rollouts.notes(id)).map(noteJson)
      return { rollout: rolloutJson(stored, context.rollouts.stateOf(id)), record }
    },
  )
  app.post(
    '/rollouts',
    {
      onRequest: uploadsAtOnce(1),
      bodyLimit: HANDED_ORDER_BYTES_MAX,
      schema: { summary: 'Starts a rollout, or ends the one that runs: a signed order, with the bundle that it names' },
      config: { ...SAY, answers: ROLLOUT_ANSWERS.ordered },
    },
    async ({ body }, reply) => {
      const { kind, ...done } = await context.rollouts.order(signedBytes(body))
      reply.code(kind === 'start' ? 201 : 202)
      return done
    },
  )
}
