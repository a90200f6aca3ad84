import { readBytes } from '../shared/config/files.ts'
import { type ReadRecording, readRecording } from './core/recording.ts'

/** Largest recording that a scenario may be made of. */
export const RECORDING_BYTES_MAX = 256 * 1024 * 1024

/** A recording as it stands in a file, or everything that is wrong with it. */
export function openRecording(path: string): ReadRecording {
  const bytes = readBytes(path, RECORDING_BYTES_MAX)
  if (!(bytes instanceof Uint8Array))
    return { ok: false, problems: [{ line: 1, found: bytes.reason, expected: 'a recording that can be read' }] }
  return readRecording(new TextDecoder().decode(bytes))
}
