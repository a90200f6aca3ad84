import type { Test } from 'tap'
import { killAll, type LogLine, type Program, startHb } from '../../scripts/demo/processes.ts'
import { type BenchFolder, createBenchFolder, freePort, runtimeYaml } from './bench-folder.ts'

const REGISTRY = `version: "1.0"
metrics:
  flow: { unit: L/min, nominal_rate_hz: 20, baseline_required: false, invariant_min: 0, invariant_max: 100 }
`
const RIG = `  - rig: bench
    program: demo
    registry_file: flow.registry.yaml
    windows_ms: [1000]
    sources:
      - { name: pipe, type: stdin }
`
export type PeerMessage = Readonly<{
  type: string
  status?: string
  payload: Record<string, unknown>
  [key: string]: unknown
}>

/** What an agent has beside the others: files are written, and lines of its rig and its configuration come back. */
export type Prepare = (folder: BenchFolder) => Promise<Readonly<{ rig?: string; more?: string }>>

/** An agent that is told one value 20 times a second, and a peer, each in a process of its own. */
export async function peerBench(t: Test, kind: 'zmq' | 'webhook', prepare: Prepare = async () => ({})) {
  const folder = await createBenchFolder()
  t.teardown(() => {
    killAll()
    folder.remove()
  })
  const [peerPort, agentPort] = [await freePort(), await freePort()]
  folder.write('flow.registry.yaml', REGISTRY)
  folder.write('peer.key', '07'.repeat(32))
  const how =
    kind === 'zmq'
      ? `zmq: { endpoint: "tcp://127.0.0.1:${peerPort}" }`
      : `webhook: { url: "http://127.0.0.1:${peerPort}/hb", listen_port: ${agentPort} }`
  const peerYaml = `peer: { identity: waveos, key_file: peer.key, health_every_ms: 500, ${how} }\n`
  const { rig = '', more = '' } = await prepare(folder)
  const extra = `health: { port: ${folder.ports.health} }\n${peerYaml}${more}`
  folder.write('runtime.yaml', runtimeYaml({ clock: 'system', rigs: `${RIG}${rig}`, extra }))
  const args = ['runtime', '--config', 'runtime.yaml', '--state', 'state']
  const agent = startHb('agent', args, { folder: folder.path, input: true })
  await agent.event('agent_started')
  let value = 30
  // An agent that is being stopped no longer reads: that is the test's doing, and no mistake.
  agent.input!.on('error', () => clearInterval(timer))
  const timer = setInterval(() => {
    agent.input!.write(`${JSON.stringify({ channel: 'flow', t_us: Date.now() * 1000, value })}\n`)
  }, 50)
  t.teardown(() => clearInterval(timer))
  const heard: PeerMessage[] = []
  const line = (said: LogLine): void => {
    if (said['event'] === 'received') heard.push(said['message'] as PeerMessage)
  }
  const endpoint = `${kind === 'zmq' ? 'tcp' : 'http'}://127.0.0.1:${peerPort}`
  const own = ['--key', 'peer.key', '--agent', 'bench-1', '--agent-url', `http://127.0.0.1:${agentPort}/peer`]
  const startPeer = (name: string, ...more: string[]): Program =>
    startHb(name, ['hil', 'peer', '--endpoint', endpoint, ...own, ...more], { folder: folder.path, input: true, line })
  return {
    ...{ folder, agent, heard, startPeer },
    say(next: number) {
      value = next
    },
  }
}

export async function until(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  for (let k = 0; k < 500; k += 1) {
    if (await isSo()) return
    await new Promise((resolve) => setTimeout(resolve, 40))
  }
  throw new Error(`never: ${what}`)
}

export async function metricOf({ ports }: BenchFolder, name: string): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${ports.health}/metrics`)).text()
  const line = text.split('\n').find((one) => one.startsWith(`${name} `))
  return line === undefined ? 0 : Number(line.split(' ').at(-1))
}

/** Has a peer send a message. */
export const send = (peer: Program, order: Record<string, unknown>): boolean =>
  peer.input!.write(`${JSON.stringify(order)}\n`)
