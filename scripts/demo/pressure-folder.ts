import { randomBytes } from 'node:crypto'
import { copyFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { generateSigner } from '../../shared/crypto/sign.ts'
import { ROOT } from '../sources.ts'
import { freePorts, nominalStart } from './folder.ts'
import { BOOK, OPERATORS, POLICY, writeOperators } from './operators.ts'
import { type Hb, runHb } from './processes.ts'

export const RIG = 'pressure-loop'
/** Twenty segments of four hundred steps of a quarter of a second: enough to be as sure as a shutdown needs. */
const NOMINAL = { seconds: 2000, rateHz: 200, seed: 21, detectorStepMs: 250 } as const
const DAQS = ['daq-1', 'daq-2', 'daq-3', 'daq-4'] as const
export type DaqName = (typeof DAQS)[number]

/** A folder with everything that an armed pressure loop needs. */
export type PressureFolder = Readonly<{
  path: string
  hb: Hb
  daqs: Readonly<Record<DaqName, string>>
  actuators: Readonly<Record<'pump' | 'inlet-valve', string>>
}>

/** Makes keys, configuration and a golden baseline of the loop, the latter through its gate and three keys. */
export async function makePressureFolder(name: string, hb: Hb, say: (text: string) => void): Promise<PressureFolder> {
  const path = join(ROOT, name)
  rmSync(path, { recursive: true, force: true })
  mkdirSync(path, { mode: 0o700 })
  const put = (file: string, text: string): void => writeFileSync(join(path, file), text, { mode: 0o600 })
  const trusted = writeOperators(path, 'testbed')
  for (const kind of ['registry', 'actions'])
    copyFileSync(join(ROOT, 'hil-testbed', 'rigs', `${RIG}.${kind}.yaml`), join(path, `${RIG}.${kind}.yaml`))
  put('sign.pem', generateSigner('testbed').privatePem)
  for (const target of ['pump', 'inlet-valve']) put(`${target}.key`, `${randomBytes(32).toString('hex')}\n`)
  const ports = await freePorts([7451, 7452, 7453, 7454, 7455, 7456])
  const address = (k: number): string => `tcp://127.0.0.1:${ports[k]}`
  const folder: PressureFolder = {
    path,
    hb,
    daqs: { 'daq-1': address(0), 'daq-2': address(1), 'daq-3': address(2), 'daq-4': address(3) },
    actuators: { pump: address(4), 'inlet-valve': address(5) },
  }
  await certify(folder, { put, trusted, say })
  put('runtime.yaml', runtimeYaml(folder, trusted))
  return folder
}

function runtimeYaml({ daqs, actuators }: PressureFolder, trusted: string): string {
  const sources = DAQS.map(
    (name) => `      - { name: ${name}, type: zmq, endpoint: "${daqs[name]}", provenance: simulated }`,
  )
  const executors = Object.entries(actuators).map(
    ([target, endpoint]) =>
      `  - { target: ${target}, type: actuator, endpoint: "${endpoint}", identity: ${target}, key_file: ${target}.key }`,
  )
  return `version: 1
deployment: demo
agent: bench-2
realm: testbed
clock: system
signing_key_file: sign.pem
${trusted}decisions: { batch_ms: 200 }
executors:
${executors.join('\n')}
  - { target: control-room, type: notify, channels: [{ type: log }] }
rigs:
  - rig: ${RIG}
    program: demo
    registry_file: ${RIG}.registry.yaml
    actions_policy_file: ${RIG}.actions.yaml
    baseline_file: ${RIG}.hbb
    detector_step_ms: ${NOMINAL.detectorStepMs}
    testbed: true
    sources:
${sources.join('\n')}
`
}

type Making = Readonly<{ put(file: string, text: string): void; trusted: string; say(text: string): void }>

async function certify({ path, hb }: PressureFolder, { put, trusted, say }: Making): Promise<void> {
  const { seconds, rateHz, seed, detectorStepMs } = NOMINAL
  const recording = `--csv nominal.csv --seconds ${seconds} --rate ${rateHz} --seed ${seed} --start ${nominalStart()}`
  await runHb(['hil', RIG, ...recording.split(' ')], path, hb)
  put(
    'nominal.yaml',
    `version: 1
deployment: demo
agent: bench-2
realm: testbed
clock: recording
signing_key_file: sign.pem
${trusted}rigs:
  - rig: ${RIG}
    program: demo
    registry_file: ${RIG}.registry.yaml
    detector_step_ms: ${detectorStepMs}
    testbed: true
    sources:
      - { name: recording, type: csv, file: nominal.csv, time_column: t_us, speed: max }
`,
  )
  const create = ['--config', 'nominal.yaml', '--csv', 'nominal.csv', '--policy', POLICY, '--kind', 'golden']
  const made = JSON.parse(
    await runHb(['baseline', 'create', ...create, '--out', 'record.hbb', '--json'], path, hb),
  ) as Readonly<{ digest: string; segments: number; gate: Readonly<{ confidence: number }> }>
  const [proposer, reviewer, approver] = OPERATORS
  const by = (who: string) => ['--book', BOOK, '--key', `${who}.pem`, '--reason', 'for the demo']
  await runHb(['baseline', 'propose', 'record.hbb', '--policy', POLICY, ...by(proposer)], path, hb)
  await runHb(['baseline', 'review', made.digest, ...by(reviewer)], path, hb)
  await runHb(['baseline', 'approve', made.digest, ...by(approver)], path, hb)
  await runHb(['baseline', 'export', made.digest, '--book', BOOK, '--out', `${RIG}.hbb`], path, hb)
  say(
    `  golden baseline of ${RIG}: ${made.segments} segments, confidence ${made.gate.confidence.toFixed(2)}, three keys`,
  )
}
