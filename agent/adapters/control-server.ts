import { chmodSync, closeSync, existsSync, openSync, unlinkSync } from 'node:fs'
import { request } from 'node:http'
import { type FastifyInstance, fastify } from 'fastify'
import { ERRORS, type ErrorCode } from '../../shared/errors/catalog.ts'
import { HbError, isHbError } from '../../shared/errors/hb-error.ts'

const SOCKET = 'control.sock'
/** Longest command and answer. */
const BODY_BYTES_MAX = 64 * 1024
const ANSWER_WITHIN_MS = 5000

export type RunCommand = Readonly<{
  command: 'start' | 'stop' | 'note'
  rig: string | null
  article: string
  procedure: string
  operator: string
  note: string
}>
export type ControlAnswers = Readonly<{
  run(command: RunCommand): Readonly<Record<string, unknown>>
  status(): Readonly<Record<string, unknown>>
}>

const TEXT = { type: 'string', maxLength: 1024 } as const
const RUN_SCHEMA = {
  body: {
    type: 'object',
    required: ['command', 'rig', 'article', 'procedure', 'operator', 'note'],
    additionalProperties: false,
    properties: {
      command: { enum: ['start', 'stop', 'note'] },
      rig: { anyOf: [TEXT, { type: 'null' }] },
      article: TEXT,
      procedure: TEXT,
      operator: TEXT,
      note: TEXT,
    },
  },
} as const

/**
 * Commands for a running agent, over a socket in its state folder: whoever may use the folder may use the socket, nobody
 * else can, and nothing listens on a network.
 */
export function createControlServer(
  folder: string,
  answers: ControlAnswers,
): { start(): Promise<void>; stop(): Promise<void> } {
  let app: FastifyInstance | null = null
  return {
    async start() {
      const path = `${folder}/${SOCKET}`
      // Left behind by a killed process; the lock of the folder says that nobody answers there.
      if (existsSync(path)) unlinkSync(path)
      // What was sent is taken as it is or refused: by default null would become an empty text.
      const ajv = { customOptions: { coerceTypes: false, removeAdditional: false } } as const
      app = fastify({ logger: false, forceCloseConnections: true, bodyLimit: BODY_BYTES_MAX, ajv })
      app.setErrorHandler((error, _request, reply) =>
        isHbError(error)
          ? reply.code(409).send({ code: error.code, context: error.context })
          : reply.code(400).send({ code: 'USAGE', context: { found: (error as Error).message } }),
      )
      app.post<{ Body: RunCommand }>('/run', { schema: RUN_SCHEMA }, async (request) => answers.run(request.body))
      app.get('/status', async () => answers.status())
      await withShortPath(folder, (short) => app!.listen({ path: short }))
      chmodSync(path, 0o600)
    },
    async stop() {
      await app?.close()
    },
  }
}

/** @throws HbError AGENT_NOT_RUNNING, or what the agent refused with. */
export function askAgent(
  folder: string,
  path: '/run' | '/status',
  body?: RunCommand,
): Promise<Record<string, unknown>> {
  return withShortPath(
    folder,
    (socketPath) =>
      new Promise((resolve, reject) => {
        const asked = request(
          {
            socketPath,
            path,
            method: body === undefined ? 'GET' : 'POST',
            headers: { 'content-type': 'application/json' },
            timeout: ANSWER_WITHIN_MS,
          },
          (response) => {
            const parts: Buffer[] = []
            response.on('data', (part: Buffer) => parts.push(part))
            response.on('end', () => {
              const answer = JSON.parse(Buffer.concat(parts).toString('utf8')) as Record<string, unknown>
              if (response.statusCode === 200) resolve(answer)
              else reject(new HbError(codeOf(answer['code']), answer['context'] as Record<string, string>))
            })
          },
        )
        asked.on('timeout', () => asked.destroy(new Error('no answer')))
        asked.on('error', (cause) =>
          reject(new HbError('AGENT_NOT_RUNNING', { state: folder, reason: cause.message }, { cause })),
        )
        asked.end(body === undefined ? undefined : JSON.stringify(body))
      }),
  )
}

function codeOf(code: unknown): ErrorCode {
  return typeof code === 'string' && Object.hasOwn(ERRORS, code) ? (code as ErrorCode) : 'USAGE'
}

/** A socket's path holds 107 bytes; that of an open folder is always shorter (proc(5), `/proc/self/fd`). */
async function withShortPath<T>(folder: string, use: (path: string) => Promise<T>): Promise<T> {
  let fd: number
  try {
    fd = openSync(folder, 'r')
  } catch (cause) {
    throw new HbError('STATE_MISSING', { path: folder }, { cause })
  }
  try {
    return await use(`/proc/self/fd/${fd}/${SOCKET}`)
  } finally {
    closeSync(fd)
  }
}
