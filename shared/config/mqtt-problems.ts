import { isChannelName } from '../model/ids.ts'
import { isTopic, topicMatches } from '../model/mqtt-topic.ts'
import { METRICS_MAX } from './schema-parts.ts'
import type { MqttSourceConfig } from './types.ts'

type MqttProblem = Readonly<{ key: readonly (string | number)[]; found: string; expected: string }>

const LOOPBACK: ReadonlySet<string> = new Set(['127.0.0.1', '[::1]', 'localhost'])
const PORTS = 'a port from 1 to 65535'
/** How long a session is kept where nothing is said. */
const SESSION_KEEP_MS = 600_000

/** How long the broker is to keep what comes while nobody is there; what is dated by its arrival must not wait anywhere. */
export function sessionKeepMs({ qos, time, session_keep_ms: ms }: MqttSourceConfig): number {
  return ms ?? (qos > 0 && time === 'source' ? SESSION_KEEP_MS : 0)
}

/** Mistakes of an MQTT source that fits its schema. */
export function mqttProblems(source: MqttSourceConfig): MqttProblem[] {
  return [...linkProblems(source), ...sessionProblems(source), ...topicProblems(source)]
}

function linkProblems(source: MqttSourceConfig): MqttProblem[] {
  const problems: MqttProblem[] = []
  if (!URL.canParse(source.url)) return [{ key: ['url'], found: `\`${source.url}\``, expected: PORTS }]
  const { hostname, port, protocol } = new URL(source.url)
  const secured = protocol === 'mqtts:'
  const pairs = [
    ['user', 'password_file'],
    ['cert_file', 'key_file'],
  ] as const
  for (const [one, other] of pairs) {
    if ((source[one] === undefined) === (source[other] === undefined)) continue
    const missing = source[one] === undefined ? one : other
    problems.push({ key: [missing], found: 'nothing', expected: `\`${one}\` and \`${other}\`, both or none` })
  }
  if (port === '0') problems.push({ key: ['url'], found: 'port 0', expected: PORTS })
  if (source.password_file !== undefined && !secured && !LOOPBACK.has(hostname))
    problems.push({
      key: ['url'],
      found: `a password in the clear to ${hostname}`,
      expected: 'mqtts:// beyond this machine',
    })
  for (const key of ['ca_file', 'cert_file', 'key_file'] as const)
    if (source[key] !== undefined && !secured)
      problems.push({ key: [key], found: 'a key of TLS with mqtt://', expected: 'mqtts://' })
  return problems
}

function sessionProblems({ qos, time, session_keep_ms: ms }: MqttSourceConfig): MqttProblem[] {
  if (ms === undefined || ms === 0) return []
  const key = ['session_keep_ms']
  if (qos === 0) return [{ key, found: `${ms}, with \`qos: 0\``, expected: '0: no broker keeps messages of `qos: 0`' }]
  if (time === 'source') return []
  return [{ key, found: `${ms}, with \`time: arrival\``, expected: '0: what waited at the broker would be of now' }]
}

function topicProblems({ topics, topic_map: map = {}, encoding }: MqttSourceConfig): MqttProblem[] {
  const again = topics.findIndex((filter, k) => topics.indexOf(filter) !== k)
  if (again >= 0)
    return [{ key: ['topics', again], found: `\`${topics[again]}\` a second time`, expected: 'every filter once' }]
  const entries = Object.entries(map)
  if (entries.length > METRICS_MAX)
    return [{ key: ['topic_map'], found: `${entries.length} topics`, expected: `at most ${METRICS_MAX}` }]
  if (entries.length > 0 && encoding === 'cbor')
    return [{ key: ['topic_map'], found: 'a key of `json` with `encoding: cbor`', expected: '`encoding: json`' }]
  return entries.flatMap(([topic, channel]): MqttProblem[] => {
    const key = ['topic_map', topic]
    if (!isTopic(topic)) return [{ key, found: `\`${topic}\``, expected: 'one topic, without wildcards' }]
    if (!topics.some((filter) => topicMatches(filter, topic)))
      return [{ key, found: `\`${topic}\`, which nothing subscribes to`, expected: 'a topic of `topics`' }]
    if (!isChannelName(channel)) return [{ key, found: `\`${channel}\``, expected: 'the name of a channel' }]
    return []
  })
}
