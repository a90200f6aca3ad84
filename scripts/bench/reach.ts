import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { freePort } from '../../test/support/bench-folder.ts'
import { armTrip, CALM_MS, hornArgs, TRIP_MS, TripTelemetry, tripRig } from '../../test/support/trip-rig.ts'
import { runHb, startHb } from '../demo/processes.ts'
import { type BenchAgent, L64_CHANNELS, L64_LATE, L64_SAMPLES_PER_S, runLoad, sleep, startBenchAgent } from './agent.ts'
import type { Measure } from './measure.ts'

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
  let telemetry: TripTelemetry | null = null
  try {
    await horn.event('session')
    await sleep(WARM_MS)
    await armTrip(folder.path)
    telemetry = new TripTelemetry(ports, join(folder.path, 'horn.state'))
    await telemetry.trips(count)
    await load
    await agent.stop()
    return await timesOf(agent, reached)
  } finally {
    telemetry?.stop()
    await horn.stop()
    await agent.remove()
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
