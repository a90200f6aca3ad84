import type { MetricSource } from '../shared/lib/metrics.ts'
import type { StoreWatch } from './store-watch.ts'
import type { AgentsListener } from './ws/agents.ts'

/** What `/metrics` of the collector shows, read from where it is counted anyway. */
export function collectorMetrics(agents: AgentsListener, watch: StoreWatch): MetricSource[] {
  return [
    {
      name: 'hb_collector_turned_away_total',
      help: 'Connections of agents that were not let in since the start, by error code and detail.',
      kind: 'counter',
      labels: ['code', 'detail'],
      read: () => agents.door.counts().map(({ count, ...labels }) => ({ value: count, labels })),
    },
    {
      name: 'hb_collector_entering',
      help: 'Connections that are no session yet.',
      kind: 'gauge',
      read: () => [{ value: agents.door.entering }],
    },
    {
      name: 'hb_collector_sessions',
      help: 'Connections that were let in.',
      kind: 'gauge',
      read: () => [{ value: agents.sessions }],
    },
    {
      name: 'hb_collector_store_findings',
      help: 'What was not as it was stored when everything was last proved anew.',
      kind: 'gauge',
      read: () => [{ value: watch.found }],
    },
    {
      name: 'hb_collector_store_checked_timestamp_seconds',
      help: 'When everything stored was last proved anew, since 1970; 0 before the first time.',
      kind: 'gauge',
      read: () => [{ value: watch.checkedUs / 1e6 }],
    },
  ]
}
