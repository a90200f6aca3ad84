import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { type LoadedRuntime, loadRuntimeConfig, readPolicies } from '../../shared/config/load.ts'
import { readPrivateFile } from '../../shared/crypto/key-file.ts'
import { loadMacKey } from '../../shared/crypto/mac.ts'
import { isHbError } from '../../shared/errors/hb-error.ts'
import { systemClock } from '../../shared/lib/clock.ts'
import { utc } from '../../shared/lib/command-output.ts'
import { UNKNOWN_OUTCOME } from '../../shared/model/action.ts'
import { systemFiles } from '../adapters/files.ts'
import { LEDGER_FILE, viewLedger } from '../adapters/ledger-read.ts'
import { lockHolder } from '../adapters/state-folder.ts'
import { glassesOf } from './break-glass.ts'
import type { Finding } from './doctor.ts'
import { type Desktop, fetchDesktop } from './order-client.ts'

type Options = Readonly<{ config?: string; state?: string }>

/** Actions that are named one by one; further ones are counted. */
const NAMED_MAX = 8

/** What would keep actions from being safe to arm. Empty for an agent without a policy and without a ledger. */
export async function actionFindings({ config, state }: Options): Promise<Finding[]> {
  return [
    ...(config === undefined ? [] : [...secondLayerFindings(config), ...keyFindings(config)]),
    ...(state === undefined ? [] : [...(await ledgerFindings(state)), ...(await armFindings(state))]),
  ]
}

/** SE-44: it is looked for in what can be read of a configuration, whatever else is wrong with it. */
function secondLayerFindings(config: string): Finding[] {
  const policies = readable(() => readPolicies(config).policies) ?? []
  if (policies.length === 0) return []
  const grave = policies.flatMap(({ rig, policy }) =>
    policy.hazards
      .filter(({ omission }) => omission === 'catastrophic')
      .map(({ action, target, secondLayer }) => ({ name: `${rig}: ${action} of ${target}`, secondLayer })),
  )
  const bare = grave.filter(({ secondLayer }) => secondLayer === null)
  if (bare.length > 0)
    return [
      {
        ...{ check: 'second layer', ok: false },
        detail: `catastrophic when it does not come, and nothing beyond us: ${named(bare.map(({ name }) => name))}`,
        remedy: 'build a hardwired layer and say which it is in `second_layer` of the hazard (SE-44)',
      },
    ]
  const detail =
    grave.length === 0
      ? 'no omission is declared catastrophic'
      : named(grave.map(({ name, secondLayer }) => `${name}: ${secondLayer}`))
  return [{ check: 'second layer', ok: true, detail }]
}

/** Keys and secrets that executors share with who carries out; each file is read as the agent does at its start. */
function keyFindings(config: string): Finding[] {
  const loaded = readable(() => loadRuntimeConfig(config))
  if (loaded === null) return []
  const { executors, peer } = loaded.config
  const ofPeer = peer === undefined ? [] : [{ target: `peer ${peer.identity}`, file: peer.key_file, isMac: true }]
  const files = [...executors.flatMap(secretFiles), ...ofPeer]
  if (files.length === 0) return []
  const wrong = files.flatMap(({ target, file, isMac }): Finding[] => {
    try {
      const path = resolve(loaded.folder, file)
      if (isMac) loadMacKey(path)
      else readPrivateFile(path)
      return []
    } catch (error) {
      if (!isHbError(error)) throw error
      return [{ check: `key of ${target}`, ok: false, detail: error.message, remedy: error.remedy }]
    }
  })
  return wrong.length > 0 ? wrong : [{ check: 'keys of executors', ok: true, detail: `${files.length} can be read` }]
}

type Executor = LoadedRuntime['config']['executors'][number]
type SecretFile = Readonly<{ target: string; file: string; isMac: boolean }>

function secretFiles(executor: Executor): SecretFile[] {
  const { target } = executor
  switch (executor.type) {
    case 'actuator':
      return [{ target, file: executor.key_file, isMac: true }]
    case 'webhook':
      return [{ target, file: executor.secret_file, isMac: false }]
    case 'command':
    case 'peer':
      return []
    case 'notify':
      return executor.channels.flatMap((channel) => {
        const file =
          channel.type === 'webhook'
            ? channel.secret_file
            : channel.type === 'email'
              ? channel.password_file
              : undefined
        return file === undefined ? [] : [{ target, file, isMac: false }]
      })
  }
}

async function ledgerFindings(state: string): Promise<Finding[]> {
  if (!existsSync(join(state, LEDGER_FILE))) return []
  try {
    const ledger = await viewLedger(state)
    try {
      const open = await ledger.open()
      const nowUs = systemClock().nowUs()
      const unknown = open.filter((action) => action.state === UNKNOWN_OUTCOME)
      const overdue = open.filter(({ state: is, deadlineUs }) => is !== UNKNOWN_OUTCOME && !(nowUs <= deadlineUs))
      const nameOf = (a: (typeof open)[number]): string => `${a.key.slice(0, 12)} ${a.rig} ${a.action} ${a.target}`
      return [
        { check: 'ledger of actions', ok: true, detail: `can be read, ${open.length} actions are open` },
        ...warnings(
          unknown.map(nameOf),
          'outcome of actions',
          'nobody knows whether these were done',
          'look at the rig, then at `hb actions show` of each',
        ),
        ...warnings(
          overdue.map(nameOf),
          'overdue actions',
          'open past the time in which they were of use',
          'look at the rig, then at `hb actions show` of each',
        ),
      ]
    } finally {
      await ledger.close()
    }
  } catch (error) {
    if (!isHbError(error)) throw error
    return [{ check: 'ledger of actions', ok: false, detail: error.message, remedy: error.remedy }]
  }
}

/** Whether anything is armed, which only a running agent knows: an agent that is not running has armed nothing. */
async function armFindings(state: string): Promise<Finding[]> {
  if (!existsSync(state)) return []
  if (readable(() => lockHolder(systemFiles, state)) === null)
    return existsSync(join(state, LEDGER_FILE))
      ? [{ check: 'armed', ok: true, detail: 'nothing: no agent runs here' }]
      : []
  try {
    const { rigs, waiting } = await fetchDesktop(state)
    const ruled = rigs.flatMap(({ rig, arm }) => (arm === null ? [] : [{ rig, ...arm }]))
    if (ruled.length === 0) return []
    const stands = ruled.map(({ rig, state: is, until_us, by }) =>
      is === 'ARMED' ? `${rig} ARMED until ${utc(until_us)} by ${by.join(' and ')}` : `${rig} ${is}`,
    )
    return [
      { check: 'armed', ok: true, detail: stands.join('; ') },
      ...warnings(
        ruled.flatMap(({ rig, inhibits }) =>
          inhibits.map(({ subject, until_us }) => `${rig} ${subject} until ${utc(until_us)}`),
        ),
        'inhibited',
        'will not be done',
        'let it run out, or disarm: an inhibit ends by itself',
      ),
      ...warnings(
        glassesOf({ rigs }).map(({ rig, by, until_us }) => `${rig} by ${by} until ${utc(until_us)}`),
        'break-glass',
        'one person orders alone',
        '`hb break-glass close`, or let it run out',
      ),
      ...permitFindings(rigs),
      ...alarmFindings(ruled),
      ...warnings(
        waiting.map(({ kind, rig, until_us }) => `${kind} of ${rig} until ${utc(until_us)}`),
        'orders',
        'wait for a second person',
        'another person looks at `hb orders list` and confirms, or lets it run out',
      ),
    ]
  } catch (error) {
    if (!isHbError(error)) throw error
    return [{ check: 'armed', ok: false, detail: error.message, remedy: error.remedy }]
  }
}

/** An armed rig whose hardware does already what was declared for a lost permit is not protected as it says. */
function permitFindings(rigs: Desktop['rigs']): Finding[] {
  const lost = rigs.flatMap(({ rig, arm, against }) =>
    arm?.state === 'ARMED' ? against.filter((one) => one.startsWith('PERMIT_LOST:')).map((one) => `${rig} ${one}`) : [],
  )
  if (lost.length === 0) return []
  const detail = `armed without it: ${named(lost)}`
  const remedy =
    'find out why it was lost (`permit_lost` and `dead_man` in the log), then arm again: nothing else gives it back'
  return [{ check: 'permits', ok: false, detail, remedy }]
}

type Ruled = Readonly<{ rig: string; alarms: NonNullable<Desktop['rigs'][number]['arm']>['alarms'] }>

function alarmFindings(ruled: readonly Ruled[]): Finding[] {
  const standing = ruled.flatMap(({ rig, alarms }) => alarms.map((alarm) => ({ ...alarm, rig })))
  const namesOf = (isCritical: boolean): string[] =>
    standing
      .filter(({ severity }) => (severity === 'CRITICAL') === isCritical)
      .map(({ rig, severity, id }) => `${rig} ${severity} ${id}`)
  const remedy = 'see `hb arm show` and `hb actions list`'
  const critical = namesOf(true)
  return [
    ...(critical.length === 0
      ? []
      : [{ check: 'critical alarms of actions', ok: false, detail: `stand: ${named(critical)}`, remedy }]),
    ...warnings(namesOf(false), 'alarms of actions', 'stand', remedy),
  ]
}

function warnings(names: readonly string[], check: string, what: string, remedy: string): Finding[] {
  return names.length === 0 ? [] : [{ check, ok: true, warns: true, detail: `${what}: ${named(names)}`, remedy }]
}

function named(names: readonly string[]): string {
  const more = names.length - NAMED_MAX
  return `${names.slice(0, NAMED_MAX).join('; ')}${more > 0 ? `; and ${more} more` : ''}`
}

/** @returns null for what cannot be read: another check says so */
function readable<T>(read: () => T): T | null {
  try {
    return read()
  } catch (error) {
    if (isHbError(error)) return null
    throw error
  }
}
