import type { Static } from 'typebox'
import type { CheckedFile, Path } from './document.ts'
import { AssertsSchema, PlanSchema } from './plan-schema.ts'
import { didYouMean, type Problem } from './problems.ts'
import { soundYaml } from './sound-yaml.ts'

export type Plan = Static<typeof PlanSchema>
export type PlanScenario = Plan['scenarios'][number]
export type PlanAssertion = Static<typeof AssertsSchema>['asserts'][number]

/**
 * Reads a plan.
 *
 * @throws ConfigError with every mistake.
 */
export function parsePlan(name: string, bytes: Uint8Array): Plan {
  return soundYaml(name, bytes, { schema: PlanSchema, moreProblems: planProblems })
}

/**
 * Reads a file of assertions.
 *
 * @throws ConfigError with every mistake.
 */
export function parseAsserts(name: string, bytes: Uint8Array): readonly PlanAssertion[] {
  return soundYaml(name, bytes, { schema: AssertsSchema, moreProblems: assertProblems }).asserts
}

function assertProblems(file: CheckedFile): Problem[] {
  const problems: Problem[] = []
  const asserts = (file.value as Partial<Static<typeof AssertsSchema>> | undefined)?.asserts ?? []
  const add = adder(file, problems)
  asserts.forEach((one, k) => {
    if (!file.isSound(['asserts', k])) return
    const isList = typeof one.value !== 'number'
    const wantsList = one.op === 'in' || one.op === 'not_in'
    if (isList !== wantsList)
      add(
        ['asserts', k, 'value'],
        isList ? 'a list' : `${one.value}`,
        wantsList ? 'a list, as in `[0, 1]`' : 'a number',
      )
  })
  twice(asserts, { key: 'asserts', file, add })
  return problems
}

type Add = (path: Path, found: string, expected: string, hint?: string) => void

function adder(file: CheckedFile, problems: Problem[]): Add {
  return (path, found, expected, hint) =>
    problems.push({ ...file.at(path), found, expected, ...(hint === undefined ? {} : { hint }) })
}

/** Mistakes that no single key shows. */
function planProblems(file: CheckedFile): Problem[] {
  const problems: Problem[] = []
  const add = adder(file, problems)
  const { scenarios = [], requirements = [] } = (file.value ?? {}) as Partial<Plan>
  twice(scenarios, { key: 'scenarios', file, add })
  twice(requirements, { key: 'requirements', file, add })
  scenarios.forEach((scenario, k) => {
    if (file.isSound(['scenarios', k])) scenarioProblems(scenario, ['scenarios', k], add)
  })
  const known = scenarios.flatMap((scenario) => (scenario?.id === undefined ? [] : [scenario.id]))
  requirements.forEach((requirement, k) => {
    if (!file.isSound(['requirements', k])) return
    requirement.scenarios.forEach((id, s) => {
      if (!known.includes(id))
        add(['requirements', k, 'scenarios', s], `\`${id}\``, 'the id of a scenario', didYouMean(id, known))
    })
  })
  return problems
}

function scenarioProblems({ baseline_mode: mode, ...scenario }: PlanScenario, at: Path, add: Add): void {
  const { baseline_key: key, baseline_artifact_dir: dir } = scenario
  if (mode === 'explicit' && dir === undefined)
    add([...at, 'baseline_mode'], '`explicit` without a folder', '`baseline_artifact_dir` beside it')
  if (mode !== 'explicit' && dir !== undefined)
    add([...at, 'baseline_artifact_dir'], `a folder beside \`${mode}\``, 'one of them')
  if (mode !== 'explicit' && key === undefined)
    add([...at, 'baseline_mode'], `\`${mode}\` without a key`, '`baseline_key` beside it')
  if (scenario.set_golden && key === undefined)
    add([...at, 'set_golden'], 'true without a key', '`baseline_key` beside it')
}

type Named = Readonly<{ key: string; file: CheckedFile; add: Add }>

function twice(items: readonly (Readonly<{ id: string }> | undefined)[], { key, file, add }: Named): void {
  const seen = new Set<string>()
  items.forEach((item, k) => {
    if (item === undefined || !file.isSound([key, k])) return
    if (seen.has(item.id)) add([key, k, 'id'], `\`${item.id}\` a second time`, 'every id once')
    seen.add(item.id)
  })
}
