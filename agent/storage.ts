import type { LoadedRuntime } from '../shared/config/load.ts'
import { readPublicKey, type Signer, type VerifyKey } from '../shared/crypto/sign.ts'
import type { Micros } from '../shared/units.ts'
import { createCheckpointFolder } from './adapters/checkpoint-folder.ts'
import { FileJournal } from './adapters/file-journal.ts'
import { FileOutbox } from './adapters/file-outbox.ts'
import { type Files, systemFiles } from './adapters/files.ts'
import { openStateFolder, readStateFolder, type StateFolder, type StateIdentity } from './adapters/state-folder.ts'
import { OutboxWatch } from './pipeline/outbox-watch.ts'
import type { Checkpoints } from './ports.ts'

/** Everything an agent keeps on disk. */
export type AgentStorage = Readonly<{
  folder: StateFolder
  journal: FileJournal
  outbox: FileOutbox
  outboxWatch: OutboxWatch
  checkpoints: Checkpoints
  /** Key of the batches in the outbox. */
  key: VerifyKey
  close(): Promise<void>
}>

/** Opens the state folder for the one process that writes it. @throws HbError STATE_LOCKED, STATE_FOLDER_SHAPE, DISK_… */
export function openStorage(
  path: string,
  { config }: LoadedRuntime,
  { signer, nowUs, files = systemFiles }: { signer: Signer; nowUs: Micros; files?: Files },
): AgentStorage {
  const { spki, realm } = signer
  const folder = openStateFolder(files, path, { agent: config.agent, spki, realm, nowUs })
  try {
    const checkpoints = createCheckpointFolder(files, {
      folder: folder.checkpoints,
      keep: config.checkpoint.keep,
      historyBytesMax: config.checkpoint.history_bytes_max,
      journalFirstSeq: () => journal.firstSeq,
    })
    const outbox = new FileOutbox(files, {
      folder: folder.outbox,
      ...chainOf(folder.identity),
      bytesMax: config.outbox.bytes_max,
    })
    const outboxWatch = new OutboxWatch(outbox, { thinAtPercent: config.outbox.thin_at_percent })
    const journal: FileJournal = new FileJournal(files, {
      folder: folder.journal,
      id: folder.identity.journalId,
      segmentBytes: config.journal.segment_bytes,
      bytesMax: config.journal.bytes_max,
      // Without a checkpoint a start needs the journal from its beginning.
      neededFrom: () => (checkpoints.neededSeq() ?? 0) + 1,
    })
    return {
      folder,
      journal,
      outbox,
      outboxWatch,
      checkpoints,
      key: readPublicKey(signer.spki, signer.realm),
      async close() {
        await outboxWatch.stop()
        await journal.close()
        await outbox.close()
        folder.release()
      },
    }
  } catch (error) {
    folder.release()
    throw error
  }
}

function chainOf({ epoch, keyEpoch, journalId }: StateIdentity): {
  epoch: number
  keyEpoch: number
  owner: Uint8Array
} {
  return { epoch, keyEpoch, owner: journalId }
}

/** What commands beside a running agent look at: nothing is locked, cut or written. */
export type StorageView = Readonly<{
  path: string
  identity: StateIdentity
  journal: FileJournal
  outbox: FileOutbox
  checkpoints: Checkpoints
}>

/** @throws HbError STATE_MISSING, STATE_FOLDER_SHAPE */
export function viewStorage(path: string, files: Files = systemFiles): StorageView {
  const folder = readStateFolder(files, path)
  const unbounded = Number.MAX_SAFE_INTEGER
  return {
    path,
    identity: folder.identity,
    checkpoints: createCheckpointFolder(files, {
      folder: folder.checkpoints,
      keep: unbounded,
      historyBytesMax: unbounded,
      journalFirstSeq: () => 1,
    }),
    outbox: new FileOutbox(files, {
      folder: folder.outbox,
      ...chainOf(folder.identity),
      bytesMax: unbounded,
      readOnly: true,
    }),
    journal: new FileJournal(files, {
      folder: folder.journal,
      id: folder.identity.journalId,
      segmentBytes: unbounded,
      bytesMax: unbounded,
      neededFrom: () => 1,
      readOnly: true,
    }),
  }
}
