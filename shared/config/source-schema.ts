import { Type } from 'typebox'
import { TOPIC_FILTER_PATTERN, TOPIC_MAX } from '../model/mqtt-topic.ts'
import { PROVENANCES } from '../model/telemetry.ts'
import { closed, file, id, METRICS_MAX, ms, oneOf } from './schema-parts.ts'

/** What a ZeroMQ endpoint looks like. */
export const ENDPOINT_PATTERN = '^(tcp://(\\*|[^\\s:@/]+|\\[[0-9a-fA-F:.]+\\]):(\\d{1,5}|\\*)|ipc://[^\\s@]+)$'

/** What the endpoint of a lock-step looks like: nobody moves the time of an agent from another machine. */
export const LOCKSTEP_ENDPOINT_PATTERN = '^(tcp://(127\\.0\\.0\\.1|localhost|\\[::1\\]):\\d{1,5}|ipc://[^\\s@]+)$'

const sourceName = id('Name of the source; JSON samples that name none are from it.')

const provenance = oneOf(PROVENANCES, 'What the samples are; only `live` will ever count for a hard action.', 'live')
const timeBase = oneOf(
  ['source', 'arrival'] as const,
  'Whose clock dates the samples: that of the source, or, for one that has none to be trusted, the moment of arrival (the newest sample of a message is of now, the others keep their distance to it).',
  'source',
)

export const ZmqSourceSchema = closed({
  name: sourceName,
  type: Type.Literal('zmq', { description: 'Frames or JSON samples over ZeroMQ.' }),
  pattern: oneOf(
    ['pull', 'sub'] as const,
    'Socket type. `sub` subscribes to the topic that is the id of the rig.',
    'pull',
  ),
  endpoint: Type.String({
    pattern: ENDPOINT_PATTERN,
    form: 'tcp://HOST:PORT or ipc://PATH',
    description: 'ZeroMQ endpoint. Frames are not encrypted: beyond this machine only on a network of the bench alone.',
  }),
  bind: Type.Optional(
    Type.Boolean({
      description: 'Listen instead of connect; a `pull` listens and a `sub` connects unless this says otherwise.',
    }),
  ),
  encoding: oneOf(['cbor', 'json'] as const, 'Frames in CBOR, or single samples in JSON.', 'cbor'),
  time: Type.Optional(timeBase),
  provenance,
})

export const CsvSourceSchema = closed({
  name: sourceName,
  type: Type.Literal('csv', { description: 'A recorded rig in a file; its own times are the clock.' }),
  file: file('Text file with one header line.'),
  delimiter: Type.Optional(
    Type.String({ minLength: 1, maxLength: 1, description: 'Found from the header line when absent.' }),
  ),
  time_column: Type.String({
    minLength: 1,
    description: 'Column of the event time: `YYYY-MM-DD HH:MM:SS[.ffffff]` in UTC, ISO 8601, or whole microseconds.',
  }),
  ignore_columns: Type.Array(Type.String(), {
    description: 'Columns that are no channels.',
    default: [],
    maxItems: METRICS_MAX,
  }),
  speed: Type.Union([Type.Literal('max'), Type.Number({ exclusiveMinimum: 0, maximum: 100_000 })], {
    description: 'Times real time, or `max`.',
    default: 1,
  }),
  rows_from: Type.Integer({
    minimum: 0,
    maximum: 1e12,
    default: 0,
    description: 'First data row that is read, from 0.',
  }),
  rows_to: Type.Optional(Type.Integer({ minimum: 1, maximum: 1e12, description: 'Row before which reading ends.' })),
})

/** What a line means, however it comes. */
const LINES = {
  format: oneOf(
    ['json', 'csv'] as const,
    'One JSON sample or list of samples a line, or rows below a header line.',
    'json',
  ),
  time: timeBase,
  provenance,
  time_column: Type.Optional(
    Type.String({ minLength: 1, description: 'Column of the event time, as in a recording; needed with `csv`.' }),
  ),
  delimiter: Type.Optional(
    Type.String({ minLength: 1, maxLength: 1, description: 'Of `csv`; found from the header line when absent.' }),
  ),
  ignore_columns: Type.Array(Type.String(), {
    description: 'Columns of `csv` that are no channels.',
    default: [],
    maxItems: METRICS_MAX,
  }),
  line_bytes_max: Type.Integer({
    minimum: 256,
    maximum: 1_048_576,
    default: 65_536,
    description: 'Longest line; the rest of a longer one is read over, and it is counted as `bad_row`.',
  }),
  lines_waiting_max: Type.Integer({
    minimum: 1,
    maximum: 65_536,
    default: 1024,
    description: 'Lines that were read and are not journaled yet; at the bound nothing more is read.',
  }),
}

export const StdinSourceSchema = closed({
  name: sourceName,
  type: Type.Literal('stdin', {
    description: 'Lines on standard input; at its end the agent finishes as at the end of a recording.',
  }),
  ...LINES,
})

export const TailSourceSchema = closed({
  name: sourceName,
  type: Type.Literal('tail', {
    description: 'A text file that grows. One that is rotated or cut is noticed, said and read from its beginning.',
  }),
  file: file('Text file; it may come later.'),
  from: oneOf(
    ['end', 'start'] as const,
    'Where reading begins the first time. A start after that goes on where the last one ended.',
    'end',
  ),
  poll_ms: ms('Time between two looks at the file.', { minimum: 20, maximum: 60_000, default: 200 }),
  ...LINES,
})

export const HostSourceSchema = closed({
  name: sourceName,
  type: Type.Literal('host', {
    description: 'The sensors of this machine: `/proc`, and hwmon and thermal zones where they exist.',
  }),
  every_ms: ms('Time between two readings.', { minimum: 100, maximum: 60_000, default: 1000 }),
})

/** mqtt or mqtts, a host and a port; no name and password in it. */
export const BROKER_PATTERN = '^mqtts?://([A-Za-z0-9.-]{1,253}|\\[[0-9a-fA-F:.]+\\])(:\\d{1,5})?/?$'
const TOPICS_MAX = 64

export const MqttSourceSchema = closed({
  name: sourceName,
  type: Type.Literal('mqtt', { description: 'What a rig publishes to an MQTT broker (docs/operating/mqtt.md).' }),
  url: Type.String({
    pattern: BROKER_PATTERN,
    form: 'mqtt://HOST[:PORT] or mqtts://HOST[:PORT]',
    description:
      'The broker; port 1883, with TLS 8883. Without TLS nothing is encrypted: beyond this machine only on a network of the bench alone.',
  }),
  topics: Type.Array(
    Type.String({
      pattern: TOPIC_FILTER_PATTERN,
      maxLength: TOPIC_MAX,
      form: 'a topic filter: `+` is one level, `#` at the end all below; nothing that begins with `$`',
    }),
    {
      description: 'What is subscribed to. Filters should not overlap: a message may then come once for each.',
      minItems: 1,
      maxItems: TOPICS_MAX,
      default: ['hb/metrics/#'],
    },
  ),
  qos: Type.Union([Type.Literal(0), Type.Literal(1), Type.Literal(2)], {
    description:
      'Quality of service asked for. From 1 on a message is acknowledged when it is in the journal and on the disk.',
    default: 1,
  }),
  protocol: oneOf(
    ['mqtt5', 'mqtt311'] as const,
    'Version of MQTT; 3.1.1 for brokers that know no other: they decide by themselves how long they keep a session.',
    'mqtt5',
  ),
  client_id: Type.Optional(
    Type.String({
      pattern: '^[A-Za-z0-9._-]{1,64}$',
      form: '1 to 64 letters, digits, dots, dashes and underscores',
      description:
        'Name at the broker, which keeps the session under it; `hb-AGENT-RIG-NAME` when absent. Two clients of one name throw each other out.',
    }),
  ),
  session_keep_ms: Type.Optional(
    ms(
      'How long the broker keeps what is published while the agent is away. 0: nothing is kept. 600000 with `qos` from 1 and `time: source`, else 0.',
      { minimum: 0, maximum: 86_400_000 },
    ),
  ),
  user: Type.Optional(Type.String({ minLength: 1, maxLength: 256, description: 'User at the broker.' })),
  password_file: Type.Optional(file('Its password, on one line; readable by its owner only.')),
  ca_file: Type.Optional(file('Certificate authority to trust instead of those of the system.')),
  cert_file: Type.Optional(file('Certificate by which the broker knows this agent.')),
  key_file: Type.Optional(file('Its key; readable by its owner only.')),
  encoding: oneOf(
    ['json', 'cbor'] as const,
    'Samples in JSON, as `key=value` or as a bare number; or frames in CBOR.',
    'json',
  ),
  topic_map: Type.Optional(
    Type.Record(Type.String(), Type.String({ description: 'Channel of this topic.' }), {
      description:
        'Channel of each topic whose messages name none, such as bare numbers. A channel is never guessed from a topic.',
    }),
  ),
  time_unit: oneOf(
    ['s', 'ms', 'us'] as const,
    'Unit of `timestamp`, `event_time` and `ts` where they are numbers; `t_us` is always in microseconds.',
    's',
  ),
  time: timeBase,
  provenance,
  message_bytes_max: Type.Integer({
    minimum: 64,
    maximum: 1_048_576,
    default: 65_536,
    description: 'Longest message; a longer one is counted as `bad_row`.',
  }),
})
