import type { ErrorEntry } from './entry.ts'

/** Errors of the HIL bench: of its time (ADR 35), and of what is made from its runs. */
export const BENCH_ERRORS = {
  AGENT_SILENT: {
    exit: 69,
    retry: false,
    summary: 'The agent under test does not answer its bench.',
    remedy:
      'Look at the log of the agent: it has ended, could not begin, listens elsewhere, or its disk stands still. Its time did not go on.',
  },
  AGENT_BEHIND: {
    exit: 75,
    retry: true,
    summary: 'The agent under test did not receive what the bench has sent.',
    remedy:
      'Compare the counts that are named, and whether every source and link of the bench was connected when it sent. Nothing was taken; the same grant may be given again.',
  },
  LOCKSTEP_REFUSED: {
    exit: 65,
    retry: false,
    summary: 'The agent under test refused what its bench wanted.',
    remedy: 'The detail says why. Nothing was moved, and the agent goes on.',
  },
  HIL_REPORT_MISSING: {
    exit: 66,
    retry: false,
    summary: 'A report is not there, or cannot be read.',
    remedy: 'Check the path; `hb hil run` writes the report of a campaign with --json FILE.',
  },
  HIL_REPORT_SHAPE: {
    exit: 65,
    retry: false,
    summary: 'A report is not what its schema says.',
    remedy:
      'Take the report as it was written: docs/reference/hil-report.schema.json says what a report of a campaign is. Nothing was judged.',
  },
  HIL_RUN_SHAPE: {
    exit: 65,
    retry: false,
    summary: 'A folder is not that of a run of the HIL bench.',
    remedy: 'Give the folder that holds row.json and run.json, as `hb hil run` left it. Nothing was judged.',
  },
  HIL_EVIDENCE_CHANGED: {
    exit: 65,
    retry: false,
    summary: 'The folder of a run is not as it was closed.',
    remedy: 'Take the folder as `hb hil run --evidence` left it, or run the scenario again. Nothing was judged.',
  },
  TRACE_BROKEN: {
    exit: 65,
    retry: false,
    summary: 'Hazards, requirements, scenarios and their latest verdicts do not hold together.',
    remedy:
      'Mend what is named: write the scenario that is missing, or run the scenarios again whose verdicts are old. An expectation is changed by review, never by a run.',
  },
} as const satisfies Record<string, ErrorEntry>
