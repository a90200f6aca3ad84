import { type Static, Type } from 'typebox'
import { ALARM_SEVERITIES } from '../model/alarm.ts'
import { COLLECTOR_ALARM_KINDS } from '../model/collector-alarm.ts'
import { HTTP_URL_PATTERN, NotifyChannelsSchema } from './executor-schema.ts'
import { closed, file, id, ms, oneOf } from './schema-parts.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
/** Targets of notices, routes, and steps of one route. */
export const ALARM_TARGETS_MAX = 16
export const ALARM_ROUTES_MAX = 64
export const ROUTE_STEPS_MAX = 8

const percent = (description: string, initial: number) =>
  Type.Integer({ minimum: 1, maximum: 100, default: initial, description })
const days = (description: string, initial: number) =>
  Type.Integer({ minimum: 0, maximum: 3650, default: initial, description })

const TargetSchema = closed({
  target: id('Name of the target, as routes name it.'),
  channels: NotifyChannelsSchema,
  per_minute_max: Type.Integer({
    minimum: 1,
    maximum: 1000,
    default: 10,
    description: 'Notices a minute, CRITICAL ones first; the rest waits for the next minute and nothing is dropped.',
  }),
  timeout_ms: ms('Longest wait for one channel.', { minimum: 100, maximum: 600_000, default: 10_000 }),
})

const StepSchema = closed({
  after_ms: ms('How long after the alarm was announced, if nobody has acknowledged it by then.', {
    minimum: 0,
    maximum: 7 * DAY_MS,
    default: 0,
  }),
  to: Type.Array(id('Target.'), { minItems: 1, maxItems: ALARM_TARGETS_MAX, description: 'Who is told then.' }),
})

const RouteSchema = closed({
  severities: Type.Optional(
    Type.Array(oneOf(ALARM_SEVERITIES, 'Severity.'), {
      minItems: 1,
      maxItems: ALARM_SEVERITIES.length,
      description: 'Severities that go this way; all when it is left out.',
    }),
  ),
  sites: Type.Optional(
    Type.Array(id('Site.'), {
      minItems: 1,
      maxItems: 256,
      description: 'Sites; all, and agents without one, when it is left out.',
    }),
  ),
  kinds: Type.Optional(
    Type.Array(oneOf(COLLECTOR_ALARM_KINDS, 'Kind.'), {
      minItems: 1,
      maxItems: COLLECTOR_ALARM_KINDS.length,
      description: 'Kinds of alarms; all when it is left out.',
    }),
  ),
  steps: Type.Array(StepSchema, {
    minItems: 1,
    maxItems: ROUTE_STEPS_MAX,
    description: 'Who is told at once, and who later if nobody acknowledges; soonest first.',
  }),
})

const HeartbeatSchema = closed(
  {
    url: Type.Optional(
      Type.String({
        pattern: HTTP_URL_PATTERN,
        form: 'https://HOST/PATH; http:// on this machine alone',
        description: 'Address that is asked.',
      }),
    ),
    url_file: Type.Optional(
      file('The address on one line instead, where it is a secret itself; readable by its owner only.'),
    ),
    method: oneOf(['POST', 'GET'] as const, 'How it is asked.', 'POST'),
    ca_file: Type.Optional(file('Certificate authority to trust instead of those of the system.')),
    every_ms: ms('Time between two beats.', { minimum: 1000, maximum: DAY_MS, default: 60_000 }),
    timeout_ms: ms('Longest wait for an answer.', { minimum: 100, maximum: 60_000, default: 10_000 }),
  },
  'Somebody outside who misses this collector when it falls silent. A beat goes out only after a write to the database, a look at the ingest and a round of the alarms. Absent: nobody does.',
)

/** `alarms` of `collector.yaml`. */
export const CollectorAlarmsSchema = closed(
  {
    check_ms: ms('Time between two looks at everything.', { minimum: 100, maximum: 60_000, default: 1000 }),
    silent_ms: ms('An agent of which no batch was verified for so long is silent.', {
      minimum: 1000,
      maximum: DAY_MS,
      default: 60_000,
    }),
    clear_ms: ms('How long a condition must be known to be over before its alarm is.', {
      minimum: 0,
      maximum: HOUR_MS,
      default: 5000,
    }),
    re_alarm_ms: Type.Optional(
      ms('Active for so long, an alarm is announced again, acknowledged or not; never when it is left out.', {
        minimum: 60_000,
        maximum: 7 * DAY_MS,
      }),
    ),
    max_shelve_ms: ms('Longest time an alarm may be shelved.', {
      minimum: 1000,
      maximum: DAY_MS,
      default: 8 * HOUR_MS,
    }),
    group_agents_min: Type.Integer({
      minimum: 2,
      maximum: 1000,
      default: 3,
      description: 'So many agents of a site that fall silent together are one alarm of the site.',
    }),
    group_window_ms: ms(
      'Within which time that is together. The alarm of a single agent waits for so long where its site has enough agents.',
      { minimum: 100, maximum: HOUR_MS, default: 10_000 },
    ),
    backlog_batches: Type.Integer({
      minimum: 1,
      maximum: 1_000_000_000,
      default: 600,
      description: 'Batches waiting at an agent at which it has a backlog.',
    }),
    backlog_age_ms: ms('Age of the oldest of them at which it has one.', {
      minimum: 1000,
      maximum: 365 * DAY_MS,
      default: 600_000,
    }),
    backlog_critical_age_ms: ms('Age at which that is CRITICAL.', {
      minimum: 1000,
      maximum: 365 * DAY_MS,
      default: DAY_MS,
    }),
    clock_warn_ms: ms('How far the clock of an agent may be from that of the collector.', {
      minimum: 1,
      maximum: DAY_MS,
      default: 1000,
    }),
    clock_critical_ms: ms('Distance at which that is CRITICAL.', { minimum: 1, maximum: DAY_MS, default: 60_000 }),
    certificate_warn_days: days('Days before the certificate of an agent ends at which somebody is told.', 30),
    certificate_critical_days: days(
      'Days at which that is CRITICAL; an agent whose certificate is over is not let in.',
      7,
    ),
    baseline_decay_min: Type.Number({
      minimum: 0,
      maximum: 1,
      default: 0.5,
      description: 'What age and drift may leave of the golden baseline in force; at 0 it is over, which is CRITICAL.',
    }),
    data_lost_percent: percent('Share of the channels of a rig without a usable value at which its data are lost.', 50),
    site_lost_percent: percent('Share of the agents of a site that are silent at which the site is lost.', 50),
    targets: Type.Array(TargetSchema, {
      default: [],
      maxItems: ALARM_TARGETS_MAX,
      description: 'People who can be told. With none, alarms stand on the page and in the log alone.',
    }),
    routes: Type.Array(RouteSchema, {
      default: [],
      maxItems: ALARM_ROUTES_MAX,
      description: 'Who is told of which alarm. The first that fits counts.',
    }),
    heartbeat: Type.Optional(HeartbeatSchema),
  },
  'Alarms of the collector about its agents and itself (`docs/operating/collector-alarms.md`).',
)
export type CollectorAlarmsConfig = Static<typeof CollectorAlarmsSchema>
export type AlarmRouteConfig = Static<typeof RouteSchema>
export type AlarmTargetConfig = Static<typeof TargetSchema>
export type HeartbeatConfig = Static<typeof HeartbeatSchema>
