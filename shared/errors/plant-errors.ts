import type { ErrorEntry } from './entry.ts'

/** Errors of external plants of the bench. Each ends the run, and the plant is told to make itself safe. */
export const PLANT_ERRORS = {
  PLANT_NOT_STARTED: {
    exit: 69,
    retry: true,
    summary: 'The program of an external plant did not start, or did not say hello in time.',
    remedy:
      'Start the command by hand with an endpoint in place of `{endpoint}` and see what it says; it must connect and send `hello` (docs/operating/hil-plants.md).',
  },
  PLANT_UNFIT: {
    exit: 78,
    retry: false,
    summary: 'What an external plant says of itself does not fit the scenario.',
    remedy:
      'Compare names of signals and inputs and the step with those of the scenario; all that is missing is named.',
  },
  PLANT_LATE: {
    exit: 75,
    retry: true,
    summary: 'An external plant did not answer a grant in time.',
    remedy:
      'See whether its program hangs or the machine is overloaded; a model that needs longer needs a longer step.',
  },
  PLANT_ANSWER: {
    exit: 65,
    retry: false,
    summary: 'An external plant answered something else than the protocol says.',
    remedy: 'Compare with the schemas in docs/reference/plant; what is wrong is named. NaN is no number here.',
  },
  PLANT_ENDED: {
    exit: 69,
    retry: false,
    summary: 'An external plant ended in the middle of a run, or said that it cannot go on.',
    remedy: 'See the reason, or the last lines of its output that are with the error.',
  },
} as const satisfies Record<string, ErrorEntry>
