import { dirname, resolve } from 'node:path'
import { type Command, Option } from 'commander'
import { loadBaselinePolicy } from '../../shared/config/baseline-policy.ts'
import type { BaselinePolicy } from '../../shared/config/baseline-policy-schema.ts'
import { type Plan, type PlanAssertion, parseAsserts, parsePlan } from '../../shared/config/plan.ts'
import { ConfigError, type Problem } from '../../shared/config/problems.ts'
import { yamlBytes } from '../../shared/config/sound-yaml.ts'
import { systemClock } from '../../shared/lib/clock.ts'
import { printResult, table, utc } from '../../shared/lib/command-output.ts'
import { verdictExit } from '../../shared/report/verdict-exit.ts'
import { readCode } from '../code-identity.ts'
import { analyzeRun } from '../offline/analyze-run.ts'
import type { Decimal } from '../offline/metrics-csv.ts'
import type { PlanResult } from '../offline/plan-html.ts'
import { type Judge, runPlan } from '../offline/plan-run.ts'
import { readRunFolder } from '../offline/run-folder.ts'
import { loadRunRegistry } from '../offline/run-registry.ts'

type PlanOptions = Readonly<{ out: string; registry?: string; policy?: string; decimal?: Decimal; json?: boolean }>

/** Adds `hb plan run`. */
export function planCommands(program: Command): void {
  program
    .command('plan')
    .description('scenarios, what each is held against, and the requirements that they show')
    .command('run')
    .description('judge every scenario of a plan and write a report of each; the exit code is the worst verdict')
    .argument('<file>', 'plan')
    .requiredOption('--out <dir>', 'folder of the results; the runs that were good are remembered there')
    .addOption(
      new Option('--registry <file>', 'metric registry; without it nothing can pass').env('HB_METRIC_REGISTRY'),
    )
    .addOption(
      new Option('--policy <file>', 'baseline_policy.yaml: what too little data is worth').env('HB_BASELINE_POLICY'),
    )
    .addOption(new Option('--decimal <mark>', 'decimal mark of the files').choices(['point', 'comma']))
    .option('--json', 'the result as one JSON object')
    .action(run)
}

/** @throws HbError CONFIG_…, PLAN_STATE_SHAPE, DISK_… */
function run(path: string, options: PlanOptions): void {
  const plan = parsePlan(path, yamlBytes(path))
  const assertions = loadAssertions(plan, path)
  const registry = options.registry === undefined ? null : loadRunRegistry(options.registry)
  const policy = options.policy === undefined ? null : loadBaselinePolicy(options.policy)
  const judge: Judge = ({ runDir, baselineDir, assertions: asserted }) =>
    analyzeRun({
      run: readRunFolder(runDir, options.decimal),
      baseline: baselineDir === null ? null : readRunFolder(baselineDir, options.decimal),
      registry,
      ...weighed(policy),
      ...(asserted === null ? {} : { assertions: asserted }),
    })
  const result = runPlan(plan, {
    from: dirname(resolve(path)),
    out: options.out,
    judge,
    registryHash: registry?.hash ?? '',
    assertions,
    tsUtc: utc(systemClock().nowUs()),
    version: readCode().version,
  })
  printResult(options.json, result, linesOf(result, options.out))
  process.exitCode = verdictExit(result.status, process.env)
}

function weighed(policy: BaselinePolicy | null) {
  return policy === null ? {} : { missingData: policy.missing_data, distribution: policy.distribution_drift_enabled }
}

/** Every file of assertions that the plan names, by its path there. Mistakes of all of them are told at once. */
function loadAssertions(plan: Plan, path: string): ReadonlyMap<string, readonly PlanAssertion[]> {
  const names = new Set(plan.scenarios.flatMap(({ asserts }) => (asserts === undefined ? [] : [asserts])))
  const loaded = new Map<string, readonly PlanAssertion[]>()
  const problems: Problem[] = []
  for (const name of names) {
    try {
      loaded.set(name, parseAsserts(name, yamlBytes(resolve(dirname(path), name))))
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error
      problems.push(...error.problems)
    }
  }
  if (problems.length > 0) throw new ConfigError(problems)
  return loaded
}

function linesOf({ status, plan_id: plan, scenarios, requirements }: PlanResult, out: string): string[] {
  return [
    `${status}: plan ${plan}`,
    ...table([
      ['SCENARIO', 'VERDICT', 'RUN', 'BASELINE', 'WHY'],
      ...scenarios.map((s) => [
        s.scenario_id,
        s.status,
        s.run_id === '' ? '-' : s.run_id,
        s.baseline_run_id ?? '-',
        s.error ?? s.baseline_reason,
      ]),
    ]),
    ...requirements.map(({ requirement_id: id, status: verdict }) => `requirement ${id}: ${verdict}`),
    `results in ${out}`,
  ]
}
