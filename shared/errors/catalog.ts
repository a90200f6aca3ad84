import { ACTION_ERRORS } from './action-errors.ts'
import { BENCH_ERRORS } from './bench-errors.ts'
import { BUNDLE_ERRORS } from './bundle-errors.ts'
import { CONFIG_ERRORS } from './config-errors.ts'
import type { ErrorEntry } from './entry.ts'
import { EVIDENCE_ERRORS } from './evidence-errors.ts'
import { EXECUTABLE_ERRORS } from './executable-errors.ts'
import { EXECUTOR_ERRORS } from './executor-errors.ts'
import { HIL_ERRORS } from './hil-errors.ts'
import { INJECT_ERRORS } from './inject-errors.ts'
import { PLANT_ERRORS } from './plant-errors.ts'
import { ROLLOUT_ERRORS } from './rollout-errors.ts'
import { RUN_ERRORS } from './run-errors.ts'
import { RUNTIME_ERRORS } from './runtime-errors.ts'
import { SESSION_ERRORS } from './session-errors.ts'
import { SOURCE_ERRORS } from './source-errors.ts'
import { STORAGE_ERRORS } from './storage-errors.ts'

/**
 * Every error the programs raise on purpose. `docs/reference/errors.md` is written from this table.
 * A code is never reused and never changes meaning: field engineers search for it.
 */
export const ERRORS = {
  ...CONFIG_ERRORS,
  ...STORAGE_ERRORS,
  ...EVIDENCE_ERRORS,
  ...SESSION_ERRORS,
  ...RUNTIME_ERRORS,
  ...RUN_ERRORS,
  ...ACTION_ERRORS,
  ...BUNDLE_ERRORS,
  ...ROLLOUT_ERRORS,
  ...EXECUTABLE_ERRORS,
  ...EXECUTOR_ERRORS,
  ...BENCH_ERRORS,
  ...PLANT_ERRORS,
  ...HIL_ERRORS,
  ...INJECT_ERRORS,
  ...SOURCE_ERRORS,
} as const satisfies Record<string, ErrorEntry>

export type ErrorCode = keyof typeof ERRORS
