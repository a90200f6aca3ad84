import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client'

/** One number of `/metrics` under its labels. */
export type Measure = Readonly<{ value: number; labels?: Readonly<Record<string, string>> }>
export type MetricSource = Readonly<{
  name: `hb_${string}`
  help: string
  kind: 'counter' | 'gauge'
  labels?: readonly string[]
  read(): readonly Measure[]
}>

/** What `/metrics` answers: Prometheus text of the sources and of the process itself, read at the moment of asking. */
export type MetricsPage = Readonly<{ contentType: string; text(): Promise<string> }>

export function createMetricsPage(sources: readonly MetricSource[]): MetricsPage {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry, prefix: 'hb_process_' })
  for (const source of sources) register(registry, source)
  return { contentType: registry.contentType, text: () => registry.metrics() }
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
