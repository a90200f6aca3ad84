import { existsSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join, resolve } from 'node:path'
import { loadCollectorConfig } from '../../shared/config/load.ts'
import type { Trust } from '../../shared/config/operators.ts'
import { loadSigner } from '../../shared/crypto/key-file.ts'
import { readPublicKey, type VerifyKey } from '../../shared/crypto/sign.ts'
import { HbError, isHbError } from '../../shared/errors/hb-error.ts'
import { printResult, progress } from '../../shared/lib/command-output.ts'
import { openToRead } from '../../shared/sqlite/database.ts'
import { checkStore, type Finding, type FsckResult } from '../fsck.ts'
import { DATABASE_FILE } from '../store/open.ts'
import { createVerifyPool } from '../verify/pool.ts'

/** Exit code when something is not as it was stored (sysexits: data). */
const DAMAGED_EXIT = 65

/** `hb collector fsck`: may run beside the collector. */
export async function runFsck(options: Readonly<{ config: string; json?: boolean }>): Promise<number> {
  const { config, trust, folder } = loadCollectorConfig(options.config)
  const path = join(resolve(folder, config.data_dir), DATABASE_FILE)
  if (!existsSync(path)) throw new HbError('CONFIG_MISSING', { path, expected: 'the database of a collector' })
  const { spki, realm } = loadSigner(resolve(folder, config.signing_key_file))
  const pool = createVerifyPool({ workers: availableParallelism(), realm, failed: () => undefined })
  try {
    const key = readPublicKey(spki, realm)
    const result = await checked({ path, pool, key, trust, deployment: config.deployment })
    print(options.json, result)
    return result.found === 0 ? 0 : DAMAGED_EXIT
  } finally {
    await pool.close()
  }
}

type Checked = Readonly<{
  path: string
  pool: ReturnType<typeof createVerifyPool>
  key: VerifyKey
  trust: Trust
  deployment: string
}>

/** A file that is no database any more is a finding, not a failure of the check. */
async function checked({ path, ...around }: Checked): Promise<FsckResult> {
  try {
    const db = await openToRead(path)
    try {
      return await checkStore({ db, ...around, progress: progress('checking') })
    } finally {
      await db.close()
    }
  } catch (error) {
    if (!isHbError(error) || error.code !== 'DATABASE_DAMAGED') throw error
    const finding: Finding = { agent: '', epoch: null, batch: null, what: error.message }
    return { batches: 0, decisions: 0, book: { records: 0, statements: 0 }, findings: [finding], found: 1 }
  }
}

function print(json: boolean | undefined, { batches, decisions, book, findings, found }: FsckResult): void {
  const ok = found === 0
  printResult(json, { ok, batches, decisions, book, found, findings }, [
    `${batches} batches with ${decisions} rows of decisions were verified`,
    `${book.records} baselines with ${book.statements} statements were verified`,
    ...findings.map(({ agent, epoch, batch, what }) =>
      batch === null ? `DAMAGE  ${what}` : `DAMAGE  ${agent} ${epoch}/${batch}: ${what}`,
    ),
    ...(found > findings.length ? [`and ${found - findings.length} more`] : []),
    ok ? 'whole' : `${found} findings`,
  ])
}
