import fastifyWebsocket from '@fastify/websocket'
import { type FastifyError, type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from 'fastify'
import { Type } from 'typebox'
import { BundleError } from '../../shared/errors/bundle-error.ts'
import { HbError, isHbError } from '../../shared/errors/hb-error.ts'
import { createMetricsPage, type MetricSource } from '../../shared/lib/metrics.ts'
import type { CollectorEvents } from '../events.ts'
import type { LiveFeed } from './live-feed.ts'
import { openApiDocument, type RouteFacts, routeFacts } from './openapi.ts'
import { servePage } from './page.ts'
import { apiRoutes, fleetJson, type RouteContext } from './routes.ts'

export type OperatorsOptions = Readonly<{
  context: RouteContext
  feed: LiveFeed
  events: CollectorEvents
  listen: Readonly<{ host: string; port: number }>
  metrics: readonly MetricSource[]
  /** PEM; absent means plain HTTP, which is allowed because only this machine can reach it. */
  tls?: Readonly<{ cert: Buffer; key: Buffer }>
  /** Folder of the built page; found beside the bundle by itself. Without it only the interfaces are served. */
  page?: string
}>

/** The listener of people: the page, the interfaces it reads, and the live feed. */
export interface Operators {
  /** @returns the port that is listened on. Throws `OPERATORS_NOT_LOOPBACK`, `PORT_TAKEN`. */
  start(): Promise<number>
  stop(): Promise<void>
}

/** Only what comes from here, nothing inline, shown in no frame. */
const CONTENT_SECURITY_POLICY =
  "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
const BODY_BYTES_MAX = 16 * 1024
/** Connections of people and their pages; one more is closed. */
export const OPERATOR_CONNECTIONS_MAX = 256
const HEADERS_TIMEOUT_MS = 10_000
/** A page sends nothing that is longer than this. */
const LIVE_MESSAGE_BYTES_MAX = 1_024
/** Names by which this machine calls itself. Another name in Host is a page of somebody else that was pointed at us. */
const LOCAL_NAMES: ReadonlySet<string> = new Set(['localhost', '127.0.0.1', '[::1]'])
const LOOPBACK_HOSTS: ReadonlySet<string> = new Set(['localhost', '127.0.0.1', '::1'])

/** HTTP status of errors that have one of their own; every other known error is 500. */
const STATUS: Readonly<Record<string, number>> = {
  DECISION_UNKNOWN: 404,
  BATCH_UNKNOWN: 404,
  SLICE_UNAVAILABLE: 404,
  BASELINE_UNKNOWN: 404,
  BASELINE_CREEP: 409,
  BASELINE_REFUSED: 409,
  BASELINE_BUNDLE: 422,
  BASELINE_GATE_DIFFERS: 422,
  BASELINE_SHAPE: 422,
  BATCH_SIGNATURE: 422,
  CBOR_REFUSED: 422,
  CONFIG_INVALID: 422,
  COSE_SHAPE: 422,
  ORDER_NOT_FOLLOWED: 409,
  ORDER_REFUSED: 422,
  ORDERS_WAITING: 503,
  BUNDLE_REFUSED: 409,
  BUNDLE_SHAPE: 422,
  ROLLOUT_REFUSED: 409,
  ROLLOUT_RUNNING: 409,
  ROLLOUT_UNKNOWN: 404,
  BOOK_DAMAGED: 503,
  BOOK_FULL: 503,
  DATABASE_BUSY: 503,
  DISK_FULL: 503,
}

export function createOperators(options: OperatorsOptions): Operators {
  const { listen } = options
  let app: FastifyInstance | undefined
  return {
    async start() {
      if (!LOOPBACK_HOSTS.has(listen.host)) throw new HbError('OPERATORS_NOT_LOOPBACK', { host: listen.host })
      app = await buildApp(options)
      return listenOn(app, listen)
    },
    async stop() {
      await app?.close()
    },
  }
}

/** Starts to listen; a taken port gets its own error. @returns the port, which the system chose when 0 was asked for. */
export async function listenOn(
  app: FastifyInstance,
  { host, port }: Readonly<{ host: string; port: number }>,
): Promise<number> {
  try {
    await app.listen({ host, port })
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code
    if (code === 'EADDRINUSE') throw new HbError('PORT_TAKEN', { host, port }, { cause })
    throw cause
  }
  const address = app.server.address()
  return typeof address === 'object' && address !== null ? address.port : port
}

/** The listener without a port: what it serves, and what it says of itself. */
export async function buildApp(options: OperatorsOptions): Promise<FastifyInstance> {
  const { tls, context, events } = options
  const app = fastify({
    ...(tls === undefined ? {} : { https: { cert: tls.cert, key: tls.key, minVersion: 'TLSv1.3' } }),
    logger: false,
    bodyLimit: BODY_BYTES_MAX,
    routerOptions: { maxParamLength: 256 },
    requestTimeout: HEADERS_TIMEOUT_MS,
    forceCloseConnections: true,
    ajv: { customOptions: { removeAdditional: false, coerceTypes: false } },
  } as Parameters<typeof fastify>[0]) as unknown as FastifyInstance
  app.server.maxConnections = OPERATOR_CONNECTIONS_MAX
  const routes: RouteFacts[] = []
  app.addHook('onRoute', (route) => {
    const facts = routeFacts(route)
    if (facts !== null) routes.push(facts)
  })
  app.addHook('onRequest', refuseStrangers)
  app.addHook('onSend', async (_request, reply) => {
    reply.header('content-security-policy', CONTENT_SECURITY_POLICY)
    reply.header('x-content-type-options', 'nosniff')
    reply.header('referrer-policy', 'no-referrer')
    reply.header('cross-origin-opener-policy', 'same-origin')
  })
  app.setErrorHandler((error: FastifyError, _request, reply) => answerError(error, reply, events))
  app.setNotFoundHandler((_request, reply) => reply.code(404).send({ code: 'NOT_FOUND' }))
  await app.register(fastifyWebsocket, { options: { maxPayload: LIVE_MESSAGE_BYTES_MAX, perMessageDeflate: false } })
  await app.register(apiRoutes(context), { prefix: '/api' })
  await app.register(liveRoute(options))
  const about = { summary: 'This document' }
  const answers = { 200: Type.Object({}, { additionalProperties: true, description: 'OpenAPI 3.1' }) }
  app.get('/openapi.json', { schema: about, config: { answers } }, () => openApiDocument(routes))
  const metrics = createMetricsPage(options.metrics)
  const aboutMetrics = { summary: 'Counters of the collector and its process' }
  const metricsText = { 200: Type.String({ description: 'Prometheus text format' }) }
  app.get('/metrics', { schema: aboutMetrics, config: { answers: metricsText } }, async (_request, reply) =>
    reply.type(metrics.contentType).send(await metrics.text()),
  )
  await servePage(app, options.page)
  return app
}

/** A name that is not ours, or a page from elsewhere: refused before anything is looked at (DNS rebinding). */
async function refuseStrangers(request: FastifyRequest, reply: FastifyReply): Promise<void> {
  const host = request.headers.host ?? ''
  const name = host.replace(/:[0-9]+$/, '').toLowerCase()
  const { origin } = request.headers
  const sameOrigin = origin === undefined || origin === `http://${host}` || origin === `https://${host}`
  if (!(LOCAL_NAMES.has(name) && sameOrigin)) await reply.code(403).send({ code: 'NOT_LOCAL' })
}

function answerError(error: FastifyError, reply: FastifyReply, events: CollectorEvents): FastifyReply {
  if (isHbError(error)) {
    const { code, message, remedy, context } = error
    const problems = error instanceof BundleError ? { problems: error.problems } : {}
    return reply.code(STATUS[code] ?? 500).send({ code, message, remedy, context, ...problems })
  }
  if (error.statusCode !== undefined && error.statusCode < 500) {
    return reply
      .code(error.statusCode)
      .send({ code: error.validation === undefined ? 'REQUEST_REFUSED' : 'REQUEST_INVALID', message: error.message })
  }
  events.broken('http', error)
  return reply.code(500).send({ code: 'BROKEN' })
}

function liveRoute({ context, feed, events }: OperatorsOptions): (app: FastifyInstance) => Promise<void> {
  return async (app) => {
    const schema = { summary: 'Everything as it happens' }
    app.get('/live', { websocket: true, schema, config: { permission: 'fleet:read' } }, (socket) => {
      const member = feed.join({ send: (text, done) => socket.send(text, () => done()) })
      if (member === null) {
        socket.close(1013, 'too many pages')
        return
      }
      socket.on('close', member.leave)
      // A frame that is too large closes by itself; without a listener it would end the process.
      socket.on('error', member.leave)
      fleetJson(context).then(
        (fleet) => member.open(JSON.stringify(fleet)),
        (error: unknown) => {
          events.broken('live', error)
          socket.close(1011)
        },
      )
    })
  }
}
