import { join, resolve } from 'node:path'
import { Piscina } from 'piscina'
import type { ShardThread } from '../pipeline/sharded-evaluator.ts'

const CLOSE_TIMEOUT_MS = 2_000

/** Rounds that may wait for a thread: one, because the next one is made of what came meanwhile. */
const ROUNDS_WAITING_MAX = 1

/** Threads that evaluate rigs: a pool of one for each, because rigs stay where they are. */
export function createShardThreads(count: number, file = workerFile()): ShardThread[] {
  return Array.from({ length: count }, () => createThread(file))
}

function createThread(filename: string): ShardThread {
  const pool = new Piscina({
    filename,
    minThreads: 1,
    maxThreads: 1,
    maxQueue: ROUNDS_WAITING_MAX,
    closeTimeout: CLOSE_TIMEOUT_MS,
    // The program's own flags are not for workers: some of them are refused there.
    execArgv: [],
  })
  // A thread that ends fails the round it had or the next one; without a listener it would end the process sooner.
  pool.on('error', () => undefined)
  return {
    start: (start) => pool.run(start, { name: 'startShard' }),
    take: (round) => pool.run(round, { name: 'takeRound' }),
    close: () => pool.destroy(),
  }
}

/** Beside the bundle when there is one; else the source, which Node reads as it is, below the folder the program runs in. */
function workerFile(): string {
  if (typeof __dirname === 'string') return join(__dirname, 'agent-shard-worker.cjs')
  return resolve('agent', 'adapters', 'shard-worker.ts')
}
