import type { FastifyInstance } from 'fastify'
import type { TSchema } from 'typebox'
import { HbError } from '../../shared/errors/hb-error.ts'
import { invariant } from '../../shared/lib/assert.ts'
import type { Clock } from '../../shared/lib/clock.ts'
import type { Fleet } from '../fleet.ts'
import { sliceFor } from '../slices.ts'
import type { StoredDecision } from '../store/decisions.ts'
import type { Stores } from '../store/open.ts'
import { alarmRoutes } from './alarm-routes.ts'
import { type AlarmContext, alarmsJson } from './alarm-views.ts'
import { ANSWERS } from './answers.ts'
import { baselineRoutes } from './baseline-routes.ts'
import { type BaselineContext, baselinesJson } from './baseline-views.ts'
import { BatchParams, DecisionParams, DecisionsQuery, LimitQuery, limitOf, NoQuery } from './queries.ts'
import { rolloutRoutes } from './rollout-routes.ts'
import { configJson, type RolloutContext, rolloutsJson } from './rollout-views.ts'
import { safetyRoutes } from './safety-routes.ts'
import { safetyJson } from './safety-views.ts'
import {
  agentJson,
  batchDetailJson,
  batchJson,
  decisionDetailJson,
  decisionJson,
  parseDecisionId,
  refusalJson,
  sliceJson,
} from './views.ts'

export type RouteContext = Readonly<{
  stores: Stores
  fleet: Fleet
  baselines: BaselineContext
  alarming: AlarmContext
  rollouts: RolloutContext
  clock: Pick<Clock, 'nowUs'>
  deployment: string
}>

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What a person must be permitted to do; a route that does not say is a mistake and is not served. */
    permission?:
      | 'fleet:read'
      | 'evidence:read'
      | 'baseline:read'
      | 'baseline:say'
      | 'alarm:read'
      | 'alarm:say'
      | 'rollout:say'
    /** A file of the page: no interface, and not described as one. */
    page?: true
    /** What it answers, by status. */
    answers?: Readonly<Record<number, TSchema>>
  }
  interface FastifySchema {
    summary?: string
  }
}

/** Newest decisions, batches and refusals that a page gets when it opens. */
const FLEET_DECISIONS = 100
const FLEET_BATCHES = 100
const FLEET_REFUSALS = 50
/** Those in force and those that wait come first; more are a request of the page. */
export const FLEET_BASELINES = 200

const FLEET_READ = { permission: 'fleet:read' } as const
const EVIDENCE_READ = { permission: 'evidence:read' } as const

/** The whole fleet as one message: what a page starts from. */
export async function fleetJson({
  stores,
  fleet,
  baselines,
  alarming,
  rollouts,
  clock,
  deployment,
}: RouteContext): Promise<Record<string, unknown>> {
  const [agents, decisions, revisions, batches, refusals, safety, alarms, newest] = await Promise.all([
    stores.agents.all(),
    stores.decisions.list({ changes: true, limit: FLEET_DECISIONS }),
    stores.decisions.list({ revisions: true, limit: FLEET_DECISIONS }),
    stores.batches.recent(FLEET_BATCHES),
    stores.refusals.list(FLEET_REFUSALS),
    safetyJson(stores, clock.nowUs()),
    alarmsJson(alarming, stores, clock.nowUs()),
    rolloutsJson(stores, rollouts, 1),
  ])
  return {
    type: 'fleet',
    now_us: clock.nowUs(),
    label: deployment,
    agents: agents.map((a) => agentJson(a, fleet.link(a.agent))),
    vitals: fleet.vitals(),
    decisions: decisions.map(decisionJson),
    revisions: revisions.map(decisionJson),
    batches: batches.map(batchJson),
    refusals: refusals.map(refusalJson),
    baselines: baselinesJson(baselines, { nowUs: clock.nowUs(), limit: FLEET_BASELINES }),
    safety,
    alarms,
    configs: agents.map(({ agent }) => configJson(rollouts.configs.of(agent))),
    rollouts: newest,
  }
}

/** What the collector knows, to be read; with the book of baselines, orders about alarms and rollouts, which are what operators have signed (decisions 24). */
export function apiRoutes(context: RouteContext): (app: FastifyInstance) => Promise<void> {
  return async (app) => {
    app.addHook('onRoute', (route) => {
      invariant(route.config?.permission !== undefined, `${route.url} says no permission`)
    })
    app.addHook('onSend', async (_request, reply) => {
      reply.header('cache-control', 'no-store')
    })

    // What people have signed comes as it is.
    app.addContentTypeParser('application/octet-stream', { parseAs: 'buffer' }, (_request, body, done) =>
      done(null, body),
    )
    fleetRoutes(app, context)
    decisionRoutes(app, context)
    evidenceRoutes(app, context)
    baselineRoutes(app, context)
    safetyRoutes(app, context)
    alarmRoutes(app, context)
    rolloutRoutes(app, context)
  }
}

function fleetRoutes(app: FastifyInstance, context: RouteContext): void {
  const { stores, fleet } = context
  app.get(
    '/fleet',
    { schema: { summary: 'The whole fleet', querystring: NoQuery }, config: { ...FLEET_READ, answers: ANSWERS.fleet } },
    () => fleetJson(context),
  )

  app.get(
    '/agents',
    {
      schema: { summary: 'Enrolled agents', querystring: NoQuery },
      config: { ...FLEET_READ, answers: ANSWERS.agents },
    },
    async () => ({
      agents: (await stores.agents.all()).map((a) => agentJson(a, fleet.link(a.agent))),
    }),
  )
}

function decisionRoutes(app: FastifyInstance, { stores }: RouteContext): void {
  app.get<{ Querystring: DecisionsQuery }>(
    '/decisions',
    {
      schema: { summary: 'Decisions, newest first', querystring: DecisionsQuery },
      config: { ...EVIDENCE_READ, answers: ANSWERS.decisions },
    },
    async ({ query }) => {
      const { rig, run, verdict, before, changes, revisions } = query
      const found = await stores.decisions.list({
        ...(rig === undefined ? {} : { rig }),
        ...(run === undefined ? {} : { run }),
        ...(verdict === undefined ? {} : { verdict }),
        ...(before === undefined ? {} : { beforeUs: Number(before) }),
        changes: changes === 'true',
        revisions: revisions === 'true',
        limit: limitOf(query),
      })
      return { decisions: found.map(decisionJson) }
    },
  )

  app.get<{ Params: DecisionParams }>(
    '/decisions/:id',
    {
      schema: { summary: 'One decision', params: DecisionParams, querystring: NoQuery },
      config: { ...EVIDENCE_READ, answers: ANSWERS.decision },
    },
    async ({ params }) => {
      const { decision, seq } = await findDecision(stores, params.id)
      return decisionDetailJson(decision, seq)
    },
  )
}

function evidenceRoutes(app: FastifyInstance, context: RouteContext): void {
  const { stores } = context
  app.get<{ Params: BatchParams }>(
    '/batches/:agent/:epoch/:seq',
    {
      schema: { summary: 'One batch with its bytes and receipt', params: BatchParams, querystring: NoQuery },
      config: { ...EVIDENCE_READ, answers: ANSWERS.batch },
    },
    async ({ params: { agent, epoch, seq } }) => {
      const batch = await stores.batches.get({ agent, epoch: Number(epoch), batchSeq: Number(seq) })
      if (batch === undefined) throw new HbError('BATCH_UNKNOWN', { agent, epoch, seq })
      return batchDetailJson(batch)
    },
  )

  app.get<{ Params: DecisionParams }>(
    '/slices/:id',
    {
      schema: { summary: 'Raw samples around a decision', params: DecisionParams, querystring: NoQuery },
      config: { ...EVIDENCE_READ, answers: ANSWERS.slice },
    },
    async ({ params }, reply) => {
      const { decision, seq } = await findDecision(stores, params.id)
      const { rig } = decision
      if (rig === null || seq !== decision.seq)
        throw new HbError('SLICE_UNAVAILABLE', { id: params.id, reason: 'it has no record of its own' })
      const answer = await sliceFor({ ...context, slices: stores.slices }, { ...decision, rig })
      if (answer.state === 'there') return sliceJson(answer.slice, decision)
      reply.code(202)
      return { decision: params.id, state: answer.state, connected: answer.connected }
    },
  )

  app.get<{ Querystring: LimitQuery }>(
    '/refusals',
    {
      schema: { summary: 'What was refused, newest first', querystring: LimitQuery },
      config: { ...EVIDENCE_READ, answers: ANSWERS.refusals },
    },
    async ({ query }) => ({ refusals: (await stores.refusals.list(limitOf(query))).map(refusalJson) }),
  )
}

async function findDecision(stores: Stores, id: string): Promise<{ decision: StoredDecision; seq: number }> {
  const place = parseDecisionId(id)
  const decision = place === null ? undefined : await stores.decisions.get(place.agent, place.seq)
  if (place === null || decision === undefined) throw new HbError('DECISION_UNKNOWN', { id })
  return { decision, seq: place.seq }
}
