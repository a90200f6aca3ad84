import type { FastifyInstance } from 'fastify'
import { ORDER_BYTES_MAX } from '../../shared/codec/order.ts'
import type { Clock } from '../../shared/lib/clock.ts'
import type { Stores } from '../store/open.ts'
import { ALARM_ANSWERS } from './alarm-answers.ts'
import { type AlarmContext, alarmLineJson, alarmsJson, orderedJson } from './alarm-views.ts'
import { LimitQuery, limitOf, NoQuery, signedBytes } from './queries.ts'

export type AlarmRoutesContext = Readonly<{
  stores: Pick<Stores, 'safety' | 'alarms'>
  alarming: AlarmContext
  clock: Pick<Clock, 'nowUs'>
}>

const READ = { permission: 'alarm:read' } as const
/** Who may order something is told by the signature alone: there are no accounts yet (decisions 24). */
const SAY = { permission: 'alarm:say' } as const

/** Alarms of the collector, to be read; and the one way to do something about them: an order that a person has signed. */
export function alarmRoutes(app: FastifyInstance, context: AlarmRoutesContext): void {
  app.get(
    '/alarms',
    {
      schema: { summary: 'Open alarms by site, the worst first', querystring: NoQuery },
      config: { ...READ, answers: ALARM_ANSWERS.alarms },
    },
    () => alarmsJson(context.alarming, context.stores, context.clock.nowUs()),
  )
  app.get<{ Querystring: LimitQuery }>(
    '/alarm-history',
    {
      schema: { summary: 'What happened to alarms of the collector, newest first', querystring: LimitQuery },
      config: { ...READ, answers: ALARM_ANSWERS.history },
    },
    async ({ query }) => ({ lines: (await context.stores.alarms.lines(limitOf(query))).map(alarmLineJson) }),
  )
  app.post(
    '/alarm-orders',
    {
      bodyLimit: ORDER_BYTES_MAX,
      schema: { summary: 'Orders something of an alarm: one signed order' },
      config: { ...SAY, answers: ALARM_ANSWERS.order },
    },
    async ({ body }) => orderedJson(await context.alarming.alarms.order(signedBytes(body))),
  )
}
