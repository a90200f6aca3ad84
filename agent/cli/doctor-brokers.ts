import type { LoadedRuntime } from '../../shared/config/load.ts'
import type { MqttSourceConfig } from '../../shared/config/types.ts'
import { type HbError, isHbError } from '../../shared/errors/hb-error.ts'
import { systemClock } from '../../shared/lib/clock.ts'
import type { Millis } from '../../shared/units.ts'
import { brokerCredentials, createMqttSource } from '../adapters/mqtt-source.ts'
import type { Finding } from './doctor.ts'

const ANSWER_WITHIN_MS: Millis = 6000
const LOOK_MS: Millis = 20

/** Whether every broker lets this agent in and subscribe. It is asked under another name, so that a running agent stays. */
export async function brokerFindings({ config, folder }: LoadedRuntime): Promise<Finding[]> {
  const findings: Finding[] = []
  for (const { rig, sources } of config.rigs)
    for (const source of sources)
      if (source.type === 'mqtt') findings.push(await brokerFinding(source, { agent: config.agent, rig, folder }))
  return findings
}

type Around = Readonly<{ agent: string; rig: string; folder: string }>

async function brokerFinding(config: MqttSourceConfig, { agent, rig, folder }: Around): Promise<Finding> {
  const check = `broker ${rig}/${config.name}`
  try {
    const trouble = await tryBroker(config, { agent, rig, folder })
    if (trouble === null) return { check, ok: true, detail: config.url }
    return { check, ok: false, detail: trouble.message, remedy: trouble.remedy }
  } catch (error) {
    if (!isHbError(error)) throw error
    return { check, ok: false, detail: error.message, remedy: error.remedy }
  }
}

/** @returns null when it could subscribe; nothing that comes is taken */
async function tryBroker(config: MqttSourceConfig, { agent, rig, folder }: Around): Promise<HbError | null> {
  const clock = systemClock()
  let answered = false
  const source = createMqttSource({
    ...{ agent, rig, clock, random: () => 0 },
    config: { ...config, qos: 0, session_keep_ms: 0, client_id: `doctor-${process.pid}` },
    credentials: brokerCredentials(config, folder),
    durable: async () => undefined,
    doubt: () => false,
    news: (what) => {
      answered ||= what !== 'retained'
    },
  })
  await source.start({ deliver: async () => undefined, tick: async () => undefined, ended: () => undefined })
  for (let waitedMs = 0; !answered && waitedMs < ANSWER_WITHIN_MS; waitedMs += LOOK_MS) await clock.sleep(LOOK_MS)
  const { trouble } = source.link!
  await source.stop()
  return trouble
}
