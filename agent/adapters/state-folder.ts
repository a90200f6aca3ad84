import { randomBytes } from 'node:crypto'
import { canonicalBytes } from '../../shared/codec/canonical.ts'
import { decodeSigned } from '../../shared/codec/signed-cbor.ts'
import { equalBytes } from '../../shared/crypto/digest.ts'
import { HbError } from '../../shared/errors/hb-error.ts'
import type { Micros } from '../../shared/units.ts'
import { diskError, type Files, replaceFile } from './files.ts'

const VERSION = 1
const IDENTITY = 'identity'
const LOCK = 'lock'
const FOLDERS = ['journal', 'outbox', 'checkpoints'] as const
/** Ids of the journal and of this life of the folder, in bytes. */
const ID_BYTES = 16

/** Who the folder belongs to, and the public key its batches are signed with. The epoch goes up with a new key, never with a start (decisions 19). */
export type StateIdentity = Readonly<{
  journalId: Uint8Array
  epoch: number
  spki: Uint8Array
  agent: string
  madeUs: Micros
}>

export type StateFolder = Readonly<{
  path: string
  identity: StateIdentity
  journal: string
  outbox: string
  checkpoints: string
  /** Gives the folder back; may be called twice. */
  release(): void
}>

/**
 * Opens the state folder of an agent for writing, or makes it. Only one process may: the lock file names it, and one
 * left behind by a process that is gone is taken over.
 *
 * @throws HbError STATE_LOCKED, STATE_FOLDER_SHAPE, DISK_FULL, DISK_READ_ONLY.
 */
export function openStateFolder(
  files: Files,
  path: string,
  want: { agent: string; spki: Uint8Array; nowUs: Micros },
): StateFolder {
  try {
    files.mkdirSync(path, { recursive: true, mode: 0o700 })
    const names = files.readdirSync(path)
    if (!names.includes(IDENTITY) && names.some((name) => name !== LOCK && name !== `${IDENTITY}.new`)) {
      throw new HbError('STATE_FOLDER_SHAPE', {
        path,
        found: names.slice(0, 3).join(', '),
        expected: 'an empty folder or one with an identity file',
      })
    }
    const release = lock(files, path)
    try {
      const identity = identityOf(files, path, names.includes(IDENTITY), want)
      for (const folder of FOLDERS) files.mkdirSync(`${path}/${folder}`, { recursive: true, mode: 0o700 })
      return { ...places(path), identity, release }
    } catch (error) {
      release()
      throw error
    }
  } catch (cause) {
    throw diskError(cause, path)
  }
}

/** Looks into a state folder without a lock: for commands beside a running agent. Nothing is written. */
export function readStateFolder(files: Files, path: string): Omit<StateFolder, 'release'> {
  if (!files.existsSync(`${path}/${IDENTITY}`)) throw new HbError('STATE_MISSING', { path })
  return { ...places(path), identity: readIdentity(files, path) }
}

/** Process that holds the folder, or null. */
export function lockHolder(files: Files, path: string): number | null {
  if (!files.existsSync(`${path}/${LOCK}`)) return null
  const [pid, started] = files.readFileSync(`${path}/${LOCK}`, 'utf8').split(' ')
  const number = Number(pid)
  return Number.isSafeInteger(number) && number > 0 && startOf(files, number) === started?.trim() ? number : null
}

function places(path: string): Pick<StateFolder, 'path' | (typeof FOLDERS)[number]> {
  return { path, journal: `${path}/journal`, outbox: `${path}/outbox`, checkpoints: `${path}/checkpoints` }
}

function identityOf(
  files: Files,
  path: string,
  exists: boolean,
  want: { agent: string; spki: Uint8Array; nowUs: Micros },
): StateIdentity {
  const before = exists ? readIdentity(files, path) : null
  if (before !== null && before.agent !== want.agent) {
    throw new HbError('STATE_FOLDER_SHAPE', { path, found: `the state of agent ${before.agent}`, expected: want.agent })
  }
  if (before !== null && equalBytes(before.spki, want.spki)) return before
  const identity =
    before === null
      ? {
          journalId: new Uint8Array(randomBytes(ID_BYTES)),
          epoch: 1,
          spki: want.spki,
          agent: want.agent,
          madeUs: want.nowUs,
        }
      : { ...before, spki: want.spki, epoch: before.epoch + 1 }
  const { journalId, epoch, spki, agent, madeUs } = identity
  replaceFile(
    files,
    path,
    IDENTITY,
    canonicalBytes({ v: VERSION, journal: journalId, epoch, spki, agent, made_us: madeUs }),
  )
  return identity
}

function readIdentity(files: Files, path: string): StateIdentity {
  let map: unknown
  try {
    map = decodeSigned(files.readFileSync(`${path}/${IDENTITY}`))
  } catch (cause) {
    throw new HbError('STATE_FOLDER_SHAPE', { path, found: 'a damaged identity file' }, { cause })
  }
  if (!(map instanceof Map) || map.get('v') !== VERSION)
    throw new HbError('STATE_FOLDER_SHAPE', { path, found: 'an identity file of another version' })
  const identity = {
    journalId: map.get('journal'),
    epoch: map.get('epoch'),
    spki: map.get('spki'),
    agent: map.get('agent'),
    madeUs: map.get('made_us'),
  }
  const whole =
    identity.journalId instanceof Uint8Array &&
    identity.spki instanceof Uint8Array &&
    Number.isSafeInteger(identity.epoch) &&
    typeof identity.agent === 'string'
  if (!whole) throw new HbError('STATE_FOLDER_SHAPE', { path, found: 'an identity file of another shape' })
  return identity as StateIdentity
}

function lock(files: Files, path: string): () => void {
  const holder = lockHolder(files, path)
  if (holder !== null) throw new HbError('STATE_LOCKED', { path, process: holder })
  if (files.existsSync(`${path}/${LOCK}`)) files.unlinkSync(`${path}/${LOCK}`)
  let fd: number
  try {
    fd = files.openSync(`${path}/${LOCK}`, 'wx', 0o600)
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'EEXIST') throw new HbError('STATE_LOCKED', { path }, { cause })
    throw cause
  }
  files.writeSync(fd, `${process.pid} ${startOf(files, process.pid) ?? ''}`)
  files.closeSync(fd)
  let held = true
  return () => {
    if (held) files.unlinkSync(`${path}/${LOCK}`)
    held = false
  }
}

/** Start time of a process in clock ticks since boot (proc(5), field 22): a number that was used again is another process. */
function startOf(files: Files, pid: number): string | null {
  try {
    const stat = files.readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? null
  } catch {
    return null
  }
}
