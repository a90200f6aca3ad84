import { existsSync } from 'node:fs'
import { basename, dirname, isAbsolute, join, relative, resolve } from 'node:path'
import type { Static } from 'typebox'
import { readBundle } from '../../shared/codec/baseline-bundle.ts'
import { decodeBaseline } from '../../shared/codec/baseline-record.ts'
import { type CheckedFile, checkYaml } from '../../shared/config/document.ts'
import { BASELINE_BYTES_MAX, type NoFile, readBytes } from '../../shared/config/files.ts'
import type { Problem } from '../../shared/config/problems.ts'
import type { Schema } from '../../shared/config/schema-terms.ts'
import { YAML_BYTES_MAX } from '../../shared/config/yaml-text.ts'
import { isHbError } from '../../shared/errors/hb-error.ts'
import { openRecording } from '../recording-file.ts'
import { type PolicyNames, policyNames, type RegistryNames, registryNames } from './rig-names.ts'
import { RigFileSchema } from './rig-schema.ts'

export type RigFileValue = Static<typeof RigFileSchema>

/** A rig's own file, read. `value` is null where it is not sound. */
export type RigFile = Readonly<{
  path: string
  folder: string
  file: CheckedFile
  value: RigFileValue | null
  problems: readonly Problem[]
}>

export const RIG_FILE = 'rig.yaml'
/** Folders above a scenario that are looked through for `rigs/NAME/rig.yaml` and for the requirements. */
const FOLDERS_UP_MAX = 16

/** The nearest of such a path in a folder or one above; null when there is none. */
export function nearestAbove(folder: string, path: string): string | null {
  let above = resolve(folder)
  for (let k = 0; k < FOLDERS_UP_MAX; k += 1) {
    const found = join(above, path)
    if (existsSync(found)) return shortPath(found)
    if (dirname(above) === above) break
    above = dirname(above)
  }
  return null
}

/** As somebody here would write it. */
export function shortPath(path: string): string {
  const short = relative('.', path)
  return short.startsWith('..') || isAbsolute(short) ? resolve(path) : short
}

/** Reads files of rigs, each once. */
export class RigReader {
  private readonly rigs = new Map<string, RigFile | NoFile>()
  private readonly registries = new Map<string, RegistryNames | NoFile>()
  private readonly policies = new Map<string, PolicyNames | NoFile>()
  private readonly recordings = new Map<string, RecordingNames>()
  private readonly baselines = new Map<string, readonly Problem[]>()

  rig(path: string): RigFile | NoFile {
    return once(this.rigs, path, (bytes) => rigFile(path, bytes))
  }

  registry(path: string): RegistryNames | NoFile {
    return once(this.registries, path, (bytes) => registryNames(path, bytes))
  }

  policy(path: string): PolicyNames | NoFile {
    return once(this.policies, path, (bytes) => policyNames(path, bytes))
  }

  recording(path: string): RecordingNames {
    const known = this.recordings.get(path) ?? recordingNames(path)
    this.recordings.set(path, known)
    return known
  }

  /** What is wrong with a file of a baseline. Whom it convinces is not asked here. */
  baseline(path: string): readonly Problem[] {
    const known = this.baselines.get(path) ?? baselineProblems(path)
    this.baselines.set(path, known)
    return known
  }
}

/** Channels of a recording; none where it is not sound. */
export type RecordingNames = Readonly<{ channels: readonly string[] | null; problems: readonly Problem[] }>

function recordingNames(path: string): RecordingNames {
  const read = openRecording(path)
  if (read.ok) return { channels: read.recording.channels, problems: [] }
  return { channels: null, problems: read.problems.map((one) => ({ file: path, column: 1, key: '', ...one })) }
}

function baselineProblems(path: string): readonly Problem[] {
  const place = { file: path, line: 1, column: 1, key: '', expected: 'a baseline' }
  const bytes = readBytes(path, BASELINE_BYTES_MAX)
  if (!(bytes instanceof Uint8Array)) return [{ ...place, found: bytes.reason }]
  try {
    decodeBaseline(readBundle(bytes).record)
    return []
  } catch (error) {
    if (!isHbError(error)) throw error
    return [{ ...place, found: error.code, expected: 'a baseline with its policy (`hb baseline export`)' }]
  }
}

function once<T>(read: Map<string, T | NoFile>, path: string, parse: (bytes: Uint8Array) => T): T | NoFile {
  const known = read.get(path)
  if (known !== undefined) return known
  const bytes = readBytes(path, YAML_BYTES_MAX)
  const made = bytes instanceof Uint8Array ? parse(bytes) : bytes
  read.set(path, made)
  return made
}

function rigFile(path: string, bytes: Uint8Array): RigFile {
  const file = checkYaml(path, bytes, RigFileSchema as unknown as Schema)
  const folder = dirname(path)
  const problems = [...file.problems]
  const value = file.isSound([]) ? (file.value as RigFileValue) : null
  const expected = basename(resolve(folder))
  if (value !== null && value.name !== expected)
    problems.push({ ...file.at(['name']), found: `\`${value.name}\``, expected: `\`${expected}\`, as its folder` })
  return { path, folder, file, value, problems }
}
