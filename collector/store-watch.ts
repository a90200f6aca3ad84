import { join } from 'node:path'
import type { Trust } from '../shared/config/operators.ts'
import type { VerifyKey } from '../shared/crypto/sign.ts'
import type { Clock } from '../shared/lib/clock.ts'
import { openToRead } from '../shared/sqlite/database.ts'
import type { Micros, Millis } from '../shared/units.ts'
import { checkStore, type Finding } from './fsck.ts'
import { DATABASE_FILE } from './store/open.ts'
import type { VerifyPool } from './verify/pool.ts'

export type StoreWatchOptions = Readonly<{
  /** Folder of the database. */
  folder: string
  pool: Pick<VerifyPool, 'verify'>
  /** Key of the receipts. */
  key: VerifyKey
  deployment: string
  trust: Trust
  clock: Pick<Clock, 'after' | 'sleep' | 'nowUs'>
  found(finding: Finding): Promise<void>
  broken(error: unknown): void
}>

/** When everything stored is proved anew after a start, how long after the end of one check the next begins, and the rest after each page. */
export const CHECK_AFTER_MS: Millis = 300_000
const CHECK_AGAIN_MS: Millis = 24 * 3_600_000
const PAUSE_MS: Millis = 250
/** Findings of one check that are told; all are counted, and `hb collector fsck` lists them. */
const TOLD_MAX = 100

/**
 * Proves what is stored anew, beside the work: evidence that rots on a disk must not be found out when it is needed. Reads
 * through a connection of its own and rests after each page, so that neither agents nor people wait for it.
 */
export class StoreWatch {
  /** Of the last check that came to its end: when it ended, 0 before the first; what it read, and what was wrong. */
  checkedUs: Micros = 0
  batches = 0
  found = 0
  private readonly options: StoreWatchOptions
  private cancel: () => void = () => undefined
  private running: Promise<void> = Promise.resolve()
  private stopped = false

  constructor(options: StoreWatchOptions) {
    this.options = options
  }

  start(): void {
    this.next(CHECK_AFTER_MS)
  }

  async stop(): Promise<void> {
    this.stopped = true
    this.cancel()
    await this.running
  }

  private next(ms: Millis): void {
    if (this.stopped) return
    this.cancel = this.options.clock.after(ms, () => {
      this.running = this.check()
        .catch((error: unknown) => this.options.broken(error))
        .finally(() => this.next(CHECK_AGAIN_MS))
    })
  }

  private async check(): Promise<void> {
    const { folder, clock, found, ...options } = this.options
    const db = await openToRead(join(folder, DATABASE_FILE))
    try {
      const result = await checkStore({
        ...options,
        db,
        progress: () => undefined,
        goesOn: async () => {
          await clock.sleep(PAUSE_MS)
          return !this.stopped
        },
      })
      if (this.stopped) return
      this.checkedUs = clock.nowUs()
      this.batches = result.batches
      this.found = result.found
      for (const finding of result.findings.slice(0, TOLD_MAX)) await found(finding)
    } finally {
      await db.close()
    }
  }
}
