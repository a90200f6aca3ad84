import type { Files } from '../../agent/adapters/files.ts'
import type { Prng } from '../../shared/lib/prng.ts'

type Pending = { at: number; bytes: Uint8Array } | { size: number }
/** A file: what reading gives, what a power cut leaves for certain, and what was written since. */
type Inode = { data: Uint8Array; durable: Uint8Array; pending: Pending[] }
type NameChange = { folder: string; apply(names: Map<string, number>): void }

/** A fault for one call: its name and errno, as `strace` would inject it. */
export type DiskFault = (call: string, path: string) => string | null

/**
 * A disk in memory with the promises of POSIX and no more: a write is certain after the file was synced, a name after
 * its folder was. `crash` gives what a power cut may leave: of everything else each write may be there, in part, as
 * zeros, or not at all, in any order.
 */
export class ModelDisk {
  /** Called before every change with its number. */
  onChange: (call: string, path: string) => void = () => undefined
  fault: DiskFault = () => null
  changes = 0
  private inodes = new Map<number, Inode>()
  private names = new Map<string, number>()
  private durableNames = new Map<string, number>()
  private nameChanges: NameChange[] = []
  private folders = new Set<string>(['/'])
  private readonly open = new Map<number, { ino: number; path: string }>()
  private nextIno = 1
  private nextFd = 1000

  /** A copy that shares nothing. Nothing is open on it. */
  clone(): ModelDisk {
    const copy = new ModelDisk()
    copy.inodes = new Map([...this.inodes].map(([ino, node]) => [ino, { ...node, pending: [...node.pending] }]))
    copy.names = new Map(this.names)
    copy.durableNames = new Map(this.durableNames)
    copy.nameChanges = [...this.nameChanges]
    copy.folders = new Set(this.folders)
    copy.nextIno = this.nextIno
    return copy
  }

  /** What may be left of this disk when the power fails now. */
  crash(prng: Prng): ModelDisk {
    const left = this.clone()
    for (const node of left.inodes.values()) {
      let data: Uint8Array = node.durable.slice()
      for (const change of shuffledSometimes(node.pending, prng)) data = survive(data, change, prng)
      Object.assign(node, { data, durable: data, pending: [] })
    }
    left.names = new Map(left.durableNames)
    // A file system keeps the order of its names: some first ones of them are there.
    const kept = prng.int(left.nameChanges.length + 1)
    for (const change of left.nameChanges.slice(0, kept)) change.apply(left.names)
    left.durableNames = new Map(left.names)
    left.nameChanges = []
    return left
  }

  /** Paths of all files. */
  paths(): string[] {
    return [...this.names.keys()].sort()
  }

  content(path: string): Uint8Array {
    return this.node(path).data
  }

  /** Puts other bytes into a file, behind the back of everybody. */
  damage(path: string, bytes: Uint8Array): void {
    this.names.set(path, this.nextIno)
    this.durableNames.set(path, this.nextIno)
    this.inodes.set(this.nextIno, { data: bytes, durable: bytes, pending: [] })
    this.nextIno += 1
  }

  lose(path: string): void {
    this.names.delete(path)
    this.durableNames.delete(path)
  }

  /** This disk as the storage sees it. */
  get files(): Files {
    const disk = this
    return {
      openSync: (path: string, flags: string) => disk.openFile(path, flags),
      closeSync: (fd: number) => void disk.open.delete(fd),
      writeSync: (fd: number, bytes: Uint8Array | string, from = 0, length = bytes.length, at = 0) =>
        typeof bytes === 'string'
          ? disk.write(fd, new TextEncoder().encode(bytes), 0)
          : disk.write(fd, bytes.slice(from, from + length), at),
      readSync(fd: number, into: Uint8Array, offset: number, length: number, at: number) {
        const part = disk.inodeOf(fd).data.subarray(at, at + length)
        into.set(part, offset)
        return part.length
      },
      ftruncateSync: (fd: number, size: number) => disk.truncate(fd, size),
      fdatasync(fd: number, done: (error: Error | null) => void) {
        const error = disk.attempt(() => disk.sync(fd, 'fdatasync'))
        setImmediate(() => done(error))
      },
      fdatasyncSync: (fd: number) => disk.sync(fd, 'fdatasync'),
      fsyncSync: (fd: number) => disk.sync(fd, 'fsync'),
      readFileSync(path: string, encoding?: string) {
        const data = disk.node(path).data
        return encoding === undefined ? Buffer.from(data) : Buffer.from(data).toString('utf8')
      },
      writeFileSync(path: string, bytes: Uint8Array | string) {
        const fd = disk.openFile(path, 'w')
        disk.write(fd, typeof bytes === 'string' ? new TextEncoder().encode(bytes) : bytes.slice(), 0)
        disk.open.delete(fd)
      },
      renameSync: (from: string, to: string) => disk.rename(from, to),
      unlinkSync: (path: string) => disk.unlink(path),
      readdirSync: (folder: string) => disk.list(folder),
      mkdirSync: (path: string) => void disk.folders.add(path),
      statSync: (path: string) => ({ size: disk.node(path).data.length }),
      existsSync: (path: string) => disk.names.has(path) || disk.folders.has(path),
    } as unknown as Files
  }

  private attempt(run: () => void): Error | null {
    try {
      run()
      return null
    } catch (error) {
      return error as Error
    }
  }

  private changed(call: string, path: string): void {
    this.changes += 1
    this.onChange(call, path)
    const code = this.fault(call, path)
    if (code !== null) throw Object.assign(new Error(`${code}: ${call} ${path}`), { code })
  }

  private openFile(path: string, flags: string): number {
    const fd = this.nextFd
    this.nextFd += 1
    if (this.folders.has(path)) {
      this.open.set(fd, { ino: 0, path })
      return fd
    }
    const exists = this.names.has(path)
    if (!exists && (flags === 'r' || flags === 'r+')) throw noEntry(path)
    if (exists && flags === 'wx') throw Object.assign(new Error('EEXIST'), { code: 'EEXIST' })
    if (!exists) {
      this.changed('open', path)
      const ino = this.nextIno
      this.nextIno += 1
      this.inodes.set(ino, { data: new Uint8Array(0), durable: new Uint8Array(0), pending: [] })
      this.changeNames(path, (names) => names.set(path, ino))
    }
    this.open.set(fd, { ino: this.names.get(path)!, path })
    if (exists && flags.startsWith('w')) this.truncate(fd, 0)
    return fd
  }

  private write(fd: number, bytes: Uint8Array, at: number): number {
    const node = this.inodeOf(fd)
    this.changed('write', this.open.get(fd)!.path)
    node.data = written(node.data, bytes, at)
    node.pending.push({ at, bytes })
    return bytes.length
  }

  private truncate(fd: number, size: number): void {
    const node = this.inodeOf(fd)
    this.changed('ftruncate', this.open.get(fd)!.path)
    node.data = node.data.slice(0, size)
    node.pending.push({ size })
  }

  /** As Linux does it: a sync that fails has dropped what it was to write, and the next one succeeds without it. */
  private sync(fd: number, call: string): void {
    const { ino, path } = this.open.get(fd)!
    const node = this.inodes.get(ino)
    const pending = node?.pending ?? []
    if (node !== undefined) node.pending = []
    this.changed(call, path)
    if (node !== undefined) {
      for (const change of pending)
        node.durable =
          'size' in change ? node.durable.slice(0, change.size) : written(node.durable, change.bytes, change.at)
      return
    }
    for (const change of this.nameChanges) if (change.folder === path) change.apply(this.durableNames)
    this.nameChanges = this.nameChanges.filter((change) => change.folder !== path)
  }

  private rename(from: string, to: string): void {
    const ino = this.names.get(from)
    if (ino === undefined) throw noEntry(from)
    this.changed('rename', to)
    this.changeNames(to, (names) => {
      names.delete(from)
      names.set(to, ino)
    })
  }

  private unlink(path: string): void {
    if (!this.names.has(path)) throw noEntry(path)
    this.changed('unlink', path)
    this.changeNames(path, (names) => names.delete(path))
  }

  private changeNames(path: string, apply: (names: Map<string, number>) => void): void {
    apply(this.names)
    this.nameChanges.push({ folder: path.slice(0, path.lastIndexOf('/')), apply })
  }

  private list(folder: string): string[] {
    const inside = [...this.names.keys(), ...this.folders].filter((path) => path.startsWith(`${folder}/`))
    return [...new Set(inside.map((path) => path.slice(folder.length + 1).split('/')[0]!))]
  }

  private inodeOf(fd: number): Inode {
    return this.inodes.get(this.open.get(fd)!.ino)!
  }

  private node(path: string): Inode {
    const ino = this.names.get(path)
    if (ino === undefined) throw noEntry(path)
    return this.inodes.get(ino)!
  }
}

function noEntry(path: string): Error {
  return Object.assign(new Error(`ENOENT: ${path}`), { code: 'ENOENT' })
}

function written(data: Uint8Array, bytes: Uint8Array, at: number): Uint8Array {
  const next = new Uint8Array(Math.max(data.length, at + bytes.length))
  next.set(data)
  next.set(bytes, at)
  return next
}

function shuffledSometimes(pending: readonly Pending[], prng: Prng): Pending[] {
  const order = [...pending]
  if (prng.int(2) === 0) return order
  for (let k = order.length - 1; k > 0; k -= 1) {
    const other = prng.int(k + 1)
    ;[order[k], order[other]] = [order[other]!, order[k]!]
  }
  return order
}

/** A write of which nobody knows what became: all of it, its beginning, its length with zeros, or nothing. */
function survive(data: Uint8Array, change: Pending, prng: Prng): Uint8Array {
  const fate = prng.int(5)
  if (fate === 0) return data
  if ('size' in change) return data.slice(0, change.size)
  if (fate === 1) return written(data, change.bytes.subarray(0, prng.int(change.bytes.length + 1)), change.at)
  if (fate === 2) return written(data, new Uint8Array(change.bytes.length), change.at)
  return written(data, change.bytes, change.at)
}
