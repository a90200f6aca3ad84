import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { Push } from 'zeromq'
import { freePort } from '../../test/support/bench-folder.ts'
import { baselineMetric, baselineRecord, certifiedBundle, privatePem } from '../../test/support/certified-baselines.ts'
import { PEOPLE, publicPem } from '../../test/support/operator-keys.ts'
import { runHb, startHb } from '../demo/processes.ts'
import { type BenchAgent, L64_CHANNELS, L64_LATE, L64_SAMPLES_PER_S, runLoad, sleep, startBenchAgent } from './agent.ts'
import type { Measure } from './measure.ts'

const TRIP_MS = 400
const CALM_MS = 600
const SAMPLE_MS = 20
/** The load and the link settle before anything is counted. */
const WARM_MS = 4_000

/** How long an actuator waits for what was decided, while L64 goes on. */
export function reach(): Measure[] {
  return [
    {
      names: ['action_reach_p50_ms', 'action_reach_p99_ms', 'action_accept_p50_ms', 'action_accept_p99_ms'],
      what: 'actions on a simulated actuator over ZeroMQ, written ahead and fsynced, beside a rig at L64. From the input that closed the slide (PROPOSED) until the actuator has the request, both disks asked, and until its acceptance is journaled',
      run: async ({ short, say }) => {
        const times = await reachTimes(short ? 40 : 150)
        say(
          `${times.length} actions, at worst ${Math.max(...times.map(({ acceptMs }) => acceptMs)).toFixed(1)} ms until accepted`,
        )
        const at = (of: (one: Times) => number, q: number): number => {
          const sorted = times.map(of).sort((a, b) => a - b)
          return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))]!
        }
        return {
          action_reach_p50_ms: at(({ reachMs }) => reachMs, 0.5),
          action_reach_p99_ms: at(({ reachMs }) => reachMs, 0.99),
          action_accept_p50_ms: at(({ acceptMs }) => acceptMs, 0.5),
          action_accept_p99_ms: at(({ acceptMs }) => acceptMs, 0.99),
        }
      },
    },
  ]
}

/** `reachMs`: until the actuator has it; `acceptMs`: until its acceptance has come back and is journaled. */
type Times = Readonly<{ reachMs: number; acceptMs: number }>

async function reachTimes(count: number): Promise<Times[]> {
  const ports = { telemetry: await freePort(), seen: await freePort(), link: await freePort() }
  const key = `${randomBytes(32).toString('hex')}\n`
  const reached = new Map<string, number>()
  const agent = await startBenchAgent({ encoding: 'cbor', more: tripRig(ports, key) })
  const { folder } = agent
  const horn = startHb('horn', hornArgs(ports.link), {
    folder: folder.path,
    line: (line) => {
      if (line['event'] === 'request') reached.set(String(line['key']), Number(line['t_us']))
    },
  })
  const load = runLoad({
    endpoint: agent.endpoint,
    rig: 'bench',
    channels: agent.channels,
    encoding: 'cbor',
    timesPerFrame: 50,
    channelsPerFrame: L64_CHANNELS,
    samplesPerS: L64_SAMPLES_PER_S,
    seconds: Math.ceil((WARM_MS + count * (TRIP_MS + CALM_MS)) / 1000) + 1,
    firstSeq: 0,
    epoch: 'reach',
    ...L64_LATE,
  })
  const [socket, other] = [new Push({ linger: 0 }), new Push({ linger: 0 })]
  try {
    await horn.event('session')
    await arm(agent)
    socket.connect(`tcp://127.0.0.1:${ports.telemetry}`)
    other.connect(`tcp://127.0.0.1:${ports.seen}`)
    await Promise.all([trips(socket, count), stays(other, count)])
    await load
    await agent.stop()
    return await timesOf(agent, reached)
  } finally {
    socket.close()
    other.close()
    await horn.stop()
    await agent.remove()
  }
}

const hornArgs = (port: number): string[] => [
  ...['hil', 'actuator', '--endpoint', `tcp://127.0.0.1:${port}`, '--key', 'horn.key', '--state', 'horn.state'],
  ...['--id', 'horn', '--agent', 'bench-1'],
]

type Ports = Readonly<{ telemetry: number; seen: number; link: number }>

function tripRig({ telemetry, seen, link }: Ports, key: string) {
  const named = PEOPLE.map((name) => `  - { name: ${name}, public_key_file: ${name}.pub }\n`).join('')
  return {
    top: `executors:
  - { target: horn, type: actuator, endpoint: "tcp://127.0.0.1:${link}", identity: horn, key_file: horn.key }
operators:
${named}`,
    rigs: `  - rig: trip
    program: demo
    registry_file: trip.registry.yaml
    actions_policy_file: trip.actions.yaml
    baseline_file: trip.hbb
    testbed: true
    slide_ms: 50
    windows_ms: [250]
    lateness_ms: 200
    sources:
      - { name: trip, type: zmq, endpoint: "tcp://127.0.0.1:${telemetry}", encoding: json, provenance: simulated }
      - { name: seen, type: zmq, endpoint: "tcp://127.0.0.1:${seen}", encoding: json, provenance: simulated }
`,
    files: {
      'horn.key': key,
      'trip.hbb': TRIP_BASELINE,
      ...Object.fromEntries(
        PEOPLE.flatMap((name) => [
          [`${name}.pem`, privatePem(name)],
          [`${name}.pub`, publicPem(name)],
        ]),
      ),
      'trip.registry.yaml': TRIP_REGISTRY,
      'trip.actions.yaml': TRIP_ACTIONS,
    },
  }
}

const groups = (n: number): string =>
  `ccg: { sensor: s-${n}, daq: d-${n}, bus: b-${n}, power: p-${n}, clock: c-${n}, host: h-${n} }`
const TRIP_REGISTRY = `version: "1.0"
metrics:
  trip: { unit: bar, nominal_rate_hz: 50, invariant_min: -1000, invariant_max: 1000, baseline_required: false, source: t-1, publisher: trip, ${groups(1)} }
  seen: { unit: bar, nominal_rate_hz: 50, invariant_min: -1000, invariant_max: 1000, baseline_required: false, source: t-2, publisher: seen, ${groups(2)} }
`
const TRIP_ACTIONS = `version: 2
targets:
  - { name: horn, executor: actuator, groups: [] }
hazards:
  - action: degrade
    target: horn
    inadvertent: none
    omission: marginal
    reason: a bench
    ftti_ms: 60000
    safe_state: slower
    on_unknown: alarm
    verify: { metric: seen, window_ms: 250, op: ">", value: 0, within_ms: 2000 }
rules:
  - id: trip
    action: degrade
    target: horn
    vote: 1ooN
    modes: [nominal]
    conditions:
      - { id: a, metric: trip, window_ms: 250, of: max, op: ">", value: 5, persistence: 1, fresh_ms: 1000 }
    rearm: auto
    clear_ms: 0
`
/** What gates of a degrade ask for: a baseline that three keys stand for. */
const TRIP_BASELINE = certifiedBundle(
  baselineRecord({ program: 'demo', rig: 'trip', metrics: [baselineMetric({ metric: 'trip', unit: 'bar' })] }),
)

/** Two people arm the rig, each with their own key. */
async function arm({ folder }: BenchAgent): Promise<void> {
  await sleep(WARM_MS)
  const hb = (...args: string[]): Promise<string> => runHb([...args, '--state', 'state', '--json'], folder.path)
  const asked = JSON.parse(
    await hb('arm', '--rig', 'trip', '--key', 'ada.pem', '--reason', 'bench', '--for', '1h'),
  ) as { order: string }
  await hb('orders', 'confirm', asked.order, '--key', 'grace.pem', '--reason', 'bench')
}

const trips = (socket: Push, count: number): Promise<void> =>
  say(socket, 'trip', { count, valueAt: (ms) => (ms % (TRIP_MS + CALM_MS) < CALM_MS ? 1 : 9) })
const stays = (socket: Push, count: number): Promise<void> => say(socket, 'seen', { count, valueAt: () => 1 })

type Saying = Readonly<{ count: number; valueAt(ms: number): number }>

async function say(socket: Push, channel: string, { count, valueAt }: Saying): Promise<void> {
  const startMs = performance.now()
  const endMs = startMs + count * (TRIP_MS + CALM_MS)
  for (let nextMs = startMs; nextMs < endMs; nextMs += SAMPLE_MS) {
    await sleep(Math.max(0, nextMs - performance.now()))
    const timeUs = Math.floor((performance.timeOrigin + performance.now()) * 1000)
    await socket.send(`{"channel":"${channel}","t_us":${timeUs},"value":${valueAt(nextMs - startMs)}}`)
  }
}

type Step = Readonly<{ state: string; at_us: number }>

async function timesOf({ folder }: BenchAgent, reached: ReadonlyMap<string, number>): Promise<Times[]> {
  const hb = (...args: string[]): Promise<string> =>
    runHb([...args, '--state', join(folder.path, 'state'), '--json'], folder.path)
  const { actions } = JSON.parse(await hb('actions', 'list', '--limit', '1000')) as { actions: { key: string }[] }
  const times: Times[] = []
  for (const { key } of actions) {
    const { transitions } = JSON.parse(await hb('actions', 'show', key)) as { transitions: Step[] }
    const at = (state: string): number => transitions.find((step) => step.state === state)?.at_us ?? Number.NaN
    const reachMs = ((reached.get(key) ?? Number.NaN) - at('PROPOSED')) / 1000
    const acceptMs = (at('ACCEPTED') - at('PROPOSED')) / 1000
    if (Number.isFinite(acceptMs) && Number.isFinite(reachMs)) times.push({ reachMs, acceptMs })
  }
  return times
}
