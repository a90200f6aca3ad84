import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { HbError } from '../errors/hb-error.ts'
import { checkYaml, type CheckedFile, type Schema, YAML_BYTES_MAX } from './document.ts'
import { ConfigError, type Problem } from './problems.ts'
import { metricsFor, type RegistryMetric, registryProblems } from './registry.ts'
import { CollectorSchema, RegistrySchema, RuntimeSchema } from './schema.ts'
import type { CollectorConfig, RegistryConfig, RigConfig, RuntimeConfig } from './types.ts'

/** Samples that the widest window of a rig must be able to hold for a metric to be judged at all. */
const SAMPLES_MIN = 5
/** Baseline files are opaque here; this bounds what is read. */
export const BASELINE_BYTES_MAX = 64 * 1024 * 1024

/** A file by the name it has in the configuration, and exactly the bytes that were read. The first is the configuration. */
export type ConfigBytes = Readonly<{ name: string; bytes: Uint8Array }>
export type ParsedRuntime = Readonly<{ config: RuntimeConfig; registries: ReadonlyMap<string, readonly RegistryMetric[]> }>
export type LoadedRuntime = ParsedRuntime & Readonly<{ files: readonly ConfigBytes[]; folder: string }>

/**
 * Reads the configuration of an agent with every file it names, and checks all of it before anything is touched.
 *
 * @throws HbError CONFIG_MISSING when the file itself cannot be read; ConfigError with every mistake of every file.
 */
export function loadRuntimeConfig(path: string): LoadedRuntime {
  const folder = dirname(resolve(path))
  const main = { name: nameOf(path), bytes: readInput(path) }
  const checked = checkYaml(main.name, main.bytes, RuntimeSchema as Schema)
  const problems = [...checked.problems]
  const files: ConfigBytes[] = [main]
  if (problems.length === 0) {
    const config = checked.value as RuntimeConfig
    config.rigs.forEach((rig, k) => {
      for (const key of ['registry_file', 'baseline_file'] as const) {
        const name = rig[key]
        if (name === undefined || files.some((f) => f.name === name)) continue
        const bytes = readNamed(resolve(folder, name), key === 'baseline_file' ? BASELINE_BYTES_MAX : YAML_BYTES_MAX)
        if (typeof bytes === 'string') problems.push({ ...checked.at(['rigs', k, key]), found: `${name}: ${bytes}`, expected: 'a file that can be read', hint: 'paths are relative to the file they stand in' })
        else files.push({ name, bytes })
      }
    })
  }
  const parsed = parseFiles(files, problems)
  return { ...parsed, files, folder }
}

/**
 * The same from bytes that were read before, such as those in the journal. Pure.
 *
 * @throws ConfigError with every mistake.
 */
export function parseRuntimeFiles(files: readonly ConfigBytes[]): ParsedRuntime {
  return parseFiles(files, [])
}

export function loadCollectorConfig(path: string): { config: CollectorConfig; folder: string } {
  const checked = checkYaml(nameOf(path), readInput(path), CollectorSchema as Schema)
  const problems = [...checked.problems]
  if (problems.length === 0) problems.push(...collectorProblems(checked, checked.value as CollectorConfig))
  if (problems.length > 0) throw new ConfigError(problems)
  return { config: checked.value as CollectorConfig, folder: dirname(resolve(path)) }
}

function parseFiles(files: readonly ConfigBytes[], found: readonly Problem[]): ParsedRuntime {
  const main = files[0]
  if (main === undefined) throw new HbError('CONFIG_MISSING', { path: '(none)' })
  const checked = checkYaml(main.name, main.bytes, RuntimeSchema as Schema)
  const problems = found.length > 0 ? [...found] : [...checked.problems]
  const registries = new Map<string, readonly RegistryMetric[]>()
  const config = checked.value as RuntimeConfig
  if (checked.problems.length === 0) {
    problems.push(...runtimeProblems(checked, config))
    const seen = new Map<string, CheckedFile>()
    config.rigs.forEach((rig, k) => {
      const bytes = files.find((f) => f.name === rig.registry_file)?.bytes
      if (bytes === undefined) return
      const registry = seen.get(rig.registry_file) ?? checkRegistry(rig.registry_file, bytes)
      if (!seen.has(rig.registry_file)) problems.push(...registry.problems)
      seen.set(rig.registry_file, registry)
      if (registry.problems.length > 0) return
      const metrics = metricsFor(registry.value as RegistryConfig, rig)
      problems.push(...rateProblems(registry, rig, metrics), ...windowProblems(checked, k, rig))
      registries.set(rig.rig, metrics)
    })
  }
  if (problems.length > 0) throw new ConfigError(problems)
  return { config, registries }
}

function checkRegistry(name: string, bytes: Uint8Array): CheckedFile {
  const checked = checkYaml(name, bytes, RegistrySchema as unknown as Schema)
  if (checked.problems.length > 0) return checked
  return { ...checked, problems: registryProblems(checked, checked.value as RegistryConfig) }
}

function runtimeProblems(file: CheckedFile, config: RuntimeConfig): Problem[] {
  const problems: Problem[] = []
  const rigs = new Set<string>()
  const endpoints = new Set<string>()
  config.rigs.forEach((rig, k) => {
    if (rigs.has(rig.rig)) problems.push({ ...file.at(['rigs', k, 'rig']), found: `\`${rig.rig}\` a second time`, expected: 'every rig once' })
    rigs.add(rig.rig)
    const names = new Set<string>()
    rig.sources.forEach((source, s) => {
      const at = file.at(['rigs', k, 'sources', s])
      if (names.has(source.name)) problems.push({ ...at, found: `source \`${source.name}\` a second time`, expected: 'every source of a rig once' })
      names.add(source.name)
      if (source.type === 'csv' && source.rows_to !== undefined && source.rows_to <= source.rows_from) problems.push({ ...at, found: `rows ${source.rows_from} to ${source.rows_to}`, expected: '`rows_to` above `rows_from`' })
      if (source.type === 'csv' && config.clock !== 'recording') problems.push({ ...at, found: 'a recording under `clock: system`', expected: '`clock: recording`', hint: 'the times in the file are long past for this machine\'s clock' })
      if (source.type === 'host' && config.clock === 'recording') problems.push({ ...at, found: 'live sensors under `clock: recording`', expected: '`clock: system`', hint: 'give the recording an agent of its own' })
      if (source.type === 'zmq' && (source.bind ?? source.pattern === 'pull')) {
        if (endpoints.has(source.endpoint)) problems.push({ ...at, found: `\`${source.endpoint}\` a second time`, expected: 'every endpoint listened on once' })
        endpoints.add(source.endpoint)
      }
    })
  })
  return problems
}

function windowProblems(file: CheckedFile, k: number, rig: RigConfig): Problem[] {
  const problems: Problem[] = []
  rig.windows_ms.forEach((widthMs, w) => {
    const at = file.at(['rigs', k, 'windows_ms', w])
    if (widthMs % rig.slide_ms !== 0) problems.push({ ...at, found: `${widthMs}`, expected: `a whole multiple of \`slide_ms\` ${rig.slide_ms}` })
    if (rig.windows_ms.indexOf(widthMs) !== w) problems.push({ ...at, found: `${widthMs} a second time`, expected: 'every width once' })
  })
  return problems
}

function rateProblems(file: CheckedFile, rig: RigConfig, metrics: readonly RegistryMetric[]): Problem[] {
  const problems: Problem[] = []
  for (const m of metrics) {
    const widths = m.windows_ms ?? rig.windows_ms
    const strange = widths.find((widthMs) => !rig.windows_ms.includes(widthMs))
    if (strange !== undefined) problems.push({ ...file.at(['metrics', m.metric, 'windows_ms']), found: `${strange}`, expected: `windows of rig \`${rig.rig}\`: ${rig.windows_ms.join(', ')}` })
    const widest = Math.max(...widths)
    if (!((m.nominal_rate_hz * widest) / 1000 >= SAMPLES_MIN)) {
      problems.push({ ...file.at(['metrics', m.metric, 'nominal_rate_hz']), found: `${m.nominal_rate_hz} Hz and a widest window of ${widest} ms`, expected: `at least ${SAMPLES_MIN} samples in it`, hint: 'a wider window, or the true rate' })
    }
  }
  return problems
}

const LOOPBACK = /^(127\.\d+\.\d+\.\d+|::1|localhost)$/

function collectorProblems(file: CheckedFile, config: CollectorConfig): Problem[] {
  const problems: Problem[] = []
  if (config.operators_tls === undefined && !LOOPBACK.test(config.operators_listen.host)) {
    problems.push({ ...file.at(['operators_listen', 'host']), found: config.operators_listen.host, expected: '`operators_tls`, or a loopback address', hint: 'plain HTTP leaves this machine only over a tunnel of yours' })
  }
  const agents = new Set<string>()
  config.agents.forEach((a, k) => {
    if (agents.has(a.agent)) problems.push({ ...file.at(['agents', k, 'agent']), found: `\`${a.agent}\` a second time`, expected: 'every agent once' })
    agents.add(a.agent)
  })
  return problems
}

function readInput(path: string): Uint8Array {
  const bytes = readNamed(path, YAML_BYTES_MAX)
  if (typeof bytes === 'string') throw new HbError('CONFIG_MISSING', { path, reason: bytes })
  return bytes
}

/** Bytes of a file, or in words why there are none. */
function readNamed(path: string, bytesMax: number): Uint8Array | string {
  try {
    const bytes = new Uint8Array(readFileSync(path))
    return bytes.length <= bytesMax ? bytes : `${bytes.length} bytes, at most ${bytesMax}`
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    return code === 'ENOENT' ? 'there is no such file' : code === 'EACCES' ? 'this user may not read it' : `cannot be read (${code ?? 'unknown'})`
  }
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}
