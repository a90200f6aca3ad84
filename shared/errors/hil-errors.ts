import type { ErrorEntry } from './entry.ts'

/** Errors of a run of the HIL bench. */
export const HIL_ERRORS = {
  BENCH_WAIT: {
    exit: 75,
    retry: true,
    summary: 'Something that a run needs did not come in time.',
    remedy: 'Look at the last lines of the log that are shown with it; run the scenario alone with `--jobs 1`.',
  },
  PROGRAM_FAILED: {
    exit: 70,
    retry: false,
    summary: 'A program that a run needs failed.',
    remedy: 'Its own message stands beside this; run the same command in the folder of the run.',
  },
  RIG_RESERVED: {
    exit: 75,
    retry: true,
    summary: 'Somebody else has the place that a run needs.',
    remedy: 'Wait for it (`--wait`), or ask who has it. `hb hil reservations` lists them.',
  },
  HOST_OVERRUN: {
    exit: 75,
    retry: true,
    summary: 'This machine was too slow for real time: what came of the run says nothing.',
    remedy: 'Run fewer at once (`--jobs 1`), on a machine that is not shared, or with `clock.mode: lockstep`.',
  },
} as const satisfies Record<string, ErrorEntry>
