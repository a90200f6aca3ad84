import { existsSync, statfsSync } from 'node:fs'
import { connect } from 'node:net'
import { resolve } from 'node:path'
import type { Command } from 'commander'
import { type LoadedRuntime, loadRuntimeConfig } from '../../shared/config/load.ts'
import { ConfigError } from '../../shared/config/problems.ts'
import type { RegistryMetric } from '../../shared/config/registry.ts'
import { loadSigner, readPrivateFile } from '../../shared/crypto/key-file.ts'
import { ERRORS } from '../../shared/errors/catalog.ts'
import { HbError, isHbError } from '../../shared/errors/hb-error.ts'
import { systemClock } from '../../shared/lib/clock.ts'
import { printResult, table } from '../../shared/lib/command-output.ts'
import type { ChannelReplaced } from '../../shared/model/input.ts'
import { NOT_AN_E_STOP } from '../../shared/model/order.ts'
import { systemFiles } from '../adapters/files.ts'
import { lockHolder } from '../adapters/state-folder.ts'
import { type OverdueCalibration, overdueCalibrations } from '../pipeline/calibrations.ts'
import { viewStorage } from '../storage.ts'
import { replacedSensors } from './channel.ts'
import { actionFindings } from './doctor-actions.ts'
import { brokerFindings } from './doctor-brokers.ts'
import { bundleFindings } from './doctor-bundle.ts'

type DoctorOptions = Readonly<{ config?: string; state?: string; json?: boolean }>
/** `warns`: to be looked at; it does not keep an agent from working. */
export type Finding = Readonly<{ check: string; ok: boolean; warns?: boolean; detail: string; remedy?: string }>

/** Free space below which a disk is worth a warning. */
const FREE_BYTES_MIN = 1_073_741_824
const REACH_WITHIN_MS = 3000

/** Adds `hb doctor`. */
export function doctorCommand(program: Command): void {
  program
    .command('doctor')
    .description(
      'look for what would keep an agent from working: clock, disk, keys, configuration, state, brokers, collector, actions',
    )
    .option('--config <file>', 'runtime.yaml to look at')
    .option('--state <dir>', 'state folder to look at')
    .option('--json', 'one JSON object')
    .action(examine)
}

/** Exit code when any check failed (sysexits: something needed is not available). */
const FAILED_EXIT = 69

/** Every check is made whatever the others found. */
async function examine(options: DoctorOptions): Promise<void> {
  const findings: Finding[] = [
    check('node', () => {
      const major = Number(process.versions.node.split('.')[0])
      if (major < 20) throw new HbError('USAGE', { found: process.version, expected: 'Node 20 or newer' })
      return process.version
    }),
    clockFinding(),
  ]
  if (options.config !== undefined) findings.push(...(await configFindings(options.config)))
  if (options.state !== undefined)
    findings.push(...stateFindings(options.state), ...bundleFindings(options.state, options.config))
  findings.push(...(await calibrationFindings(options)), ...(await actionFindings(options)))
  const failed = findings.filter((f) => !f.ok).length
  const rows = findings.map((f) => [f.warns === true ? 'warn' : f.ok ? 'ok  ' : 'FAIL', f.check, f.detail])
  printResult(options.json, { ok: failed === 0, findings, note: NOT_AN_E_STOP }, [
    ...table(rows),
    ...findings.flatMap((f) => (f.remedy === undefined ? [] : [`remedy for ${f.check}: ${f.remedy}`])),
    ending(findings),
    `(${NOT_AN_E_STOP})`,
  ])
  if (failed > 0) process.exitCode = FAILED_EXIT
}

function ending(findings: readonly Finding[]): string {
  const failed = findings.filter(({ ok }) => !ok).length
  const warned = findings.filter(({ warns }) => warns === true).length
  if (failed > 0) return `${failed} of ${findings.length} failed`
  return warned > 0 ? `nothing failed, ${warned} to be looked at` : 'all well'
}

function check(name: string, look: () => string): Finding {
  try {
    return { check: name, ok: true, detail: look() }
  } catch (error) {
    if (error instanceof ConfigError)
      return {
        check: name,
        ok: false,
        detail: `${error.problems.length} mistakes`,
        remedy: 'run `hb config check` with this file',
      }
    if (isHbError(error)) return { check: name, ok: false, detail: error.message, remedy: error.remedy }
    throw error
  }
}

function clockFinding(): Finding {
  const now = new Date(systemClock().nowUs() / 1000)
  const year = now.getUTCFullYear()
  const ok = year >= 2026 && year < 2100
  return {
    check: 'clock',
    ok,
    detail: now.toISOString(),
    ...(ok ? {} : { remedy: 'set the clock (NTP, PTP or `timedatectl`)' }),
  }
}

async function configFindings(path: string): Promise<Finding[]> {
  let loaded: LoadedRuntime | null = null
  const findings = [
    check('configuration', () => {
      loaded = loadRuntimeConfig(path)
      return `${loaded.config.rigs.length} rigs`
    }),
  ]
  if (loaded === null) return findings
  const { config, folder } = loaded as LoadedRuntime
  findings.push(
    check('signing key', () => {
      loadSigner(resolve(folder, config.signing_key_file))
      return config.signing_key_file
    }),
  )
  findings.push(...(await brokerFindings(loaded)))
  const { collector } = config
  if (collector === undefined) return findings
  findings.push(
    check('tls key', () => {
      readPrivateFile(resolve(folder, collector.key_file))
      return collector.key_file
    }),
  )
  const { hostname, port } = new URL(collector.url)
  const reached = await reach(hostname, Number(port === '' ? 443 : port))
  findings.push(
    reached === null
      ? { check: 'collector', ok: true, detail: collector.url }
      : {
          check: 'collector',
          ok: false,
          detail: `${collector.url}: ${reached}`,
          remedy: ERRORS.COLLECTOR_UNREACHABLE.remedy,
        },
  )
  return findings
}

/** Calibrations that are past due, of the registry and of sensors that were replaced. */
async function calibrationFindings({ config, state }: DoctorOptions): Promise<Finding[]> {
  const found = await overdueNow(config, state)
  if (found === null) return []
  if (found.length === 0) return [{ check: 'calibration', ok: true, detail: 'none is overdue' }]
  const detail = found.map((c) => `${c.rig}/${c.metric} was due ${c.due} (${c.source})`).join('; ')
  return [{ check: 'calibration', ok: true, warns: true, detail, remedy: ERRORS.CALIBRATION_OVERDUE.remedy }]
}

/** @returns null where neither configuration nor state can be read; another check says so */
async function overdueNow(config: string | undefined, state: string | undefined): Promise<OverdueCalibration[] | null> {
  if (config === undefined) return null
  try {
    const { registries } = loadRuntimeConfig(config)
    const replaced = state === undefined ? new Map() : await latestReplaced(state, registries)
    return overdueCalibrations(registries, (rig) => replaced.get(rig) ?? new Map(), systemClock().nowUs())
  } catch (error) {
    if (isHbError(error)) return null
    throw error
  }
}

/** The newest sensor of each metric, by rig, as far as the journal reaches back. */
async function latestReplaced(
  state: string,
  registries: LoadedRuntime['registries'],
): Promise<Map<string, Map<string, ChannelReplaced>>> {
  const latest = new Map<string, Map<string, ChannelReplaced>>()
  for (const sensor of await replacedSensors(viewStorage(state))) {
    const names = (m: RegistryMetric): readonly string[] => [
      m.metric,
      ...(m.aliases ?? []),
      ...(m.source_columns ?? []),
    ]
    const metric = registries.get(sensor.rig)?.find((m) => names(m).includes(sensor.channel))?.metric
    if (metric === undefined) continue
    const of = latest.get(sensor.rig) ?? new Map<string, ChannelReplaced>()
    latest.set(sensor.rig, of.set(metric, sensor))
  }
  return latest
}

/** @returns null when something listens there, otherwise why not */
function reach(host: string, port: number): Promise<string | null> {
  return new Promise((done) => {
    const socket = connect({ host, port, timeout: REACH_WITHIN_MS })
    const end = (why: string | null): void => {
      socket.destroy()
      done(why)
    }
    socket.on('connect', () => end(null))
    socket.on('timeout', () => end('no answer'))
    socket.on('error', (error) => end(error.message))
  })
}

function stateFindings(path: string): Finding[] {
  const folder = check('state folder', () => {
    const view = viewStorage(path)
    const holder = lockHolder(systemFiles, path)
    return `agent ${view.identity.agent}, epoch ${view.identity.epoch}, journal ${view.journal.firstSeq}–${view.journal.lastSeq}, ${view.outbox.pending().batches} batches wait, ${holder === null ? 'not in use' : `used by process ${holder}`}`
  })
  if (!existsSync(path)) return [folder]
  return [
    folder,
    check('disk', () => {
      const { bavail, bsize } = statfsSync(path)
      if (bavail * bsize < FREE_BYTES_MIN)
        throw new HbError('DISK_FULL', { path, free_bytes: bavail * bsize, expected: FREE_BYTES_MIN })
      return `${Math.floor((bavail * bsize) / 1_048_576)} MiB free`
    }),
  ]
}
