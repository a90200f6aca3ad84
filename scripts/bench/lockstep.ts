import { join } from 'node:path'
import { Push } from 'zeromq'
import { createLockstepClient } from '../../hil-testbed/bench/lockstep-client.ts'
import { channelListId, encodeFrame } from '../../shared/codec/telemetry.ts'
import { createBenchFolder } from '../../test/support/bench-folder.ts'
import { startHb } from '../demo/processes.ts'
import { L64_CHANNELS, L64_SAMPLES_PER_S, registryYaml } from './agent.ts'
import type { Measure } from './measure.ts'

const QUANTUM_US = 50_000
const BEGIN_US = Date.UTC(2026, 5, 1) * 1000
const TIMES = (L64_SAMPLES_PER_S / L64_CHANNELS) * (QUANTUM_US / 1_000_000)
const WARM_GRANTS = 200
const ANSWER_MS = 30_000
const channels = Array.from({ length: L64_CHANNELS }, (_, c) => `ch${String(c).padStart(3, '0')}`)

/** How fast a bench can move the time of an agent: one frame and one grant a quantum, the next when it is answered. */
export function lockstep(): Measure[] {
  return [
    {
      names: ['lockstep_l64_x_realtime'],
      what: '64 channels at 1 kHz under an external clock, a frame of 3 200 samples and a grant every 50 ms',
      run: async ({ short, say }) => ({ lockstep_l64_x_realtime: await timesRealTime(short ? 400 : 1600, say) }),
    },
  ]
}

async function timesRealTime(grants: number, say: (text: string) => void): Promise<number> {
  const folder = await createBenchFolder({ realm: 'testbed' })
  folder.write('bench.registry.yaml', registryYaml(channels, L64_SAMPLES_PER_S / L64_CHANNELS))
  folder.write('runtime.yaml', RUNTIME)
  const agent = startHb('agent', ['runtime', '--config', 'runtime.yaml', '--state', 'state'], { folder: folder.path })
  const client = createLockstepClient({ endpoint: `ipc://${join(folder.path, 'lockstep.sock')}`, timeoutMs: ANSWER_MS })
  const socket = new Push({ linger: 0 })
  try {
    await client.hello(BEGIN_US)
    socket.connect(`ipc://${join(folder.path, 'load.sock')}`)
    let sent = 0
    const step = async (): Promise<number> => {
      const fromUs = BEGIN_US + sent * QUANTUM_US
      await socket.send(frameOf(sent, fromUs))
      sent += 1
      return (await client.grant({ untilUs: fromUs + QUANTUM_US, frames: { load: sent }, heard: {} })).decisions
    }
    while (sent < WARM_GRANTS) await step()
    const startMs = performance.now()
    const took: number[] = []
    for (let k = 0; k < grants; k += 1) {
      const beginMs = performance.now()
      await step()
      took.push(performance.now() - beginMs)
    }
    const seconds = (performance.now() - startMs) / 1000
    took.sort((a, b) => a - b)
    const quantile = (q: number): string => took[Math.floor(q * took.length)]!.toFixed(2)
    say(`a grant takes ${quantile(0.5)} ms, one in a hundred more than ${quantile(0.99)} ms`)
    await client.end()
    await agent.exited
    return (grants * QUANTUM_US) / 1_000_000 / seconds
  } finally {
    socket.close()
    client.close()
    await agent.stop()
    folder.remove()
  }
}

function frameOf(seq: number, fromUs: number): Uint8Array {
  const stepUs = QUANTUM_US / TIMES
  const timeUs = Float64Array.from({ length: TIMES }, (_, i) => fromUs + i * stepUs - QUANTUM_US)
  const value = Float64Array.from({ length: TIMES * L64_CHANNELS }, (_, k) => 50 + Math.sin((k + seq) * 0.7))
  const about = { rig: 'bench', source: 'load', epoch: 'one', seq, cid: channelListId(channels) }
  return encodeFrame({ ...about, channels: seq % 20 === 0 ? channels : null, timeUs, value })
}

const RUNTIME = `version: 1
deployment: demo
realm: testbed
agent: bench-1
clock: external
lockstep: { endpoint: "ipc://lockstep.sock" }
signing_key_file: sign.pem
rigs:
  - rig: bench
    program: demo
    registry_file: bench.registry.yaml
    testbed: true
    windows_ms: [250, 1000, 10000]
    sources:
      - { name: load, type: zmq, endpoint: "ipc://load.sock", provenance: simulated }
`
