import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { runHb } from '../../scripts/demo/processes.ts'
import type { Signer } from '../../shared/crypto/sign.ts'
import { createStickWriter, type StickBatch, type StickManifest } from '../../shared/protocol/stick.ts'
import type { BenchFolder } from './bench-folder.ts'

export type Fields = Record<string, unknown>
/** What a command that failed said. */
export type Failure = { code: string; exit: number; problems?: { code: string }[] }
/** Where every command of the bench's agent looks. */
export const AGENT = ['--config', 'runtime.yaml', '--state', 'state'] as const

export const json = async (folder: BenchFolder, ...args: string[]): Promise<Fields> =>
  JSON.parse(await runHb([...args, '--json'], folder.path)) as Fields
export const exported = (folder: BenchFolder, file: string, ...more: string[]): Promise<Fields> =>
  json(folder, 'outbox', 'export', file, ...AGENT, ...more)
export const imported = (folder: BenchFolder, file: string): Promise<Fields> =>
  json(folder, 'collector', 'import', file, '--config', 'collector.yaml')

export async function failure(folder: BenchFolder, ...args: string[]): Promise<Failure> {
  try {
    await runHb([...args, '--json'], folder.path)
  } catch (error) {
    const text = (error as Error).message
    const at = text.indexOf('{"error"')
    return (JSON.parse(text.slice(at).split('\n')[0] ?? '') as { error: Failure }).error
  }
  return { code: 'nothing', exit: 0 }
}

export type FileMaker = Readonly<{
  batches(name: string, list: readonly StickBatch[], change?: Partial<StickManifest>, by?: Signer): string
  receipts(name: string, list: readonly Uint8Array[], change?: Partial<StickManifest>, by?: Signer): string
  /** A copy with one bit flipped. */
  flipped(name: string, from: string, at: number): string
  /** A copy without its last bytes. */
  cut(name: string, from: string, bytes: number): string
}>

/** Writes files for a stick as somebody would who has these keys. */
export function createFileMaker(
  folder: BenchFolder,
  { agent, collector }: { agent: Signer; collector: Signer },
): FileMaker {
  const about = { deployment: 'demo', agent: 'bench-1', madeUs: 1, version: '1' }
  const put = (name: string, bytes: Uint8Array): string => {
    writeFileSync(join(folder.path, name), bytes)
    return name
  }
  return {
    batches(name, list, change = {}, by = agent) {
      const parts: Uint8Array[] = []
      const stick = createStickWriter('batches', (part) => parts.push(part))
      for (const batch of list) stick.batch(batch)
      stick.finish({ ...about, rigs: [{ rig: 'water-loop', program: 'demo' }], ...change }, by)
      return put(name, Buffer.concat(parts))
    },
    receipts(name, list, change = {}, by = collector) {
      const parts: Uint8Array[] = []
      const stick = createStickWriter('receipts', (part) => parts.push(part))
      list.forEach((receipt, k) => {
        stick.receipt({ epoch: 1, batchSeq: k + 1, receipt })
      })
      stick.finish({ ...about, rigs: [], ...change }, by)
      return put(name, Buffer.concat(parts))
    },
    flipped(name, from, at) {
      const bytes = readFileSync(join(folder.path, from))
      bytes[at] = bytes[at]! ^ 4
      return put(name, bytes)
    },
    cut(name, from, less) {
      const bytes = readFileSync(join(folder.path, from))
      return put(name, bytes.subarray(0, Math.max(0, bytes.length - less)))
    },
  }
}
