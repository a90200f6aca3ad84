import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client'
import { createSmallServer, type SmallServer } from './http-listen.ts'

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
  detail(): Readonly<Record<string, unknown>>
  metrics: readonly MetricSource[]
}>

/**
 * `/live`: the process answers. `/ready`: it journals, decides and keeps what it decides; otherwise 503 and why.
 * `/metrics`: Prometheus text. `/top`: what `hb top` shows. Nothing here changes anything.
 */
export interface HealthServer {
  start(): Promise<string>
  stop(): Promise<void>
}

export function createHealthServer(options: HealthOptions): HealthServer {
  let server: SmallServer | null = null
  return {
    async start() {
      const registry = new Registry()
      collectDefaultMetrics({ register: registry, prefix: 'hb_process_' })
      for (const source of options.metrics) register(registry, source)
      server = createSmallServer({
        'GET /live': () => ({ code: 200, body: { live: true } }),
        'GET /ready': () => {
          const reasons = options.ready()
          const ready = reasons.length === 0
          return { code: ready ? 200 : 503, body: { ready, reasons, ...options.status() } }
        },
        'GET /top': () => ({ code: 200, body: options.detail() }),
        'GET /metrics': async () => ({ code: 200, type: registry.contentType, body: await registry.metrics() }),
      })
      return server.listen({ host: options.host, port: options.port })
    },
    async stop() {
      await server?.close()
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
