import { readFileSync, statSync } from 'node:fs'
import { HbError, isHbError } from '../errors/hb-error.ts'
import { STICK_BYTES_MAX } from './stick.ts'

/** Bytes of a file from a stick. @throws HbError USAGE when it cannot be read, STICK_DAMAGED when it is longer than any */
export function stickBytes(file: string): Uint8Array {
  try {
    const { size } = statSync(file)
    if (size > STICK_BYTES_MAX)
      throw new HbError('STICK_DAMAGED', { file, bytes: size, expected: `at most ${STICK_BYTES_MAX}` })
    return new Uint8Array(readFileSync(file))
  } catch (cause) {
    if (isHbError(cause)) throw cause
    throw new HbError('USAGE', { argument: 'file', found: file, reason: (cause as Error).message }, { cause })
  }
}
