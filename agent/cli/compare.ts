import type { Command } from 'commander'
import { jsonFile, writeReports } from '../../shared/report/report-folder.ts'
import { type AnalyzeOptions, filesOf, finish, reportOf, reportOptions } from './analyze.ts'

/** Adds `hb compare`. */
export function compareCommand(program: Command): void {
  const command = program
    .command('compare')
    .description('hold one run against another; the exit code is the verdict')
    .requiredOption('--baseline <dir>', 'folder of the run to compare with')
    .requiredOption('--run <dir>', 'folder of the run: run_meta.json, metrics.csv')
  reportOptions(command).action(compare)
}

/** The same as `hb analyze` with a baseline, and a short `summary.json` beside the report. */
function compare(options: AnalyzeOptions): void {
  const report = reportOf(options)
  const { run_id, baseline_run_id, status, drift_metrics, fail_metrics, warnings } = report
  const summary = {
    status,
    run_id,
    baseline_run_id,
    drift_metrics: drift_metrics.map(({ metric }) => metric),
    fail_metrics,
    warnings,
  }
  if (options.out !== undefined)
    writeReports(options.out, { ...filesOf(report, options), 'summary.json': jsonFile(summary) })
  finish(report, options)
}
