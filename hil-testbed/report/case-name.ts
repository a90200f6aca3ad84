import type { CampaignResult, CaseResult, CaseVerdict } from '../core/result.ts'

/** Verdicts with which a campaign is good. SKIPPED is among them: its reason is declared in the scenario. */
const GOOD: readonly CaseVerdict[] = ['PASS', 'MARGINAL', 'XFAIL', 'SKIPPED']

export function isGood(verdict: CaseVerdict): boolean {
  return GOOD.includes(verdict)
}

/** What a case is called from one campaign to the next: its scenario and the parameters of its row. */
export function caseKey({ id, row, params }: Pick<CaseResult, 'id' | 'row' | 'params'>): string {
  const named = Object.entries(params).map(([name, value]) => `${name}=${value}`)
  return named.length === 0 ? `${id}${row === 0 ? '' : ` #${row}`}` : `${id} [${named.join(', ')}]`
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

/** The command that runs one case again. */
export function repeatCommand({ file, row, seed }: Pick<CaseResult, 'file' | 'row' | 'seed'>): string {
  const path = /^[\w./-]+$/.test(file) ? file : `'${file.replaceAll("'", "'\\''")}'`
  return `hb hil run ${path} --row ${row} --seed ${seed}`
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
