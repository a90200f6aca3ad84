import { join } from 'node:path'
import { runHb } from '../demo/processes.ts'
import {
  type BenchAgent,
  bytesBelow,
  L64_CHANNELS,
  L64_LATE,
  L64_SAMPLES_PER_S,
  runLoad,
  sleep,
  startBenchAgent,
} from './agent.ts'
import type { Measure, Setting } from './measure.ts'

/** Times of one frame: at 1 kHz one a millisecond, so that waiting for a frame to fill is no part of the latency. */
const TIMES_PER_FRAME = 1
/** As often as somebody may scrape an agent; its answer costs it memory as well. */
const LOOK_EVERY_MS = 2_000
const SECONDS_PER_DAY = 86_400

/** One run at L64, and everything that can be read off it. */
export function nominal(): Measure[] {
  return [
    {
      names: [
        'decision_latency_p50_ms',
        'decision_latency_p99_ms',
        'decision_latency_p999_ms',
        'load_behind_schedule_ms',
        'agent_l64_rss_mb',
        'agent_l64_cpu_percent',
        'rss_drift_percent_per_h',
        'bytes_per_decision',
        'mb_per_day_nominal',
        'journal_mb_per_h',
        'replay_x_realtime',
      ],
      what: 'L64: 64 channels at 1 kHz in frames of one time, paced to a millisecond, 5 % up to 20 ms late, 256 limits, evidence on; then `hb replay` of it, start of the program included',
      run: nominalRun,
    },
  ]
}

/** What is left out of the figures at the beginning: windows fill, code is compiled, caches grow. */
const WARM_SHARE = 0.25

async function nominalRun({ short, say }: Setting): Promise<Record<string, number>> {
  const seconds = short ? 20 : 120
  const agent = await startBenchAgent({ encoding: 'cbor' })
  try {
    const load = runLoad({
      endpoint: agent.endpoint,
      rig: 'bench',
      channels: agent.channels,
      encoding: 'cbor',
      timesPerFrame: TIMES_PER_FRAME,
      channelsPerFrame: L64_CHANNELS,
      samplesPerS: L64_SAMPLES_PER_S,
      seconds,
      firstSeq: 0,
      epoch: 'one',
      ...L64_LATE,
    })
    const looks = await watch(agent, seconds, say)
    const report = await load
    const end = looks[looks.length - 1]!
    await sleep(500)
    const first = looks[Math.floor(looks.length * WARM_SHARE)]!
    const last = looks[looks.length - 1]!
    say(
      `the load was behind its schedule by ${report.behindMs.toFixed(1)} ms at worst; latency at worst ${(end.latency[3]! * 1000).toFixed(1)} ms`,
    )
    const perS = (last.outboxBytes - first.outboxBytes) / (last.atS - first.atS)
    const state = await agent.stop()
    const journalBytes = bytesBelow(join(state, 'journal'))
    return {
      decision_latency_p50_ms: end.latency[0]! * 1000,
      decision_latency_p99_ms: end.latency[1]! * 1000,
      decision_latency_p999_ms: end.latency[2]! * 1000,
      // How well the load kept its pace: a tail shorter than this is the load's, or the machine's.
      load_behind_schedule_ms: report.behindMs,
      agent_l64_rss_mb: Math.max(...looks.map(({ rssMb }) => rssMb)),
      agent_l64_cpu_percent: (100 * (last.cpuS - first.cpuS)) / (last.atS - first.atS),
      // In a short run nothing has settled yet: a figure would be of the warming up.
      ...(short ? {} : { rss_drift_percent_per_h: driftPerHour(looks) }),
      bytes_per_decision: (last.outboxBytes - first.outboxBytes) / (last.decisions - first.decisions),
      mb_per_day_nominal: (perS * SECONDS_PER_DAY) / 1e6,
      journal_mb_per_h: (journalBytes / 1e6 / seconds) * 3600,
      replay_x_realtime: await replay(state, seconds, say),
    }
  } finally {
    await agent.remove()
  }
}

type Look = Readonly<{
  atS: number
  rssMb: number
  cpuS: number
  outboxBytes: number
  decisions: number
  latency: readonly number[]
}>

async function look(agent: BenchAgent, atS: number): Promise<Look> {
  const metrics = await agent.metrics()
  const of = (name: string): number => metrics.get(name) ?? Number.NaN
  return {
    atS,
    rssMb: agent.rssMb(),
    cpuS: of('hb_process_process_cpu_seconds_total'),
    outboxBytes: of('hb_outbox_bytes'),
    decisions: of('hb_signed_seq'),
    latency: ['0.5', '0.99', '0.999', '1'].map((q) => of(`hb_decision_latency_seconds{quantile="${q}"}`)),
  }
}

async function watch(agent: BenchAgent, seconds: number, say: (text: string) => void): Promise<Look[]> {
  const looks: Look[] = []
  const startMs = performance.now()
  for (;;) {
    await sleep(LOOK_EVERY_MS)
    const atS = (performance.now() - startMs) / 1000
    if (atS >= seconds) return looks
    looks.push(await look(agent, atS))
    if (looks.length % 5 === 0)
      say(`${atS.toFixed(0)} of ${seconds} s, ${looks[looks.length - 1]!.rssMb.toFixed(0)} MB`)
  }
}

/**
 * Growth of the resident set, in percent of it an hour: between the least of the second quarter and the least of the
 * last. The least, because what has not been collected yet is no growth.
 */
export function driftPerHour(looks: readonly Readonly<{ atS: number; rssMb: number }>[]): number {
  const quarter = Math.floor(looks.length / 4)
  const least = (part: typeof looks) => part.reduce((a, b) => (b.rssMb < a.rssMb ? b : a))
  const early = least(looks.slice(quarter, 2 * quarter))
  const late = least(looks.slice(3 * quarter))
  return ((late.rssMb - early.rssMb) / early.rssMb / (late.atS - early.atS)) * 3600 * 100
}

async function replay(state: string, seconds: number, say: (text: string) => void): Promise<number> {
  const startMs = performance.now()
  const answer = JSON.parse(await runHb(['replay', '--state', state, '--json'], state)) as {
    equal: boolean
    decisions: number
  }
  const wallS = (performance.now() - startMs) / 1000
  if (answer.equal !== true) throw new Error('the replay was not equal')
  say(`replay of ${answer.decisions} decisions: equal, ${wallS.toFixed(2)} s`)
  return seconds / wallS
}
