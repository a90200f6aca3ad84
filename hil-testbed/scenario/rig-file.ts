import { existsSync } from 'node:fs'
import { basename, dirname, isAbsolute, join, relative, resolve } from 'node:path'
import type { Static } from 'typebox'
import { type CheckedFile, checkYaml } from '../../shared/config/document.ts'
import { type NoFile, readBytes } from '../../shared/config/files.ts'
import type { Problem } from '../../shared/config/problems.ts'
import type { Schema } from '../../shared/config/schema-terms.ts'
import { YAML_BYTES_MAX } from '../../shared/config/yaml-text.ts'
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

  rig(path: string): RigFile | NoFile {
    return once(this.rigs, path, (bytes) => rigFile(path, bytes))
  }

  registry(path: string): RegistryNames | NoFile {
    return once(this.registries, path, (bytes) => registryNames(path, bytes))
  }

  policy(path: string): PolicyNames | NoFile {
    return once(this.policies, path, (bytes) => policyNames(path, bytes))
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
