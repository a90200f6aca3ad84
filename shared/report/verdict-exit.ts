import { type OverallVerdict, VERDICT_EXIT } from '../model/verdict.ts'

/** Exit code of a gate that is closed. */
export const GATE_CLOSED_EXIT = 2

/**
 * Exit code of a command that gives a verdict (decisions 23). With `HB_GATE_FAIL_EXIT=1` only what was tested and did not
 * fail lets through; drift does, because it is told and a gate that stops for it would be taken out.
 */
export function verdictExit(
  status: OverallVerdict | 'NO_METRICS',
  env: Readonly<Record<string, string | undefined>>,
): number {
  const exit = status === 'NO_METRICS' ? VERDICT_EXIT.NO_TEST : VERDICT_EXIT[status]
  if (env['HB_GATE_FAIL_EXIT'] !== '1') return exit
  return status === 'PASS' || status === 'PASS_WITH_DRIFT' ? 0 : GATE_CLOSED_EXIT
}
