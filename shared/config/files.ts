import { accessSync, constants, readFileSync, statSync } from 'node:fs'

/** Baseline files are opaque here; this bounds what is read. */
export const BASELINE_BYTES_MAX = 64 * 1024 * 1024

/** Why a file cannot be used, in words. `isTooLarge` tells the one reason that is not about reading. */
export type NoFile = Readonly<{ reason: string; isTooLarge: boolean }>

/** Bytes of a file of at most `bytesMax`, or why there are none. Looks first: a device or a pipe has no end. */
export function readBytes(path: string, bytesMax: number): Uint8Array | NoFile {
  const missing = noFile(path)
  if (missing !== null) return missing
  try {
    const { size } = statSync(path)
    const bytes = size > bytesMax ? null : new Uint8Array(readFileSync(path))
    if (bytes !== null && bytes.length <= bytesMax) return bytes
    return { reason: `${bytes?.length ?? size} bytes, at most ${bytesMax}`, isTooLarge: true }
  } catch (error) {
    return { reason: reasonOf(error), isTooLarge: false }
  }
}

/** Why this user cannot read a file, without reading it; null when nothing speaks against it. */
export function noFile(path: string): NoFile | null {
  try {
    if (!statSync(path).isFile()) return { reason: 'it is not a file', isTooLarge: false }
    accessSync(path, constants.R_OK)
    return null
  } catch (error) {
    return { reason: reasonOf(error), isTooLarge: false }
  }
}

function reasonOf(error: unknown): string {
  const { code } = error as NodeJS.ErrnoException
  if (code === 'ENOENT' || code === 'ENOTDIR') return 'there is no such file'
  if (code === 'EACCES' || code === 'EPERM') return 'this user may not read it'
  return `it cannot be read (${code ?? 'unknown'})`
}
