import type { RouteOptions } from 'fastify'
import type { TSchema } from 'typebox'
import { invariant } from '../../shared/lib/assert.ts'
import { Refused } from './answers.ts'

/** Version of the interfaces below `/api`, not of the program. */
const API_VERSION = '1'
const OPENAPI_VERSION = '3.1.0'

/** What a route says of itself beside its schema. */
export type RouteFacts = Readonly<
  { url: string; method: 'get' | 'post'; summary: string; permission: string | null } & RouteSchemas
>
type RouteSchemas = Readonly<{
  params: ObjectSchema | null
  query: ObjectSchema | null
  answers: Readonly<Record<number, TSchema>>
}>
type ObjectSchema = Readonly<{ properties?: Readonly<Record<string, unknown>>; required?: readonly string[] }>
/** Permissions of routes that take what operators have signed. */
const SAYING: readonly unknown[] = ['baseline:say', 'alarm:say', 'rollout:say']

type Json = Readonly<Record<string, unknown>>

/** Facts of a route as it is registered; null for the files of the page, which are no interface, and for HEAD. */
export function routeFacts({ method, url, schema, config, websocket }: RouteOptions): RouteFacts | null {
  if (url.includes('*') || config?.page === true || method === 'HEAD') return null
  const writes = method === 'POST' && SAYING.includes(config?.permission)
  invariant(method === 'GET' || writes, `${url}: only what operators have signed is taken here`)
  const summary = schema?.summary
  invariant(summary !== undefined, `${url} does not say what it is`)
  const answers = config?.answers ?? {}
  invariant(websocket === true || Object.keys(answers).length > 0, `${url} does not say what it answers`)
  return {
    url,
    method: writes ? 'post' : 'get',
    summary,
    permission: config?.permission ?? null,
    params: (schema?.params as ObjectSchema | undefined) ?? null,
    query: (schema?.querystring as ObjectSchema | undefined) ?? null,
    answers,
  }
}

/** The document of all routes, in order of their paths. Everything in it comes from what the routes are served with. */
export function openApiDocument(routes: readonly RouteFacts[]): Json {
  const sorted = [...routes].sort((a, b) => (a.url < b.url ? -1 : 1))
  return {
    openapi: OPENAPI_VERSION,
    info: {
      title: 'Harmony Bridge collector',
      version: API_VERSION,
      description:
        'Reading what a collector knows, and handing in what operators have signed about baselines, alarms and rollouts. Served on loopback only; times are whole microseconds since 1970, UTC. The files of the page are not part of it.',
      license: { name: 'Apache-2.0' },
    },
    paths: pathsOf(sorted),
    components: { schemas: { Refused: plain(Refused) } },
  }
}

function pathsOf(routes: readonly RouteFacts[]): Json {
  const paths: Record<string, Record<string, Json>> = {}
  for (const route of routes) {
    const path = pathOf(route.url)
    paths[path] = { ...paths[path], [route.method]: operationOf(route) }
  }
  return paths
}

function operationOf({ url, method, summary, permission, params, query, answers }: RouteFacts): Json {
  const refused = { description: 'Refused, with the reason', content: jsonOf({ $ref: '#/components/schemas/Refused' }) }
  const given = Object.entries(answers).map(([status, schema]) => [
    status,
    { description: (schema as { description?: string }).description ?? summary, content: contentOf(schema) },
  ])
  const live = { '101': { description: 'A WebSocket: JSON messages, the fleet first' } }
  return {
    operationId: `${method === 'post' ? 'say ' : ''}${pathOf(url)}`
      .replace(/[^A-Za-z]+/g, ' ')
      .trim()
      .replaceAll(' ', '_'),
    summary,
    ...(permission === null ? {} : { 'x-permission': permission }),
    parameters: [...parametersOf(params, 'path'), ...parametersOf(query, 'query')],
    ...(method === 'post' ? { requestBody: SIGNED_BODY } : {}),
    responses: { ...(given.length === 0 ? live : Object.fromEntries(given)), default: refused },
  }
}

/** Signed bytes as they are. */
const SIGNED_BODY = {
  required: true,
  content: { 'application/octet-stream': { schema: { type: 'string', format: 'binary' } } },
}

function parametersOf(schema: ObjectSchema | null, place: 'path' | 'query'): Json[] {
  return Object.entries(schema?.properties ?? {}).map(([name, part]) => ({
    name,
    in: place,
    required: place === 'path' || schema?.required?.includes(name) === true,
    schema: plain(part),
  }))
}

/** What is text is served as text; everything else is JSON. */
function contentOf(schema: TSchema): Json {
  const { type, format } = schema as { type?: string; format?: string }
  if (format === 'binary') return { 'application/octet-stream': { schema: plain(schema) } }
  return type === 'string' ? { 'text/plain': { schema: plain(schema) } } : jsonOf(plain(schema))
}

function jsonOf(schema: unknown): Json {
  return { 'application/json': { schema } }
}

/** `/decisions/:id` as OpenAPI writes it. */
function pathOf(url: string): string {
  return url.replace(/:([A-Za-z]+)/g, '{$1}')
}

/** Without what is the schema library's own. */
function plain(schema: unknown): unknown {
  return JSON.parse(JSON.stringify(schema))
}
