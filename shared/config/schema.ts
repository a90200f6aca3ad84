import { Type } from 'typebox'
import { REALMS } from '../model/realm.ts'
import { MODES } from '../model/verdict.ts'
import { CollectorAlarmsSchema } from './collector-alarm-schema.ts'
import { TargetExecutorSchema } from './executor-schema.ts'
import { GovernanceSchema, OperatorsSchema } from './operator-schema.ts'
import { PeerSchema } from './peer-schema.ts'
import { closed, file, id, ms, oneOf, REALM_TEXT } from './schema-parts.ts'
import {
  CsvSourceSchema,
  HostSourceSchema,
  LOCKSTEP_ENDPOINT_PATTERN,
  MqttSourceSchema,
  StdinSourceSchema,
  TailSourceSchema,
  ZmqSourceSchema,
} from './source-schema.ts'

export { MetricSchema, RegistrySchema } from './registry-schema.ts'

/** Targets of one agent. */
export const EXECUTORS_MAX = 256
const HOUR_MS = 3_600_000
const GIB = 1_073_741_824
/** Rigs of one agent; sources of one rig. */
export const RIGS_MAX = 64
export const SOURCES_MAX = 32
const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug'] as const
const LOOPBACK = '127.0.0.1'

/**
 * Every key of every configuration file: its type, range, default and meaning. The types of the code, the checks of the
 * loader and `docs/reference/config.md` all come from here. Units stand in the names.
 */
const text = (description: string) => Type.Optional(Type.String({ minLength: 1, maxLength: 256, description }))

const realm = oneOf(REALMS, REALM_TEXT, 'production')

export const RigSchema = closed({
  rig: id('Name of the rig; the topic of its telemetry.'),
  program: id('Test programme the rig belongs to; picks the overrides of the registry.'),
  family: Type.Optional(id('Rigs that are alike enough to share a baseline.')),
  registry_file: file('Metric registry.'),
  equivalence_file: Type.Optional(
    file(
      'Equivalence mapping (`equivalence_mapping.yaml`): channels of another platform under the names of the registry.',
    ),
  ),
  platform: Type.Optional(
    id('Platform whose channel names arrive: mappings of another `source_platform` do not apply.'),
  ),
  baseline_file: Type.Optional(
    file('Baseline (`.hbb`) to compare with: hard gates, slow creep, and events too unless there is a rolling one.'),
  ),
  rolling_baseline_file: Type.Optional(file('Younger baseline (`.hbb`) that events are told by.')),
  mode_baseline_files: Type.Optional(
    Type.Record(Type.String(), file('Baseline (`.hbb`) that was made in this mode.'), {
      description:
        'Baselines of other modes, by mode. A baseline says nothing of a mode it was not made in: without one the rig is NO_BASELINE there.',
    }),
  ),
  actions_policy_file: Type.Optional(
    file('What is done when (`actions_policy.yaml`). Absent: nothing is, and nobody is told but by its verdicts.'),
  ),
  testbed: Type.Boolean({
    default: false,
    description:
      'A declared testbed: simulated and injected samples count for actions, and only actuators of a testbed are driven.',
  }),
  mode_settle_ms: ms(
    'After a change of mode, how long the rig may settle; until then nothing is compared with a baseline.',
    {
      minimum: 0,
      maximum: HOUR_MS,
      default: 10_000,
    },
  ),
  detector_step_ms: Type.Optional(
    ms('Width of the step that detectors take: one mean a step of every channel. By default a second.', {
      minimum: 10,
      maximum: 600_000,
    }),
  ),
  mode: oneOf(MODES, 'Operational mode at the start.', 'nominal'),
  context: Type.Optional(
    closed(
      {
        scenario_id: text('Scenario that is run.'),
        operating_mode: text('How the article is operated; by default the mode.'),
        environment: text('`hil`, `lab`, a test stand …'),
        environment_fingerprint: text('Digest of what the environment is made of.'),
        sensor_config_id: text('Set of sensors.'),
        input_data_version: text('Version of the inputs.'),
      },
      'What the rig is doing, in the six fields that baselines are matched by. Fields left out match anything.',
    ),
  ),
  windows_ms: Type.Array(ms('Width of a window.', { minimum: 1, maximum: HOUR_MS }), {
    description: 'Widths that are evaluated; whole multiples of `slide_ms`.',
    default: [250, 1000, 10_000, 60_000],
    minItems: 1,
    maxItems: 8,
  }),
  slide_ms: ms('Time between two decisions.', { minimum: 10, maximum: 60_000, default: 50 }),
  lateness_ms: ms('How late a sample may arrive and still be evaluated.', {
    minimum: 0,
    maximum: 60_000,
    default: 200,
  }),
  max_future_ms: ms('How far ahead of the clock a sample may claim to be.', {
    minimum: 0,
    maximum: 60_000,
    default: 5000,
  }),
  late_policy: oneOf(
    ['drop', 'side_output', 'revise'] as const,
    'What becomes of samples that come too late, beside being counted: nothing; `hb journal late` lists them; or they are also evaluated a second time, and what that would have changed is recorded as a revision.',
    'drop',
  ),
  revise_within_ms: ms(
    'With `late_policy: revise`, how much later than `lateness_ms` a sample may arrive and still revise a decision. A whole multiple of `slide_ms`.',
    { minimum: 10, maximum: 60_000, default: 5000 },
  ),
  sources: Type.Array(
    Type.Union([
      ZmqSourceSchema,
      CsvSourceSchema,
      HostSourceSchema,
      StdinSourceSchema,
      TailSourceSchema,
      MqttSourceSchema,
    ]),
    {
      description: 'Where its telemetry comes from.',
      minItems: 1,
      maxItems: SOURCES_MAX,
    },
  ),
})

export const RuntimeSchema = closed({
  version: Type.Literal(1, { description: 'Version of this file.' }),
  deployment: id(
    'Name of the installation; the trust domain of certificates, with `testbed.` in front of it in that realm.',
  ),
  agent: id('Name of this agent.'),
  realm,
  injector_key_file: Type.Optional(
    file(
      'Public key of the injector of the bench, of `realm: testbed` alone: only samples that are marked with it count as injected, all other marked ones are refused.',
    ),
  ),
  clock: oneOf(
    ['system', 'recording', 'external'] as const,
    'Where time comes from: this machine, the recording a `csv` source reads, or a bench that moves it over `lockstep`; the last for testbeds alone.',
    'system',
  ),
  lockstep: Type.Optional(
    closed(
      {
        endpoint: Type.String({
          pattern: LOCKSTEP_ENDPOINT_PATTERN,
          form: 'ipc://PATH, or tcp://127.0.0.1:PORT',
          description: 'Where the agent listens for its bench, on this machine alone; one bench at a time.',
        }),
      },
      'Who moves time under `clock: external`.',
    ),
  ),
  signing_key_file: file('Ed25519 private key in PEM that signs batches; readable by its owner only.'),
  collector: Type.Optional(
    closed(
      {
        url: Type.String({
          pattern: '^wss://[^\\s/@]+/\\S*$',
          form: 'wss://HOST:PORT/agent',
          description: 'Address of the collector.',
        }),
        ca_file: file('Certificate authority of the collector.'),
        cert_file: file('Certificate of this agent.'),
        key_file: file('Private key of that certificate; readable by its owner only.'),
        collector_key_file: file('Public key that signs receipts.'),
      },
      'Where batches go. Absent: they stay in the outbox.',
    ),
  ),
  receipts_key_file: Type.Optional(
    file('Public key that signs receipts, for an agent without `collector` whose batches travel on a stick.'),
  ),
  health: Type.Optional(
    closed(
      {
        host: Type.String({ minLength: 1, default: LOOPBACK, description: 'Address to listen on.' }),
        port: Type.Integer({
          minimum: 0,
          maximum: 65_535,
          default: 9464,
          description: 'Port of `/live`, `/ready`, `/metrics` and `/top`; 0 takes any free one.',
        }),
      },
      'Health server. Absent: none.',
    ),
  ),
  peer: Type.Optional(PeerSchema),
  executors: Type.Array(TargetExecutorSchema, {
    description: 'Who carries out the actions on each target.',
    default: [],
    maxItems: EXECUTORS_MAX,
  }),
  log_level: oneOf(LOG_LEVELS, 'Least important level that is logged.', 'info'),
  evaluation: closed(
    {
      threads: Type.Integer({
        minimum: 0,
        maximum: 64,
        default: 0,
        description:
          'Threads beside the main one that evaluate rigs, at most one a rig; 0 evaluates in the main one. More than the machine has cores to spare are of no use. The same decisions come out.',
      }),
    },
    'Where rigs are evaluated.',
  ),
  decisions: closed(
    {
      batch_ms: ms('A batch is signed at the latest after this time.', { minimum: 50, maximum: 60_000, default: 1000 }),
      batch_items_max: Type.Integer({
        minimum: 1,
        maximum: 65_536,
        default: 4096,
        description: 'A batch is signed at once with this many records.',
      }),
      pass_record_every_ms: ms('Longest time between two full records while a rig is PASS.', {
        minimum: 50,
        maximum: HOUR_MS,
        default: 10_000,
      }),
      not_pass_record_every_ms: ms('The same while it is anything else.', {
        minimum: 50,
        maximum: HOUR_MS,
        default: 1000,
      }),
    },
    'How decisions are recorded and signed.',
  ),
  checkpoint: closed(
    {
      every_ms: ms('Time between two saved states.', { minimum: 1000, maximum: HOUR_MS, default: 30_000 }),
      keep: Type.Integer({
        minimum: 2,
        maximum: 64,
        default: 4,
        description: 'Newest saved states that are kept whole.',
      }),
      history_bytes_max: Type.Integer({
        minimum: 0,
        maximum: 1024 * GIB,
        default: 268_435_456,
        description: 'Bound of the older ones, kept thinned out for replays.',
      }),
    },
    'Saved states, from which a start goes on.',
  ),
  journal: closed(
    {
      bytes_max: Type.Integer({
        minimum: 16_777_216,
        maximum: 1024 * GIB,
        default: 2 * GIB,
        description: 'Bound of the input journal; the oldest segment is deleted past it.',
      }),
      segment_bytes: Type.Integer({
        minimum: 65_536,
        maximum: 268_435_456,
        default: 67_108_864,
        description: 'Size at which a new segment begins.',
      }),
    },
    'Input journal.',
  ),
  outbox: closed(
    {
      bytes_max: Type.Integer({
        minimum: 33_554_432,
        maximum: 1024 * GIB,
        default: GIB,
        description:
          'Bound of the outbox. Receipted batches make room; without a receipt no signed header is ever deleted, only detail that repeats PASS may be thinned (`outbox.thin_at_percent`), and after that evaluation waits.',
      }),
      thin_at_percent: Type.Integer({
        minimum: 10,
        maximum: 100,
        default: 80,
        description:
          'Share of `outbox.bytes_max` without receipts past which the oldest batches that only repeat PASS keep no more than their signed headers; 100: only when there is no room left.',
      }),
    },
    'Signed batches.',
  ),
  operators: OperatorsSchema,
  governance: GovernanceSchema,
  rigs: Type.Array(RigSchema, { description: 'Rigs this agent watches.', minItems: 1, maxItems: RIGS_MAX }),
})

const listenOn = (port: number) =>
  closed({
    host: Type.String({ minLength: 1, default: LOOPBACK, description: 'Address to listen on.' }),
    port: Type.Integer({
      minimum: 0,
      maximum: 65_535,
      default: port,
      description: 'Port to listen on; 0 takes any free one.',
    }),
  })

export const CollectorSchema = closed({
  version: Type.Literal(1, { description: 'Version of this file.' }),
  deployment: id('Name of the installation.'),
  realm,
  signing_key_file: file('Ed25519 private key in PEM that signs receipts; readable by its owner only.'),
  data_dir: file('Folder of the database.'),
  agents_listen: listenOn(7443),
  tls: closed(
    {
      ca_file: file('Authority that issues agent certificates.'),
      cert_file: file('Certificate of the listener for agents.'),
      key_file: file('Its private key; readable by its owner only.'),
    },
    'TLS 1.3 with client certificates, for agents.',
  ),
  operators_listen: listenOn(7444),
  operators_tls: Type.Optional(
    closed(
      {
        cert_file: file('Certificate of the listener for operators.'),
        key_file: file('Its private key; readable by its owner only.'),
      },
      'Absent: plain HTTP, which is permitted on loopback only.',
    ),
  ),
  agents: Type.Array(
    closed({
      agent: id('Name of an agent.'),
      public_key_file: file('Ed25519 public key in PEM that its batches are signed with.'),
      programs: Type.Array(id('Programme.'), {
        description: 'Programmes its rigs may belong to.',
        minItems: 1,
        maxItems: RIGS_MAX,
      }),
      site: Type.Optional(
        id('Where it stands: agents of a site that fall silent together are one alarm. Without it, it is alone.'),
      ),
    }),
    { description: 'Agents that are enrolled.', maxItems: 10_000 },
  ),
  alarms: CollectorAlarmsSchema,
  operators: OperatorsSchema,
  governance: GovernanceSchema,
  verify_workers: Type.Integer({
    minimum: 0,
    maximum: 64,
    default: 0,
    description: 'Threads that verify batches; 0: one a core.',
  }),
  log_level: oneOf(LOG_LEVELS, 'Least important level that is logged.', 'info'),
})
