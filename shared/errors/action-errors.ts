import type { ErrorEntry } from './entry.ts'

/** Errors of orders that people give to a running agent, and of the actions it takes. */
export const ACTION_ERRORS = {
  ORDER_REFUSED: {
    exit: 77,
    retry: false,
    summary: 'An order to an agent was refused.',
    remedy:
      'The reason says why: unknown_key (the key is not in `operators` of its runtime.yaml), other_agent or other_boot (ask it anew, it was started since), too_old (look at both clocks), repeated (it was taken before), same_person (another key has to confirm), no_such_order (nothing waits under this id, or no longer), not_an_approver (`governance.approvers`), not_plain_text (say it on one line, without control characters and marks that turn the writing direction).',
  },
  ORDERS_WAITING: {
    exit: 75,
    retry: true,
    summary: 'Too many orders wait for a second person.',
    remedy:
      'Confirm those that wait (at most 8 of one person do), or let them run out: an order that nobody confirms is forgotten after two minutes.',
  },
  ORDER_NOT_FOLLOWED: {
    exit: 77,
    retry: false,
    summary: 'An order about actions is not followed.',
    remedy: 'The reasons say everything that stands against it; `hb arm show` says how the rig stands now.',
  },
  PROOF_FAILED: {
    exit: 69,
    retry: true,
    summary: 'The path to a target is not there: a proof test had no good answer.',
    remedy:
      'Look whether the target runs and what `hb arm show` has against arming; a command needs `proof_argv`. Overdue, rigs of the target cannot be armed.',
  },
  TARGET_UNKNOWN: {
    exit: 64,
    retry: false,
    summary: 'No executor of this agent has this name.',
    remedy: 'Name one of those that stand beside it: the targets of `executors` in runtime.yaml.',
  },
  POLICY_MISSING: {
    exit: 78,
    retry: false,
    summary: 'A rig has no policy of actions: nothing is ever done to it.',
    remedy: 'Name an `actions_policy_file` for the rig in runtime.yaml, and look at it with `hb policy lint`.',
  },
  MODE_REFUSED: {
    exit: 77,
    retry: false,
    summary: 'A rig may not go from its mode to the one that was asked for.',
    remedy: '`hb mode show` lists the modes it may go to, and who may order each.',
  },
} as const satisfies Record<string, ErrorEntry>
