import type { Static, TSchema } from 'typebox'
import { HbError } from '../errors/hb-error.ts'
import { type CheckedFile, checkYaml } from './document.ts'
import { readBytes } from './files.ts'
import { ConfigError, type Problem } from './problems.ts'
import type { Schema } from './schema-terms.ts'
import { YAML_BYTES_MAX } from './yaml-text.ts'

/** Bytes of a YAML file that somebody named. @throws HbError CONFIG_MISSING, CONFIG_TOO_LARGE */
export function yamlBytes(path: string): Uint8Array {
  const bytes = readBytes(path, YAML_BYTES_MAX)
  if (bytes instanceof Uint8Array) return bytes
  throw new HbError(bytes.isTooLarge ? 'CONFIG_TOO_LARGE' : 'CONFIG_MISSING', { path, reason: bytes.reason })
}

/**
 * The value of a YAML file in which nothing is wrong. `moreProblems` says what no schema can; it is asked of a file with
 * other mistakes as well, so that whoever corrects them sees all at once.
 *
 * @param name of the file, as mistakes name it.
 * @throws ConfigError with every mistake.
 */
export function soundYaml<S extends TSchema>(
  name: string,
  bytes: Uint8Array,
  { schema, moreProblems }: Readonly<{ schema: S; moreProblems(file: CheckedFile): readonly Problem[] }>,
): Static<S> {
  const file = checkYaml(name, bytes, schema as unknown as Schema)
  const problems = [...file.problems, ...moreProblems(file)]
  if (problems.length > 0) throw new ConfigError(problems)
  return file.value as Static<S>
}
