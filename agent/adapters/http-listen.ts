import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { ListenOptions } from 'node:net'
import { HbError } from '../../shared/errors/hb-error.ts'

/** What a request is answered with; an object goes out as JSON. */
export type HttpAnswer = Readonly<{ code: number; body: Readonly<Record<string, unknown>> | string; type?: string }>
/** `METHOD /path` → its answer. `body` is the JSON of a POST. */
export type HttpRoutes = Readonly<Record<string, (body: unknown) => HttpAnswer | Promise<HttpAnswer>>>
export type SmallServer = Readonly<{
  listen(at: ListenOptions): Promise<string>
  close(): Promise<void>
  /** Connections that were closed because there were too many. */
  readonly turnedAway: number
}>

/** Longest body of a route that takes more than {@link BODY_BYTES_MAX}. */
export type BodyBounds = Readonly<Record<string, number>>

/** Longest body that is read; a longer one is refused. */
export const BODY_BYTES_MAX = 64 * 1024
/** A request that takes longer to arrive is ended, and no more connections than these are open at once. */
const REQUEST_WITHIN_MS = 5_000
export const CONNECTIONS_MAX = 64

/**
 * The agent's own small servers: a handful of fixed paths, nothing else. Plain `node:http`, because an agent that idles
 * in 80 MB has no room for a framework (docs/adr/0014).
 */
export function createSmallServer(routes: HttpRoutes, bodyBytesMax: BodyBounds = {}): SmallServer {
  const server = createServer(
    { requestTimeout: REQUEST_WITHIN_MS, headersTimeout: REQUEST_WITHIN_MS },
    (request, response) => {
      answer(routes, bodyBytesMax, request).then(
        (given) => send(response, given),
        (error: Error) => send(response, { code: 500, body: { code: 'INTERNAL', context: { found: error.message } } }),
      )
    },
  )
  server.maxConnections = CONNECTIONS_MAX
  let turnedAway = 0
  server.on('drop', () => {
    turnedAway += 1
  })
  return {
    get turnedAway() {
      return turnedAway
    },
    listen: (at) => listen(server, at),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

async function answer(routes: HttpRoutes, bounds: BodyBounds, request: IncomingMessage): Promise<HttpAnswer> {
  const path = (request.url ?? '').split('?')[0]
  const route = `${request.method} ${path}`
  const handler = Object.hasOwn(routes, route) ? routes[route] : undefined
  if (handler === undefined) return { code: 404, body: { code: 'USAGE', context: { found: route } } }
  if (request.method !== 'POST') return handler(undefined)
  const parts: Buffer[] = []
  let bytes = 0
  for await (const part of request as AsyncIterable<Buffer>) {
    bytes += part.length
    if (bytes > (bounds[route] ?? BODY_BYTES_MAX))
      return { code: 413, body: { code: 'USAGE', context: { found: 'a body too long' } } }
    parts.push(part)
  }
  try {
    return await handler(JSON.parse(Buffer.concat(parts).toString('utf8')))
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    return { code: 400, body: { code: 'USAGE', context: { found: 'a body that is no JSON' } } }
  }
}

function send(response: ServerResponse, { code, body, type = 'application/json; charset=utf-8' }: HttpAnswer): void {
  response.writeHead(code, { 'content-type': type, connection: 'close' })
  response.end(typeof body === 'string' ? body : JSON.stringify(body))
}

/** Listens, and says which port was taken when one was. @returns the address it can be reached at */
function listen(server: Server, at: ListenOptions): Promise<string> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const taken = cause.code === 'EADDRINUSE' || cause.code === 'EACCES' || cause.code === 'EADDRNOTAVAIL'
      reject(
        taken && at.port !== undefined
          ? new HbError('PORT_TAKEN', { host: at.host ?? null, port: at.port, reason: cause.code }, { cause })
          : cause,
      )
    })
    server.listen(at, () => {
      const found = server.address()
      if (found === null || typeof found === 'string') return resolve(found ?? '')
      const host = found.family === 'IPv6' ? `[${found.address}]` : found.address
      resolve(`http://${host}:${found.port}`)
    })
  })
}
