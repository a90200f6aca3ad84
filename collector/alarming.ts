import { randomBytes } from 'node:crypto'
import { resolve } from 'node:path'
import type { HeartbeatConfig } from '../shared/config/collector-alarm-schema.ts'
import { HTTP_URL_PATTERN } from '../shared/config/executor-schema.ts'
import type { Trust } from '../shared/config/operators.ts'
import type { CollectorConfig } from '../shared/config/types.ts'
import { readPrivateFile } from '../shared/crypto/key-file.ts'
import { HbError } from '../shared/errors/hb-error.ts'
import type { Clock } from '../shared/lib/clock.ts'
import { openChannel, readAuthority } from '../shared/notify/open-channel.ts'
import { createTeller } from '../shared/notify/teller.ts'
import type { Micros } from '../shared/units.ts'
import type { AgentWatch } from './agent-watch.ts'
import type { AlarmTarget } from './alarm-notices.ts'
import { alarmLimits, alarmRoutes, sitesOf } from './alarm-settings.ts'
import { CollectorAlarms } from './alarms.ts'
import type { CollectorEvents } from './events.ts'
import { Heartbeat, type HeartbeatOptions } from './heartbeat.ts'
import type { AlarmContext } from './http/alarm-views.ts'
import type { Stores } from './store/open.ts'
import type { Ingest } from './ws/ingest.ts'

export type AlarmingOptions = Readonly<{
  config: CollectorConfig
  trust: Trust
  folder: string
  clock: Clock
  events: CollectorEvents
}>

/** What people are told over, opened before anything else is: a credential that cannot be read stops the start. */
export type AlarmWays = Readonly<{ targets: readonly AlarmTarget[]; beat: BeatWay | null }>
type BeatWay = Pick<HeartbeatOptions, 'url' | 'method' | 'ca' | 'everyMs' | 'timeoutMs'>

/** A batch that waits for longer, or rounds of the alarms further apart: the collector does not do its work. */
const STUCK_US: Micros = 30_000_000

/** @throws HbError KEY_FILE_MISSING, KEY_FILE_OPEN, EXECUTOR_KEY, CONFIG_INVALID */
export function openAlarmWays({ config, folder, clock, events }: AlarmingOptions): AlarmWays {
  const context = { folder, app: 'hb-collector', clock, log: events.notice }
  const targets = config.alarms.targets.map(
    ({ target, channels, per_minute_max: perMinuteMax, timeout_ms: timeoutMs }) => ({
      target,
      perMinuteMax,
      teller: createTeller({
        ...{ channels: channels.map((channel) => openChannel(channel, context)), timeoutMs, clock },
        random: Math.random,
      }),
    }),
  )
  const { heartbeat } = config.alarms
  return { targets, beat: heartbeat === undefined ? null : beatWay(heartbeat, folder) }
}

function beatWay(config: HeartbeatConfig, folder: string): BeatWay {
  const { url, url_file: file, method, every_ms: everyMs, timeout_ms: timeoutMs } = config
  const address = url ?? readPrivateFile(resolve(folder, file!)).trim()
  if (!new RegExp(HTTP_URL_PATTERN).test(address))
    // What is in the file is a secret.
    throw new HbError('CONFIG_INVALID', {
      path: file ?? 'alarms.heartbeat.url',
      found: 'no address',
      expected: 'https://HOST/PATH',
    })
  return { url: address, method, ca: readAuthority(config, folder), everyMs, timeoutMs }
}

export type AlarmingParts = AlarmingOptions &
  Readonly<{
    ways: AlarmWays
    stores: Stores
    watch: AgentWatch
    ingest: Pick<Ingest, 'waitingUs'>
    changed(): void
  }>

/** The alarms as they were kept, and the heartbeat. Nothing runs yet. */
export async function openAlarming(parts: AlarmingParts): Promise<AlarmContext> {
  const { config, trust, clock, events, ways, stores, watch, changed } = parts
  const boot = randomBytes(16).toString('hex')
  const { deployment } = config
  const alarms = await CollectorAlarms.open({
    ...{ deployment, boot, trust, targets: ways.targets, watch, store: stores.alarms, clock, events, changed },
    sites: sitesOf(config),
    limits: alarmLimits(config.alarms),
    routes: alarmRoutes(config.alarms),
  })
  if (ways.beat === null) return { alarms, heartbeat: null }
  const prove = () => proveWork(parts, alarms)
  const heartbeat = new Heartbeat({ ...ways.beat, deployment, boot, clock, prove, changed: events.heartbeat })
  return { alarms, heartbeat }
}

/** Whether the collector does its work: a real write, batches that come through, and rounds of the alarms. */
async function proveWork({ stores, ingest, clock }: AlarmingParts, alarms: CollectorAlarms): Promise<string | null> {
  const roundAgoUs = clock.monotonicUs() - alarms.roundUs
  const latestUs = Math.max(STUCK_US, 3 * alarms.options.limits.checkUs)
  if (!(alarms.roundUs >= 0 && roundAgoUs < latestUs)) return 'no round of the alarms was through lately'
  if (!(ingest.waitingUs() < STUCK_US)) return 'a batch does not come through'
  await stores.alarms.pulse(clock.nowUs())
  return null
}
