import { join } from 'node:path'
import t from 'tap'
import {
  knownIds,
  parseRequirements,
  REQUIREMENTS_FILE,
  readRequirements,
} from '../../../../hil-testbed/report/requirements.ts'
import { LISTED_ELSEWHERE } from '../../../../hil-testbed/report/requirements-schema.ts'
import { ROOT } from '../../../../scripts/sources.ts'
import { REQUIREMENTS } from '../../../../scripts/traceability.ts'
import { ConfigError, type Problem } from '../../../../shared/config/problems.ts'

function problemsOf(text: string): readonly Problem[] {
  try {
    parseRequirements('r.yaml', new TextEncoder().encode(text))
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
  return []
}

t.test('the requirements of the bench are sound, and what they come of is known', (t) => {
  const all = readRequirements(join(ROOT, REQUIREMENTS_FILE))
  t.equal(knownIds(all).size, all.hazards.length + all.requirements.length)
  const elsewhere = all.requirements.flatMap(({ source }) => source.filter((id) => LISTED_ELSEWHERE.test(id)))
  t.same(
    elsewhere.filter((id) => !Object.hasOwn(REQUIREMENTS, id)),
    [],
  )
  t.end()
})

t.test('ids that are there twice or name nothing are refused with their line', (t) => {
  const text = `requirements_version: 1
sources:
  - { id: AC-1, text: ingest }
hazards:
  - { id: HAZ-001, text: harm, must: work, why: it hurts, controlled_by: [REQ-ING-001, REQ-ING-009] }
requirements:
  - { id: REQ-ING-001, text: it is so, source: [AC-1, SE-05] }
  - { id: REQ-ING-001, text: it is so, source: [AC-7] }
`
  t.match(problemsOf(text), [
    { line: 5, key: 'hazards[0].controlled_by[1]', found: '`REQ-ING-009`' },
    { line: 8, key: 'requirements[1].id', found: '`REQ-ING-001` a second time' },
    { line: 8, key: 'requirements[1].source[0]', hint: 'did you mean `AC-1`?' },
  ])
  t.match(problemsOf(text.replace('HAZ-001', 'HAZARD-1').replace('must: work', 'must: run')), [
    { line: 5, found: '"HAZARD-1"' },
    { line: 5, found: '"run"' },
  ])
  t.end()
})
