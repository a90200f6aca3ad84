import { join, resolve } from 'node:path'
import { Piscina } from 'piscina'
import type { Realm } from '../../shared/model/realm.ts'
import type { VerifyResult, VerifyTask } from './worker.ts'

/** Verifies batches on other threads. */
export interface VerifyPool {
  /** Never rejects: a batch that could not be verified comes back with `VERIFY_FAILED`, which is no fault of the agent. */
  verify(task: Omit<VerifyTask, 'realm'>): Promise<VerifyResult>
  close(): Promise<void>
}

export type VerifyPoolOptions = Readonly<{
  workers: number
  /** Realm of the collector: a batch of the other one is refused. */
  realm: Realm
  /** File of the worker; found by itself in a bundle. */
  file?: string
  /** A worker ended on its own. Its tasks are answered with `VERIFY_FAILED`, and another worker takes its place. */
  failed(cause: unknown): void
}>

/** Batches waiting for a worker; credit keeps agents below it, and one more is answered with `VERIFY_FAILED`. */
export const QUEUE_MAX = 32_768
const CLOSE_TIMEOUT_MS = 2_000

export function createVerifyPool({ workers, realm, file = workerFile(), failed }: VerifyPoolOptions): VerifyPool {
  const pool = new Piscina<VerifyTask, VerifyResult>({
    filename: file,
    name: 'verifyBatch',
    minThreads: workers,
    maxThreads: workers,
    maxQueue: QUEUE_MAX,
    closeTimeout: CLOSE_TIMEOUT_MS,
    // The program's own flags are not for workers: some of them are refused there.
    execArgv: [],
  })
  // Without a listener a worker that ends would end the process.
  pool.on('error', failed)
  return {
    async verify(task) {
      try {
        return await pool.run({ ...task, realm })
      } catch (error) {
        return { ok: false, code: 'VERIFY_FAILED', detail: error instanceof Error ? error.message : String(error) }
      }
    },
    close: () => pool.destroy(),
  }
}

/** Beside the bundle when there is one; else the source, which Node reads as it is, below the folder the program runs in. */
function workerFile(): string {
  if (typeof __dirname === 'string') return join(__dirname, 'collector-verify-worker.cjs')
  return resolve('collector', 'verify', 'worker.ts')
}
