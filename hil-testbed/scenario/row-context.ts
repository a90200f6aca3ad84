import type { Static } from 'typebox'
import type { Path } from '../../shared/config/document.ts'
import { didYouMean } from '../../shared/config/problems.ts'
import type { Micros } from '../../shared/units.ts'
import type { PlantSpec, SensorSpec } from '../core/scenario.ts'
import { type ParsedFormula, parseCondition, parseFormula } from '../oracle/formula.ts'
import type { Notes } from './notes.ts'
import type { PolicyWords, RegistryNames } from './rig-names.ts'
import type { RigParts } from './rig-spec.ts'
import type { ScenarioSchema } from './scenario-schema.ts'

export type ScenarioValue = Static<typeof ScenarioSchema>

/** What the checks of a row know. Null where the part it comes from is not sound: what needs it is not looked up. */
export type RowContext = Readonly<{
  notes: Notes
  /** Defaults filled in; undefined inside where the file is not sound. */
  value: Partial<ScenarioValue>
  clock: Readonly<{ durationUs: Micros; quantumUs: Micros; isLockstep: boolean }> | null
  rig: RigParts | null
  plant: PlantSpec | null
  /** Channels of the recording that is played instead of a plant; null without one, or where it is not sound. */
  recorded: readonly string[] | null
  sensors: readonly SensorSpec[]
  registry: RegistryNames | null
  policy: PolicyWords | null
  /** Whether there is a policy at all. */
  hasPolicy: boolean
}>

/** Notes a name that is none of those known; nothing is noted while they are not known. */
export function lookUp(notes: Notes, path: Path, found: string, known: readonly string[] | null, what: string): void {
  if (known === null || known.includes(found)) return
  const list = known.length === 0 ? 'there is none' : known.slice(0, NAMES_SHOWN).join(', ')
  const more = known.length > NAMES_SHOWN ? ', …' : ''
  notes.add(path, `\`${found}\``, `${what} (${list}${more})`, didYouMean(found, known))
}

const NAMES_SHOWN = 12

/** Notes what is wrong with an expression of one moment. */
export function lookAtCondition(
  { notes, plant }: RowContext,
  path: Path,
  text: string,
  signals: readonly string[] | null,
): void {
  noteFormula(notes, path, text, parseCondition(text, plant === null ? undefined : (signals ?? undefined)))
}

/** The same of a formula with windows. */
export function lookAtFormula(
  { notes, plant }: RowContext,
  path: Path,
  text: string,
  signals: readonly string[] | null,
): void {
  noteFormula(notes, path, text, parseFormula(text, plant === null ? undefined : (signals ?? undefined)))
}

function noteFormula(notes: Notes, path: Path, text: string, parsed: ParsedFormula): void {
  if (parsed.ok) return
  for (const { column, found, expected } of parsed.problems)
    notes.add(path, `\`${found}\` at character ${column} of \`${text}\``, expected)
}
