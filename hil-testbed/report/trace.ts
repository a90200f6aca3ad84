import type { LatestResult, LatestResults } from './latest-results.ts'
import type { Hazard, Requirement, Requirements } from './requirements.ts'

/** What a scenario says of itself, and the digest of what it is made of. `problem` is why it cannot be read; '' where it can. */
export type TracedScenario = Readonly<{
  id: string
  title: string
  file: string
  rig: string
  verifies: readonly string[]
  /** Rules of the policy of its rig. */
  rules: readonly string[]
  /** Rows of its matrix; 0: nobody knows, because it does not load. */
  rows: number
  digest: string
  problem: string
}>

export type TraceInput = Readonly<{
  requirements: Requirements
  scenarios: readonly TracedScenario[]
  latest: LatestResults
  /** Text of a file of the project; null where there is none. */
  textOf(path: string): string | null
  /** As 2026-12-31, UTC. */
  today: string
}>

export const TRACE_REASONS = [
  'requirement_without_scenario',
  'requirement_not_passed',
  'scenario_unreadable',
  'scenario_twice',
  'scenario_verifies_nothing',
  'unknown_id',
  'unknown_rule',
  'not_run',
  'verdict_stale',
  'verdict_without_scenario',
  'manual_unsigned',
  'hazard_undecided',
  'hazard_uncontrolled',
  'source_without_requirement',
  'shown_by_missing',
  'shown_by_silent',
] as const
export type TraceReason = (typeof TRACE_REASONS)[number]
/** `what` names the hazard, requirement or scenario; `found` says what is wrong with it. */
export type TraceProblem = Readonly<{ reason: TraceReason; what: string; found: string }>

/** How a scenario stands. `open`: it ran, and no row shows anything. */
export type ScenarioStand = 'passed' | 'failed' | 'stale' | 'not_run' | 'open'

/** Everything that does not hold together, in the order of the reasons. */
export function traceProblems(input: TraceInput): TraceProblem[] {
  const found = [
    ...input.requirements.requirements.flatMap((one) => requirementProblems(one, input)),
    ...input.requirements.hazards.flatMap(hazardProblems),
    ...input.scenarios.flatMap((one, k) => scenarioProblems(one, k, input)),
    ...input.latest.results.flatMap((one) => resultProblems(one, input)),
    ...sourceProblems(input.requirements),
  ]
  return TRACE_REASONS.flatMap((reason) => found.filter((problem) => problem.reason === reason))
}

/** By its newest verdicts: one bad row is enough, and what was skipped or is expected to fail shows nothing. */
export function standOf(
  { id, digest, rows: wanted }: TracedScenario,
  { latest }: Pick<TraceInput, 'latest'>,
): ScenarioStand {
  const rows = latest.results.filter(({ scenario }) => scenario === id)
  if (rows.length === 0) return 'not_run'
  if (rows.some((row) => row.digest !== digest)) return 'stale'
  if (new Set(rows.map(({ row }) => row)).size < wanted) return 'not_run'
  const is = (...verdicts: readonly string[]): boolean => rows.some(({ verdict }) => verdicts.includes(verdict))
  if (is('FAIL', 'INCONCLUSIVE', 'ERROR', 'ABORTED')) return 'failed'
  return is('PASS', 'MARGINAL') ? 'passed' : 'open'
}

/** Scenarios that say they verify something, each once. */
export function scenariosOf(id: string, { scenarios }: Pick<TraceInput, 'scenarios'>): TracedScenario[] {
  return scenarios.filter(({ verifies }) => verifies.includes(id))
}

function requirementProblems(one: Requirement, input: TraceInput): TraceProblem[] {
  const { id, shown_by: files } = one
  const problems = files.flatMap((file): TraceProblem[] => {
    const text = input.textOf(file)
    if (text === null) return [{ reason: 'shown_by_missing', what: id, found: `${file} is not there` }]
    return text.includes(id) ? [] : [{ reason: 'shown_by_silent', what: id, found: `${file} does not name it` }]
  })
  const known = new Set(input.scenarios.flatMap(({ rules }) => rules))
  for (const rule of one.rules)
    if (!known.has(rule)) problems.push({ reason: 'unknown_rule', what: id, found: `no rig has a rule ${rule}` })
  const scenarios = scenariosOf(id, input)
  if (scenarios.length === 0)
    return files.length > 0
      ? problems
      : [...problems, { reason: 'requirement_without_scenario', what: id, found: 'no scenario and no file shows it' }]
  const stands = scenarios.map((scenario) => ({ scenario, stand: standOf(scenario, input) }))
  // A verdict that is old, or that was never given, is told of the scenario itself.
  const bad = stands.filter(({ stand }) => stand === 'failed')
  const isShown = stands.some(({ stand }) => stand === 'passed') || files.length > 0
  if (isShown && bad.length === 0) return problems
  const said = (bad.length > 0 ? bad : stands).map(({ scenario, stand }) => `${scenario.id} ${stand.replace('_', ' ')}`)
  return [...problems, { reason: 'requirement_not_passed', what: id, found: said.join(', ') }]
}

function hazardProblems({ id, must, why, controlled_by: controls }: Hazard): TraceProblem[] {
  const undecided = must === undefined ? 'nobody decided what is worse of it' : 'nobody said why it was decided so'
  return [
    ...(must === undefined || why === undefined
      ? [{ reason: 'hazard_undecided', what: id, found: undecided } as const]
      : []),
    ...(controls.length === 0
      ? [{ reason: 'hazard_uncontrolled', what: id, found: 'no requirement controls it' } as const]
      : []),
  ]
}

function scenarioProblems(one: TracedScenario, k: number, input: TraceInput): TraceProblem[] {
  const { file, id, verifies, problem } = one
  if (problem !== '') return [{ reason: 'scenario_unreadable', what: file, found: problem }]
  const { hazards, requirements } = input.requirements
  const known = new Set([...hazards, ...requirements].map((each) => each.id))
  const first = input.scenarios.findIndex((each) => each.id === id)
  const stand = standOf(one, input)
  return [
    ...(first === k
      ? []
      : [{ reason: 'scenario_twice', what: id, found: `${input.scenarios[first]!.file} and ${file}` } as const]),
    ...(verifies.length > 0 ? [] : [{ reason: 'scenario_verifies_nothing', what: id, found: file } as const]),
    ...verifies.flatMap((each) =>
      known.has(each) ? [] : [{ reason: 'unknown_id', what: id, found: `${each} is in no list` } as const],
    ),
    ...(stand === 'not_run' ? [{ reason: 'not_run', what: id, found: unrun(one, input) } as const] : []),
    ...(stand === 'stale'
      ? [{ reason: 'verdict_stale', what: id, found: 'scenario, rig or rules have changed since its verdict' } as const]
      : []),
  ]
}

function unrun({ id, rows }: TracedScenario, { latest }: TraceInput): string {
  const known = new Set(latest.results.filter(({ scenario }) => scenario === id).map(({ row }) => row))
  return known.size === 0 ? 'it has no verdict' : `${rows - known.size} of ${rows} rows have no verdict`
}

const DAY = /^\d{4}-\d{2}-\d{2}$/

function resultProblems({ scenario, row, manual }: LatestResult, { scenarios, today }: TraceInput): TraceProblem[] {
  const what = `${scenario} row ${row}`
  const isKnown = scenarios.some(({ id }) => id === scenario)
  const problems: TraceProblem[] = isKnown
    ? []
    : [{ reason: 'verdict_without_scenario', what, found: 'there is no such scenario' }]
  if (manual === undefined) return problems
  const { by = '', on = '', why = '' } = manual
  const isDay = DAY.test(on) && Number.isFinite(Date.parse(`${on}T00:00:00Z`)) && on <= today
  const lacks = [
    ...(by.trim() === '' ? ['a name'] : []),
    ...(isDay ? [] : ['a day that has been']),
    ...(why.trim() === '' ? ['a reason'] : []),
  ]
  return lacks.length === 0
    ? problems
    : [...problems, { reason: 'manual_unsigned', what, found: `without ${lacks.join(', ')}` }]
}

function sourceProblems({ sources, requirements }: Requirements): TraceProblem[] {
  const used = new Set(requirements.flatMap(({ source }) => source))
  return sources.flatMap(({ id, left_out: why }) =>
    used.has(id) || why !== undefined
      ? []
      : [{ reason: 'source_without_requirement', what: id, found: 'no requirement comes of it' } as const],
  )
}
