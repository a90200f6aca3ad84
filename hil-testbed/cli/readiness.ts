import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { type Command, Option } from 'commander'
import { printResult, table } from '../../shared/lib/command-output.ts'
import { verdictExit } from '../../shared/report/verdict-exit.ts'
import { caseProblem } from '../bench/evidence-check.ts'
import { evaluateGate, type GateVerdict } from '../readiness/gate.ts'
import { DEFAULT_GATES, readGates } from '../readiness/gates.ts'
import { readReports } from '../readiness/reports.ts'
import { readCampaign } from '../report/campaign-file.ts'

type GateOptions = Readonly<{
  report: readonly string[]
  gates?: string
  program?: string
  against?: string
  json?: boolean
}>

/** What the verdict of a gate is among those of every command. */
const AS_VERDICT = { Ready: 'PASS', 'At Risk': 'NO_TEST', 'Not Ready': 'FAIL' } as const satisfies Record<
  GateVerdict,
  string
>

/** Adds `hb readiness`. */
export function readinessCommands(program: Command): void {
  program
    .command('readiness')
    .description('may a programme go on')
    .command('gate')
    .description('evaluate a gate over reports; the exit code is its verdict: 0 ready, 20 not ready, 30 not known')
    .argument('<name>', `gate: ${Object.keys(DEFAULT_GATES.gates).join(', ')}, or one of --gates`)
    .requiredOption(
      '--report <file...>',
      'reports of hb hil run, hb analyze, hb hil trace, hb baseline list and hb baseline requests',
    )
    .addOption(new Option('--gates <file>', 'readiness_gates.yaml; built-in ones otherwise').env('HB_READINESS_GATES'))
    .addOption(new Option('--program <name>', 'of whose readiness is asked').env('HB_PROGRAM'))
    .option('--against <report>', 'campaign that the newest one must not be worse than')
    .option('--json', 'one JSON object')
    .action(gate)
}

/** @throws HbError USAGE, HIL_REPORT_…, CONFIG_… */
function gate(name: string, { report, gates, program, against, json }: GateOptions): void {
  const result = evaluateGate(gates ? readGates(gates) : DEFAULT_GATES, name, {
    reports: readReports(report),
    // A variable that a pipeline left empty names nothing.
    program: program || null,
    base: against === undefined ? null : readCampaign(against),
    evidenceOf: {
      campaign: (path, one) => caseProblem(resolve(dirname(path), one.folder), one),
      analysis: analysisProblem,
    },
  })
  const { verdict, criteria } = result
  printResult(json, result, [
    `${verdict}: ${name}${program ? ` of ${program}` : ''}`,
    ...table([['CRITERION', 'IS', 'WHY'], ...criteria.map(({ id, is, reason }) => [id, is, reason])]),
  ])
  process.exitCode = verdictExit(AS_VERDICT[verdict], process.env)
}

/** A failed analysis is kept with the record of its decision beside it. */
function analysisProblem(path: string, runId: string): string | null {
  const record = join(dirname(path), 'decision_record.json')
  if (!existsSync(record)) return 'decision_record.json is not beside it'
  try {
    const { run_id: of } = JSON.parse(readFileSync(record, 'utf8')) as { run_id?: unknown }
    return of === runId ? null : `decision_record.json is of run ${String(of)}`
  } catch {
    return 'decision_record.json cannot be read'
  }
}
