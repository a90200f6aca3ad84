import { mkdirSync } from 'node:fs'
import { dirname, relative } from 'node:path'
import type { Command } from 'commander'
import { ConfigError, withoutRepeats } from '../../shared/config/problems.ts'
import { HbError } from '../../shared/errors/hb-error.ts'
import { printResult, table, writeNew } from '../../shared/lib/command-output.ts'
import type { ScenarioRow } from '../core/scenario.ts'
import { checkRigs, checkScenarios, loadScenarios, SCENARIO_SUFFIX } from '../scenario/load.ts'
import { newScenario } from '../scenario/new-scenario.ts'
import { nearestAbove, RIG_FILE, RigReader } from '../scenario/rig-file.ts'
import { SCENARIO_ID_PATTERN } from '../scenario/scenario-schema.ts'

/** Where scenarios are unless it is said. */
const SCENARIOS = 'hil-testbed/scenarios'
const RIGS = 'hil-testbed/rigs'
const SCHEMA = 'docs/reference/hil-scenario.schema.json'

/** Adds `hb hil list`, `lint` and `new`. */
export function scenarioCommands(hil: Command): void {
  hil
    .command('list')
    .description('scenarios with their runs, what they verify and what they are about')
    .argument('[folder]', 'folder or file', SCENARIOS)
    .option('--tag <tag>', 'only such with this tag')
    .option('--verifies <id>', 'only such that verify this requirement or hazard')
    .option('--json', 'one JSON object')
    .action(list)
  hil
    .command('lint')
    .description('check scenarios and rigs, all mistakes at once; nothing is started')
    .argument('[paths...]', 'files or folders', [SCENARIOS, RIGS])
    .option('--json', 'one JSON object')
    .action(lint)
  hil
    .command('new')
    .description('write a scenario that is sound and explains itself')
    .argument('<id>', 'its id, such as SCN-ACT-014')
    .requiredOption('--rig <name>', 'its rig')
    .option('--out <file>', 'where; by default in the folder of the rig among the scenarios')
    .option('--json', 'one JSON object')
    .action(create)
}

type ListOptions = Readonly<{ tag?: string; verifies?: string; json?: boolean }>

function list(folder: string, { tag, verifies, json }: ListOptions): void {
  const rows = loadScenarios([folder]).rows.filter(
    (row) =>
      (tag === undefined || row.tags.includes(tag)) && (verifies === undefined || row.verifies.includes(verifies)),
  )
  const first = rows.filter(({ id }, k) => rows.findIndex((row) => row.id === id) === k)
  const scenarios = first.map((row) =>
    summaryOf(
      row,
      rows.filter(({ id }) => id === row.id),
    ),
  )
  const lines = table([
    ['ID', 'RUNS', 'RIG', 'CLOCK', 'TAGS', 'VERIFIES', 'TITLE'],
    ...scenarios.map(({ id, runs, rig, clock, tags, verifies: ids, title }) => [
      id,
      String(runs),
      rig,
      clock,
      tags.join(','),
      ids.join(','),
      title,
    ]),
  ])
  printResult(json, { v: 1, runs: rows.length, scenarios }, [
    ...lines,
    `${scenarios.length} scenarios, ${rows.length} runs`,
  ])
}

function summaryOf(row: ScenarioRow, rows: readonly ScenarioRow[]) {
  const { id, title, file, verifies, tags, skip, xfail, rig, clock } = row
  return {
    ...{ id, title, file, verifies, tags, skip, xfail, rig: rig.name, clock: clock.mode, runs: rows.length },
    seconds: rows.reduce((sum, one) => sum + one.clock.durationUs, 0) / 1_000_000,
    params: Object.keys(row.params),
  }
}

function lint(paths: readonly string[], { json }: Readonly<{ json?: boolean }>): void {
  const rigs = checkRigs(paths)
  const { files, rows, problems } = checkScenarios(paths, { mayBeNone: rigs.files > 0 })
  const all = withoutRepeats([...rigs.problems, ...problems])
  if (all.length > 0) throw new ConfigError(all, 'SCENARIO_INVALID')
  printResult(json, { v: 1, scenarios: files, runs: rows.length, rigs: rigs.files, problems: [] }, [
    `${files} scenarios, ${rows.length} runs, ${rigs.files} rigs: nothing is wrong`,
  ])
}

type NewOptions = Readonly<{ rig: string; out?: string; json?: boolean }>

function create(id: string, { rig: name, out, json }: NewOptions): void {
  if (!new RegExp(SCENARIO_ID_PATTERN).test(id))
    throw new HbError('USAGE', { found: id, expected: 'an id such as SCN-ACT-014' })
  const path = out ?? `${SCENARIOS}/${name}/${id.toLowerCase()}${SCENARIO_SUFFIX}`
  if (!path.endsWith(SCENARIO_SUFFIX))
    throw new HbError('USAGE', { option: '--out', found: path, expected: `*${SCENARIO_SUFFIX}` })
  const found = nearestAbove(dirname(path), `rigs/${name}/${RIG_FILE}`)
  const rig = found === null ? null : new RigReader().rig(found)
  if (rig === null || !('file' in rig))
    throw new HbError('USAGE', {
      option: '--rig',
      found: name,
      expected: `a folder of ${RIGS}, beside ${dirname(path)}`,
    })
  if (rig.value === null) throw new ConfigError(rig.problems, 'SCENARIO_INVALID')
  const schema = nearestAbove(dirname(path), SCHEMA)
  const text = newScenario({
    id,
    rig: { ...rig, value: rig.value },
    schema: schema === null ? null : relative(dirname(path), schema),
  })
  mkdirSync(dirname(path), { recursive: true })
  writeNew(path, text, 0o644)
  // A rig that is not sound is said now, with its place, and not at the first run.
  loadScenarios([path])
  printResult(json, { v: 1, file: path }, [`${path}: run it with \`hb hil run ${path}\``])
}
