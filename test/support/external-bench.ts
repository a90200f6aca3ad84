import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Push } from 'zeromq'
import { type Actuator, createActuator } from '../../hil-testbed/actuator.ts'
import { openActuatorBook } from '../../hil-testbed/actuator-book.ts'
import { createLockstepClient, type LockstepClient } from '../../hil-testbed/bench/lockstep-client.ts'
import { type LogLine, type Program, startHb } from '../../scripts/demo/processes.ts'
import { ROOT } from '../../scripts/sources.ts'
import { encodeFrame } from '../../shared/codec/telemetry.ts'
import { generateSigner } from '../../shared/crypto/sign.ts'
import { createVirtualClock, type VirtualClock } from '../../shared/lib/clock.ts'
import type { LockstepAdvanced } from '../../shared/protocol/lockstep.ts'
import type { Micros } from '../../shared/units.ts'
import { privatePem } from './certified-baselines.ts'
import { OPERATOR_LINES, PEOPLE, publicPem } from './operator-keys.ts'
import { AT_REST, DAQS, type DaqName, type Readings } from './pressure-plant.ts'
import { pressurePolicy } from './pressure-policy.ts'
import { AGENT, goldenBundle, RIG, type TargetName } from './pressure-rig.ts'

/** When the time of every such bench begins. */
export const BEGIN_US: Micros = Date.UTC(2026, 5, 1) * 1000
export const QUANTUM_US: Micros = 50_000
const SAMPLES_PER_QUANTUM = 10
const ANSWER_MS = 10_000
const TARGETS: readonly TargetName[] = ['pump', 'inlet-valve']
const names = Object.keys(DAQS) as DaqName[]

/** Lines of the executors, sources and lockstep of a pressure loop under `clock: external`, with sockets beside the file. */
export function externalYaml({
  testbed = true,
  lockstep = 'lockstep: { endpoint: "ipc://lockstep.sock" }',
} = {}): string {
  const executors = TARGETS.map(
    (target) =>
      `  - { target: ${target}, type: actuator, endpoint: "ipc://${target}.sock", identity: ${target}, key_file: ${target}.key, ping_ms: 100 }`,
  )
  const sources = names.map(
    (name) => `      - { name: ${name}, type: zmq, endpoint: "ipc://${name}.sock", provenance: simulated }`,
  )
  return `version: 1
deployment: demo
agent: ${AGENT}
realm: testbed
clock: external
${lockstep}
signing_key_file: sign.pem
${OPERATOR_LINES}decisions: { batch_ms: 100 }
checkpoint: { every_ms: 1000 }
executors:
${executors.join('\n')}
rigs:
  - rig: ${RIG}
    program: demo
    registry_file: pressure-loop.registry.yaml
    actions_policy_file: actions.yaml
    baseline_file: golden.hbb
    testbed: ${testbed}
    sources:
${sources.join('\n')}
`
}

/** The pump drops by itself when strokes stop. */
function policyWithPermit(): string {
  return pressurePolicy()
    .replace('  - name: pump\n', '  - name: pump\n    permit_hold_ms: 1000\n')
    .replace('    safe_state: no flow', '    loss_of_permit: de_energise\n    safe_state: no flow')
}

const FILES = ['runtime.yaml', 'actions.yaml', 'golden.hbb', 'sign.pem', 'pressure-loop.registry.yaml'] as const

/** A folder with everything that a run needs; `like` another one, to the byte. */
export function externalFolder(like?: string): string {
  const path = mkdtempSync(join(tmpdir(), 'hb-external-'))
  const put = (name: string, text: string | Uint8Array): void => writeFileSync(join(path, name), text, { mode: 0o600 })
  for (const name of PEOPLE) {
    put(`${name}.pem`, privatePem(name, 'testbed'))
    put(`${name}.pub`, publicPem(name, 'testbed'))
  }
  TARGETS.forEach((target, k) => {
    put(`${target}.key`, `${String(k + 1).repeat(64)}\n`)
  })
  if (like !== undefined) {
    for (const name of FILES) put(name, readFileSync(join(like, name)))
    return path
  }
  put('runtime.yaml', externalYaml())
  put('actions.yaml', policyWithPermit())
  put('golden.hbb', goldenBundle(BEGIN_US))
  put('sign.pem', generateSigner('testbed').privatePem)
  copyFileSync(
    join(ROOT, 'hil-testbed', 'rigs', 'pressure-loop.registry.yaml'),
    join(path, 'pressure-loop.registry.yaml'),
  )
  return path
}

/** A bench of a pressure loop, its agent a process; nothing happens but by `step`. */
export type ExternalBench = Readonly<{
  folder: string
  agent: Program
  lines: readonly LogLine[]
  client: LockstepClient
  readings: Readings
  /** Effects of an actuator so far. */
  effects(target: TargetName): number
  /** One quantum: what the plant reads is sent, time goes on, and every actuator answers in its turn. */
  step(): Promise<LockstepAdvanced>
  /** Steps until it holds; fails after so many. */
  stepUntil(what: string, holds: () => boolean | Promise<boolean>, most?: number): Promise<void>
  nowUs(): Micros
  stop(): Promise<number | null>
}>

export async function startExternalBench(folder: string): Promise<ExternalBench> {
  const lines: LogLine[] = []
  const at = process.cwd()
  process.chdir(folder)
  const bench = new Bench(folder)
  for (const target of TARGETS) await bench.addActuator(target)
  process.chdir(at)
  const agent = startHb('agent', ['runtime', '--config', 'runtime.yaml', '--state', 'state'], {
    folder,
    line: (line) => lines.push(line),
  })
  const client = createLockstepClient({ endpoint: `ipc://${join(folder, 'lockstep.sock')}`, timeoutMs: ANSWER_MS })
  await client.hello(BEGIN_US)
  for (const name of names) bench.connect(name)
  return {
    ...{ folder, agent, lines, client, readings: bench.readings },
    effects: (target) => bench.effects.get(target) ?? 0,
    step: () => bench.step(client),
    async stepUntil(what, holds, most = 400) {
      for (let k = 0; k < most; k += 1) {
        if (await holds()) return
        await bench.step(client)
      }
      throw new Error(
        `${what} did not come in ${most} steps\n${lines
          .slice(-10)
          .map((l) => JSON.stringify(l))
          .join('\n')}`,
      )
    },
    nowUs: () => bench.nowUs,
    async stop() {
      await client.end()
      const code = await agent.exited
      client.close()
      await bench.stop()
      return code
    },
  }
}

class Bench {
  nowUs = BEGIN_US
  readonly readings: Readings = { ...AT_REST }
  readonly effects = new Map<string, number>()
  private readonly folder: string
  private readonly actuators = new Map<
    TargetName,
    Readonly<{ actuator: Actuator; clock: VirtualClock; close(): void }>
  >()
  private readonly sockets = new Map<DaqName, Push>()
  private readonly frames: Record<string, number> = {}
  private seq = 0

  constructor(folder: string) {
    this.folder = folder
  }

  async addActuator(target: TargetName): Promise<void> {
    const clock = createVirtualClock(BEGIN_US)
    const book = openActuatorBook(join(this.folder, `${target}.jsonl`), target)
    const actuator = createActuator({
      ...{ id: target, agent: AGENT, endpoint: `ipc://${target}.sock`, book, clock },
      key: new Uint8Array(Buffer.from(readFileSync(join(this.folder, `${target}.key`), 'utf8').trim(), 'hex')),
      ...{ testbed: true, idempotent: true, lossEffect: 'de_energise' },
      say: (event) => {
        if (event !== 'effect') return
        this.effects.set(target, (this.effects.get(target) ?? 0) + 1)
        this.readings.flow = 0
      },
    })
    await actuator.start()
    this.actuators.set(target, { actuator, clock, close: () => book.close() })
  }

  connect(name: DaqName): void {
    const socket = new Push({ linger: 0 })
    socket.connect(`ipc://${join(this.folder, `${name}.sock`)}`)
    this.sockets.set(name, socket)
    this.frames[name] = 0
  }

  async step(client: LockstepClient): Promise<LockstepAdvanced> {
    await this.sendFrames()
    const fromUs = this.nowUs
    this.nowUs += QUANTUM_US
    for (const { clock } of this.actuators.values()) await clock.advance(this.nowUs - fromUs)
    let told = await client.grant({ untilUs: this.nowUs, frames: this.frames, heard: this.heard() })
    for (const [target, { actuator }] of this.actuators) {
      await actuator.heard(told.sent[target] ?? 0)
      const heard = { [target]: actuator.frames.sent }
      told = await client.grant({ untilUs: this.nowUs, frames: {}, heard })
    }
    return told
  }

  async stop(): Promise<void> {
    for (const socket of this.sockets.values()) socket.close()
    for (const { actuator, close } of this.actuators.values()) {
      await actuator.stop()
      close()
    }
  }

  private heard(): Record<string, number> {
    return Object.fromEntries([...this.actuators].map(([target, { actuator }]) => [target, actuator.frames.sent]))
  }

  private async sendFrames(): Promise<void> {
    const sampleUs = QUANTUM_US / SAMPLES_PER_QUANTUM
    const timeUs = Float64Array.from(
      { length: SAMPLES_PER_QUANTUM },
      (_, k) => this.nowUs + (k - SAMPLES_PER_QUANTUM) * sampleUs,
    )
    for (const [source, socket] of this.sockets) {
      const read = DAQS[source] === 'flow' ? this.readings.flow : this.readings.bar
      const value = new Float64Array(SAMPLES_PER_QUANTUM).fill(read)
      const about = { rig: RIG, source, epoch: 'bench', seq: this.seq, cid: null, channels: [DAQS[source]] }
      await socket.send(encodeFrame({ ...about, timeUs, value }))
      this.frames[source]! += 1
    }
    this.seq += 1
  }
}

export const removeFolder = (path: string): void => rmSync(path, { recursive: true, force: true })
