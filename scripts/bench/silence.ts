import { Push } from 'zeromq'
import { createBenchFolder, freePort } from '../../test/support/bench-folder.ts'
import { type LogLine, startHb } from '../demo/processes.ts'
import { sleep } from './agent.ts'
import type { Measure } from './measure.ts'

const RIGS = 16
const IDLE_AFTER_MS = 300
const LATENESS_MS = 200
const SAMPLE_EVERY_MS = 10
/** Told to be slower than they are: no window is short of samples before the channel counts as silent. */
const NOMINAL_RATE_HZ = 10
const SPEAKS_MS = 900
const SILENT_MS = 900

/** How long after its deadline a channel that fell silent is told of, while another channel of its rig goes on. */
export function silence(): Measure[] {
  return [
    {
      names: ['silence_flag_p50_ms', 'silence_flag_p99_ms'],
      what: `${RIGS} rigs of two channels at 100 Hz, JSON; one channel of each falls silent again and again. From last sample + idle_after + lateness to the log line of the changed verdict; the grid makes up to half a slide (25 ms) of it, either way`,
      run: async ({ short, say }) => {
        const delays = await flagDelays(short ? 5 : 20)
        delays.sort((a, b) => a - b)
        const at = (q: number) => delays[Math.min(delays.length - 1, Math.floor(q * delays.length))]!
        say(`${delays.length} silences, at worst ${at(1).toFixed(1)} ms`)
        return { silence_flag_p50_ms: at(0.5), silence_flag_p99_ms: at(0.99) }
      },
    },
  ]
}

type SilentRig = { name: string; socket: Push; lastUs: number; silentSinceUs: number | null }

async function flagDelays(rounds: number): Promise<number[]> {
  const folder = await createBenchFolder()
  const ports = await Promise.all(Array.from({ length: RIGS }, () => freePort()))
  const names = ports.map((_, k) => `rig-${k}`)
  folder.write(
    'two.registry.yaml',
    `version: "1.0"\nmetrics:\n${['steady', 'moody'].map((m) => `  ${m}: { unit: bar, nominal_rate_hz: ${NOMINAL_RATE_HZ}, idle_after_ms: ${IDLE_AFTER_MS}, fail_min: -500, fail_max: 500, baseline_required: false }`).join('\n')}\n`,
  )
  folder.write('runtime.yaml', runtimeText(names, ports))
  const delays: number[] = []
  const rigs = new Map<string, SilentRig>()
  const line = (entry: LogLine): void => {
    const rig = rigs.get(String(entry['rig']))
    if (entry['event'] !== 'verdict' || !String(entry['driver']).endsWith(': silent') || rig?.silentSinceUs == null)
      return
    delays.push(Date.parse(String(entry['time'])) - rig.silentSinceUs / 1000 - IDLE_AFTER_MS - LATENESS_MS)
    rig.silentSinceUs = null
  }
  const program = startHb('agent', ['runtime', '--config', 'runtime.yaml', '--state', 'state'], {
    folder: folder.path,
    line,
  })
  try {
    await program.event('agent_started')
    for (const [k, name] of names.entries()) {
      const socket = new Push({ linger: 0 })
      socket.connect(`tcp://127.0.0.1:${ports[k]}`)
      rigs.set(name, { name, socket, lastUs: 0, silentSinceUs: null })
    }
    await Promise.all([...rigs.values()].map((rig, k) => speak(rig, k, rounds)))
    await sleep(500)
    return delays
  } finally {
    await program.stop()
    for (const { socket } of rigs.values()) socket.close()
    folder.remove()
  }
}

/** Rounds of a rig are shifted against each other, so that silences begin anywhere on the grid of slides. */
async function speak(rig: SilentRig, k: number, rounds: number): Promise<void> {
  const startMs = performance.now() + 2_000
  const roundMs = SPEAKS_MS + SILENT_MS + 7 * k
  for (let nextMs = performance.now(); nextMs < startMs + rounds * roundMs; nextMs += SAMPLE_EVERY_MS) {
    await sleep(Math.max(0, nextMs - performance.now()))
    const timeUs = Math.floor((performance.timeOrigin + performance.now()) * 1000)
    const phase = nextMs < startMs ? 0 : (nextMs - startMs) % roundMs
    await rig.socket.send(`{"channel":"steady","t_us":${timeUs},"value":1}`)
    if (phase < SPEAKS_MS) {
      rig.silentSinceUs = null
      rig.lastUs = timeUs
      await rig.socket.send(`{"channel":"moody","t_us":${timeUs},"value":1}`)
    } else if (phase < SPEAKS_MS + SAMPLE_EVERY_MS) rig.silentSinceUs = rig.lastUs
  }
}

function runtimeText(names: readonly string[], ports: readonly number[]): string {
  const rigs = names.map(
    (name, k) => `  - rig: ${name}
    program: demo
    registry_file: two.registry.yaml
    lateness_ms: ${LATENESS_MS}
    sources:
      - { name: load, type: zmq, pattern: pull, endpoint: "tcp://127.0.0.1:${ports[k]}", encoding: json }`,
  )
  return `version: 1\ndeployment: demo\nagent: bench-1\nclock: system\nsigning_key_file: sign.pem\nrigs:\n${rigs.join('\n')}\n`
}
