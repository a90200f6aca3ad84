import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createZmqActuator, type ZmqActuator, type ZmqActuatorOptions } from '../../agent/adapters/zmq-actuator.ts'
import type { ExecutorAck, ExecutorRequest } from '../../agent/ports.ts'
import { type LogLine, type Program, runHb, startHb } from '../../scripts/demo/processes.ts'
import { systemClock } from '../../shared/lib/clock.ts'

/** What `hb hil actuator-count --json` says. */
export type ActuatorCount = Readonly<{
  keys: number
  effects: number
  permit_lost: number
  by_key: Readonly<Record<string, { effects: number; stage: string }>>
}>

/** `lines`: what it has said so far. `order` settles when a fault that is wanted, or none, is in force. */
export type StartedActuator = Readonly<{
  program: Program
  endpoint: string
  lines: readonly LogLine[]
  order(fault: Readonly<Record<string, unknown>>): Promise<void>
}>

/** A folder with the key of a link, and what is needed to start the simulated actuator in it and an executor for it. */
export type ActuatorFolder = Readonly<{
  path: string
  key: Uint8Array
  start(name: string, args?: readonly string[], port?: number): Promise<StartedActuator>
  count(): Promise<ActuatorCount>
  remove(): void
}>

export function createActuatorFolder(): ActuatorFolder {
  const path = mkdtempSync(join(tmpdir(), 'hb-actuator-'))
  const key = new Uint8Array(randomBytes(32))
  writeFileSync(join(path, 'link.key'), `${Buffer.from(key).toString('hex')}\n`, { mode: 0o600 })
  return {
    path,
    key,
    async start(name, args = [], port = 0) {
      const fixed = ['--endpoint', `tcp://127.0.0.1:${port}`, '--key', 'link.key', '--state', 'actuator.jsonl']
      const lines: LogLine[] = []
      const line = (one: LogLine): number => lines.push(one)
      const program = startHb(name, ['hil', 'actuator', ...fixed, ...args], { folder: path, input: true, line })
      const { endpoint } = await program.event('listening')
      const orders = (): number => lines.filter(({ event }) => event === 'fault_wanted').length
      const order = async (fault: Readonly<Record<string, unknown>>): Promise<void> => {
        const before = orders()
        program.input!.write(`${JSON.stringify(fault)}\n`)
        await until('an order', () => orders() > before)
      }
      return { program, endpoint: String(endpoint), lines, order }
    },
    count: async () =>
      JSON.parse(await runHb(['hil', 'actuator-count', '--state', 'actuator.jsonl', '--json'], path)) as ActuatorCount,
    remove: () => rmSync(path, { recursive: true, force: true }),
  }
}

/** An executor that notes what it is told, and can be waited for. */
export type NotingExecutor = Readonly<{
  executor: ZmqActuator
  acks: ExecutorAck[]
  ups: number[]
  downs: string[]
  /** Settles when `holds` does; rejects with what was told until then. */
  until(what: string, holds: () => boolean): Promise<void>
}>

export async function startExecutor(
  options: Pick<ZmqActuatorOptions, 'endpoint' | 'key'> & Partial<ZmqActuatorOptions>,
): Promise<NotingExecutor> {
  const executor = createZmqActuator({
    target: 'valve',
    agent: 'agent',
    identity: 'actuator',
    testbed: true,
    nonIdempotent: false,
    lossEffect: null,
    pingMs: 100,
    clock: systemClock(),
    random: Math.random,
    ...options,
  })
  const acks: ExecutorAck[] = []
  const [ups, downs]: [number[], string[]] = [[], []]
  await executor.start({
    ack: (ack) => acks.push(ack),
    up: () => ups.push(acks.length),
    down: (reason) => downs.push(reason),
  })
  const told = (): string => JSON.stringify({ acks, ups, downs })
  return { executor, acks, ups, downs, until: (what, holds) => until(what, holds, told) }
}

async function until(what: string, holds: () => boolean, told: () => string = () => ''): Promise<void> {
  for (let k = 0; k < 1000 && !holds(); k += 1) await new Promise((resolve) => setTimeout(resolve, 10))
  if (!holds()) throw new Error(`${what} did not come ${told()}`)
}

export function actionRequest(change: Partial<ExecutorRequest> = {}): ExecutorRequest {
  return {
    key: 'key-0001',
    rig: 'bench',
    action: 'shutdown',
    target: 'relief',
    params: { open: true, rate: 0.5 },
    attempt: 1,
    budgetMs: 5000,
    ...change,
  }
}
