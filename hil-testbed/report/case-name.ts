import type { CampaignResult, CaseResult, CaseVerdict } from '../core/result.ts'

/** Verdicts with which a campaign is good. SKIPPED is among them: its reason is declared in the scenario. */
const GOOD: readonly CaseVerdict[] = ['PASS', 'MARGINAL', 'XFAIL', 'SKIPPED']

export function isGood(verdict: CaseVerdict): boolean {
  return GOOD.includes(verdict)
}

/** What a case is called from one campaign to the next: its scenario and the parameters of its row. */
export function caseKey({ id, row, params }: Pick<CaseResult, 'id' | 'row' | 'params'>): string {
  const named = paramsText(params)
  return named === '' ? `${id}${row === 0 ? '' : ` #${row}`}` : `${id} [${named}]`
}

/** Parameters of a row as reports name them, and as `hb hil run --only` takes them. */
export function paramsText(params: CaseResult['params']): string {
  return Object.entries(params)
    .map(([name, value]) => `${name}=${value}`)
    .join(', ')
}

/** The key with the title, for people. */
export function caseName(one: CaseResult): string {
  return `${caseKey(one)}: ${one.title}`
}

/** What a scenario is about: the second part of `SCN-ACT-014`, else its first tag, else the folder it is in. */
export function featureOf({ id, tags, file }: Pick<CaseResult, 'id' | 'tags' | 'file'>): string {
  const group = /^[A-Z]+-([A-Z]+)-/.exec(id)?.[1]
  return group ?? tags[0] ?? file.split('/').at(-2) ?? 'scenario'
}

/** The command that runs one case again. A row is named by its parameters: its number is another one under another seed. */
export function repeatCommand({ file, params, seed }: Pick<CaseResult, 'file' | 'params' | 'seed'>): string {
  const named = paramsText(params)
  return `hb hil run ${quoted(file)} --seed ${seed}${named === '' ? '' : ` --only ${quoted(named)}`}`
}

/** One word of a shell. */
function quoted(word: string): string {
  return /^[\w./=-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
}

/** Smallest margin of what had to be so; null where nothing has one. */
export function marginOf({ outcomes }: Pick<CaseResult, 'outcomes'>): number | null {
  const margins = outcomes.flatMap(({ margin, optional }) => (margin === null || optional ? [] : [margin]))
  return margins.length === 0 ? null : Math.min(...margins)
}

/** The cases that are not good first, each group in the order in which it ran. */
export function failingFirst(cases: CampaignResult['cases']): readonly CaseResult[] {
  return [...cases.filter(({ verdict }) => !isGood(verdict)), ...cases.filter(({ verdict }) => isGood(verdict))]
}
