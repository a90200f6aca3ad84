import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import type { Clock } from '../../shared/lib/clock.ts'
import { ID_PATTERN } from '../../shared/model/ids.ts'
import type { Stores } from '../store/open.ts'
import { limitOf, NoQuery } from './queries.ts'
import { ActionStates, SAFETY_ANSWERS } from './safety-answers.ts'
import { actionJson, armsJson } from './safety-views.ts'

export type SafetyRoutesContext = Readonly<{ stores: Pick<Stores, 'safety'>; clock: Pick<Clock, 'nowUs'> }>

const EVIDENCE_READ = { permission: 'evidence:read' } as const
const Id = Type.String({ pattern: ID_PATTERN })
const ActionsQuery = Type.Object(
  {
    rig: Type.Optional(Id),
    agent: Type.Optional(Id),
    state: Type.Optional(ActionStates),
    limit: Type.Optional(Type.String({ pattern: '^[1-9][0-9]{0,2}$' })),
  },
  { additionalProperties: false },
)
type ActionsQuery = { rig?: string; agent?: string; state?: string; limit?: string }

/** What was done to rigs, and what may be done. Nothing can be ordered here: agents take orders where they are (decisions 24). */
export function safetyRoutes(app: FastifyInstance, { stores, clock }: SafetyRoutesContext): void {
  app.get<{ Querystring: ActionsQuery }>(
    '/actions',
    {
      schema: { summary: 'Actions with their steps, newest change first', querystring: ActionsQuery },
      config: { ...EVIDENCE_READ, answers: SAFETY_ANSWERS.actions },
    },
    async ({ query }) => {
      const { rig, agent, state } = query
      const found = await stores.safety.actions({
        ...(rig === undefined ? {} : { rig }),
        ...(agent === undefined ? {} : { agent }),
        ...(state === undefined ? {} : { state }),
        limit: limitOf(query),
      })
      return { actions: found.map(actionJson) }
    },
  )

  app.get(
    '/arms',
    {
      schema: { summary: 'Armings, bypasses and safety alarms by rig', querystring: NoQuery },
      config: { ...EVIDENCE_READ, answers: SAFETY_ANSWERS.arms },
    },
    () => armsJson(stores, clock.nowUs()),
  )
}
