import type { ErrorEntry } from './entry.ts'

/** Errors of a run of the HIL bench. */
export const HIL_ERRORS = {
  SCENARIO_INVALID: {
    exit: 78,
    retry: false,
    summary: 'Scenarios of the bench, or the rigs they name, have mistakes.',
    remedy: 'Correct every line listed, then run `hb hil lint FILE`. Nothing was started.',
  },
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
  FIELD_NOT_RED: {
    exit: 65,
    retry: false,
    summary: 'Nothing was wrong in the decision that a scenario was to be made of.',
    remedy:
      'Look for one that is not PASS with `hb decisions list`. With `--force` the scenario expects that it stays PASS.',
  },
  FIELD_CONFIG_DIFFERS: {
    exit: 78,
    retry: false,
    summary: 'The configuration is not the one that the decision was made under.',
    remedy:
      'Give the files as they were then, or leave out `--config`: the state folder holds their bytes. Baselines and bundles that a collector sent are there only.',
  },
  FIELD_UNFIT: {
    exit: 65,
    retry: false,
    summary: 'What was in the field cannot be had on this bench.',
    remedy: 'See what is named, and docs/operating/hil-from-the-field.md for what a bench takes over.',
  },
  FIELD_NOT_AGAIN: {
    exit: 65,
    retry: false,
    summary: 'The bench does not say of the slice what the field said.',
    remedy:
      'Take more before it (`--before`): detectors and windows remember. The scenario is written: run it with `hb hil run` and look at what it keeps. The notes say what is not as in the field.',
  },
  HOST_OVERRUN: {
    exit: 75,
    retry: true,
    summary: 'This machine was too slow for real time: what came of the run says nothing.',
    remedy: 'Run fewer at once (`--jobs 1`), on a machine that is not shared, or with `clock.mode: lockstep`.',
  },
} as const satisfies Record<string, ErrorEntry>
