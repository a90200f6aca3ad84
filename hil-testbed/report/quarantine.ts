import { type Static, Type } from 'typebox'
import type { CheckedFile } from '../../shared/config/document.ts'
import type { Problem } from '../../shared/config/problems.ts'
import { closed } from '../../shared/config/schema-parts.ts'
import { soundYaml, yamlBytes } from '../../shared/config/sound-yaml.ts'
import type { CampaignResult, CaseResult } from '../core/result.ts'
import { caseKey, isGood } from './case-name.ts'

/** Where it lies in the project. */
export const QUARANTINE_FILE = 'hil-testbed/quarantine.yaml'
/** Scenarios in quarantine at once: a bench with more of them has another problem. */
const QUARANTINE_MAX = 100
const DATE = /^\d{4}-\d{2}-\d{2}$/

const text = (description: string) => Type.String({ minLength: 1, maxLength: 500, description })

/** `quarantine.yaml`: scenarios whose failure is known, who sees to it, and until when it is borne. */
export const QuarantineSchema = closed({
  quarantine: Type.Array(
    closed({
      scenario: text('Id of the scenario.'),
      reason: text('Why it fails, and what is done about it.'),
      owner: text('Who sees to it.'),
      expires: Type.String({ pattern: DATE.source, form: 'a date as 2026-12-31', description: 'Last day, UTC.' }),
    }),
    { description: 'Failures that are borne for a while.', maxItems: QUARANTINE_MAX, default: [] },
  ),
})
export type Quarantined = Static<typeof QuarantineSchema>['quarantine'][number]

/** Reads the list. @throws HbError CONFIG_MISSING, CONFIG_TOO_LARGE; ConfigError with every mistake. */
export function readQuarantine(path: string): readonly Quarantined[] {
  return parseQuarantine(path, yamlBytes(path))
}

/** The same from bytes. An entry without owner, reason or date is refused, and one scenario is there once. @throws ConfigError */
export function parseQuarantine(name: string, bytes: Uint8Array): readonly Quarantined[] {
  return soundYaml(name, bytes, { schema: QuarantineSchema, moreProblems: entryProblems }).quarantine
}

function entryProblems(file: CheckedFile): Problem[] {
  const problems: Problem[] = []
  const entries = (file.value as Partial<Static<typeof QuarantineSchema>> | undefined)?.quarantine ?? []
  entries.forEach((entry, k) => {
    if (!file.isSound(['quarantine', k])) return
    const at = (key: string) => file.at(['quarantine', k, key])
    if (entries.findIndex((one) => one?.scenario === entry.scenario) !== k)
      problems.push({
        ...at('scenario'),
        found: `\`${entry.scenario}\` a second time`,
        expected: 'every scenario once',
      })
    if (entry.owner.trim() === '') problems.push({ ...at('owner'), found: 'nobody', expected: 'who sees to it' })
    if (!isDay(entry.expires))
      problems.push({ ...at('expires'), found: `\`${entry.expires}\``, expected: 'a day of the calendar' })
  })
  return problems
}

/** How a campaign stands: what ends it, what is borne, and what is wrong with the list of what is borne. */
export type Standing = Readonly<{
  /** 0: good. 20: something failed. 30: nothing failed and something is not known, or nothing was run. */
  exit: 0 | 20 | 30
  failing: readonly CaseResult[]
  borne: readonly Readonly<{ case: CaseResult; entry: Quarantined }>[]
  /** Entries past their day, in words. They fail the campaign: a quarantine that does not end is none. */
  problems: readonly string[]
  /** Entries that bore nothing this time. */
  notes: readonly string[]
}>

/**
 * Judges a campaign. A case in quarantine does not fail it until its last day is over; then the entry itself does.
 *
 * @param today as 2026-12-31, UTC.
 */
export function campaignExit(result: CampaignResult, quarantine: readonly Quarantined[], today: string): Standing {
  const bad = result.cases.filter(({ verdict }) => !isGood(verdict))
  const inForce = quarantine.filter(({ expires }) => today <= expires)
  const entryOf = ({ id }: CaseResult): Quarantined | undefined => inForce.find(({ scenario }) => scenario === id)
  const borne = bad.flatMap((one) => {
    const entry = entryOf(one)
    return entry === undefined ? [] : [{ case: one, entry }]
  })
  const failing = bad.filter((one) => entryOf(one) === undefined)
  const problems = quarantine
    .filter(({ expires }) => today > expires)
    .map(({ scenario, owner, expires }) => `${scenario}: its quarantine ended on ${expires}; ${owner} sees to it`)
  const notes = inForce
    .filter(({ scenario }) => hasPassed(result.cases.filter(({ id }) => id === scenario)))
    .map(({ scenario }) => `${scenario}: it is in quarantine and did not fail`)
  const isFailed = failing.some(({ verdict }) => verdict === 'FAIL') || problems.length > 0
  const isOpen = failing.length > 0 || !result.complete || result.cases.length === 0
  return { exit: isFailed ? 20 : isOpen ? 30 : 0, failing, borne, problems, notes }
}

/** How it stands in words, one line each. */
export function standingLines({ failing, borne, problems, notes }: Standing, { complete }: CampaignResult): string[] {
  return [
    ...failing.map((one) => `${one.verdict}: ${caseKey(one)}: ${one.reason}`),
    ...borne.map(
      ({ case: one, entry }) =>
        `quarantined until ${entry.expires} (${entry.owner}): ${one.verdict}: ${caseKey(one)}: ${entry.reason}`,
    ),
    ...[...problems, ...notes].map((what) => `quarantine: ${what}`),
    ...(complete ? [] : ['the campaign was broken off: cases are missing']),
  ]
}

function hasPassed(rows: readonly CaseResult[]): boolean {
  return rows.length > 0 && rows.every(({ verdict }) => isGood(verdict))
}

function isDay(text: string): boolean {
  const at = Date.parse(`${text}T00:00:00Z`)
  return Number.isFinite(at) && new Date(at).toISOString().startsWith(text)
}
