import { chmodSync, existsSync, unlinkSync } from 'node:fs'
import { type Static, type TSchema, Type } from 'typebox'
import { Value } from 'typebox/value'
import { CONFIG_BUNDLE_BYTES_MAX } from '../../shared/codec/config-bundle.ts'
import { BundleError } from '../../shared/errors/bundle-error.ts'
import { isHbError } from '../../shared/errors/hb-error.ts'
import { askControl, CONTROL_SOCKET, withShortPath } from '../../shared/lib/control-socket.ts'
import { BODY_BYTES_MAX, createSmallServer, type HttpAnswer, type HttpRoutes } from './http-listen.ts'

const ANSWER_WITHIN_MS = 5000
/** A bundle with large baselines is checked for seconds. */
const BUNDLE_ANSWER_WITHIN_MS = 60_000

export type RunCommand = Readonly<{
  command: 'start' | 'stop' | 'note'
  rig: string | null
  article: string
  procedure: string
  operator: string
  note: string
}>
export type ChannelCommand = Readonly<{
  command: 'replace'
  rig: string | null
  channel: string
  serial: string
  cal_date: string
  cal_due: string
  operator: string
  reason: string
}>
export type ControlAnswers = Readonly<{
  run(command: RunCommand): Readonly<Record<string, unknown>>
  channel(command: ChannelCommand): Readonly<Record<string, unknown>>
  status(): Readonly<Record<string, unknown>>
  /** The same with every channel, source and queue. */
  detail(): Readonly<Record<string, unknown>>
  /** What a person who is about to sign an order must be shown. */
  orders(): Readonly<Record<string, unknown>>
  /** Alarms of the rigs: how they stand, what was said of them, and what they ask of people. */
  alarms(): Readonly<Record<string, unknown>>
  /** Takes a signed order. */
  order(signed: Uint8Array): Promise<Readonly<Record<string, unknown>>>
  /** Takes a signed bundle of a configuration, whole or not at all. */
  bundle(bytes: Uint8Array): Promise<Readonly<Record<string, unknown>>>
  /** Proves the path to a target. */
  proof(target: string): Promise<Readonly<Record<string, unknown>>>
  /** Takes receipts that came on a stick, all of them or none. */
  receipts(list: readonly Uint8Array[]): Promise<Readonly<Record<string, unknown>>>
}>

const TEXT = Type.String({ maxLength: 1024 })
/** What was sent is taken as it is or refused: nothing is turned into something else, and no key is left out. */
const RUN = Type.Object(
  {
    command: Type.Union([Type.Literal('start'), Type.Literal('stop'), Type.Literal('note')]),
    rig: Type.Union([TEXT, Type.Null()]),
    article: TEXT,
    procedure: TEXT,
    operator: TEXT,
    note: TEXT,
  },
  { additionalProperties: false },
)

const CHANNEL = Type.Object(
  {
    command: Type.Literal('replace'),
    rig: Type.Union([TEXT, Type.Null()]),
    channel: TEXT,
    serial: TEXT,
    cal_date: TEXT,
    cal_due: TEXT,
    operator: TEXT,
    reason: TEXT,
  },
  { additionalProperties: false },
)

/** A signed order in base 64: 8 KiB of bytes. */
const ORDER = Type.Object(
  { order: Type.String({ maxLength: 10_924, pattern: '^[A-Za-z0-9+/]*=*$' }) },
  { additionalProperties: false },
)

/** A bundle in base 64. */
const BUNDLE_CHARS_MAX = 4 * Math.ceil(CONFIG_BUNDLE_BYTES_MAX / 3)
const BUNDLE = Type.Object({ bundle: Type.String({ maxLength: BUNDLE_CHARS_MAX }) }, { additionalProperties: false })
const PROOF = Type.Object({ target: TEXT }, { additionalProperties: false })

/** Receipts in one request; a longer list is sent in parts. */
export const RECEIPTS_AT_ONCE_MAX = 64
const RECEIPTS = Type.Object(
  {
    receipts: Type.Array(Type.String({ maxLength: 4096, pattern: '^[A-Za-z0-9+/]*=*$' }), {
      maxItems: RECEIPTS_AT_ONCE_MAX,
    }),
  },
  { additionalProperties: false },
)

/**
 * Commands for a running agent, over a socket in its state folder: whoever may use the folder may use the socket, nobody
 * else can, and nothing listens on a network.
 */
export function createControlServer(
  folder: string,
  answers: ControlAnswers,
): { start(): Promise<void>; stop(): Promise<void> } {
  const routes: HttpRoutes = {
    'POST /run': (body) => refusable(RUN, body, (order) => answers.run(order)),
    'POST /channel': (body) => refusable(CHANNEL, body, (order) => answers.channel(order)),
    'POST /receipts': (body) =>
      refusable(RECEIPTS, body, ({ receipts }) =>
        answers.receipts(receipts.map((text) => new Uint8Array(Buffer.from(text, 'base64')))),
      ),
    'POST /orders': (body) =>
      refusable(ORDER, body, ({ order }) => answers.order(new Uint8Array(Buffer.from(order, 'base64')))),
    'POST /bundle': (body) =>
      refusable(BUNDLE, body, ({ bundle }) => answers.bundle(new Uint8Array(Buffer.from(bundle, 'base64')))),
    'POST /proof': (body) => refusable(PROOF, body, ({ target }) => answers.proof(target)),
    'GET /orders': () => ({ code: 200, body: answers.orders() }),
    'GET /alarms': () => ({ code: 200, body: answers.alarms() }),
    'GET /status': () => ({ code: 200, body: answers.status() }),
    'GET /top': () => ({ code: 200, body: answers.detail() }),
  }
  const server = createSmallServer(routes, { 'POST /bundle': BUNDLE_CHARS_MAX + BODY_BYTES_MAX })
  return {
    async start() {
      const path = `${folder}/${CONTROL_SOCKET}`
      // Left behind by a killed process; the lock of the folder says that nobody answers there.
      if (existsSync(path)) unlinkSync(path)
      await withShortPath(folder, (short) => server.listen({ path: short }))
      chmodSync(path, 0o600)
    },
    stop: () => server.close(),
  }
}

/** Does what is asked when its shape is right; a refusal is an answer. */
async function refusable<T extends TSchema>(
  shape: T,
  body: unknown,
  act: (asked: Static<T>) => Answered | Promise<Answered>,
): Promise<HttpAnswer> {
  if (!Value.Check(shape, body)) return { code: 400, body: { code: 'USAGE', context: { found: wrongAt(shape, body) } } }
  try {
    return { code: 200, body: await act(body) }
  } catch (error) {
    if (error instanceof BundleError) return { code: 409, body: { code: error.code, problems: error.problems } }
    if (isHbError(error)) return { code: 409, body: { code: error.code, context: error.context } }
    throw error
  }
}

type Answered = Readonly<Record<string, unknown>>

function wrongAt(shape: TSchema, body: unknown): string {
  return [...Value.Errors(shape, body)].map(({ instancePath, message }) => `${instancePath} ${message}`).join('; ')
}

/** @throws HbError AGENT_NOT_RUNNING, or what the agent refused with. */
export function askAgent(
  folder: string,
  path: '/run' | '/channel' | '/proof' | '/orders' | '/bundle' | '/receipts' | '/status' | '/top' | '/alarms',
  body?:
    | Readonly<{ target: string }>
    | RunCommand
    | ChannelCommand
    | Readonly<{ order: string }>
    | Readonly<{ bundle: string }>
    | Readonly<{ receipts: readonly string[] }>,
): Promise<Record<string, unknown>> {
  const withinMs = path === '/bundle' ? BUNDLE_ANSWER_WITHIN_MS : ANSWER_WITHIN_MS
  return askControl(folder, { path, body, withinMs })
}
