import { createAgentClock } from '../../agent/adapters/agent-clock.ts'
import { openLoop } from '../../agent/compose.ts'
import { EVALUATOR_VERSION } from '../../agent/core/settings.ts'
import { createAgentEvents } from '../../agent/events.ts'
import type { AgentLoop } from '../../agent/loop.ts'
import { type AgentStorage, openStorage } from '../../agent/storage.ts'
import type { JournalInput } from '../../shared/codec/journal-input.ts'
import { encodeFrame } from '../../shared/codec/telemetry.ts'
import { type LoadedRuntime, parseRuntimeFiles } from '../../shared/config/load.ts'
import { generateSigner, readPublicKey } from '../../shared/crypto/sign.ts'
import { createVirtualClock, type VirtualClock } from '../../shared/lib/clock.ts'
import type { Logger } from '../../shared/log/logger.ts'
import { bytesOf } from './config-texts.ts'
import type { ModelCollector } from './model-collector.ts'
import type { ModelDisk } from './model-disk.ts'

const RUNTIME = `version: 1
deployment: demo
agent: bench-1
clock: recording
signing_key_file: sign.pem
decisions: { batch_ms: 100, pass_record_every_ms: 500 }
checkpoint: { every_ms: 1000, keep: 2, history_bytes_max: 20000 }
rigs:
  - rig: water-loop
    program: demo
    registry_file: loop.registry.yaml
    windows_ms: [250]
    sources:
      - { name: daq, type: zmq, endpoint: "tcp://127.0.0.1:5555" }
`
const REGISTRY = `version: "1.0"
metrics:
  flow: { unit: l/min, nominal_rate_hz: 100, fail_min: 10, fail_max: 200, baseline_required: false }
`

/** Time of the first sample. */
const T0 = 1_800_000_000_000_000
const FRAME_US = 50_000
const SAMPLES = 5
/** Longer than the rests that a scrub of a few segments takes. */
const SCRUB_US = 20_000_000

export const { signer } = generateSigner()
export const key = readPublicKey(signer.spki)

function loaded(): LoadedRuntime {
  const files = [
    { name: 'runtime.yaml', bytes: bytesOf(RUNTIME) },
    { name: 'loop.registry.yaml', bytes: bytesOf(REGISTRY) },
  ]
  const { config, ...parsed } = parseRuntimeFiles(files)
  // Segments of a few records, so that a short life has several.
  const journal = { ...config.journal, segment_bytes: 4096 }
  return { config: { ...config, journal }, ...parsed, files, folder: '/' }
}
const LOADED = loaded()

/** One 50 ms frame: steady flow, and out of its limits every third second, or never. */
export function frameInput(k: number, { steady = false } = {}): JournalInput {
  const startUs = T0 + k * FRAME_US
  const timeUs = Float64Array.from({ length: SAMPLES }, (_, i) => startUs + i * 10_000)
  const isFault = !steady && Math.floor((k * FRAME_US) / 1_000_000) % 3 === 2
  const value = timeUs.map((us) => (isFault ? 250 : 100) + ((us / 10_000) % 7) / 8)
  const frame = { rig: 'water-loop', source: 'daq', epoch: 'one', seq: k, channels: ['flow'], cid: null, timeUs, value }
  return {
    kind: 'frame',
    nowUs: startUs + FRAME_US,
    rig: 'water-loop',
    origin: 'daq',
    encoding: 'cbor',
    provenance: 'simulated',
    messages: [encodeFrame(frame as never)],
  }
}

export type Logged = { level: string; event: string } & Record<string, unknown>

/** An agent without sources, sockets and timers of its own: storage, recovery, loop and batches as they are. */
export class BareAgent {
  readonly logged: Logged[]
  readonly storage: AgentStorage
  readonly loop: AgentLoop
  private readonly clock: VirtualClock

  private constructor(parts: Pick<BareAgent, 'logged' | 'storage' | 'loop'> & { clock: VirtualClock }) {
    this.clock = parts.clock
    this.logged = parts.logged
    this.storage = parts.storage
    this.loop = parts.loop
  }

  static async open(disk: ModelDisk, outbox: Partial<LoadedRuntime['config']['outbox']> = {}): Promise<BareAgent> {
    const { config } = LOADED
    const loaded = { ...LOADED, config: { ...config, outbox: { ...config.outbox, ...outbox } } }
    const clock = createVirtualClock(T0)
    const logged: Logged[] = []
    const log =
      (level: string) =>
      (facts: Logged): void =>
        void logged.push({ ...facts, level })
    const events = createAgentEvents({ info: log('info'), warn: log('warn'), error: log('error') } as unknown as Logger)
    const storage = openStorage('/state', loaded, { signer, nowUs: T0, files: disk.files })
    const exe = async (): Promise<Uint8Array> => new Uint8Array(32)
    const code = { exe, version: '0', node: '0', evaluator: EVALUATOR_VERSION, execArgvEmpty: true }
    try {
      const own = createAgentClock({ clock, bootUs: () => null })
      const loop = await openLoop({ loaded, clock: own, events, storage, signer, code })
      await loop.begin()
      return new BareAgent({ logged, storage, loop, clock })
    } catch (error) {
      storage.folder.release()
      throw error
    }
  }

  /** @returns whether it was journaled and evaluated */
  take(k: number, how: { steady?: boolean } = {}): boolean {
    return this.loop.intake.take(frameInput(k, how)) !== null
  }

  /** Frames `from` to `to` and a batch every 10 of them; what the outbox does about it is done. */
  async live(from: number, to: number, how: { steady?: boolean } = {}): Promise<void> {
    for (let k = from; k < to; k += 1) {
      this.take(k, how)
      if (k % 10 !== 9) continue
      await this.flush().catch(() => undefined)
      await this.storage.outboxWatch.settled()
    }
  }

  async flush(): Promise<void> {
    await this.loop.batcher.flush()
  }

  /** Looks the whole journal through. */
  async scrub(): Promise<void> {
    const done = this.loop.damage.scrub()
    await this.clock.advance(SCRUB_US)
    await done
  }

  /** Offers what has no receipt, as the uplink does: on a refusal a new epoch is tried once. @returns the refusal left */
  async send(collector: ModelCollector, { receipts = true } = {}): Promise<string | null> {
    const { outbox } = this.storage
    const { head } = collector
    if (
      head !== null &&
      (head.epoch > outbox.epoch || (head.epoch === outbox.epoch && head.batchSeq > outbox.lastBatchSeq))
    )
      if (!(await this.loop.renewChain('resume', head.epoch))) return 'the collector is ahead'
    for (;;) {
      const refusal = await this.offerAll(collector, receipts)
      if (refusal === null || !(await this.loop.renewChain(refusal, 0))) return refusal
    }
  }

  private async offerAll(collector: ModelCollector, receipts: boolean): Promise<string | null> {
    const { outbox } = this.storage
    for (const entry of await outbox.read(outbox.receiptedThrough + 1, 100_000)) {
      const refusal = collector.offer(entry)
      if (refusal !== null) return refusal
      // A receipt that the disk refuses ends the session; it is given again in the next one.
      const kept = receipts ? await outbox.receipted(entry.batchSeq, new Uint8Array(8)).catch(() => 'refused') : null
      if (kept === 'refused') return null
    }
    return null
  }
}
