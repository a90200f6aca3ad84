import { spawn } from 'node:child_process'
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type BenchFolder, createBenchFolder, freePort } from '../../test/support/bench-folder.ts'
import { type Program, startHb } from '../demo/processes.ts'
import { ROOT } from '../sources.ts'
import type { LoadOrder, LoadReport } from './load.ts'

/** Load L64 of the architecture: 64 channels at 1 kHz, windows 250 ms, 1 s and 10 s, slide 50 ms. */
export const L64_CHANNELS = 64
export const L64_SAMPLES_PER_S = 64_000
export const L64_LATE = { lateShare: 0.05, lateMs: 20 }

/** An agent as a process of its own, with rigs of many channels, and the numbers it shows of itself. */
export type BenchAgent = Readonly<{
  program: Program
  folder: BenchFolder
  /** Where the first rig listens; the others behind it, see `rigs`. */
  endpoint: string
  rigs: readonly Readonly<{ rig: string; endpoint: string }>[]
  channels: readonly string[]
  readyMs: number
  /** `/metrics`, by name and labels as they are written there. */
  metrics(): Promise<Map<string, number>>
  rssMb(): number
  /** Stops the agent in order and gives the folder of its state. */
  stop(): Promise<string>
  /** Ends what still runs and removes everything. */
  remove(): Promise<void>
}>

export type AgentOrder = Readonly<{
  encoding: 'cbor' | 'json'
  /** One, called `bench`, when absent; else that many, `bench-0` and so on. */
  rigs?: number
  /** Threads that evaluate them; none when absent. */
  threads?: number
  channels?: number
  nominalRateHz?: number
  latenessMs?: number
  /** Runs without a load are without this. */
  collector?: boolean
  batchMs?: number
  /** Longest time between two full records. */
  recordMs?: number
  /** Bound of the journal; by itself more than any run fills. */
  journalBytesMax?: number
  /** More lines at the top of the configuration, more rigs, and the files they name. */
  more?: Readonly<{ top: string; rigs: string; files: Readonly<Record<string, string | Uint8Array>> }>
}>

export async function startBenchAgent(order: AgentOrder): Promise<BenchAgent> {
  const { encoding, channels: wanted = L64_CHANNELS, nominalRateHz = 1000, latenessMs = 200 } = order
  const folder = await createBenchFolder()
  const ports = await Promise.all(Array.from({ length: order.rigs ?? 1 }, () => freePort()))
  const rigs = ports.map((port, k) => ({
    rig: order.rigs === undefined ? 'bench' : `bench-${k}`,
    endpoint: `tcp://127.0.0.1:${port}`,
  }))
  const channels = Array.from({ length: wanted }, (_, c) => `ch${String(c).padStart(3, '0')}`)
  folder.write('bench.registry.yaml', registryYaml(channels, nominalRateHz))
  folder.write(
    'runtime.yaml',
    runtimeText(folder, {
      rigs,
      threads: order.threads ?? 0,
      encoding,
      latenessMs,
      collector: order.collector === true,
      batchMs: order.batchMs ?? 1000,
      recordMs: order.recordMs ?? 10_000,
      journalBytesMax: order.journalBytesMax ?? 4_294_967_296,
      more: order.more ?? { top: '', rigs: '' },
    }),
  )
  for (const [name, content] of Object.entries(order.more?.files ?? {}))
    writeFileSync(join(folder.path, name), content, { mode: 0o600 })
  const startMs = performance.now()
  const program = startHb('agent', ['runtime', '--config', 'runtime.yaml', '--state', 'state'], { folder: folder.path })
  await program.event('agent_started')
  const readyMs = performance.now() - startMs
  const health = `http://127.0.0.1:${folder.ports.health}`
  let stopped = false
  const stop = async (): Promise<string> => {
    if (!stopped) await program.stop()
    stopped = true
    return join(folder.path, 'state')
  }
  return {
    program,
    folder,
    endpoint: rigs[0]!.endpoint,
    rigs,
    channels,
    readyMs,
    metrics: async () => parseMetrics(await (await fetch(`${health}/metrics`)).text()),
    rssMb: () => rssOf(program.pid),
    stop,
    remove: async () => {
      await stop()
      folder.remove()
    },
  }
}

/** Everything that is not said here is as an installer gets it. */
function runtimeText(
  { ports }: BenchFolder,
  {
    rigs,
    threads,
    encoding,
    latenessMs,
    collector,
    batchMs,
    recordMs,
    journalBytesMax,
    more,
  }: {
    rigs: BenchAgent['rigs']
    threads: number
    encoding: string
    latenessMs: number
    collector: boolean
    batchMs: number
    recordMs: number
    journalBytesMax: number
    more: Readonly<{ top: string; rigs: string }>
  },
): string {
  const link = `collector: { url: "wss://127.0.0.1:${ports.agents}/agent", ca_file: ca.pem, cert_file: agent.pem, key_file: agent.key, collector_key_file: receipts.pub.pem }\n`
  const blocks = rigs.map(
    ({ rig, endpoint }) => `  - rig: ${rig}
    program: demo
    registry_file: bench.registry.yaml
    windows_ms: [250, 1000, 10000]
    slide_ms: 50
    lateness_ms: ${latenessMs}
    sources:
      - { name: load, type: zmq, pattern: pull, endpoint: "${endpoint}", encoding: ${encoding} }
`,
  )
  return `version: 1
deployment: demo
agent: bench-1
clock: system
signing_key_file: sign.pem
evaluation: { threads: ${threads} }
${collector ? link : ''}health: { port: ${ports.health} }
journal: { bytes_max: ${journalBytesMax} }
decisions: { batch_ms: ${batchMs}, pass_record_every_ms: ${recordMs} }
${more.top}rigs:
${blocks.join('')}${more.rigs}`
}

/** Registry of these channels: four limits a metric: 256 in all at 64 channels. */
export function registryYaml(channels: readonly string[], nominalRateHz: number): string {
  const one = `unit: bar, nominal_rate_hz: ${nominalRateHz}, invariant_min: -1000, invariant_max: 1000, fail_min: -500, fail_max: 500, baseline_required: false`
  return `version: "1.0"\nmetrics:\n${channels.map((name) => `  ${name}: { ${one} }`).join('\n')}\n`
}

function parseMetrics(text: string): Map<string, number> {
  const numbers = new Map<string, number>()
  for (const line of text.split('\n')) {
    const space = line.lastIndexOf(' ')
    if (!line.startsWith('#') && space > 0) numbers.set(line.slice(0, space), Number(line.slice(space + 1)))
  }
  return numbers
}

/** Resident set of a process in MB (10⁶ bytes). */
export function rssOf(pid: number): number {
  const kib = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  return (Number(kib) * 1024) / 1_000_000
}

/** Bytes of all files below a folder. */
export function bytesBelow(folder: string): number {
  let bytes = 0
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true }))
    if (entry.isFile()) bytes += statSync(join(entry.parentPath, entry.name)).size
  return bytes
}

/** Starts the load of an agent and settles with its report. */
export function runLoad(order: LoadOrder): Promise<LoadReport> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [join(ROOT, 'scripts/bench/load.ts'), JSON.stringify(order)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let out = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      out += text
    })
    child.on('error', reject)
    child.on('close', (code) => {
      if (code === 0) resolve(JSON.parse(out) as LoadReport)
      else reject(new Error(`the load ended with ${code}`))
    })
  })
}

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
