import fastifyStatic from '@fastify/static'
import fastifyWebsocket from '@fastify/websocket'
import { type FastifyInstance, fastify } from 'fastify'
import type { WebSocket } from 'ws'

/** No exception for styles, scripts, pictures or connections: at least as strict as the collector's own. */
const CONTENT_SECURITY_POLICY = "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'"
const HEARTBEAT_MS = 500

type Message = Readonly<Record<string, unknown>>
export type SliceReply = Readonly<{ status: number; body: unknown }>

export type FakeCollectorOptions = Readonly<{
  /** Folder of the built page. */
  page: string
  /** First message of every page that connects. */
  fleet(): Message
  /** Sent with every heartbeat, as the vitals of the agents are. */
  pulse(): readonly Message[]
  /** What `/api/slices/:decision` answers; `asked` counts from 1 for each decision. */
  slice(decision: string, asked: number): SliceReply
}>

/** The listener of the collector without a collector behind it: what comes over it is what a test says. */
export interface FakeCollector {
  readonly url: string
  readonly pages: number
  /** How often a slice was asked for. */
  asked(decision: string): number
  publish(message: Message): void
  /** Sends text as it is, JSON or not. */
  publishText(text: string): void
  /** Sockets stay open and nothing comes over them: a cable that was pulled. */
  silent(isSilent: boolean): void
  stop(): Promise<void>
}

/** Starts to listen on this machine; port 0 lets the system choose. */
export async function startFakeCollector(options: FakeCollectorOptions, port = 0): Promise<FakeCollector> {
  const sockets = new Set<WebSocket>()
  const asked = new Map<string, number>()
  let quiet = false
  const app = fastify({ logger: false, forceCloseConnections: true }) as unknown as FastifyInstance
  const say = (message: Message): string => JSON.stringify({ ...message, now_us: Date.now() * 1000 })
  const publishText = (text: string): void => {
    if (quiet) return
    for (const socket of sockets) socket.send(text)
  }

  app.addHook('onSend', async (_request, reply) => {
    reply.header('content-security-policy', CONTENT_SECURITY_POLICY)
    reply.header('x-content-type-options', 'nosniff')
  })
  await app.register(fastifyWebsocket)
  await app.register(async (scope) => {
    scope.get('/live', { websocket: true }, (socket) => {
      if (!quiet) socket.send(say(options.fleet()))
      sockets.add(socket)
      socket.on('close', () => sockets.delete(socket))
    })
    scope.get<{ Params: { id: string } }>('/api/slices/:id', async ({ params }, reply) => {
      const times = (asked.get(params.id) ?? 0) + 1
      asked.set(params.id, times)
      const { status, body } = options.slice(params.id, times)
      return reply.code(status).send(body)
    })
  })
  await app.register(fastifyStatic, { root: options.page, index: 'index.html', cacheControl: false })
  await app.listen({ host: '127.0.0.1', port })
  const address = app.server.address()
  const beat = setInterval(() => {
    publishText(say({ type: 'heartbeat', dropped: 0 }))
    for (const message of options.pulse()) publishText(say(message))
  }, HEARTBEAT_MS)

  return {
    url: `http://127.0.0.1:${typeof address === 'object' ? address?.port : port}`,
    get pages() {
      return sockets.size
    },
    asked: (decision) => asked.get(decision) ?? 0,
    publish: (message) => publishText(say(message)),
    publishText,
    silent(isSilent) {
      quiet = isSilent
    },
    async stop() {
      clearInterval(beat)
      for (const socket of sockets) socket.terminate()
      await app.close()
    },
  }
}
