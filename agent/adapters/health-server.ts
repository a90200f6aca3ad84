import { type FastifyInstance, fastify } from 'fastify'
import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client'
import { listenAt } from './http-listen.ts'

/** One number of `/metrics` under its labels. */
export type Measure = Readonly<{ value: number; labels?: Readonly<Record<string, string>> }>
export type MetricSource = Readonly<{
  name: `hb_${string}`
  help: string
  kind: 'counter' | 'gauge'
  labels?: readonly string[]
  read(): readonly Measure[]
}>

/** Why an agent is not ready, in words; empty when it is. */
export type Readiness = () => readonly Readonly<{ code: string; detail: string }>[]

export type HealthOptions = Readonly<{
  host: string
  port: number
  ready: Readiness
  status(): Readonly<Record<string, unknown>>
  metrics: readonly MetricSource[]
}>

/**
 * `/live`: the process answers. `/ready`: it journals, decides and keeps what it decides; otherwise 503 and why.
 * `/metrics`: Prometheus text. Nothing here changes anything.
 */
export interface HealthServer {
  start(): Promise<string>
  stop(): Promise<void>
}

export function createHealthServer(options: HealthOptions): HealthServer {
  let app: FastifyInstance | null = null
  return {
    async start() {
      const registry = new Registry()
      collectDefaultMetrics({ register: registry, prefix: 'hb_process_' })
      for (const source of options.metrics) register(registry, source)
      app = fastify({ logger: false, forceCloseConnections: true, bodyLimit: 1024 })
      app.get('/live', async () => ({ live: true }))
      app.get('/ready', async (_request, reply) => {
        const reasons = options.ready()
        return reply
          .code(reasons.length === 0 ? 200 : 503)
          .send({ ready: reasons.length === 0, reasons, ...options.status() })
      })
      app.get('/metrics', async (_request, reply) => reply.type(registry.contentType).send(await registry.metrics()))
      return listenAt(app, options)
    },
    async stop() {
      await app?.close()
    },
  }
}

function register(registry: Registry, { name, help, kind, labels = [], read }: MetricSource): void {
  const common = { name, help, labelNames: [...labels], registers: [registry] }
  if (kind === 'gauge') {
    new Gauge({
      ...common,
      collect() {
        this.reset()
        for (const { value, labels: named = {} } of read()) this.set(named, value)
      },
    })
    return
  }
  // Read from where it is counted anyway: a second counter could say something else.
  new Counter({
    ...common,
    collect() {
      this.reset()
      for (const { value, labels: named = {} } of read()) this.inc(named, value)
    },
  })
}
