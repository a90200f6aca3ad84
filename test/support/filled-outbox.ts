import { mkdirSync } from 'node:fs'
import { FileOutbox } from '../../agent/adapters/file-outbox.ts'
import { systemFiles } from '../../agent/adapters/files.ts'
import type { Signer } from '../../shared/crypto/sign.ts'
import { createBatchMaker } from './agent-double.ts'

export type FilledOutbox = Readonly<{
  outbox: FileOutbox
  /** Makes one more batch, as a rig under test does without end. */
  add(): Promise<void>
}>

/** An outbox on disk, in a folder that is made, with as many signed and chained batches of an agent of deployment `demo`. */
export async function filledOutbox(
  folder: string,
  { agent, signer, batches }: Readonly<{ agent: string; signer: Signer; batches: number }>,
): Promise<FilledOutbox> {
  mkdirSync(folder)
  const options = { epoch: 1, keyEpoch: 1, owner: new Uint8Array(16), bytesMax: Number.MAX_SAFE_INTEGER }
  const outbox = new FileOutbox(systemFiles, { folder, ...options })
  const make = createBatchMaker({ signer, deployment: 'demo', agent })
  const add = async (): Promise<void> => {
    const { epoch, batchSeq, firstSeq, count, cose, records } = make()
    await outbox.append({ epoch, batchSeq, firstSeq, count, madeUs: 1, cose, records, seed: new Uint8Array(32) })
  }
  for (let k = 0; k < batches; k += 1) await add()
  return { outbox, add }
}
