import type { LoopOptions } from './loop.ts'
import type { DeadMan } from './pipeline/dead-man.ts'
import type { Evaluator, Told } from './pipeline/evaluator.ts'
import { shardedEvaluator } from './pipeline/sharded-evaluator.ts'

/** Hands the rigs of an agent to as many threads as its configuration asks for; at most one a rig. */
export async function evaluateOnThreads(
  { loaded: { config }, clock, outside, recovered, shardThreads }: LoopOptions,
  told: Told,
  deadMan: DeadMan | null,
): Promise<Evaluator> {
  // Rounds begin by time of this machine: nobody moves time before they have ended.
  const host = outside?.host ?? clock
  return shardedEvaluator({
    evaluation: recovered.evaluation,
    threads: await shardThreads(Math.min(config.evaluation.threads, config.rigs.length)),
    told,
    nowUs: () => host.monotonicUs(),
    after: (ms, run) => void host.after(ms, run),
    // Nothing is decided any more: permits are dropped (SE-33), the process ends, and its next life goes on from the journal.
    broken: (cause) =>
      void (deadMan?.stop('a worker is broken') ?? Promise.resolve()).finally(() =>
        setImmediate(() => {
          throw cause
        }),
      ),
  })
}
