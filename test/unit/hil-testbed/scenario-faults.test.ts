import t from 'tap'
import { type Broken, broken, F1 } from '../../support/broken-scenarios.ts'

const KILL = 'inject: { id: F1, target: agent, class: compute.kill, restart_ms: 5000 }'

const FAULTS: readonly Broken[] = [
  [
    'two faults that start the agent again',
    F1,
    `${KILL}\n  - at: 8s\n    inject: { id: F2, target: agent, class: storage.read_only }`,
    'storage.read_only',
    'while F1 has the life of the agent',
    'is over',
  ],
  [
    'two faults of which the end of one mends the link of both',
    F1,
    'inject: { id: F1, target: collector, class: collector.half_open }\n  - at: 8s\n    inject: { id: F2, target: collector, class: collector.slow }',
    'collector.slow',
    'while F1 has the link to the collector',
    'is over',
  ],
  [
    'a clock that is turned where there is none of the wall',
    F1,
    'inject: { id: F1, target: agent, class: security.clock_spoof }',
    'security.clock_spoof',
    'in lock-step',
    'free_run',
  ],
  [
    'a thread that there is not',
    F1,
    'inject: { id: F1, target: agent, class: compute.worker_crash }',
    'worker_crash',
    'worker 0 of 0',
    'threads: 1',
  ],
  [
    'batches that no collector has',
    F1,
    'inject: { id: F1, target: agent, class: security.replayed_batch }',
    'replayed_batch',
    'without a collector',
    'collector: true',
  ],
]

t.test('faults that cannot act there, or not at once, are told with their line', (t) => broken(t, FAULTS))
