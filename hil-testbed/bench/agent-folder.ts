import { readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { stringify } from 'yaml'
import { readBundle } from '../../shared/codec/baseline-bundle.ts'
import type { ScenarioRow } from '../core/scenario.ts'
import { benchKey, benchSecret } from './keys.ts'

export const DEPLOYMENT = 'hil'
export const AGENT = 'bench'
export const PROGRAM = 'hil'
/** Sockets in the working folder of the agent: short names, so that the configuration is the same bytes in every run. */
export const LOCKSTEP_SOCKET = 'lockstep.sock'
export const BASELINE_FILE = 'baseline.hbb'
export const socketOf = (name: string): string => `${name}.sock`

/** Text of a file of the configuration as a fault wants it: what is not there is taken as it is. */
export type FileChange = (text: string) => string

export type FolderOptions = Readonly<{
  row: ScenarioRow
  /** Bytes of the certified baseline; null for none. */
  baseline: Uint8Array | null
  /** Where the collector takes batches, with the files of its trust already in the folder; null for none. */
  collectorKeys: Readonly<Record<string, unknown>> | null
  brokerUrl: string | null
  changes: Readonly<Record<string, FileChange>>
  /** Files that are named in the configuration and left out. */
  missing: readonly string[]
}>

/** What was made: keys of the people, and of the links. */
export type AgentFolder = Readonly<{
  path: string
  state: string
  pems: ReadonlyMap<string, string>
  linkKeys: ReadonlyMap<string, Uint8Array>
  injector: string
}>

/**
 * Working folder of the agent of a run: keys made from words, files of the rig, and a runtime.yaml without a word that
 * changes from run to run - its digest is in every decision.
 */
export function makeAgentFolder(path: string, options: FolderOptions): AgentFolder {
  const { row, baseline, changes, missing } = options
  const { rig } = row
  const put = (name: string, content: string | Uint8Array): void => {
    if (missing.includes(name)) return
    const change = changes[name]
    const changed = change !== undefined && typeof content === 'string' ? change(content) : content
    writeFileSync(join(path, name), changed, { mode: 0o600 })
  }
  const sign = benchKey('agent', rig.name)
  put('sign.pem', sign.privatePem)
  put('sign.pub.pem', sign.publicPem)
  const injector = benchKey('injector', rig.name)
  put('injector.pub.pem', injector.publicPem)
  const pems = new Map<string, string>()
  for (const name of rig.operators) {
    const { privatePem, publicPem } = benchKey('person', name)
    pems.set(name, privatePem)
    put(`${name}.pub.pem`, publicPem)
  }
  const linkKeys = new Map<string, Uint8Array>()
  for (const name of [...rig.actuators.map(({ target }) => target), ...(rig.peer === null ? [] : [rig.peer.name])]) {
    const key = benchSecret('link', rig.name, name)
    linkKeys.set(name, new Uint8Array(key))
    put(`${name}.key`, `${key.toString('hex')}\n`)
  }
  for (const file of [rig.registryFile, ...(rig.policyFile === null ? [] : [rig.policyFile])])
    put(basename(file), readFileSync(file, 'utf8'))
  if (baseline !== null) put(BASELINE_FILE, baseline)
  // A baseline of the field was judged by a policy of its own; a stricter one would make a draft of it.
  put('quality.yaml', baseline === null ? QUALITY : new TextDecoder().decode(readBundle(baseline).policy))
  put('runtime.yaml', stringify(runtimeOf(options)))
  return { path, state: join(path, 'state'), pems, linkKeys, injector: injector.privatePem }
}

/** Half an hour of a simulated rig takes a second to make; a real one is watched for an hour at least. */
export const QUALITY = 'version: 1\nacceptance_criteria: { min_time_in_state_s: 1800 }\n'

function runtimeOf({ row, baseline, collectorKeys, brokerUrl }: FolderOptions): Record<string, unknown> {
  const { rig, clock } = row
  return {
    version: 1,
    deployment: DEPLOYMENT,
    realm: 'testbed',
    agent: AGENT,
    ...(clock.mode === 'lockstep'
      ? { clock: 'external', lockstep: { endpoint: `ipc://${LOCKSTEP_SOCKET}` } }
      : { clock: 'system' }),
    signing_key_file: 'sign.pem',
    injector_key_file: 'injector.pub.pem',
    operators: rig.operators.map((name) => ({ name, public_key_file: `${name}.pub.pem` })),
    governance: { quality_policy_file: 'quality.yaml' },
    decisions: { batch_ms: 500 },
    ...(collectorKeys === null ? {} : { collector: collectorKeys }),
    executors: executorsOf(row),
    ...(rig.peer === null ? {} : { peer: peerOf(rig.peer) }),
    ...rig.agentKeys,
    rigs: [
      {
        rig: rig.name,
        program: PROGRAM,
        registry_file: basename(rig.registryFile),
        ...(rig.policyFile === null ? {} : { actions_policy_file: basename(rig.policyFile) }),
        ...(baseline === null ? {} : { baseline_file: BASELINE_FILE }),
        testbed: true,
        ...rig.rigKeys,
        sources: sourcesOf(row, brokerUrl),
      },
    ],
  }
}

function executorsOf({ rig }: ScenarioRow): Record<string, unknown>[] {
  const actuators = rig.actuators.map(({ target }) => ({
    target,
    type: 'actuator',
    endpoint: `ipc://${socketOf(target)}`,
    identity: target,
    key_file: `${target}.key`,
  }))
  const peers = rig.peer === null ? [] : [{ target: rig.peer.name, type: 'peer' }]
  return [...actuators, ...peers, { target: 'control-room', type: 'notify', channels: [{ type: 'log' }] }]
}

function peerOf({ name }: Readonly<{ name: string }>): Record<string, unknown> {
  return { identity: name, key_file: `${name}.key`, zmq: { endpoint: `ipc://${socketOf(name)}` } }
}

function sourcesOf({ rig }: ScenarioRow, brokerUrl: string | null): Record<string, unknown>[] {
  if (brokerUrl !== null) return [{ name: 'mqtt', type: 'mqtt', url: brokerUrl, provenance: 'simulated' }]
  const names = [...new Set(rig.sensors.map(({ source }) => source))].sort()
  return names.map((name) => ({ name, type: 'zmq', endpoint: `ipc://${socketOf(name)}`, provenance: 'simulated' }))
}
