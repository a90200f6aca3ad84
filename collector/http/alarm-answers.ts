import { type TSchema, Type } from 'typebox'
import { ALARM_SEVERITIES, ALARM_STATES } from '../../shared/model/alarm.ts'
import { COLLECTOR_ALARM_KINDS } from '../../shared/model/collector-alarm.ts'
import { BEAT_OUTCOMES } from '../heartbeat.ts'
import { closed, Micros, orNull, Text, Whole } from './answer-terms.ts'

/** Shapes of what the routes about alarms answer; see {@link ./answers.ts}. */
const Severity = Type.Enum([...ALARM_SEVERITIES])

const CollectorAlarm = closed({
  id: Text,
  kind: Type.Enum([...COLLECTOR_ALARM_KINDS]),
  agent: Type.String({ description: 'Empty for alarms of a site and of the collector itself.' }),
  title: Text,
  state: Type.Enum([...ALARM_STATES]),
  severity: orNull(Severity),
  level: orNull(Severity),
  occurrence: Whole,
  seen: Type.String({ description: 'What an order about it has to name.' }),
  count: Whole,
  text: Text,
  raised_us: Micros,
  announced_us: Micros,
  suppressed_by: orNull(Text),
  shelf: orNull(closed({ by: Text, reason: Text, until_us: Micros, one_shot: Type.Boolean() })),
  out_of_service: orNull(Text),
  consequence: orNull(Text),
  response: orNull(Text),
  time_to_respond_us: orNull(Whole),
  guidance: orNull(Text),
  acked_by: orNull(Text),
})

const Site = closed({
  site: Type.String({ description: 'Empty for agents that stand alone, and for the collector itself.' }),
  agents: Whole,
  silent: Type.Array(Text, { description: 'Agents that the alarm of the site stands for.' }),
  alarms: Type.Array(CollectorAlarm, { description: 'Those that are not NORMAL, the worst first.' }),
  alarms_more: Type.Integer({ minimum: 0, description: 'Alarms that are not listed.' }),
})

const OfAgent = closed(
  {
    ...{ agent: Text, program: Text, rig: Text, alarm: Text, severity: Severity, text: Text, since_us: Micros },
    state: orNull(Text),
    occurrence: orNull(Whole),
    id: orNull(Type.String({ description: 'Signed record that says so; null: the agent last said so, unsigned.' })),
  },
  'An alarm of an agent about itself, or about one of its rigs.',
)

export const Alarms = closed({
  now_us: Micros,
  boot: Type.String({ description: 'This start of the collector; an order names it.' }),
  deployment: Text,
  operators: Type.Array(Text),
  counts: closed({ open: Whole, unacked: Whole, critical: Whole }),
  sites: Type.Array(Site),
  of_agents: Type.Array(OfAgent),
  autonomous: Type.Array(
    closed({
      agent: Text,
      rigs: Type.Array(Text),
      last_us: orNull(Micros),
      until_us: Micros,
      over: Type.Boolean({ description: 'The time of the arming is over, and the agent has not said that it ended.' }),
    }),
    { description: 'Agents that were armed when they were last heard, and are not heard now.' },
  ),
  targets: Type.Array(closed({ target: Text, waiting: Whole, told: Whole, failed: Whole, failing: orNull(Text) })),
  heartbeat: orNull(
    closed({
      outcome: orNull(Type.Enum([...BEAT_OUTCOMES])),
      problem: Text,
      sent_us: orNull(Micros),
      sent: Whole,
      failed: Whole,
      withheld: Whole,
    }),
  ),
  waiting: Type.Array(
    closed({ order: Text, kind: Text, site: Text, alarm: Text, by: Text, until_us: Micros, reason: Text }),
  ),
  note: Text,
})

const Line = closed({
  time_us: Micros,
  site: Text,
  alarm: Text,
  kind: Text,
  occurrence: Whole,
  severity: orNull(Severity),
  text: Text,
  signed: Type.Boolean(),
})

const Ordered = closed({
  order: Text,
  state: Type.Enum(['done', 'waits']),
  kind: Text,
  site: Text,
  alarm: Text,
  by: Type.Array(Text),
  until_us: orNull(Micros),
  note: Text,
})

export const ALARM_ANSWERS = {
  alarms: { 200: Alarms },
  history: { 200: closed({ lines: Type.Array(Line) }) },
  order: { 200: Ordered },
} as const satisfies Record<string, Readonly<Record<number, TSchema>>>
