import { createHash } from 'node:crypto'
import { closeSync, openSync, read } from 'node:fs'
import { promisify } from 'node:util'
import type { BatchHeader } from '../shared/protocol/batch.ts'
import { EVALUATOR_VERSION } from './core/settings.ts'

/** The bundler puts the version here; run from the sources there is none. */
declare const HB_VERSION: string
/** The flags of Node that the single executable was built with; nowhere else defined. */
declare const HB_BUILT_IN_FLAGS: readonly string[]

type Code = BatchHeader['code']

/** What decides here. The digest takes a while for a large file, so that it is made when the first batch asks for it. */
export type CodeIdentity = Omit<Code, 'exe'> &
  Readonly<{
    /** Digest of the program's own file as it was at the start; made once. Rejects when it cannot be read now. */
    exe(): Promise<Uint8Array>
  }>

/** Read at once of the program's own file; between two reads everything else gets its turn. */
const READ_BYTES = 256 * 1024

/** What decides here: digest of the program's own file, versions, and whether anything changed how it runs. */
export function readCode(): CodeIdentity {
  const single = typeof HB_BUILT_IN_FLAGS !== 'undefined'
  const flags = single ? HB_BUILT_IN_FLAGS : []
  // Opened now: a program that is exchanged while it runs is still the one that runs.
  const fd = openProgram(single)
  let exe: Promise<Uint8Array> | null = null
  return {
    exe: () => {
      exe ??= digestOf(fd).catch((error: unknown) => {
        exe = null
        throw error
      })
      return exe
    },
    version: typeof HB_VERSION === 'string' ? HB_VERSION : '0.0.0-source',
    node: process.versions.node,
    evaluator: EVALUATOR_VERSION,
    // The executable's own flags are part of it, and it is built so that it takes no notice of NODE_OPTIONS.
    execArgvEmpty:
      process.execArgv.join(' ') === flags.join(' ') && (single || (process.env['NODE_OPTIONS'] ?? '') === ''),
  }
}

/** The image that the kernel runs, whatever lies under its name by now; of a bundle or the sources, the first file. */
function openProgram(single: boolean): number | null {
  const path = single ? '/proc/self/exe' : process.argv[1]
  if (path === undefined) return null
  try {
    return openSync(path, 'r')
  } catch (error) {
    // A program that came through a pipe has no file. One that has must be able to say which it is.
    if (!single && (error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}

async function digestOf(fd: number | null): Promise<Uint8Array> {
  const hash = createHash('sha256')
  if (fd === null) return new Uint8Array(hash.digest())
  const buffer = Buffer.allocUnsafe(READ_BYTES)
  const readNext = promisify(read)
  for (let position = 0, bytesRead = -1; bytesRead !== 0; position += bytesRead) {
    bytesRead = (await readNext(fd, buffer, 0, READ_BYTES, position)).bytesRead
    hash.update(buffer.subarray(0, bytesRead))
  }
  closeSync(fd)
  return new Uint8Array(hash.digest())
}
