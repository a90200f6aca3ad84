import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Command } from 'commander'
import { HbError } from '../../shared/errors/hb-error.ts'
import { systemClock } from '../../shared/lib/clock.ts'
import { printResult, table, utc } from '../../shared/lib/command-output.ts'
import { jsonFile, writeReport } from '../../shared/report/report-folder.ts'
import { isShown } from '../report/acceptance-plan.ts'
import { readCampaign } from '../report/campaign-file.ts'
import { LATEST_FILE, latestAfter } from '../report/latest-results.ts'
import { scenariosOf, standOf, traceProblems } from '../report/trace.ts'
import { digestsOf, readTrace } from '../report/trace-files.ts'

type TraceOptions = Readonly<{ root: string; results?: string; record?: string; json?: boolean }>

/** Adds `hb hil trace`. */
export function traceCommand(hil: Command): void {
  hil
    .command('trace')
    .description(
      'hold hazards, requirements, scenarios and their newest verdicts together; fails while anything is open',
    )
    .option('--root <dir>', 'folder of the project', '.')
    .option('--results <file>', 'newest verdicts; hil-testbed/latest-results.json otherwise')
    .option('--record <report>', 'first take the verdicts of a campaign (`hb hil run --json FILE`) into those results')
    .option('--json', 'one JSON object')
    .action(trace)
}

/** @throws HbError TRACE_BROKEN, HIL_REPORT_…, CONFIG_…, REPORT_UNWRITABLE */
function trace({ root, results, record, json }: TraceOptions): void {
  const today = utc(systemClock().nowUs()).slice(0, 10)
  const given = results === undefined ? {} : { results }
  if (record !== undefined) {
    if (results !== undefined && !existsSync(results)) writeReport(results, jsonFile({ v: 1, results: [] }))
    const before = readTrace(root, { today, ...given })
    const latest = latestAfter(before.latest, readCampaign(record), digestsOf(before))
    writeReport(results ?? join(root, LATEST_FILE), jsonFile(latest))
  }
  const input = readTrace(root, { today, ...given })
  const problems = traceProblems(input)
  const requirements = input.requirements.requirements.map((one) => ({
    id: one.id,
    shown: isShown(one, input),
    shown_by: one.shown_by,
    scenarios: scenariosOf(one.id, input).map((scenario) => ({ id: scenario.id, stand: standOf(scenario, input) })),
  }))
  const shown = requirements.filter((one) => one.shown).length
  printResult(json, { problems, requirements, scenarios: input.scenarios.length }, [
    ...(problems.length === 0
      ? []
      : table([['WHY', 'WHAT', 'FOUND'], ...problems.map(({ reason, what, found }) => [reason, what, found])])),
    `${shown} of ${requirements.length} requirements are shown by ${input.scenarios.length} scenarios and the files they name`,
  ])
  if (problems.length > 0) throw new HbError('TRACE_BROKEN', { open: problems.length })
}
