import { basename, dirname, join, resolve } from 'node:path'
import type { VerifyKey } from '../crypto/sign.ts'
import { HbError } from '../errors/hb-error.ts'
import type { MetricProvenance, RigPolicy } from '../model/actions-policy.ts'
import type { RigAlarms } from '../model/alarm.ts'
import { MODES, type Mode } from '../model/verdict.ts'
import { policyFor, readPolicy } from './actions-policy.ts'
import { collectorProblems } from './collector-problems.ts'
import { type CheckedFile, checkYaml, type Path, valueAt } from './document.ts'
import { type Equivalence, EquivalenceSchema, equivalencesFor } from './equivalence.ts'
import { executorTargetProblems } from './executor-targets.ts'
import { BASELINE_BYTES_MAX, type NoFile, noFile, readBytes } from './files.ts'
import { BookOperatorsSchema } from './operator-schema.ts'
import { readKey, readTrust, type Trust } from './operators.ts'
import { peerProblems } from './peer-problems.ts'
import { lintMistakes, type PolicyOfRig, policyOfRig } from './policy-check.ts'
import { ConfigError, cannotRead, type Problem, withoutRepeats } from './problems.ts'
import { realmFileProblems, realmOf, runtimeRealmProblems } from './realm-problems.ts'
import { type InForce, mergedProblems, metricsFor, type RegistryMetric, registryProblems } from './registry.ts'
import { type Loose, memoryProblems, rateProblems, revisedSamplesProblems, runtimeProblems } from './rig-problems.ts'
import { CollectorSchema, RegistrySchema, RuntimeSchema } from './schema.ts'
import type { Schema } from './schema-terms.ts'
import { yamlBytes } from './sound-yaml.ts'
import type { CollectorConfig, RegistryConfig, RigConfig, RuntimeConfig } from './types.ts'
import { YAML_BYTES_MAX } from './yaml-text.ts'

/** A file by the name it has in the configuration, and exactly the bytes that were read. The first is the configuration. */
export type ConfigBytes = Readonly<{ name: string; bytes: Uint8Array }>
/** What is in force by rig. All of it is frozen. */
export type ParsedRuntime = Readonly<{
  config: RuntimeConfig
  /** Operators that are trusted. */
  trust: Trust
  /** Key of the injector of a testbed; null where nothing injected counts. */
  injectorKey: VerifyKey | null
  /** Metrics in the mode at the start, each sorted by name. */
  registries: ReadonlyMap<string, readonly RegistryMetric[]>
  /** The same metrics in every mode, for rigs whose registry changes any by mode; modes without changes share one list. */
  registriesByMode: ReadonlyMap<string, ReadonlyMap<Mode, readonly RegistryMetric[]>>
  /** Mappings that apply; none for most rigs. */
  equivalences: ReadonlyMap<string, readonly Equivalence[]>
  /** What is done when; rigs without `actions_policy_file` have none. */
  policies: ReadonlyMap<string, RigPolicy>
  /** Alarms of the same rigs. */
  alarms: ReadonlyMap<string, RigAlarms>
  /** Where the metrics of every rig come from, each sorted by metric. */
  provenance: ReadonlyMap<string, readonly MetricProvenance[]>
}>
/** `folder` is what relative paths of the configuration start from. */
export type LoadedRuntime = ParsedRuntime & Readonly<{ files: readonly ConfigBytes[]; folder: string }>
export type LoadedCollector = Readonly<{ config: CollectorConfig; trust: Trust; folder: string }>

/** Gives the bytes of a file that the configuration names, or why there are none. */
type ReadNamed = (name: string, bytesMax: number) => Uint8Array | NoFile

/**
 * Reads the configuration of an agent with every file it names, and checks all of it before anything is touched. Keys,
 * certificates and recordings are only looked for.
 *
 * @throws HbError CONFIG_MISSING, CONFIG_TOO_LARGE for the file itself; ConfigError with every mistake of every file.
 */
export function loadRuntimeConfig(path: string): LoadedRuntime {
  const folder = dirname(resolve(path))
  const main = { name: basename(path), bytes: yamlBytes(path) }
  const files: ConfigBytes[] = [main]
  const found = parseRuntime(main, (name, bytesMax) => {
    const bytes = readBytes(resolve(folder, name), bytesMax)
    if (bytes instanceof Uint8Array && !files.some((file) => file.name === name)) files.push({ name, bytes })
    return bytes
  })
  const absent = absentFiles(found.main, runtimePaths(found.main), folder)
  // Not of what was recorded: a journal from before there were realms is read as it was written.
  const ofFiles = realmFileProblems(found.main, { ...RUNTIME_REALM, read: readIn(folder) })
  const realm = [...runtimeRealmProblems(found.main), ...ofFiles]
  const problems = [...found.problems, ...lintMistakes(found.linted), ...absent, ...realm]
  return { ...sound(found, fromHere(problems, path)), files, folder }
}

/**
 * The same from bytes that were read before, such as those in the journal. Pure.
 *
 * @throws ConfigError with every mistake.
 */
export function parseRuntimeFiles(files: readonly ConfigBytes[]): ParsedRuntime {
  const found = parseRecorded(files, () => undefined)
  return sound(found, [...found.problems, ...lintMistakes(found.linted)])
}

/** Names of recorded files that their configuration does not name. @throws HbError CONFIG_MISSING without any file */
export function filesNotNamed(files: readonly ConfigBytes[]): string[] {
  const named = new Set<string>()
  parseRecorded(files, (name) => named.add(name))
  return files.slice(1).flatMap(({ name }) => (named.has(name) ? [] : [name]))
}

function parseRecorded(files: readonly ConfigBytes[], reads: (name: string) => void): Found {
  const main = files[0]
  if (main === undefined) throw new HbError('CONFIG_MISSING', { path: '(none)' })
  return parseRuntime(main, (name) => {
    reads(name)
    const file = files.find((one) => one.name === name)
    return file?.bytes ?? { reason: 'it was not recorded with the others', isTooLarge: false }
  })
}

/**
 * The policies of a configuration with everything that is wrong with it, thrown by none of it: for `hb policy`.
 *
 * @throws HbError CONFIG_MISSING, CONFIG_TOO_LARGE for the file itself.
 */
export function readPolicies(path: string): { problems: readonly Problem[]; policies: readonly PolicyOfRig[] } {
  const folder = dirname(resolve(path))
  const found = parseRuntime({ name: basename(path), bytes: yamlBytes(path) }, (name, bytesMax) =>
    readBytes(resolve(folder, name), bytesMax),
  )
  return { problems: fromHere(withoutRepeats(found.problems), path), policies: found.linted }
}

/** @throws HbError CONFIG_MISSING, CONFIG_TOO_LARGE for the file itself; ConfigError with every mistake. */
export function loadCollectorConfig(path: string): LoadedCollector {
  const folder = dirname(resolve(path))
  const file = checkYaml(basename(path), yamlBytes(path), CollectorSchema as unknown as Schema)
  const { trust, problems: ofTrust } = readTrust(file, readIn(folder))
  const absent = absentFiles(file, collectorPaths(file), folder)
  const realm = realmFileProblems(file, { ...collectorRealm(file), read: readIn(folder) })
  const problems = [...file.problems, ...collectorProblems(file), ...ofTrust, ...absent, ...realm]
  if (problems.length > 0) throw new ConfigError(fromHere(problems, path))
  return { config: deepFreeze(file.value as CollectorConfig), trust, folder }
}

/**
 * Reads `operators.yaml`: who is trusted by a book of baselines without a collector.
 *
 * @throws HbError CONFIG_MISSING, CONFIG_TOO_LARGE for the file itself; ConfigError with every mistake.
 */
export function loadOperators(path: string): Trust {
  const folder = dirname(resolve(path))
  const file = checkYaml(basename(path), yamlBytes(path), BookOperatorsSchema as unknown as Schema)
  const { trust, problems } = readTrust(file, readIn(folder))
  if (file.problems.length + problems.length > 0) throw new ConfigError(fromHere([...file.problems, ...problems], path))
  return trust
}

type Found = Omit<ParsedRuntime, 'config'> &
  Readonly<{ main: CheckedFile; problems: readonly Problem[]; linted: readonly PolicyOfRig[] }>

function sound({ main, problems: _, linted: __, ...found }: Found, problems: readonly Problem[]): ParsedRuntime {
  if (problems.length > 0) throw new ConfigError(withoutRepeats(problems))
  return { config: deepFreeze(main.value as RuntimeConfig), ...found }
}

/** Whom a configuration believes, in its realm, and what is wrong with that. */
function readKeys(main: CheckedFile, read: ReadNamed): Pick<Found, 'trust' | 'injectorKey' | 'problems'> {
  const { trust, problems } = readTrust(main, read)
  // Outside a testbed there is none, and one that is named is a mistake by itself.
  const injector = realmOf(main) === 'testbed' ? readKey(main, ['injector_key_file'], read) : null
  return { trust, injectorKey: injector?.key ?? null, problems: [...problems, ...(injector?.problems ?? [])] }
}

function parseRuntime({ name, bytes }: ConfigBytes, read: ReadNamed): Found {
  const main = checkYaml(name, bytes, RuntimeSchema as unknown as Schema)
  const { problems: ofKeys, ...keys } = readKeys(main, read)
  const problems = [...main.problems, ...runtimeProblems(main), ...peerProblems(main), ...ofKeys]
  const registries = new Map<string, readonly RegistryMetric[]>()
  const registriesByMode = new Map<string, ReadonlyMap<Mode, readonly RegistryMetric[]>>()
  const equivalences = new Map<string, readonly Equivalence[]>()
  const [policies, alarms] = [new Map<string, RigPolicy>(), new Map<string, RigAlarms>()]
  const provenance = new Map<string, readonly MetricProvenance[]>()
  const linted: PolicyOfRig[] = []
  const registryOf = yamlReader(read, { parse: as(RegistrySchema), problems, more: registryProblems })
  const mappingOf = yamlReader(read, { parse: as(EquivalenceSchema), problems, more: () => [] })
  const policyOf = yamlReader(read, { parse: readPolicy, problems, more: () => [] })
  const missing = (path: Path, file: string, { reason }: NoFile): number =>
    problems.push({ ...main.at(path), ...cannotRead(file, reason) })
  const { rigs = [] } = (main.value ?? {}) as Loose<RuntimeConfig>
  rigs.forEach((rig, k) => {
    let metrics: RegistryMetric[] | null = null
    if (rig?.registry_file !== undefined) {
      const registry = registryOf(rig.registry_file)
      if ('reason' in registry) missing(['rigs', k, 'registry_file'], rig.registry_file, registry)
      else {
        metrics = inForce({ main, registry, problems }, rig, k)
        if (metrics !== null && rig.rig !== undefined) {
          registries.set(rig.rig, deepFreeze(metrics))
          registriesByMode.set(rig.rig, byMode(registry.value as RegistryConfig, rig as InForce))
        }
      }
    }
    if (rig?.equivalence_file !== undefined) {
      const file = mappingOf(rig.equivalence_file)
      if ('reason' in file) missing(['rigs', k, 'equivalence_file'], rig.equivalence_file, file)
      else if (metrics !== null && file.isSound([]) && rig.rig !== undefined) {
        const found = equivalencesFor({ file, name: rig.equivalence_file, platform: rig.platform, metrics })
        problems.push(...found.problems)
        equivalences.set(rig.rig, deepFreeze(found.equivalences))
      }
    }
    const file = rig?.actions_policy_file === undefined ? null : policyOf(rig.actions_policy_file)
    if (file !== null && 'reason' in file) missing(['rigs', k, 'actions_policy_file'], rig!.actions_policy_file!, file)
    if (rig?.rig !== undefined && metrics !== null && main.isSound(['rigs', k])) {
      const whole = rig as RigConfig
      const own = file === null || 'reason' in file ? null : file
      const found = policyFor(own, { rig: whole, metrics, equivalences: equivalences.get(whole.rig) ?? [] })
      problems.push(...found.problems)
      provenance.set(whole.rig, deepFreeze(found.provenance))
      if (found.alarms !== null) alarms.set(whole.rig, deepFreeze(found.alarms))
      if (own !== null && found.policy !== null) {
        policies.set(whole.rig, deepFreeze(found.policy))
        linted.push(policyOfRig({ file: own, policy: found.policy, provenance: found.provenance }, whole, metrics))
      }
    }
    for (const [path, name] of baselinesOf(rig)) {
      const baseline = read(name, BASELINE_BYTES_MAX)
      if (!(baseline instanceof Uint8Array)) missing(['rigs', k, ...path], name, baseline)
    }
  })
  problems.push(...executorTargetProblems(main, policies.values()))
  return { main, ...keys, problems, registries, registriesByMode, equivalences, policies, alarms, provenance, linted }
}

/** Files of baselines that a rig names, and the keys that name them. */
function baselinesOf(rig: Loose<RigConfig> | undefined): [Path, string][] {
  const own = (['baseline_file', 'rolling_baseline_file'] as const).map((key): [Path, unknown] => [[key], rig?.[key]])
  const ofModes = Object.entries(rig?.mode_baseline_files ?? {}).map(([mode, name]): [Path, unknown] => [
    ['mode_baseline_files', mode],
    name,
  ])
  return [...own, ...ofModes].filter((named): named is [Path, string] => typeof named[1] === 'string')
}

/** The metrics of a rig in every mode; empty where no mode changes any. */
function byMode(registry: RegistryConfig, { program }: InForce): ReadonlyMap<Mode, readonly RegistryMetric[]> {
  const changed = registry.mode_overrides ?? {}
  if (Object.keys(changed).length === 0) return new Map()
  const plain = deepFreeze(metricsFor(registry, { program, mode: '' }))
  return new Map(
    MODES.map((mode) => [
      mode,
      Object.hasOwn(changed, mode) ? deepFreeze(metricsFor(registry, { program, mode })) : plain,
    ]),
  )
}

type Reading = Readonly<{
  parse: (name: string, bytes: Uint8Array) => CheckedFile
  problems: Problem[]
  more: (file: CheckedFile) => Problem[]
}>

function as(schema: unknown): Reading['parse'] {
  return (name, bytes) => checkYaml(name, bytes, schema as Schema)
}

/** Reads every file once, however many rigs share it, and notes its mistakes. */
function yamlReader(read: ReadNamed, { parse, problems, more }: Reading): (name: string) => CheckedFile | NoFile {
  const seen = new Map<string, CheckedFile | NoFile>()
  return (name) => {
    const before = seen.get(name)
    if (before !== undefined) return before
    const bytes = read(name, YAML_BYTES_MAX)
    const file = bytes instanceof Uint8Array ? parse(name, bytes) : bytes
    seen.set(name, file)
    if (!('reason' in file)) problems.push(...file.problems, ...more(file))
    return file
  }
}

type Checking = Readonly<{ main: CheckedFile; registry: CheckedFile; problems: Problem[] }>

/** Metrics of a rig with what is wrong with them; null where too much is wrong to tell. */
function inForce({ main, registry, problems }: Checking, rig: Loose<RigConfig>, k: number): RegistryMetric[] | null {
  if (!registry.isSound([])) return null
  if (!['program', 'mode'].every((key) => main.isSound(['rigs', k, key]))) return null
  const whose = rig as InForce
  const metrics = metricsFor(registry.value as RegistryConfig, whose)
  const modes = Object.keys((registry.value as RegistryConfig).mode_overrides ?? {})
  for (const mode of new Set([whose.mode, ...MODES.filter((one) => modes.includes(one))])) {
    const there = { program: whose.program, mode }
    problems.push(...mergedProblems(registry, metricsFor(registry.value as RegistryConfig, there), there))
  }
  const counts = ['windows_ms', 'slide_ms', 'lateness_ms', 'max_future_ms', 'late_policy', 'revise_within_ms']
  if (counts.every((key) => main.isSound(['rigs', k, key]))) {
    problems.push(...rateProblems({ main, registry }, rig as RigConfig, metrics))
    problems.push(...memoryProblems(main, k, { rig: rig as RigConfig, metrics: metrics.length }))
    problems.push(...revisedSamplesProblems(main, k, { rig: rig as RigConfig, metrics }))
  }
  return metrics
}

/** A recording, and what a broker is met with. */
const FILES_OF_SOURCES = ['file', 'password_file', 'ca_file', 'cert_file', 'key_file'] as const

/** Keys of files that are used later, but must be there now: whatever is missing is told before anything starts. */
function runtimePaths(file: CheckedFile): Path[] {
  const rigs = (file.value as Loose<RuntimeConfig> | undefined)?.rigs ?? []
  const sources = rigs.flatMap((rig, k) =>
    (rig?.sources ?? []).flatMap((source, s): Path[] =>
      // A file that grows may come later.
      (source?.type === 'tail' ? [] : FILES_OF_SOURCES).map((key) => ['rigs', k, 'sources', s, key]),
    ),
  )
  const link = ['ca_file', 'cert_file', 'key_file', 'collector_key_file'].map((key): Path => ['collector', key])
  const peer: Path[] = [
    ['peer', 'key_file'],
    ['peer', 'webhook', 'ca_file'],
  ]
  return [['signing_key_file'], ['receipts_key_file'], ...link, ...peer, ...sources]
}

/** Keys and certificates of an agent that must be of its realm. Those of operators and of the injector are read anyway. */
const RUNTIME_REALM = {
  keys: [['signing_key_file'], ['receipts_key_file'], ['collector', 'collector_key_file']],
  certificates: [['collector', 'cert_file']],
} as const

function collectorRealm(file: CheckedFile): Readonly<{ keys: readonly Path[]; certificates: readonly Path[] }> {
  const agents = (file.value as Loose<CollectorConfig> | undefined)?.agents ?? []
  const ofAgents = agents.map((_, k): Path => ['agents', k, 'public_key_file'])
  return { keys: [['signing_key_file'], ...ofAgents], certificates: [['tls', 'cert_file']] }
}

function readIn(folder: string): ReadNamed {
  return (name, bytesMax) => readBytes(resolve(folder, name), bytesMax)
}

function collectorPaths(file: CheckedFile): Path[] {
  const agents = (file.value as Loose<CollectorConfig> | undefined)?.agents ?? []
  const tls = ['ca_file', 'cert_file', 'key_file'].map((key): Path => ['tls', key])
  const forOperators = ['cert_file', 'key_file'].map((key): Path => ['operators_tls', key])
  return [
    ['signing_key_file'],
    ...tls,
    ...forOperators,
    ...alarmPaths(file),
    ...agents.map((_, k): Path => ['agents', k, 'public_key_file']),
  ]
}

function alarmPaths(file: CheckedFile): Path[] {
  const { targets = [] } = (file.value as Loose<CollectorConfig> | undefined)?.alarms ?? {}
  const ofTargets = targets.flatMap((target, k) =>
    (target?.channels ?? []).flatMap((_, c) =>
      ['secret_file', 'password_file', 'ca_file'].map((key): Path => ['alarms', 'targets', k, 'channels', c, key]),
    ),
  )
  return [...ofTargets, ['alarms', 'heartbeat', 'url_file'], ['alarms', 'heartbeat', 'ca_file']]
}

function absentFiles(file: CheckedFile, paths: readonly Path[], folder: string): Problem[] {
  return paths.flatMap((path) => {
    const name = valueAt(file.value, path)
    if (typeof name !== 'string' || !file.isSound(path)) return []
    const absent = noFile(resolve(folder, name))
    return absent === null ? [] : [{ ...file.at(path), ...cannotRead(name, absent.reason) }]
  })
}

/** Names of files as a person at the same prompt would write them, so that an editor finds them. */
function fromHere(problems: readonly Problem[], path: string): Problem[] {
  return problems.map((p) => ({ ...p, file: p.file.startsWith('/') ? p.file : join(dirname(path), p.file) }))
}

/** A configuration never changes while a program runs. */
function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value
  for (const part of Object.values(value)) deepFreeze(part)
  return Object.freeze(value)
}
