import type { ErrorEntry } from './entry.ts'

/** Errors of rollouts. */
export const ROLLOUT_ERRORS = {
  ROLLOUT_REFUSED: {
    exit: 77,
    retry: false,
    summary: 'The collector does not do what was ordered about a rollout; nothing was started or changed.',
    remedy:
      'See the reason: unknown_key and other_deployment are about who orders it and where, stale about clocks that differ, stages and times about what was asked for; not_plain_text: say why on one line, without control characters and marks that turn the writing direction.',
  },
  ROLLOUT_ROLLED_BACK: {
    exit: 69,
    retry: false,
    summary: 'A rollout did not go through; agents that had taken the bundle went back to what they ran before.',
    remedy:
      'See the reasons, and `hb rollout status` for agents that could not go back or have yet to come. Mend the bundle, and sign it again with a higher number.',
  },
  ROLLOUT_RUNNING: {
    exit: 75,
    retry: true,
    summary: 'Another rollout runs; there is one at a time.',
    remedy: 'Wait for its end with `hb rollout status`, or end it with `hb rollout abort`.',
  },
  ROLLOUT_UNKNOWN: {
    exit: 66,
    retry: false,
    summary: 'There is no such rollout.',
    remedy: 'See `hb rollout status --all` for those there are.',
  },
} as const satisfies Record<string, ErrorEntry>
