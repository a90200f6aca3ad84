import type { Static } from 'typebox'
import type { CheckedFile, Path } from '../../shared/config/document.ts'
import { didYouMean, type Problem } from '../../shared/config/problems.ts'
import { soundYaml, yamlBytes } from '../../shared/config/sound-yaml.ts'
import { LISTED_ELSEWHERE, RequirementsSchema } from './requirements-schema.ts'

/** What the bench has to show, and why. */
export type Requirements = Static<typeof RequirementsSchema>
export type Requirement = Requirements['requirements'][number]
export type Hazard = Requirements['hazards'][number]

/** Where it lies in the project. */
export const REQUIREMENTS_FILE = 'hil-testbed/requirements.yaml'

/**
 * Reads the requirements of the bench.
 *
 * @throws HbError CONFIG_MISSING, CONFIG_TOO_LARGE; ConfigError with every mistake.
 */
export function readRequirements(path: string): Requirements {
  return parseRequirements(path, yamlBytes(path))
}

/** The same from bytes. @throws ConfigError with every mistake. */
export function parseRequirements(name: string, bytes: Uint8Array): Requirements {
  return soundYaml(name, bytes, { schema: RequirementsSchema, moreProblems: referenceProblems })
}

/** Every id that a scenario may say it verifies. */
export function knownIds({ hazards, requirements }: Requirements): ReadonlySet<string> {
  return new Set([...hazards, ...requirements].map(({ id }) => id))
}

/** Ids that are there twice, and ids that name nothing. */
function referenceProblems(file: CheckedFile): Problem[] {
  const { sources = [], hazards = [], requirements = [] } = (file.value ?? {}) as Partial<Requirements>
  const problems: Problem[] = []
  const note = (path: Path, found: string, expected: string, hint?: string): void => {
    problems.push({ ...file.at(path), found, expected, ...(hint === undefined ? {} : { hint }) })
  }
  const named = (key: string, items: readonly (Readonly<{ id: string }> | undefined)[]): string[] => {
    const seen = new Set<string>()
    items.forEach((item, k) => {
      if (item?.id === undefined) return
      if (seen.has(item.id)) note([key, k, 'id'], `\`${item.id}\` a second time`, 'every id once')
      seen.add(item.id)
    })
    return [...seen]
  }
  const knownSources = named('sources', sources)
  const known = named('requirements', requirements)
  named('hazards', hazards)
  const look = (path: Path, id: string | undefined, ids: readonly string[], expected: string): void => {
    if (id !== undefined && !ids.includes(id)) note(path, `\`${id}\``, expected, didYouMean(id, ids))
  }
  hazards.forEach((hazard, k) => {
    hazard?.controlled_by?.forEach((id, n) => {
      look(['hazards', k, 'controlled_by', n], id, known, 'the id of a requirement')
    })
  })
  requirements.forEach((requirement, k) => {
    requirement?.source?.forEach((id, n) => {
      if (id !== undefined && LISTED_ELSEWHERE.test(id)) return
      look(['requirements', k, 'source', n], id, knownSources, 'the id of a source, SE-nn or AL-n')
    })
  })
  return problems
}
