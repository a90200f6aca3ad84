import { randomBytes } from 'node:crypto'
import { canonicalBytes } from '../../shared/codec/canonical.ts'
import { checkSigned, decodeSigned } from '../../shared/codec/signed-cbor.ts'
import { concat } from '../../shared/crypto/cose.ts'
import { DIGEST_BYTES, DOMAIN, digestOf, equalBytes } from '../../shared/crypto/digest.ts'
import { HbError } from '../../shared/errors/hb-error.ts'
import { REALMS, type Realm } from '../../shared/model/realm.ts'
import type { Micros } from '../../shared/units.ts'
import { diskError, type Files, replaceFile } from './files.ts'

const VERSION = 1
const IDENTITY = 'identity'
/** Written after the first: one of the two is whole whatever happens to a byte of the other. */
const IDENTITY_COPY = 'identity.copy'
const LOCK = 'lock'
const FOLDERS = ['journal', 'outbox', 'checkpoints'] as const
/** Ids of the journal and of this life of the folder, in bytes. */
const ID_BYTES = 16

/**
 * Who the folder belongs to, and the public key its batches are signed with. The epoch goes up with a new key and when the
 * chain of batches is broken, never with a start (decisions 19).
 */
export type StateIdentity = Readonly<{
  journalId: Uint8Array
  epoch: number
  /** First epoch that was signed with this key. */
  keyEpoch: number
  spki: Uint8Array
  agent: string
  /** A folder of a testbed never becomes one of production, nor the reverse. */
  realm: Realm
  madeUs: Micros
}>

export type StateFolder = Readonly<{
  path: string
  readonly identity: StateIdentity
  /** The identity file was damaged, and its copy took its place. */
  readonly mended: boolean
  journal: string
  outbox: string
  checkpoints: string
  /** Makes the epoch after this one, and after `above`, the one in force for good: older batches end here. @returns it */
  renewEpoch(above?: number): number
  /** Gives the folder back; may be called twice. */
  release(): void
}>

type WantedIdentity = Pick<StateIdentity, 'agent' | 'spki' | 'realm'> & Readonly<{ nowUs: Micros }>

/**
 * Opens the state folder of an agent for writing, or makes it. Only one process may: the lock file names it, and one
 * left behind by a process that is gone is taken over.
 *
 * @throws HbError STATE_LOCKED, STATE_FOLDER_SHAPE, REALM_MISMATCH, DISK_FULL, DISK_READ_ONLY.
 */
export function openStateFolder(files: Files, path: string, want: WantedIdentity): StateFolder {
  try {
    files.mkdirSync(path, { recursive: true, mode: 0o700 })
    const names = files.readdirSync(path)
    const isOurs = names.includes(IDENTITY) || names.includes(IDENTITY_COPY)
    if (!isOurs && names.some((name) => name !== LOCK && name !== `${IDENTITY}.new`)) {
      throw new HbError('STATE_FOLDER_SHAPE', {
        path,
        found: names.slice(0, 3).join(', '),
        expected: 'an empty folder or one with an identity file',
      })
    }
    const release = lockFolder(files, path, 'STATE_LOCKED')
    try {
      const opened = identityOf(files, path, isOurs, want)
      let { identity } = opened
      for (const folder of FOLDERS) files.mkdirSync(`${path}/${folder}`, { recursive: true, mode: 0o700 })
      return {
        ...places(path),
        mended: opened.mended,
        release,
        get identity() {
          return identity
        },
        renewEpoch(above = 0) {
          identity = { ...identity, epoch: Math.max(identity.epoch, above) + 1 }
          writeIdentity(files, path, identity)
          return identity.epoch
        },
      }
    } catch (error) {
      release()
      throw error
    }
  } catch (cause) {
    throw diskError(cause, path)
  }
}

/** Looks into a state folder without a lock: for commands beside a running agent. Nothing is written. */
export function readStateFolder(files: Files, path: string): Omit<StateFolder, 'release' | 'renewEpoch'> {
  const exists = [IDENTITY, IDENTITY_COPY].some((name) => files.existsSync(`${path}/${name}`))
  if (!exists) throw new HbError('STATE_MISSING', { path })
  return { ...places(path), ...readIdentity(files, path) }
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
  want: WantedIdentity,
): { identity: StateIdentity; mended: boolean } {
  const read = exists ? readIdentity(files, path) : null
  const before = read?.identity ?? null
  if (before !== null && before.agent !== want.agent) {
    throw new HbError('STATE_FOLDER_SHAPE', { path, found: `the state of agent ${before.agent}`, expected: want.agent })
  }
  if (before !== null && before.realm !== want.realm)
    throw new HbError('REALM_MISMATCH', { path, found: before.realm, expected: want.realm })
  const mended = read?.mended ?? false
  if (before !== null && equalBytes(before.spki, want.spki)) {
    if (mended) writeIdentity(files, path, before)
    return { identity: before, mended }
  }
  const epoch = (before?.epoch ?? 0) + 1
  const identity = {
    journalId: before?.journalId ?? new Uint8Array(randomBytes(ID_BYTES)),
    epoch,
    keyEpoch: epoch,
    spki: want.spki,
    agent: want.agent,
    realm: want.realm,
    madeUs: before?.madeUs ?? want.nowUs,
  }
  writeIdentity(files, path, identity)
  return { identity, mended }
}

function writeIdentity(files: Files, path: string, identity: StateIdentity): void {
  const { journalId, epoch, keyEpoch, spki, agent, realm, madeUs } = identity
  const bytes = canonicalBytes({
    v: VERSION,
    journal: journalId,
    epoch,
    key_epoch: keyEpoch,
    spki,
    agent,
    made_us: madeUs,
    ...(realm === 'production' ? {} : { realm }),
  })
  const checked = concat(digestOf(DOMAIN.identity, bytes), bytes)
  replaceFile(files, path, IDENTITY, checked)
  replaceFile(files, path, IDENTITY_COPY, checked)
}

/** The first of the two files that is whole. @throws HbError STATE_FOLDER_SHAPE when neither is */
function readIdentity(files: Files, path: string): { identity: StateIdentity; mended: boolean } {
  const damaged: string[] = []
  for (const name of [IDENTITY, IDENTITY_COPY]) {
    const identity = files.existsSync(`${path}/${name}`) ? identityFrom(files.readFileSync(`${path}/${name}`)) : null
    // A folder of before the copy has the first file alone.
    const isWhole = files.existsSync(`${path}/${IDENTITY_COPY}`) || name === IDENTITY
    if (identity !== null) return { identity, mended: damaged.length > 0 || !isWhole }
    damaged.push(name)
  }
  throw new HbError('STATE_FOLDER_SHAPE', { path, found: `damaged: ${damaged.join(', ')}` })
}

/** The identity in a file, digest first, or null. Folders made before there was a digest have the map alone. */
function identityFrom(bytes: Uint8Array): StateIdentity | null {
  const body = bytes.subarray(DIGEST_BYTES)
  const isChecked = equalBytes(digestOf(DOMAIN.identity, body), bytes.subarray(0, DIGEST_BYTES))
  const plain = isChecked ? body : bytes
  const map = checkSigned(plain).ok ? (decodeSigned(plain) as unknown) : null
  if (!(map instanceof Map) || map.get('v') !== VERSION) return null
  const identity = {
    journalId: map.get('journal'),
    epoch: map.get('epoch'),
    keyEpoch: map.get('key_epoch') ?? map.get('epoch'),
    spki: map.get('spki'),
    agent: map.get('agent'),
    realm: map.get('realm') ?? 'production',
    madeUs: map.get('made_us'),
  }
  const whole =
    identity.journalId instanceof Uint8Array &&
    identity.spki instanceof Uint8Array &&
    Number.isSafeInteger(identity.epoch) &&
    Number.isSafeInteger(identity.keyEpoch) &&
    typeof identity.agent === 'string' &&
    REALMS.some((realm) => realm === identity.realm)
  return whole ? (identity as StateIdentity) : null
}

/** Lets one process write into a folder. @throws HbError with `code` when another one does */
export function lockFolder(files: Files, path: string, code: 'STATE_LOCKED' | 'BOOK_BUSY'): () => void {
  const holder = lockHolder(files, path)
  if (holder !== null) throw new HbError(code, { path, process: holder })
  if (files.existsSync(`${path}/${LOCK}`)) files.unlinkSync(`${path}/${LOCK}`)
  let fd: number
  try {
    fd = files.openSync(`${path}/${LOCK}`, 'wx', 0o600)
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'EEXIST') throw new HbError(code, { path }, { cause })
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
