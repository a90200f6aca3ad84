import type { Clock } from '../shared/lib/clock.ts'
import type { MetricSource } from '../shared/lib/metrics.ts'
import { REQUEST_STATUSES, type RequestStatus } from '../shared/model/baseline-book.ts'
import { alarmMetrics } from './alarm-metrics.ts'
import type { BaselineBook, InForce } from './baselines.ts'
import type { AlarmContext } from './http/alarm-views.ts'
import type { BaselineContext } from './http/baseline-views.ts'
import type { StoreWatch } from './store-watch.ts'
import type { AgentsListener } from './ws/agents.ts'

export type MeasuredBaselines = BaselineContext & Readonly<{ clock: Pick<Clock, 'nowUs'> }>

/** What `/metrics` of the collector shows, read from where it is counted anyway. */
export function collectorMetrics(
  agents: AgentsListener,
  watch: StoreWatch,
  baselines: MeasuredBaselines,
  alarming: AlarmContext,
): MetricSource[] {
  return [
    ...alarmMetrics(alarming),
    ...baselineMetrics(baselines),
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

/** Of golden and rolling baselines that count now. Labels are what operators signed. */
function baselineMetrics({ book, decay, clock }: MeasuredBaselines): MetricSource[] {
  const labels = ['program', 'rig', 'mode', 'role']
  const each = (value: (one: InForce) => number) => () =>
    book.inForce(clock.nowUs()).map((one) => {
      const { program, rig, family, mode } = one.record.facts
      return { value: value(one), labels: { program, rig: rig === '' ? family : rig, mode, role: one.role } }
    })
  const left = ({ digest }: InForce): number =>
    Math.min(decay.found.get(digest)?.factor ?? 1, book.log.state.decay.get(digest)?.factor ?? 1)
  return [
    {
      name: 'hb_baseline_confidence',
      help: 'Confidence of the baseline in force, less what has decayed.',
      kind: 'gauge',
      labels,
      read: each((one) => one.record.gate.confidence * left(one)),
    },
    {
      name: 'hb_baseline_decay_factor',
      help: 'What decay leaves of that confidence: the least of what operators said and what was last computed.',
      kind: 'gauge',
      labels,
      read: each(left),
    },
    {
      name: 'hb_baseline_decay_age_seconds',
      help: 'How old the data of the baseline in force is.',
      kind: 'gauge',
      labels,
      read: each(({ record }) => Math.max(0, clock.nowUs() - record.toUs) / 1e6),
    },
    {
      name: 'hb_baseline_requests',
      help: 'Proposals of baselines by where they stand.',
      kind: 'gauge',
      labels: ['status'],
      read: () => REQUEST_STATUSES.map((status) => ({ value: withStatus(book, status), labels: { status } })),
    },
    {
      name: 'hb_baseline_book_damaged',
      help: '1 when the book of baselines cannot be read, so that nothing is told or sent of it.',
      kind: 'gauge',
      read: () => [{ value: book.damage === null ? 0 : 1 }],
    },
  ]
}

function withStatus({ log }: BaselineBook, status: RequestStatus): number {
  return [...log.state.requests.values()].filter((request) => request.status === status).length
}
