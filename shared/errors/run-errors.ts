import type { ErrorEntry } from './entry.ts'

/** Errors of run folders, and of what is imported into them. */
export const RUN_ERRORS = {
  RUNS_MISSING: {
    exit: 66,
    retry: false,
    summary: 'A run, or a folder of runs, is not there.',
    remedy:
      'Check the path: a run is a folder with `run_meta.json` and `metrics.csv`; a folder of runs has those inside.',
  },
  RUN_META_SHAPE: {
    exit: 65,
    retry: false,
    summary: 'A run_meta.json is not what the run contract says.',
    remedy: 'Correct the key that is named. The id of a run names its folder, so it cannot be a path.',
  },
  PLAN_STATE_SHAPE: {
    exit: 65,
    retry: false,
    summary: 'What a folder of plan results remembers of earlier plans cannot be read.',
    remedy:
      'Keep the folder and restore `baselines.json` or `plan_history.jsonl` from a copy, or give another folder with --out: it begins without known good runs.',
  },
  IMPORT_MISSING: {
    exit: 66,
    retry: false,
    summary: 'What is to be imported is not there.',
    remedy: "Check the path of the predecessor's database, folder of reports or audit log. Nothing was written.",
  },
  IMPORT_SHAPE: {
    exit: 65,
    retry: false,
    summary: 'What is to be imported was not made by the predecessor, or cannot be read.',
    remedy: 'Check that it is the file named, whole and not encrypted. Nothing was taken from it.',
  },
} as const satisfies Record<string, ErrorEntry>
