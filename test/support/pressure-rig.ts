import { randomBytes } from 'node:crypto'
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { viewLedger } from '../../agent/adapters/ledger-read.ts'
import { fetchDesktop, giveOrder } from '../../agent/cli/order-client.ts'
import type { LedgerAction, LedgerTransition } from '../../agent/pipeline/action-ledger.ts'
import { onceArmable } from '../../scripts/demo/operators.ts'
import { type Hb, type LogLine, type Program, runHb, startHb } from '../../scripts/demo/processes.ts'
import { ROOT } from '../../scripts/sources.ts'
import { defaultQualityPolicy } from '../../shared/config/quality-policy.ts'
import { generateSigner } from '../../shared/crypto/sign.ts'
import {
  baselineMetric,
  baselineRecord,
  certifiedBundle,
  dataUntil,
  privatePem,
  TESTBED_SIGNERS,
} from './certified-baselines.ts'
import { OPERATOR_LINES, PEOPLE, publicPem } from './operator-keys.ts'
import { AT_REST, DAQS, type DaqName, type PressurePlant, startPressurePlant } from './pressure-plant.ts'
import { pressurePolicy, type TargetLines } from './pressure-policy.ts'

export const RIG = 'pressure-loop'
export const AGENT = 'bench-1'
export type TargetName = 'pump' | 'inlet-valve'

/** What one target of the rig is: how it is timed, and where it is. `null` for no actuator at all. */
export type RigOptions = Readonly<{
  targets?: TargetLines
  endpoints: Readonly<Record<TargetName, string>>
  /** Threads that evaluate; 0 for none. */
  threads?: number
}>

/** An action with every step of it. */
export type Told = Readonly<{ action: LedgerAction; steps: readonly LedgerTransition[] }>

/** A folder with everything that an armed pressure loop needs, and its plant. */
export type PressureRig = Readonly<{
  path: string
  plant: PressurePlant
  /** Key of the link to a target, in the file that its name and `.key` make. */
  keys: Readonly<Record<TargetName, Uint8Array>>
  configure(options: RigOptions): void
  /** Settles when the agent is ready, and every target that is named has answered. */
  agent(state: string, options?: AgentOptions): Promise<StartedAgent>
  /** Two people arm what is in force, as soon as nothing stands against it. */
  arm(state: string): Promise<void>
  /** Everything in the ledger, oldest action first, running agent or not. */
  told(state: string): Promise<readonly Told[]>
  json(args: readonly string[]): Promise<Record<string, unknown>>
  /** Options of an order that this person gives. */
  by(state: string, name: string): readonly string[]
  stop(): Promise<void>
}>
/** `ready` false: it is not waited for, because it may end before. */
export type AgentOptions = Readonly<{ hb?: Hb; ups?: readonly TargetName[]; ready?: boolean }>

export type StartedAgent = Readonly<{
  program: Program
  lines: readonly LogLine[]
  /** Settles with the first line that fits; rejects when none comes or the agent ends before. */
  line(what: string, fits: (line: LogLine) => boolean): Promise<LogLine>
}>

const HOUR_US = 3_600_000_000
const LINE_WITHIN_MS = 20_000

export async function createPressureRig(): Promise<PressureRig> {
  const path = mkdtempSync(join(tmpdir(), 'hb-pressure-'))
  const put = (name: string, text: string | Uint8Array): void => writeFileSync(join(path, name), text, { mode: 0o600 })
  const plant = await startPressurePlant(RIG)
  const keys = { pump: new Uint8Array(randomBytes(32)), 'inlet-valve': new Uint8Array(randomBytes(32)) }
  for (const [target, key] of Object.entries(keys)) put(`${target}.key`, `${Buffer.from(key).toString('hex')}\n`)
  const registry = 'pressure-loop.registry.yaml'
  copyFileSync(join(ROOT, 'hil-testbed', 'rigs', registry), join(path, registry))
  put('sign.pem', generateSigner('testbed').privatePem)
  for (const name of PEOPLE) {
    put(`${name}.pem`, privatePem(name, 'testbed'))
    put(`${name}.pub`, publicPem(name, 'testbed'))
  }
  put('golden.hbb', goldenBundle())
  return {
    path,
    plant,
    keys,
    configure({ targets = {}, endpoints, threads = 0 }) {
      put('actions.yaml', pressurePolicy(targets))
      put('runtime.yaml', runtimeText(plant, { endpoints, threads }))
    },
    agent: (state, options) => startAgent(path, state, options),
    arm: (state) => arm(path, state),
    told: (state) => readLedger(join(path, state)),
    by: (state, name) => ['--state', state, '--key', `${name}.pem`, '--reason', 'a test'],
    json: async (args) => JSON.parse(await runHb([...args, '--json'], path)) as Record<string, unknown>,
    async stop() {
      plant.stop()
      rmSync(path, { recursive: true, force: true })
    },
  }
}

async function arm(path: string, state: string): Promise<void> {
  const folder = join(path, state)
  const by = (name: string) => ({ state: folder, key: join(path, `${name}.pem`), reason: 'a test' })
  await onceArmable(async () => {
    const { rigs } = await fetchDesktop(folder)
    const config = rigs[0]!.config ?? ''
    const asked = await giveOrder(by('ada'), { kind: 'arm', rig: RIG, config, untilUs: Date.now() * 1000 + HOUR_US })
    await giveOrder(by('grace'), { kind: 'confirm', rig: RIG, subject: String(asked['order']), config })
  })
}

/** A baseline that is golden and sure; the limits of the loop owe nothing to it. */
export function goldenBundle(madeUs = Date.now() * 1000): Uint8Array {
  const metrics = Object.values(DAQS).map((metric) =>
    baselineMetric({ metric, unit: metric === 'flow' ? 'l/min' : 'bar' }),
  )
  const record = baselineRecord({ program: 'demo', rig: RIG, ...dataUntil(madeUs), metrics })
  return certifiedBundle(record, defaultQualityPolicy(), TESTBED_SIGNERS)
}

function runtimeText(plant: PressurePlant, { endpoints, threads }: Required<Omit<RigOptions, 'targets'>>): string {
  const executors = Object.entries(endpoints).map(
    ([target, endpoint]) =>
      `  - { target: ${target}, type: actuator, endpoint: "${endpoint}", identity: ${target}, key_file: ${target}.key, ping_ms: 100 }`,
  )
  const sources = (Object.keys(DAQS) as DaqName[]).map(
    (name) =>
      `      - { name: ${name}, type: zmq, pattern: sub, endpoint: "${plant.endpoints[name]}", provenance: simulated }`,
  )
  return `version: 1
deployment: demo
agent: ${AGENT}
realm: testbed
clock: system
signing_key_file: sign.pem
${OPERATOR_LINES}decisions: { batch_ms: 100 }
checkpoint: { every_ms: 1000 }
evaluation: { threads: ${threads} }
executors:
${executors.join('\n')}
rigs:
  - rig: ${RIG}
    program: demo
    registry_file: pressure-loop.registry.yaml
    actions_policy_file: actions.yaml
    baseline_file: golden.hbb
    testbed: true
    sources:
${sources.join('\n')}
`
}

async function startAgent(path: string, state: string, options: AgentOptions = {}): Promise<StartedAgent> {
  const { hb, ups = ['pump', 'inlet-valve'], ready = true } = options
  const lines: LogLine[] = []
  const waiting = new Set<() => void>()
  const args = ['runtime', '--config', 'runtime.yaml', '--state', state, '--stay']
  const program = startHb(`agent-${state}`, args, {
    folder: path,
    ...(hb === undefined ? {} : { hb }),
    line(line) {
      lines.push(line)
      for (const look of waiting) look()
    },
  })
  const line = (what: string, fits: (line: LogLine) => boolean): Promise<LogLine> =>
    new Promise((resolve, reject) => {
      const no = (why: string): void => end(() => reject(new Error(`${state}: ${what}: ${why}\n${lastOf(lines)}`)))
      const timer = setTimeout(() => no('did not come in time'), LINE_WITHIN_MS)
      const end = (then: () => void): void => {
        clearTimeout(timer)
        waiting.delete(look)
        then()
      }
      const look = (): void => {
        const found = lines.find(fits)
        if (found !== undefined) end(() => resolve(found))
      }
      waiting.add(look)
      void program.exited.then(() => no('the agent has ended'))
      look()
    })
  if (!ready) return { program, lines, line }
  await line('a start', ({ event }) => event === 'agent_started')
  for (const target of ups) await line(target, (one) => one['event'] === 'executor_up' && one['target'] === target)
  return { program, lines, line }
}

const LINES_SHOWN = 12
const lastOf = (lines: readonly LogLine[]): string =>
  lines
    .slice(-LINES_SHOWN)
    .map((line) => JSON.stringify(line))
    .join('\n')

async function readLedger(folder: string): Promise<readonly Told[]> {
  const ledger = await viewLedger(folder)
  try {
    const actions = [...(await ledger.list({ limit: 1000 }))].sort((a, b) => a.firstUs - b.firstUs)
    const told: Told[] = []
    for (const action of actions) told.push({ action, steps: (await ledger.byKey(action.key))!.transitions })
    return told
  } finally {
    await ledger.close()
  }
}

/** Until the ledger of a running agent is as it should be. @throws Error with what stands in it */
export async function untilTold(
  rig: PressureRig,
  { state, what, withinMs = 15_000 }: Readonly<{ state: string; what: string; withinMs?: number }>,
  holds: (told: readonly Told[]) => boolean,
): Promise<readonly Told[]> {
  const endMs = performance.now() + withinMs
  for (;;) {
    const told = await rig.told(state)
    if (holds(told)) return told
    if (performance.now() > endMs)
      throw new Error(`${state}: ${what} did not come: ${told.map(historyOf).join(' | ') || 'no action'}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

/** `shutdown pump: PROPOSED GATE_PASSED …`, the steps of one action in a line. */
export const historyOf = ({ action, steps }: Told): string =>
  `${action.action} ${action.target}: ${steps.map(({ state }) => state).join(' ')}`

/** The loop rests again. */
export function calm({ plant }: PressureRig): void {
  Object.assign(plant.readings, AT_REST)
}
