import type { ErrorEntry } from './entry.ts'

/** Errors of those who carry actions out, and of the links to them. */
export const EXECUTOR_ERRORS = {
  EXECUTOR_UNREACHABLE: {
    exit: 69,
    retry: true,
    summary: 'Who should carry an action out cannot be reached.',
    remedy:
      'Check that it runs, its address, its key and the network. The agent tries again by itself; until then its actions time out and say so.',
  },
  EXECUTOR_BUSY: {
    exit: 75,
    retry: true,
    summary: 'More is waiting to go to an executor than may wait.',
    remedy: 'Look why it does not take what is sent; lower what the policy releases at once.',
  },
  EXECUTOR_REQUEST: {
    exit: 65,
    retry: false,
    summary: 'A request cannot be written in the protocol of its executor.',
    remedy: 'Correct the parameters of the rule in the actions policy: what was expected stands beside it.',
  },
  EXECUTOR_REFUSED: {
    exit: 77,
    retry: false,
    summary: 'An executor is not the one that the configuration describes, and is not driven.',
    remedy:
      'Compare identity, testbed, idempotency and permit of the target in the actions policy with those of the executor.',
  },
  EXECUTOR_KEY: {
    exit: 78,
    retry: false,
    summary: 'The key of a link to an executor is not usable.',
    remedy: 'A file of mode 600 with 32 random bytes in hex on one line: `openssl rand -hex 32 > FILE`.',
  },
  ACTUATOR_STATE: {
    exit: 65,
    retry: false,
    summary: 'The state file of a simulated actuator is not one of its own.',
    remedy: 'Name another file. One with foreign or damaged lines is never written to.',
  },
} as const satisfies Record<string, ErrorEntry>
