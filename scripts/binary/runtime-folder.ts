import { createHash, randomBytes } from 'node:crypto'
import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { HbError } from '../../shared/errors/hb-error.ts'

/** A file that the executable carries, and the SHA-256 (hex) that it had when the executable was built. */
export type CarriedFile = Readonly<{ name: string; digest: string; bytes(): Uint8Array }>

export type RuntimePlace = Readonly<{ env: NodeJS.ProcessEnv; temporary: string; uid: number }>

const FOLDER_MODE = 0o700
const FILE_MODE = 0o500
const WRITABLE_BY_OTHERS = 0o022
const STICKY = 0o1000
const ROOT_UID = 0
/** Characters of the digest in a file's name: versions lie beside each other, and none is written over another. */
const DIGEST_IN_NAME = 16

/** Where carried files are put: `HB_RUNTIME_DIR`, else below `XDG_RUNTIME_DIR`, else below the temporary folder. */
export function runtimeFolder({ env, temporary, uid }: RuntimePlace): string {
  const { HB_RUNTIME_DIR: own = '', XDG_RUNTIME_DIR: session = '' } = env
  if (own !== '') return resolve(own)
  return session === '' ? join(temporary, `hb-agent-${uid}`) : join(resolve(session), 'hb-agent')
}

/**
 * Puts a carried file where the system can load it, and gives its path. A file that is there already is read again; one
 * that is not what was carried, or that somebody else could write, is replaced.
 *
 * @throws HbError RUNTIME_FOLDER_REFUSED when others could put another file there; ADDON_DAMAGED when the executable no
 * longer carries what it was built with, or what was written is not what can be read.
 */
export function placeFile(folder: string, file: CarriedFile, uid: number): string {
  openFolder(folder, uid)
  const path = join(folder, `${file.name}-${file.digest.slice(0, DIGEST_IN_NAME)}.node`)
  if (isOurs(path, file.digest, uid)) return path
  const bytes = file.bytes()
  const found = digestOf(bytes)
  if (found !== file.digest) throw new HbError('ADDON_DAMAGED', { name: file.name, found, expected: file.digest })
  replace(path, bytes)
  if (!isOurs(path, file.digest, uid)) throw new HbError('ADDON_DAMAGED', { name: file.name, path })
  return path
}

/** Makes the folder when it is not there, and refuses one that is not ours alone or that others could exchange. */
function openFolder(folder: string, uid: number): void {
  const refuse = (reason: string, cause?: unknown): HbError =>
    new HbError('RUNTIME_FOLDER_REFUSED', { folder, reason }, { cause })
  let stat: Stats
  let above: Stats
  try {
    mkdirIfMissing(folder)
    stat = lstatSync(folder)
    above = statSync(dirname(folder))
  } catch (cause) {
    throw refuse(errnoOf(cause), cause)
  }
  if (!stat.isDirectory()) throw refuse('not a folder')
  if (stat.uid !== uid) throw refuse(`it belongs to user ${stat.uid}, not to ${uid}`)
  if ((stat.mode & WRITABLE_BY_OTHERS) !== 0) throw refuse(`others may write it (mode ${octal(stat.mode)})`)
  if (above.uid !== uid && above.uid !== ROOT_UID) throw refuse(`its parent belongs to user ${above.uid}`)
  if ((above.mode & WRITABLE_BY_OTHERS) !== 0 && (above.mode & STICKY) === 0)
    throw refuse(`others may write its parent (mode ${octal(above.mode)})`)
}

function mkdirIfMissing(folder: string): void {
  try {
    mkdirSync(folder, { mode: FOLDER_MODE })
  } catch (cause) {
    if (errnoOf(cause) !== 'EEXIST') throw cause
  }
}

/** Whether a file is one of ours with these bytes. No link is followed, and no pipe waited for. */
function isOurs(path: string, digest: string, uid: number): boolean {
  let fd: number
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  } catch {
    return false
  }
  try {
    const stat = fstatSync(fd)
    if (!stat.isFile() || stat.uid !== uid || (stat.mode & WRITABLE_BY_OTHERS) !== 0) return false
    return digestOf(readFileSync(fd)) === digest
  } finally {
    closeSync(fd)
  }
}

/** Writes beside and renames: another process that starts now finds the whole file or none. */
function replace(path: string, bytes: Uint8Array): void {
  const beside = `${path}.${randomBytes(8).toString('hex')}.new`
  try {
    writeFileSync(beside, bytes, { flag: 'wx', mode: FILE_MODE })
    renameSync(beside, path)
  } catch (cause) {
    rmSync(beside, { force: true })
    throw new HbError('RUNTIME_FOLDER_REFUSED', { folder: dirname(path), reason: errnoOf(cause) }, { cause })
  }
}

function digestOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

function errnoOf(cause: unknown): string {
  return (cause as NodeJS.ErrnoException).code ?? 'unknown'
}

function octal(mode: number): string {
  return (mode & 0o777).toString(8)
}
