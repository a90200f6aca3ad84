import { randomInt } from 'node:crypto'
import { join } from 'node:path'
import type { LoadedRuntime } from '../shared/config/load.ts'
import type { RuntimeConfig } from '../shared/config/types.ts'
import { createPrng } from '../shared/lib/prng.ts'
import type { Logger } from '../shared/log/logger.ts'
import { createActionEvents } from './action-events.ts'
import { createExecutor } from './adapters/executors.ts'
import type { Files } from './adapters/files.ts'
import { createProofFile } from './adapters/proof-file.ts'
import { openLedger } from './adapters/sqlite-ledger.ts'
import type { Peer } from './peer.ts'
import type { Permit } from './pipeline/permits.ts'
import type { ProofTarget } from './pipeline/proofs.ts'
import { targetFacts } from './pipeline/target-facts.ts'
import { type AgentClock, type Executor, isPermitExecutor, type OutsideTime } from './ports.ts'
import type { Acting } from './rig-actions.ts'

export type ActingOptions = Readonly<{
  loaded: LoadedRuntime
  clock: AgentClock
  logger: Logger
  files: Files
  /** State folder. */
  folder: string
  peer?: Peer | null
  /** Absent: time goes on by itself. */
  outside?: OutsideTime | null
}>

/** Random numbers for back-offs are drawn from so many. */
const RANDOM_STEPS = 2 ** 30

/**
 * Ledger and executors of an agent whose rigs have policies; null when none has.
 *
 * @throws HbError KEY_FILE_…, EXECUTOR_KEY for a file of an executor, DISK_…, DATABASE_… for a ledger that cannot be made
 */
export async function openActing(options: ActingOptions): Promise<Acting | null> {
  const { loaded, clock, files, folder, logger } = options
  if (loaded.policies.size === 0) return null
  const executors = new Map<string, Executor>()
  for (const named of loaded.config.executors) executors.set(named.target, executorOf(named, options))
  const events = createActionEvents(logger)
  const { ledger, damage } = await openLedger({ files, folder, clock })
  if (damage !== null) {
    const { why, aside, carried, lost, missing } = damage
    logger.error(
      { event: 'ledger_damaged', why, aside, carried, lost: lost.length, missing },
      'the ledger of actions was damaged: what is whole in it was carried over, the rest comes from the journal',
    )
  }
  const proofs = createProofFile({ files, folder })
  return {
    ledger,
    executors,
    permits: permitsOf(loaded, executors),
    proofs,
    proved: provedOf(loaded, executors),
    events,
  }
}

/** Permits that the policies ask for. What one asks for anew takes effect at a start, like the link itself. */
function permitsOf({ policies }: LoadedRuntime, executors: ReadonlyMap<string, Executor>): Permit[] {
  return [...executors.values()].flatMap((executor) => {
    const { target } = executor
    const { permitHoldUs: holdUs, rigs } = targetFacts(target, policies.values())
    return isPermitExecutor(executor) && holdUs !== null ? [{ target, executor, holdMs: holdUs / 1000, rigs }] : []
  })
}

/** Every target can be proved. */
function provedOf({ policies }: LoadedRuntime, executors: ReadonlyMap<string, Executor>): ProofTarget[] {
  return [...executors.values()].map((executor) => {
    const { proofEveryUs: everyUs, rigs } = targetFacts(executor.target, policies.values())
    return { target: executor.target, executor, everyUs, rigs }
  })
}

type Named = RuntimeConfig['executors'][number]

function executorOf(named: Named, { loaded, clock, logger, peer, outside = null }: ActingOptions): Executor {
  const { target } = named
  // A run that is repeated tries again at the same moments.
  const repeated = outside === null ? null : createPrng(0)
  return createExecutor(named, {
    target,
    agent: loaded.config.agent,
    file: join(loaded.folder, 'runtime.yaml'),
    ...targetFacts(target, loaded.policies.values()),
    ...{ clock, outside },
    peer: peer === null || peer === undefined ? undefined : (name) => peer.executor(name),
    random: () => repeated?.next() ?? randomInt(RANDOM_STEPS) / RANDOM_STEPS,
    log: (notice) => logger.warn({ event: 'notice', ...notice }, 'a notice'),
  })
}
