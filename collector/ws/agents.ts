import { randomUUID } from 'node:crypto'
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import fastifyWebsocket from '@fastify/websocket'
import { type FastifyInstance, type FastifyRequest, fastify } from 'fastify'
import type { WebSocket } from 'ws'
import type { Clock } from '../../shared/lib/clock.ts'
import { ID_PATTERN } from '../../shared/model/ids.ts'
import { areNamesOf, type Realm, trustDomain } from '../../shared/model/realm.ts'
import { type Micros, type Millis, microsFromMillis } from '../../shared/units.ts'
import type { EnrolledAgent } from '../core/chain.ts'
import type { CollectorEvents } from '../events.ts'
import { listenOn } from '../http/operators.ts'
import { createDoor, type Door, type DoorOptions, type Turned } from './door.ts'
import { type AgentSession, createSession, type SessionOptions } from './session.ts'

export type AgentsOptions = Readonly<{
  listen: Readonly<{ host: string; port: number }>
  tls: Readonly<{ ca: Buffer; cert: Buffer; key: Buffer }>
  deployment: string
  /** Certificates of the other one are turned away. */
  realm: Realm
  enrolled: ReadonlyMap<string, EnrolledAgent>
  clock: Clock
  events: CollectorEvents
  refuse: SessionOptions['refuse'] & DoorOptions['refuse']
}> &
  Pick<
    SessionOptions,
    'stores' | 'ingest' | 'fleet' | 'publish' | 'signDownlink' | 'baselines' | 'configs' | 'rollouts'
  >

/** The listener of agents: TLS 1.3 with a client certificate, WebSocket at `/agent`. */
export interface AgentsListener {
  /** @returns the port that is listened on. Throws `PORT_TAKEN`. */
  start(): Promise<number>
  /** Tells every agent that the collector goes away, then closes. */
  stop(): Promise<void>
  /** For `/metrics`. */
  readonly door: Pick<Door, 'counts' | 'entering'>
  readonly sessions: number
}

/** Connections at once, those included that have not said who they are. */
export const SESSIONS_MAX = 512
/** Of these, with the certificate of one agent: a new hello replaces the old session, so that more than two is no agent of ours. */
export const SESSIONS_OF_AGENT_MAX = 8
/** One message: a full batch of 4 096 items with its records is a few MiB. */
export const MESSAGE_BYTES_MAX = 16 * 1024 * 1024
/** Pieces of one message, empty ones included: ours come in one. */
export const MESSAGE_FRAGMENTS_MAX = 1_024
/** Bytes that may wait to go out to one agent; an agent that does not read its receipts is let go. */
export const OUT_BYTES_MAX = 64 * 1024 * 1024
const PING_MS: Millis = 10_000
/** How long a goodbye may take before the connection is cut. */
const GOODBYE_MS: Millis = 500
/** Close code of a collector that has no room: try again later. */
const TRY_LATER = 1013

/** `alive`: something came since the last ping. */
type Live = { readonly session: AgentSession; readonly socket: WebSocket; readonly agent: string; alive: boolean }
type Listening = AgentsOptions & Readonly<{ door: Door }>

export function createAgentsListener(given: AgentsOptions): AgentsListener {
  const live = new Set<Live>()
  const door = createDoor(given)
  const options: Listening = { ...given, door }
  let app: FastifyInstance | undefined
  let cancelPing = (): void => {}
  return {
    door,
    get sessions() {
      return live.size
    },
    async start() {
      app = await buildApp(options, live)
      cancelPing = options.clock.every(PING_MS, () => pingAll(live))
      return listenOn(app, options.listen)
    },
    async stop() {
      cancelPing()
      for (const { session } of live) session.end('stopping')
      if (live.size > 0) await options.clock.sleep(GOODBYE_MS)
      for (const { socket } of live) socket.terminate()
      await app?.close()
      door.close()
    },
  }
}

async function buildApp(options: Listening, live: Set<Live>): Promise<FastifyInstance> {
  const { ca, cert, key } = options.tls
  const { door } = options
  const app = fastify({
    https: { ca, cert, key, requestCert: true, rejectUnauthorized: true, minVersion: 'TLSv1.3' },
    logger: false,
    forceCloseConnections: true,
    bodyLimit: 1,
    clientErrorHandler: (error: NodeJS.ErrnoException, socket: Socket) => {
      if (error.code?.startsWith('HPE_') === true)
        door.turnAway({ code: 'SESSION_PROTOCOL', agent: '', detail: `http: ${error.code}` })
      socket.destroy()
    },
  } as Parameters<typeof fastify>[0]) as unknown as FastifyInstance
  app.server.on('connection', (socket: Socket) => door.came(socket))
  app.server.on('tlsClientError', (error: NodeJS.ErrnoException, socket: TLSSocket) => {
    const turned = handshakeFault(error, socket)
    if (turned !== null) door.turnAway({ ...turned, agent: '' })
  })
  await app.register(fastifyWebsocket, {
    options: {
      maxPayload: MESSAGE_BYTES_MAX,
      maxFragments: MESSAGE_FRAGMENTS_MAX,
      perMessageDeflate: false,
    },
    // The plugin waits for every client to say goodbye; ours have been told and cut by then.
    preClose: (done) => done(),
  })
  await app.register(async (scope) => {
    scope.get(
      '/agent',
      {
        websocket: true,
        // Before the upgrade: a stranger never gets a socket.
        preValidation: async (request, reply) => {
          if (certifiedAgent(request, options) !== null) return
          const names = namesOf(request)
          const code = areNamesOf(names, options.realm) ? 'AGENT_CERTIFICATE' : 'REALM_MISMATCH'
          door.turnAway({ code, agent: '', detail: `names: ${names}` })
          await reply.code(403).send({ code })
        },
      },
      (socket, request) =>
        accept(options, { socket, agent: certifiedAgent(request, options), live, from: request.raw.socket }),
    )
  })
  return app
}

/** Why a handshake failed; null for a connection that was only cut, which says nothing about anybody. */
function handshakeFault(error: NodeJS.ErrnoException, socket: TLSSocket): Omit<Turned, 'agent'> | null {
  // A certificate that was not good: the library only hangs up and leaves the reason on the socket.
  const { authorizationError } = socket as { authorizationError?: Error | string | null }
  if (authorizationError) return { code: 'AGENT_CERTIFICATE', detail: String(authorizationError) }
  const { code } = error
  if (code === 'ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE') return { code: 'AGENT_CERTIFICATE', detail: code }
  return code?.startsWith('ERR_SSL') === true ? { code: 'HANDSHAKE_REFUSED', detail: code } : null
}

type Accepted = Readonly<{ socket: WebSocket; agent: string | null; live: Set<Live>; from: Socket }>

function accept(options: Listening, { socket, agent, live, from }: Accepted): void {
  const { door } = options
  const ofAgent = [...live].filter((other) => other.agent === agent).length
  if (agent === null || live.size >= SESSIONS_MAX || ofAgent >= SESSIONS_OF_AGENT_MAX) {
    const max = ofAgent >= SESSIONS_OF_AGENT_MAX ? `${SESSIONS_OF_AGENT_MAX} of one agent` : `${SESSIONS_MAX}`
    door.turnAway({ code: 'SESSIONS_FULL', agent: agent ?? '', detail: `more connections than ${max}` })
    socket.close(TRY_LATER, 'SESSIONS_FULL')
    return
  }
  door.entered(from)
  const session = createSession({
    ...options,
    id: randomUUID(),
    certified: agent,
    certificateUntilUs: certificateUntil(from),
    enrolled: options.enrolled.get(agent) ?? null,
    socket: socketOf(socket, () => door.turnAway({ code: 'SESSION_PROTOCOL', agent, detail: NOT_READ })),
    opened: async () => {
      // A new connection of the same agent: the old one hangs half-open somewhere and would never end by itself.
      for (const other of live) if (other.agent === agent && other !== entry) other.session.end('replaced')
    },
  })
  const entry: Live = { session, socket, agent, alive: true }
  live.add(entry)
  let reason = ''
  socket.on('message', (data: Buffer, isBinary: boolean) => {
    entry.alive = true
    // Text is not of this protocol; as no bytes at all it is refused like any other nonsense.
    void session.receive(isBinary ? data : new Uint8Array(0))
  })
  socket.on('pong', () => {
    entry.alive = true
  })
  socket.on('error', (error: NodeJS.ErrnoException) => {
    reason = error.message
    // Frames that are not of the protocol: too long, too many pieces, compressed, unmasked.
    if (error.code?.startsWith('WS_ERR') === true)
      door.turnAway({ code: 'SESSION_PROTOCOL', agent, detail: `frame: ${error.code}` })
  })
  socket.on('close', (code) => {
    live.delete(entry)
    session.closed(reason === '' ? `closed with ${code}` : reason)
  })
}

const NOT_READ = 'does not read what it is sent'

/** What a session needs of a socket. `cut` is told when the far end does not read and is let go. */
export function socketOf(socket: WebSocket, cut: () => void): SessionOptions['socket'] {
  let isCut = false
  return {
    send(bytes) {
      if (isCut) return
      if (socket.bufferedAmount <= OUT_BYTES_MAX) {
        socket.send(bytes)
        return
      }
      isCut = true
      socket.terminate()
      cut()
    },
    pause: () => socket.pause(),
    resume: () => socket.resume(),
    close: (code, reason) => socket.close(code, reason),
  }
}

/** An agent that answered nothing since the last ping is gone, whatever its socket says. */
function pingAll(live: ReadonlySet<Live>): void {
  for (const entry of live) {
    if (!entry.alive) entry.socket.terminate()
    entry.alive = false
    entry.socket.ping()
  }
}

const AGENT_URI = new RegExp(`^URI:spiffe://([^/]+)/agent/(${ID_PATTERN.slice(1, -1)})$`)

/**
 * The agent of this trust domain that a subject-alternative-name text (as Node writes it) names; null unless it names
 * exactly one. Text with quotes is refused: inside of them a comma does not part names.
 */
export function agentOfNames(names: string, domain: string): string | null {
  if (names.includes('"')) return null
  const uris = names.split(', ').filter((name) => name.startsWith('URI:'))
  const match = uris.length === 1 ? AGENT_URI.exec(uris[0]!) : null
  return match !== null && match[1] === domain ? match[2]! : null
}

/** When the certificate of the far end ends; null when that cannot be read. */
function certificateUntil(socket: Socket): Micros | null {
  const untilMs = Date.parse((socket as TLSSocket).getPeerX509Certificate?.()?.validTo ?? '')
  return Number.isNaN(untilMs) ? null : microsFromMillis(untilMs)
}

function certifiedAgent(request: FastifyRequest, { deployment, realm }: AgentsOptions): string | null {
  return agentOfNames(namesOf(request), trustDomain(deployment, realm))
}

function namesOf(request: FastifyRequest): string {
  const socket = request.raw.socket as TLSSocket
  if (socket.authorized !== true) return ''
  return socket.getPeerX509Certificate()?.subjectAltName ?? ''
}
