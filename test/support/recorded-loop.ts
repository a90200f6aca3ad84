import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ActionChange } from '../../agent/core/safety/changes.ts'
import { checkpointBody, createEvaluation, evaluate } from '../../agent/pipeline/evaluation.ts'
import { openStorage } from '../../agent/storage.ts'
import {
  createVessel,
  moveVessel,
  PRESSURE_CHANNELS,
  type PressureOptions,
  readVessel,
  type Vessel,
} from '../../hil-testbed/pressure-loop.ts'
import { encodeJournalInput, type JournalInput } from '../../shared/codec/journal-input.ts'
import { encodeFrame } from '../../shared/codec/telemetry.ts'
import { loadRuntimeConfig } from '../../shared/config/load.ts'
import { generateSigner } from '../../shared/crypto/sign.ts'
import type { ActionStep } from '../../shared/model/action-input.ts'
import { baselineMetric, baselineRecord, certifiedBundle, dataUntil, TESTBED_SIGNERS } from './certified-baselines.ts'
import { OPERATOR_LINES, PEOPLE, publicPem } from './operator-keys.ts'
import { LOOP_ACTIONS, LOOP_REGISTRY, LOOP_RUNTIME } from './policy-texts.ts'

export const LOOP = 'pressure-loop'
const T0 = 1_800_000_000_000_000
const FRAME_US = 50_000
const SAMPLE_US = 5_000
const DAQS = ['daq-1', 'daq-2', 'daq-4', 'daq-3'] as const

const { signer, privatePem } = generateSigner('testbed')

/** Writes the configuration of an agent of the pressure loop with a golden baseline into a folder. @returns its path */
export function writeLoop(folder: string, actions = LOOP_ACTIONS, agent = LOOP_RUNTIME): string {
  const put = (name: string, text: string | Uint8Array): void =>
    writeFileSync(join(folder, name), text, { mode: 0o600 })
  const metrics = [baselineMetric({ metric: 'flow', unit: 'l/min' })]
  const record = baselineRecord({ program: 'demo', rig: LOOP, ...dataUntil(T0), metrics })
  put('loop.hbb', certifiedBundle(record, undefined, TESTBED_SIGNERS))
  put('loop.registry.yaml', LOOP_REGISTRY)
  put('loop.actions.yaml', actions)
  put('sign.pem', privatePem)
  for (const target of ['pump', 'valve']) put(`${target}.key`, `${'5a'.repeat(32)}\n`)
  for (const name of PEOPLE) put(`${name}.pub`, publicPem(name, 'testbed'))
  const runtime = agent.replace('rigs:\n', `realm: testbed\n${OPERATOR_LINES}rigs:\n`)
  put('runtime.yaml', runtime.replace('    sources:', '    testbed: true\n    baseline_file: loop.hbb\n    sources:'))
  return join(folder, 'runtime.yaml')
}

export type LoopRecording = Readonly<{
  seconds: number
  /** When the valve begins to stick; null: never. */
  faultS: number | null
  /** Two people arm it after a second. */
  armed: boolean
  /** Everything but the flow meter comes by one acquisition. */
  patched?: boolean
  /** Its state is saved after so many seconds. */
  savedS?: number
}>

/**
 * Makes a state folder with the journal that an agent of the loop would have written, acting included: its pump does at
 * once what it is told.
 *
 * @returns record after which its state was saved; 0: it was not
 */
export async function recordLoop(config: string, state: string, recording: LoopRecording): Promise<number> {
  const { seconds, faultS, armed, patched = false, savedS } = recording
  let savedAt = 0
  const loaded = loadRuntimeConfig(config)
  const storage = openStorage(state, loaded, { signer, nowUs: T0 })
  const evaluation = createEvaluation()
  const vessel = createVessel()
  const take: Take = (input) => {
    const { last } = storage.journal.append([encodeJournalInput(input)])
    for (const effect of evaluate(evaluation, last, input))
      if (effect.kind === 'safety' && effect.change.kind === 'action') carryOut(effect.change, { take, vessel, nowUs })
  }
  let nowUs = T0
  take({ kind: 'operator', nowUs, command: 'agent_start', bootId: 'b'.repeat(8), version: '0' })
  take({ kind: 'config', nowUs, files: loaded.files })
  const options = { seed: 5, faultUs: faultS === null ? null : faultS * 1_000_000, stuck: null }
  for (let k = 0; k < (seconds * 1_000_000) / FRAME_US; k += 1) {
    nowUs = T0 + (k + 1) * FRAME_US
    if (armed && k === 20) {
      const { config: digest } = evaluation.state.rigs[0]!.settings.safety!
      const order = { kind: 'arm', config: digest, untilUs: nowUs + 3_600_000_000, by: ['ada', 'grace'] } as const
      take({ kind: 'policy', nowUs, rig: LOOP, order, statements: [] })
    }
    for (const input of framesOf(k, { vessel, options, patched })) take(input)
    take({ kind: 'tick', nowUs })
    if (savedS === undefined || (k + 1) * FRAME_US !== savedS * 1_000_000) continue
    savedAt = evaluation.journalSeq
    await storage.journal.sync()
    await storage.checkpoints.save(savedAt, checkpointBody(evaluation))
  }
  take({ kind: 'operator', nowUs, command: 'agent_stop', bootId: 'b'.repeat(8), version: '0' })
  await storage.journal.sync()
  await storage.close()
  return savedAt
}

type Take = (input: JournalInput) => void
type Hands = Readonly<{ take: Take; vessel: Vessel; nowUs: number }>

/** What the shell and the target answer to a state of an action. */
function carryOut({ key, state, from, target }: ActionChange, { take, vessel, nowUs }: Hands): void {
  if (state === from) return
  const step = (one: ActionStep): void => take({ kind: 'action_transition', nowUs, rig: LOOP, step: one })
  const ack = (status: 'accepted' | 'started' | 'completed'): void =>
    take({ kind: 'ack', nowUs, rig: LOOP, key, status, from: target, message: '' })
  if (state === 'GATE_PASSED') step({ kind: 'release', key })
  if (state === 'RELEASED') step({ kind: 'sent', key })
  if (state !== 'SENT') return
  ack('accepted')
  ack('started')
  if (target === 'pump') vessel.pumpOn = false
  ack('completed')
}

type Plant = Readonly<{ vessel: Vessel; options: PressureOptions; patched: boolean }>

/** Frame `k` of every channel, each from its acquisition. */
function framesOf(k: number, { vessel, options, patched }: Plant): JournalInput[] {
  const samples = Array.from({ length: FRAME_US / SAMPLE_US }, (_, i) => {
    const offsetUs = k * FRAME_US + i * SAMPLE_US
    moveVessel(vessel, options, offsetUs)
    const index = offsetUs / SAMPLE_US
    return { offsetUs, values: PRESSURE_CHANNELS.map((name) => readVessel(vessel, options, name, index)) }
  })
  return PRESSURE_CHANNELS.map((channel, c) => {
    const source = patched && channel !== 'flow' ? 'daq-1' : DAQS[c]!
    const message = encodeFrame({
      ...{ rig: LOOP, source, epoch: channel, seq: k, channels: [channel], cid: null },
      timeUs: Float64Array.from(samples, ({ offsetUs }) => T0 + offsetUs),
      value: Float64Array.from(samples, ({ values }) => values[c]!),
    } as never)
    const about = { kind: 'frame', nowUs: T0 + (k + 1) * FRAME_US, rig: LOOP, origin: source } as const
    return { ...about, encoding: 'cbor', provenance: 'simulated', messages: [message] }
  })
}
