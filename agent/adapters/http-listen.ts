import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { ListenOptions } from 'node:net'
import { HbError } from '../../shared/errors/hb-error.ts'

/** What a request is answered with; an object goes out as JSON. */
export type HttpAnswer = Readonly<{ code: number; body: Readonly<Record<string, unknown>> | string; type?: string }>
/** `METHOD /path` → its answer. `body` is the JSON of a POST. */
export type HttpRoutes = Readonly<Record<string, (body: unknown) => HttpAnswer | Promise<HttpAnswer>>>
/** A POST as it came, for who checks a signature before anything is read. `bytes` is null when the body is too long. */
export type RawRequest = Readonly<{ headers: IncomingMessage['headers']; bytes: Uint8Array | null }>
export type RawRoutes = Readonly<Record<string, (request: RawRequest) => HttpAnswer>>
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
export function createSmallServer(routes: HttpRoutes, bodyBytesMax: BodyBounds = {}, raw: RawRoutes = {}): SmallServer {
  const server = createServer(
    { requestTimeout: REQUEST_WITHIN_MS, headersTimeout: REQUEST_WITHIN_MS },
    (request, response) => {
      answer({ routes, raw, bounds: bodyBytesMax }, request).then(
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

type Answers = Readonly<{ routes: HttpRoutes; raw: RawRoutes; bounds: BodyBounds }>

async function answer({ routes, raw, bounds }: Answers, request: IncomingMessage): Promise<HttpAnswer> {
  const path = (request.url ?? '').split('?')[0]
  const route = `${request.method} ${path}`
  const rawHandler = Object.hasOwn(raw, route) ? raw[route] : undefined
  if (rawHandler !== undefined)
    return rawHandler({ headers: request.headers, bytes: await bodyOf(request, BODY_BYTES_MAX) })
  const handler = Object.hasOwn(routes, route) ? routes[route] : undefined
  if (handler === undefined) return { code: 404, body: { code: 'USAGE', context: { found: route } } }
  if (request.method !== 'POST') return handler(undefined)
  const bytes = await bodyOf(request, bounds[route] ?? BODY_BYTES_MAX)
  if (bytes === null) return { code: 413, body: { code: 'USAGE', context: { found: 'a body too long' } } }
  try {
    return await handler(JSON.parse(bytes.toString('utf8')))
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    return { code: 400, body: { code: 'USAGE', context: { found: 'a body that is no JSON' } } }
  }
}

/** null for one that is too long; the rest of it is not read. */
async function bodyOf(request: IncomingMessage, bytesMax: number): Promise<Buffer | null> {
  const parts: Buffer[] = []
  let bytes = 0
  for await (const part of request as AsyncIterable<Buffer>) {
    bytes += part.length
    if (bytes > bytesMax) return null
    parts.push(part)
  }
  return Buffer.concat(parts)
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
