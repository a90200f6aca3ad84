import * as fs from 'node:fs'
import { HbError } from '../../shared/errors/hb-error.ts'
import type { Bytes } from '../../shared/units.ts'

/** The part of the file system that storage uses; tests put a disk that is full, read-only or torn in its place. */
export type Files = Pick<
  typeof fs,
  | 'openSync'
  | 'closeSync'
  | 'writeSync'
  | 'readSync'
  | 'ftruncateSync'
  | 'fdatasync'
  | 'fdatasyncSync'
  | 'fsyncSync'
  | 'readFileSync'
  | 'writeFileSync'
  | 'renameSync'
  | 'unlinkSync'
  | 'readdirSync'
  | 'mkdirSync'
  | 'statSync'
  | 'existsSync'
>

export const systemFiles: Files = fs

/** Writes all of it; a short write is gone on with. */
export function writeWhole(files: Files, fd: number, bytes: Uint8Array, position: number): void {
  let done = 0
  while (done < bytes.length) done += files.writeSync(fd, bytes, done, bytes.length - done, position + done)
}

/** The operator's error for one of the operating system. */
export function diskError(cause: unknown, path: string): HbError {
  if (cause instanceof HbError) return cause
  const code = (cause as NodeJS.ErrnoException).code ?? 'unknown'
  const full = code === 'ENOSPC' || code === 'EDQUOT'
  const readOnly = code === 'EROFS' || code === 'EACCES' || code === 'EPERM'
  return new HbError(full ? 'DISK_FULL' : readOnly ? 'DISK_READ_ONLY' : 'DISK_FAILED', { path, errno: code }, { cause })
}

/** `fdatasync` without holding up the event loop. */
export function syncData(files: Files, fd: number, path: string): Promise<void> {
  return new Promise((resolve, reject) =>
    files.fdatasync(fd, (error) => (error ? reject(diskError(error, path)) : resolve())),
  )
}

/**
 * Writes bytes of a file once more, to where they are. After a sync that failed the kernel may hold what was written as
 * clean though it never reached the disk, and would let the next sync succeed without it.
 */
export function writeAgain(files: Files, fd: number, { from, to }: { from: Bytes; to: Bytes }): void {
  const bytes = new Uint8Array(to - from)
  for (let done = 0; done < bytes.length; ) {
    const read = files.readSync(fd, bytes, done, bytes.length - done, from + done)
    if (read === 0) throw Object.assign(new Error('EIO: what was written cannot be read back'), { code: 'EIO' })
    done += read
  }
  writeWhole(files, fd, bytes, from)
}

/** Puts a whole file in place or nothing: written beside it, synced, renamed, and the folder synced. */
export function replaceFile(files: Files, folder: string, name: string, bytes: Uint8Array): void {
  const path = `${folder}/${name}`
  const beside = `${path}.new`
  try {
    const fd = files.openSync(beside, 'w', 0o600)
    try {
      writeWhole(files, fd, bytes, 0)
      files.fsyncSync(fd)
    } finally {
      files.closeSync(fd)
    }
    files.renameSync(beside, path)
    syncFolder(files, folder)
  } catch (cause) {
    // On a full disk the half of it would keep what little room is left.
    if (files.existsSync(beside)) files.unlinkSync(beside)
    throw diskError(cause, path)
  }
}

/** Makes the names in a folder survive a power cut. */
export function syncFolder(files: Files, folder: string): void {
  const fd = files.openSync(folder, 'r')
  try {
    files.fsyncSync(fd)
  } finally {
    files.closeSync(fd)
  }
}
