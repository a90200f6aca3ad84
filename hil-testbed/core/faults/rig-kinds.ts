import { type FaultKind, kindsOf, millis, named, number, share, whole, word } from './kind.ts'

/** Programs, disks, machines and people around the telemetry: what the runner of a scenario carries out. */
const COMPUTE = kindsOf('compute', ['agent'], 'runner', {
  kill: {
    about: 'the agent is killed as by `kill -9`, and started again on the same state',
    params: [
      word(
        'at',
        ['now', 'ready', 'PROPOSED', 'GATE_PASSED', 'RELEASED', 'SENT', 'ACCEPTED', 'STARTED', 'COMPLETED', 'VERIFIED'],
        'at its onset, when it is next ready, or when it next writes that an action has come to this state',
      ),
      millis('restart_ms', 500, 'until it is started again'),
    ],
  },
  pause: { about: 'the agent is stopped by SIGSTOP for the duration, and goes on' },
  stall: {
    about: 'its event loop stands again and again, as in a long collection of garbage',
    params: [millis('stall_ms', 50, 'how long'), millis('every_ms', 500, 'from one to the next')],
  },
  worker_crash: {
    about: 'a thread that evaluates rigs ends, and the agent with it; it is started again on the same state',
    params: [
      whole('worker', '', 0, [0, 255], 'which, in the order they were started'),
      millis('restart_ms', 500, 'until it is started again'),
    ],
  },
  oom_cap: {
    about: 'the agent is started again with little memory',
    params: [whole('heap_mb', 'MB', 32, [8, 65_536], 'limit of its old generation')],
  },
  fd_exhaustion: {
    about: 'the agent can open no file and no connection that it has not',
    params: [whole('fds', '', 3, [3, 1_048_576], 'how many it may have open')],
  },
})

const STORAGE = kindsOf('storage', ['agent'], 'runner', {
  full: {
    about: 'the disk of the state folder is full',
    params: [whole('left_kb', 'kB', 0, [0, 1e9], 'what is left of it')],
  },
  read_only: { about: 'the agent is killed, and started again where it may not write its state; then where it may' },
  torn_write: {
    about: 'the agent dies in a write, and is started again: the last record of a file is cut',
    params: [
      word('file', ['journal', 'outbox', 'ledger', 'checkpoint'], 'which'),
      whole('cut_bytes', 'B', 7, [1, 65_536], 'what is missing at its end'),
    ],
  },
  fsync_failure: {
    about: 'the disk does not say that it has written',
    params: [word('errno', ['EIO', 'ENOSPC', 'EDQUOT'], 'what it says instead')],
  },
  corrupt_ledger_page: {
    about: 'a page of the ledger of actions is damaged while the agent is down',
    params: [whole('page', '', 2, [1, 1e6], 'which, from 1')],
  },
  lost_checkpoint: { about: 'the checkpoint is gone when the agent is started again' },
})

const ACTUATOR = kindsOf('actuator', ['actuator'], 'runner', {
  no_ack: { about: 'does nothing and says nothing' },
  nack: { about: 'refuses', params: [named('reason', 'text', 'refused', 'with these words')] },
  late_ack: { about: 'does it and says so late', params: [millis('late_ms', 1000, 'how much')] },
  ack_without_effect: { about: 'says that it has done it, and has not' },
  effect_without_ack: { about: 'does it and says nothing' },
  partial: {
    about: 'does part of it',
    params: [number('effect', '', 0.5, [0, 1], 'share of the effect that comes')],
    grows: ['effect'],
  },
  stuck: { about: 'stays where it is, and says that it has begun' },
  reversed: { about: 'does the opposite: of each input as far from one end as it should be from the other' },
  double_execution: { about: 'does it twice' },
  forget_keys: { about: 'has forgotten what it did, and does it again when it is asked again' },
  slow: { about: 'takes longer for each stage', params: [millis('late_ms', 1000, 'how much')] },
})

const PEER = kindsOf('peer', ['peer'], 'runner', {
  down: { about: 'is not there' },
  slow: { about: 'answers late', params: [millis('late_ms', 2000, 'how much')] },
  drop: {
    about: 'loses requests, and answers none of them',
    params: [
      number('share', '', 0.5, [0, 1], 'share of the requests that it loses: one of so many, the first to begin with'),
    ],
    grows: ['share'],
  },
  nack: { about: 'refuses actions', params: [named('reason', 'text', 'refused', 'with these words')] },
  version_skew: {
    about: 'speaks another version of the contract',
    params: [whole('version', '', 99, [0, 1e6], 'which')],
  },
  conflicting_command: {
    about: 'asks for a mode that contradicts what the agent does',
    params: [word('mode', ['nominal', 'startup', 'degraded', 'fallback', 'emergency', 'maintenance', 'test'], 'which')],
  },
  revoked_key: { about: 'has a key that is not, or not any longer, the one in the configuration' },
})

const COLLECTOR = kindsOf('collector', ['collector'], 'runner', {
  down: { about: 'is not there' },
  slow: { about: 'answers late', params: [millis('late_ms', 2000, 'how much')] },
  partition: { about: 'the link is cut for the duration' },
  half_open: { about: 'the link looks well to both ends, and nothing comes through for the duration' },
  duplicate_after_reconnect: {
    about: 'the link is cut, and what was sent before comes to the collector again',
    params: [whole('again', '', 10, [1, 1000], 'messages that are repeated')],
  },
  version_skew: {
    about: 'speaks another version of the protocol',
    params: [whole('version', '', 99, [2, 1e6], 'which')],
  },
  conflicting_command: {
    about: 'asks for a bundle to be taken back that is not in force, or what is not for it to ask',
    params: [
      word(
        'how',
        ['not_in_force', 'other_key', 'other_agent'],
        'as it should but for that, by a key that is not its own, or of another agent',
      ),
    ],
  },
  revoked_certificate: { about: 'has revoked the certificate of the agent' },
  stale_policy_push: {
    about: 'offers a bundle that is older than the one in force',
    params: [whole('versions', '', 1, [1, 100], 'how old')],
  },
})

const CONFIG = kindsOf('config', ['config'], 'runner', {
  wrong_signature: { about: 'is signed by a key that is not trusted' },
  swapped_baseline: {
    about: 'the baseline is that of another rig',
    params: [named('of', 'text', 'another-rig', 'which')],
  },
  decayed_baseline: { about: 'the baseline is old', params: [whole('age_d', 'd', 400, [1, 36_500], 'how old')] },
  mapping_error: {
    about: 'two channels have each other’s metrics',
    params: [named('one', 'channel', null, 'channel'), named('other', 'channel', null, 'the other one')],
  },
  inverted_limits: {
    about: 'least and most of a metric have changed places',
    params: [named('metric', 'text', null, 'which')],
  },
  partial_bundle: {
    about: 'a file of the bundle is missing',
    params: [word('missing', ['policy', 'registry', 'baseline'], 'which')],
  },
})

const OPERATOR = kindsOf('operator', ['operator'], 'runner', {
  double_click: { about: 'gives the same order twice', params: [millis('gap_ms', 20, 'between the two')] },
  ack_old_occurrence: {
    about: 'acknowledges an alarm as it was before it came again',
    params: [named('alarm', 'text', null, 'which')],
  },
  same_person_approves: { about: 'approves what the same person asked for' },
  expired_approval: {
    about: 'approves when the order has run out',
    params: [millis('late_ms', 1000, 'how much after')],
  },
  approve_after_change: { about: 'approves what has changed since it was shown' },
  shelve_during_escalation: {
    about: 'shelves an alarm that is being escalated',
    params: [named('alarm', 'text', null, 'which'), number('for_s', 's', 600, [1, 86_400], 'how long')],
  },
})

const SECURITY = [
  ...kindsOf('security', ['agent'], 'runner', {
    replayed_batch: {
      about: 'signed batches of before are sent to the collector again',
      params: [whole('batches', '', 3, [1, 1000], 'how many')],
    },
    clock_spoof: {
      about:
        'somebody turns the wall clock of the machine of the agent (on the wall only, with the library of `faketime`)',
      params: [number('offset_ms', 'ms', 60_000, [-3.2e12, 3.2e12], 'how far ahead')],
    },
  }),
  ...kindsOf('security', ['source'], 'runner', {
    forged_taint: {
      about: 'the mark of injected data is made with a key that is not the bench’s, or left out',
      params: [word('how', ['wrong_key', 'left_out', 'other_channels'], 'which')],
    },
  }),
  ...kindsOf('security', ['operator'], 'runner', {
    suppression_flood: {
      about: 'orders that shelve alarms come in numbers',
      params: [
        named('alarm', 'text', null, 'which'),
        number('rate', '1/s', 20, [0.1, 10_000], 'how many a second'),
        number('for_s', 's', 3600, [1, 86_400], 'shelved for'),
      ],
    },
  }),
]

export const RIG_KINDS: readonly FaultKind[] = [
  ...COMPUTE,
  ...STORAGE,
  ...ACTUATOR,
  ...PEER,
  ...COLLECTOR,
  ...CONFIG,
  ...OPERATOR,
  ...SECURITY,
]

/** What only a file can have; its rows are as frames, so that `comms` faults drop, repeat and reorder them. */
export const RECORDING_KINDS: readonly FaultKind[] = kindsOf('recording', ['recording'], 'file', {
  rename_column: {
    about: 'a column has another name',
    params: [named('column', 'channel', null, 'which'), named('to', 'text', null, 'its new name')],
  },
  drop_column: { about: 'a column is not there', params: [named('column', 'channel', null, 'which')] },
  corrupt_cells: {
    about: 'cells hold what is no number',
    params: [share(0.05, 'cells'), named('text', 'text', '#ERR', 'what they hold')],
    grows: ['share'],
  },
})
