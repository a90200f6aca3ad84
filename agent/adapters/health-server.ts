import { createMetricsPage, type MetricSource } from '../../shared/lib/metrics.ts'
import { createSmallServer, type SmallServer } from './http-listen.ts'

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
  const turnedAway: MetricSource = {
    name: 'hb_connections_turned_away_total',
    help: 'Connections to the health server that were closed because too many were open.',
    kind: 'counter',
    read: () => [{ value: server?.turnedAway ?? 0 }],
  }
  return {
    async start() {
      const page = createMetricsPage([...options.metrics, turnedAway])
      server = createSmallServer({
        'GET /live': () => ({ code: 200, body: { live: true } }),
        'GET /ready': () => {
          const reasons = options.ready()
          const ready = reasons.length === 0
          return { code: ready ? 200 : 503, body: { ready, reasons, ...options.status() } }
        },
        'GET /top': () => ({ code: 200, body: options.detail() }),
        'GET /metrics': async () => ({ code: 200, type: page.contentType, body: await page.text() }),
      })
      return server.listen({ host: options.host, port: options.port })
    },
    async stop() {
      await server?.close()
    },
  }
}
