import { existsSync } from 'node:fs'
import { type Command, Option } from 'commander'
import { defaultBaselinePolicy, loadBaselinePolicy } from '../../shared/config/baseline-policy.ts'
import { readBytes } from '../../shared/config/files.ts'
import { policyDigest } from '../../shared/config/quality-policy.ts'
import { YAML_BYTES_MAX } from '../../shared/config/yaml-text.ts'
import { toHex } from '../../shared/crypto/digest.ts'
import { systemClock } from '../../shared/lib/clock.ts'
import { numberOption, printResult, table, utc } from '../../shared/lib/command-output.ts'
import { jsonFile, writeReports } from '../../shared/report/report-folder.ts'
import { verdictExit } from '../../shared/report/verdict-exit.ts'
import { appendLineage, type LineageRow } from '../adapters/run-lineage.ts'
import { analyzeRun } from '../offline/analyze-run.ts'
import { chooseBaseline } from '../offline/choose-baseline.ts'
import { decisionRecord } from '../offline/decision-record.ts'
import type { DriftReport } from '../offline/drift-report.ts'
import type { Decimal } from '../offline/metrics-csv.ts'
import { reportHtml } from '../offline/report-html.ts'
import { readRunFolder } from '../offline/run-folder.ts'
import { loadRunRegistry } from '../offline/run-registry.ts'

export type AnalyzeOptions = Readonly<{
  run: string
  baseline?: string
  runs?: string
  registry?: string
  policy?: string
  decimal?: Decimal
  out?: string
  top: string
  json?: boolean
}>

/** The registry in the current folder, where none is named: as the predecessor had it. */
const REGISTRY = 'metric_registry.yaml'
/** Drifts that are named first. */
const TOP_MAX = 100

/** Adds `hb analyze`. */
export function analyzeCommand(program: Command): void {
  const command = program
    .command('analyze')
    .description('judge a run that is over against another, and say why; the exit code is the verdict')
    .requiredOption('--run <dir>', 'folder of the run: run_meta.json, metrics.csv')
    .option(
      '--baseline <which>',
      'folder of a run that was good; with --runs also a tag or the id of a run. Without a baseline the verdict is never a pass',
    )
    .option(
      '--runs <dir>',
      'folder of runs to choose the baseline from, as the policy says; the verdict is noted there',
    )
  reportOptions(command).action((options: AnalyzeOptions) => {
    const report = reportOf(options)
    if (options.out !== undefined) writeReports(options.out, filesOf(report, options))
    if (options.runs !== undefined) appendLineage(options.runs, lineageOf(report, options))
    finish(report, options)
  })
}

/** What `hb analyze` and `hb compare` share. */
export function reportOptions(command: Command): Command {
  return command
    .addOption(
      new Option(
        '--registry <file>',
        'metric registry; by default metric_registry.yaml here; without one nothing can pass',
      ).env('HB_METRIC_REGISTRY'),
    )
    .addOption(
      new Option('--policy <file>', 'baseline_policy.yaml: what too little data is worth').env('HB_BASELINE_POLICY'),
    )
    .addOption(new Option('--decimal <mark>', 'decimal mark of the files').choices(['point', 'comma']))
    .option('--out <dir>', 'folder for drift_report.json, drift_report.html and decision_record.json')
    .option('--top <n>', 'how many drifts are named first', '5')
    .option('--json', 'the report as one JSON object')
}

/** @throws HbError RUN_MISSING, RUN_INVALID, CONFIG_…, USAGE */
export function reportOf(options: AnalyzeOptions): DriftReport {
  const path = options.registry ?? (existsSync(REGISTRY) ? REGISTRY : undefined)
  const registry = path === undefined ? null : loadRunRegistry(path)
  const policy = options.policy === undefined ? null : loadBaselinePolicy(options.policy)
  const top = numberOption(options.top, '--top', { min: 0, max: TOP_MAX })
  const run = readRunFolder(options.run, options.decimal)
  const chosen = chooseBaseline({
    run,
    named: options.baseline,
    runs: options.runs,
    policy: policy ?? defaultBaselinePolicy(),
    registryHash: registry?.hash ?? '',
    decimal: options.decimal,
  })
  return analyzeRun({
    run,
    ...chosen,
    registry,
    ...(policy === null ? {} : { missingData: policy.missing_data, distribution: policy.distribution_drift_enabled }),
    top,
  })
}

/** The files of a report by their names. */
export function filesOf(report: DriftReport, { policy }: Pick<AnalyzeOptions, 'policy'>): Record<string, string> {
  const about = { timestamp: utc(systemClock().nowUs()), policyHash: policy === undefined ? null : hashOf(policy) }
  return {
    'drift_report.json': jsonFile(report),
    'drift_report.html': reportHtml(report),
    'decision_record.json': jsonFile(decisionRecord(report, about)),
  }
}

function lineageOf(report: DriftReport, { policy }: Pick<AnalyzeOptions, 'policy'>): LineageRow {
  return {
    run_id: report.run_id,
    status: report.status,
    baseline_run_id: report.baseline_run_id,
    registry_hash: report.registry_hash,
    policy_hash: policy === undefined ? null : hashOf(policy),
    baseline_reason: report.baseline_reason,
    baseline_match_level: report.baseline_match_level,
    baseline_match_score: report.baseline_match_score,
    baseline_match_fields: report.baseline_match_fields,
    baseline_confidence: report.baseline_confidence,
    created_at: utc(systemClock().nowUs()),
  }
}

function hashOf(policy: string): string | null {
  const bytes = readBytes(policy, YAML_BYTES_MAX)
  return bytes instanceof Uint8Array ? toHex(policyDigest(bytes)).slice(0, 12) : null
}

/** Says the verdict, and ends with it. */
export function finish(report: DriftReport, { json, out }: Pick<AnalyzeOptions, 'json' | 'out'>): void {
  const rows = report.metric_details
    .filter(({ verdict }) => verdict !== 'PASS')
    .map((m) => [m.metric, m.verdict, shown(m.baseline), shown(m.current), m.unit ?? ''])
  printResult(json, report, [
    `${report.status}: ${report.run_id} against ${report.baseline_run_id ?? 'no baseline'}`,
    ...(rows.length === 0 ? [] : table([['METRIC', 'VERDICT', 'BASELINE', 'CURRENT', 'UNIT'], ...rows])),
    ...report.warnings.map((warning) => `warning: ${warning}`),
    report.what_to_do_next,
    ...(out === undefined ? [] : [`report in ${out}`]),
  ])
  process.exitCode = verdictExit(report.status, process.env)
}

function shown(value: number | null): string {
  return value === null ? '-' : `${value}`
}
