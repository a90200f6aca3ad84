import { type Static, Type } from 'typebox'
import { closed, file, id, ms, oneOf } from './schema-parts.ts'
import { ENDPOINT_PATTERN } from './source-schema.ts'

/** https, or http on this machine; no name and password in it. */
export const HTTP_URL_PATTERN =
  '^(https://[^\\s@/?#]+|http://(127\\.0\\.0\\.1|localhost|\\[::1\\])(:\\d{1,5})?)(/[^\\s@?#]*)?(\\?[^\\s@#]*)?$'
const HOST_PATTERN = '^[A-Za-z0-9.:-]{1,253}$'
const ADDRESS_PATTERN = '^[^\\s<>@,;"]{1,64}@[A-Za-z0-9.-]{1,253}$'
/** Parts of a command, channels of a target, and people of one mail. */
const ARGV_MAX = 64
const CHANNELS_MAX = 8
const ADDRESSES_MAX = 32

const timeout = (description: string, initial: number) =>
  ms(description, { minimum: 100, maximum: 600_000, default: initial })
const port = (description: string, initial: number) =>
  Type.Integer({ minimum: 1, maximum: 65_535, default: initial, description })
const host = (description: string) =>
  Type.String({ pattern: HOST_PATTERN, form: 'a host name or an address', description })
const address = (description: string) => Type.String({ pattern: ADDRESS_PATTERN, form: 'name@host', description })
const url = Type.String({
  pattern: HTTP_URL_PATTERN,
  form: 'https://HOST/PATH; http:// on this machine alone',
  description: 'Where requests are posted; redirects are not followed.',
})
const secret = file(
  'Secret that signs what is sent (webhook-signature), any text of 16 to 512 bytes; readable by its owner only.',
)
const authority = Type.Optional(file('Certificate authority to trust instead of those of the system.'))
const argv = (description: string) =>
  Type.Array(Type.String({ minLength: 1, maxLength: 4096 }), { minItems: 1, maxItems: ARGV_MAX, description })

export const ActuatorExecutorSchema = closed({
  type: Type.Literal('actuator', { description: 'An actuator over ZeroMQ (ADR 25).' }),
  endpoint: Type.String({
    pattern: ENDPOINT_PATTERN,
    form: 'tcp://HOST:PORT or ipc://PATH',
    description: 'Where the actuator listens. Frames are authenticated, not encrypted.',
  }),
  identity: id('Name the actuator must prove with the key.'),
  key_file: file('Key shared with this actuator alone: 64 hex digits; readable by its owner only.'),
  ping_ms: ms('Time between two pings; after three without a receipt the link counts as lost.', {
    minimum: 20,
    maximum: 60_000,
    default: 500,
  }),
})

export const WebhookExecutorSchema = closed({
  type: Type.Literal('webhook', { description: 'A program that takes JSON over HTTP and answers with a stage.' }),
  url,
  secret_file: secret,
  ca_file: authority,
  timeout_ms: timeout('Longest wait for an answer; less when the budget of the action is less.', 5000),
})

export const CommandExecutorSchema = closed({
  type: Type.Literal('command', {
    description:
      'A program of this machine, started without a shell and with a clean environment. The request is JSON on its standard input, `HB_KEY` the key; exit code 0 is completed, any other failed.',
  }),
  argv: argv('Program (absolute path) and arguments, always the same.'),
  proof_argv: Type.Optional(
    argv('What a proof test starts instead: the same path without an effect. Without it a proof test fails.'),
  ),
  directory: file('Folder it runs in.'),
  timeout_ms: timeout('Longest run; then it and all it started are killed, and the action has failed.', 10_000),
})

const LogChannelSchema = closed({
  type: Type.Literal('log', { description: 'The log of the program.' }),
})
const WebhookChannelSchema = closed({
  type: Type.Literal('webhook', { description: 'JSON over HTTP.' }),
  url,
  secret_file: secret,
  ca_file: authority,
})
const EmailChannelSchema = closed({
  type: Type.Literal('email', { description: 'Mail over SMTP, always encrypted except to this machine.' }),
  host: host('Mail server.'),
  port: port('Its port.', 587),
  security: oneOf(
    ['starttls', 'tls', 'none'] as const,
    '`tls` from the first byte (port 465), `starttls` before anything is said, `none` to this machine alone.',
    'starttls',
  ),
  user: Type.Optional(Type.String({ minLength: 1, maxLength: 256, description: 'Name to log in with.' })),
  password_file: Type.Optional(file('Its password, on one line; readable by its owner only.')),
  ca_file: authority,
  from: address('Sender.'),
  to: Type.Array(address('Who is told.'), { minItems: 1, maxItems: ADDRESSES_MAX, description: 'Who is told.' }),
})
const SyslogChannelSchema = closed({
  type: Type.Literal('syslog', { description: 'Syslog (RFC 5424).' }),
  host: host('Where it goes.'),
  port: port('Its port; 514 is usual for UDP, 6514 for TLS.', 514),
  transport: oneOf(
    ['udp', 'tls'] as const,
    'UDP (RFC 5426) loses what is lost, and can prove nothing; TLS is RFC 5425.',
    'udp',
  ),
  facility: Type.Integer({ minimum: 0, maximum: 23, default: 16, description: 'Facility number; 16 is local0.' }),
  ca_file: authority,
})

/** A way to people. */
const NotifyChannelSchema = Type.Union([
  LogChannelSchema,
  WebhookChannelSchema,
  EmailChannelSchema,
  SyslogChannelSchema,
])
export const NotifyChannelsSchema = Type.Array(NotifyChannelSchema, {
  minItems: 1,
  maxItems: CHANNELS_MAX,
  description: 'A notice is delivered when one of them took it; the others are named.',
})

export const NotifyExecutorSchema = closed({
  type: Type.Literal('notify', { description: 'People are told. Nothing is done to the rig.' }),
  channels: NotifyChannelsSchema,
  per_minute_max: Type.Integer({
    minimum: 1,
    maximum: 1000,
    default: 10,
    description: 'Notices a minute; the rest of it is told in one summary.',
  }),
  timeout_ms: timeout('Longest wait for one channel.', 10_000),
})

export const PeerExecutorSchema = closed({
  type: Type.Literal('peer', { description: 'The peer of `peer`: an ACTION_REQUEST goes, ACTION_ACKs come.' }),
})

/** Who carries out the actions of one target. */
export const ExecutorSchema = Type.Union([
  ActuatorExecutorSchema,
  WebhookExecutorSchema,
  CommandExecutorSchema,
  NotifyExecutorSchema,
  PeerExecutorSchema,
])

const target = { target: id('Name of the target, as policies of actions name it.') }

/** Who carries out the actions of which target. */
export const TargetExecutorSchema = Type.Union([
  closed({ ...target, ...ActuatorExecutorSchema.properties }),
  closed({ ...target, ...WebhookExecutorSchema.properties }),
  closed({ ...target, ...CommandExecutorSchema.properties }),
  closed({ ...target, ...NotifyExecutorSchema.properties }),
  closed({ ...target, ...PeerExecutorSchema.properties }),
])
export type TargetExecutorConfig = Static<typeof TargetExecutorSchema>

export type ActuatorExecutorConfig = Static<typeof ActuatorExecutorSchema>
export type WebhookExecutorConfig = Static<typeof WebhookExecutorSchema>
export type CommandExecutorConfig = Static<typeof CommandExecutorSchema>
export type NotifyChannelConfig = Static<typeof NotifyChannelSchema>
export type EmailChannelConfig = Static<typeof EmailChannelSchema>
export type SyslogChannelConfig = Static<typeof SyslogChannelSchema>
export type WebhookChannelConfig = Static<typeof WebhookChannelSchema>
export type ExecutorConfig = Static<typeof ExecutorSchema>
