import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { resolve } from 'node:path'
import { loadCollectorConfig } from '../../shared/config/load.ts'
import { loadSigner } from '../../shared/crypto/key-file.ts'
import type { Signer } from '../../shared/crypto/sign.ts'
import { HbError } from '../../shared/errors/hb-error.ts'
import { type Clock, systemClock } from '../../shared/lib/clock.ts'
import { printResult, progress } from '../../shared/lib/command-output.ts'
import { createStickWriter, readStick, StickError } from '../../shared/protocol/stick.ts'
import { enrolledAgents } from '../compose.ts'
import { importStick, type StickImport } from '../stick-import.ts'
import { openStores } from '../store/open.ts'
import { createVerifyPool } from '../verify/pool.ts'

export type ImportOptions = Readonly<{ config: string; receipts?: string; json?: boolean }>

declare const HB_VERSION: string

/** `hb collector import`: may run beside the collector. Receipts are written for whatever is stored, also when the rest is refused. */
export async function runImport(file: string, options: ImportOptions): Promise<void> {
  const settings = loadCollectorConfig(options.config)
  const { config, folder } = settings
  const signer = loadSigner(resolve(folder, config.signing_key_file))
  const out = options.receipts ?? `${file}.receipts`
  refuseOther(out)
  const clock = systemClock()
  const enrolled = enrolledAgents(settings)
  const stores = await openStores(resolve(folder, config.data_dir), clock)
  const pool = createVerifyPool({
    workers: config.verify_workers === 0 ? availableParallelism() : config.verify_workers,
    realm: config.realm,
    failed: () => undefined,
  })
  try {
    await stores.agents.enrol([...enrolled.values()], clock.nowUs())
    const verifying = progress('verifying')
    const done = await importStick(file, { stores, pool, clock, enrolled, signer, progress: verifying })
    if (done.receipts.length > 0) writeReceipts(out, done, { clock, signer })
    if (done.refused !== null) throw new StickError([done.refused])
    print(options.json, { file, out, done })
  } finally {
    await pool.close()
    await stores.close()
  }
}

/** Receipts of the same file may be written again; anything else is not ours to replace. */
function refuseOther(out: string): void {
  if (!existsSync(out)) return
  try {
    readStick(out, new Uint8Array(readFileSync(out)), 'receipts')
  } catch (cause) {
    throw new HbError('USAGE', { option: '--receipts', found: `${out} exists`, expected: 'a new file' }, { cause })
  }
}

function writeReceipts(
  out: string,
  { manifest, receipts }: StickImport,
  { clock, signer }: { clock: Clock; signer: Signer },
): void {
  const parts: Uint8Array[] = []
  const stick = createStickWriter('receipts', (part) => parts.push(part))
  for (const receipt of receipts) stick.receipt(receipt)
  const { deployment, agent } = manifest
  const version = typeof HB_VERSION === 'string' ? HB_VERSION : '0.0.0-source'
  stick.finish({ deployment, agent, madeUs: clock.nowUs(), version, rigs: [] }, signer)
  const beside = `${out}.new`
  try {
    writeFileSync(beside, Buffer.concat(parts), { flush: true, mode: 0o644 })
    renameSync(beside, out)
  } catch (cause) {
    const reason = (cause as NodeJS.ErrnoException).code ?? 'unknown'
    throw new HbError(
      'USAGE',
      { option: '--receipts', found: out, expected: 'a file that can be written', reason },
      { cause },
    )
  }
}

function print(json: boolean | undefined, { file, out, done }: { file: string; out: string; done: StickImport }): void {
  const { manifest, receipts, stored } = done
  const known = receipts.length - stored
  printResult(json, { file, agent: manifest.agent, batches: receipts.length, stored, known, receipts_file: out }, [
    `${file} of agent ${manifest.agent}: ${receipts.length} batches, ${stored} new, ${known} known before`,
    receipts.length === 0 ? 'no receipts to bring back' : `receipts: ${out}; bring it back for \`hb outbox receipts\``,
  ])
}
