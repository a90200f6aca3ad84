import { existsSync } from 'node:fs'
import { Push } from 'zeromq'
import { readActuatorBook } from '../../hil-testbed/actuator-book.ts'
import { onceArmable } from '../../scripts/demo/operators.ts'
import { runHb } from '../../scripts/demo/processes.ts'
import { baselineMetric, baselineRecord, certifiedBundle, dataUntil, privatePem } from './certified-baselines.ts'
import { PEOPLE, publicPem } from './operator-keys.ts'

export const TRIP_MS = 400
export const CALM_MS = 600
const SAMPLE_MS = 20

/** A small rig that may be acted on: a channel that trips, one that sees the effect, and an actuator. */
export type TripPorts = Readonly<{ telemetry: number; seen: number; link: number }>

export type TripOptions = Readonly<{ latenessMs: number; fastPath: boolean }>
const USUAL: TripOptions = { latenessMs: 200, fastPath: false }

/** Lines of a runtime.yaml for it, and the files they name; `key` is the one shared with the actuator. */
export function tripRig({ telemetry, seen, link }: TripPorts, key: string, options = USUAL) {
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
    slide_ms: 50
    windows_ms: [250]
    lateness_ms: ${options.latenessMs}
    sources:
      - { name: trip, type: zmq, endpoint: "tcp://127.0.0.1:${telemetry}", encoding: json }
      - { name: seen, type: zmq, endpoint: "tcp://127.0.0.1:${seen}", encoding: json }
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
      'trip.actions.yaml': actionsText(options),
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
const actionsText = ({ latenessMs, fastPath }: TripOptions): string => `version: 2
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
    verify: { metric: seen, window_ms: 250, op: ">", value: 5, within_ms: ${1800 + latenessMs}, fresh_ms: ${800 + latenessMs} }
rules:
  - id: trip
    action: degrade
    target: horn
    vote: 1ooN
    fast_path: ${fastPath}
    modes: [nominal]
    conditions:
      - { id: a, metric: trip, window_ms: 250, of: max, op: ">", value: 5, persistence: 1, fresh_ms: ${800 + latenessMs} }
    rearm: auto
    clear_ms: 0
`
/** What gates of a degrade ask for: a baseline that three keys stand for. */
const TRIP_BASELINE = certifiedBundle(
  baselineRecord({
    program: 'demo',
    rig: 'trip',
    ...dataUntil(Date.now() * 1000),
    metrics: [baselineMetric({ metric: 'trip', unit: 'bar' })],
  }),
)

/** Arguments of `hb` that start its actuator. */
export const hornArgs = (port: number): string[] => [
  ...['hil', 'actuator', '--endpoint', `tcp://127.0.0.1:${port}`, '--key', 'horn.key', '--state', 'horn.state'],
  ...['--id', 'horn', '--agent', 'bench-1', '--no-testbed'],
]

/** How long an effect is to be seen. */
const EFFECT_MS = 1_000

/**
 * Telemetry of the rig until it is stopped: calm, then beyond the limit, again and again; and what another sensor sees of
 * the effects that the actuator had, which is nothing of what it only acknowledged.
 */
export class TripTelemetry {
  private effects: number
  private effectMs = Number.NEGATIVE_INFINITY
  private readonly sockets = { trip: new Push({ linger: 0 }), seen: new Push({ linger: 0 }) }
  private stopped = false

  private readonly actuator: string

  /** `actuator` is its state file. */
  constructor({ telemetry, seen }: TripPorts, actuator: string) {
    this.actuator = actuator
    this.effects = effectsIn(actuator)
    this.sockets.trip.connect(`tcp://127.0.0.1:${telemetry}`)
    this.sockets.seen.connect(`tcp://127.0.0.1:${seen}`)
  }

  /** Settles after so many trips, or when it is stopped. */
  async trips(count: number): Promise<void> {
    const startMs = performance.now()
    const endMs = startMs + count * (TRIP_MS + CALM_MS)
    for (let nextMs = startMs; nextMs < endMs && !this.stopped; nextMs += SAMPLE_MS) {
      await new Promise((done) => setTimeout(done, Math.max(0, nextMs - performance.now())))
      const isCalm = (nextMs - startMs) % (TRIP_MS + CALM_MS) < CALM_MS
      const timeUs = Math.floor((performance.timeOrigin + performance.now()) * 1000)
      const say = (channel: 'trip' | 'seen', value: number): Promise<void> =>
        this.sockets[channel].send(`{"channel":"${channel}","t_us":${timeUs},"value":${value}}`)
      if (!this.stopped)
        await Promise.all([say('trip', isCalm ? 1 : 9), say('seen', this.isSeen() ? 9 : 1)]).catch(() => undefined)
    }
  }

  private isSeen(): boolean {
    const effects = effectsIn(this.actuator)
    if (effects > this.effects) this.effectMs = performance.now()
    this.effects = effects
    return performance.now() - this.effectMs < EFFECT_MS
  }

  stop(): void {
    this.stopped = true
    for (const socket of Object.values(this.sockets)) socket.close()
  }
}

function effectsIn(path: string): number {
  if (!existsSync(path)) return 0
  return [...readActuatorBook(path).keys.values()].reduce((sum, { effects }) => sum + effects, 0)
}

/** Two people arm the rig, each with their own key. */
export async function armTrip(folder: string): Promise<void> {
  const hb = (...args: string[]): Promise<string> => runHb([...args, '--state', 'state', '--json'], folder)
  await onceArmable(async () => {
    const asked = await hb('arm', '--rig', 'trip', '--key', 'ada.pem', '--reason', 'test', '--for', '1h')
    const { order } = JSON.parse(asked) as { order: string }
    await hb('orders', 'confirm', order, '--key', 'grace.pem', '--reason', 'test')
  })
}
