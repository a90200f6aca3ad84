import type { Test } from 'tap'
import { checkScenarios } from '../../hil-testbed/scenario/load.ts'
import { REQUIREMENTS, type ScenarioFolder, SOUND, scenarioFolder } from './scenario-folder.ts'

/** What is changed in the sound file, the text of the line that must be told, and what must be found and expected there. */
export type Broken = readonly [what: string, from: string, to: string, line: string, found: string, expected: string]

/** The fault of the sound scenario. */
export const F1 = 'inject: { id: F1, target: p_a, class: sensor.stuck_at, value: hold_last, duration: 500ms }'
/** The mark in it. */
export const MARK = '    mark: hazard_onset'

export type Told = Readonly<{ file: string; line: number; found: string; expected: string; key: string }>

/** What is wrong with a scenario beside the rig of the vessel. */
export function told(folder: ScenarioFolder, text: string): readonly Told[] {
  const path = folder.put('scenarios/try.scenario.yaml', text)
  return checkScenarios([path]).problems
}

/** Number of the last line with such a text. */
function lineOf(text: string, part: string): number {
  return text.split('\n').findLastIndex((line) => line.includes(part)) + 1
}

/** Holds the checks to failing examples: each must be told at its line. */
export function broken(t: Test, cases: readonly Broken[]): void {
  const folder = scenarioFolder(t)
  folder.put('requirements.yaml', REQUIREMENTS)
  for (const [what, from, to, line, found, expected] of cases) {
    t.ok(SOUND.includes(from), `${what}: the text to change is there`)
    const text = SOUND.replace(from, to)
    const problems = told(folder, text)
    const hit = problems.some(
      (one) => one.line === lineOf(text, line) && one.found.includes(found) && one.expected.includes(expected),
    )
    t.ok(
      hit,
      `${what}: ${JSON.stringify(problems.map((one) => `${one.line} ${one.key}: ${one.found}; ${one.expected}`))}`,
    )
  }
  t.end()
}
