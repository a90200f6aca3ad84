import { Shard, type ShardReply, type ShardRound, type ShardStart } from '../pipeline/shard.ts'

/** The rigs of this thread. */
let shard: Shard | null = null

/** Takes over a part of the rigs. */
export function startShard(start: ShardStart): void {
  shard = new Shard(start)
}

/** Evaluates one round of inputs on them. */
export function takeRound(round: ShardRound): ShardReply {
  // A thread that took the place of one that ended knows nothing of its rigs.
  if (shard === null) throw new Error('an evaluating thread ended and lost its rigs')
  return shard.take(round)
}
