import type { CampaignResult, CaseResult, CaseVerdict } from '../core/result.ts'
import { caseKey } from './case-name.ts'

/** What became of one case between two campaigns. `is` says what people look for first. */
export type CaseChange = Readonly<{
  key: string
  is: 'worse' | 'better' | 'new' | 'gone' | 'digest_changed'
  before: CaseVerdict | null
  now: CaseVerdict | null
  /** Why it is so now; of what is gone, why it was. */
  reason: string
  /** Whether the decisions are others, though software and configuration may be the same. */
  digestChanged: boolean
  /** What else differs, of which the decisions may differ: config, policy, baseline, software. */
  hashes: readonly string[]
}>

export type Comparison = Readonly<{
  base: Readonly<{ commit: string; started_utc: string }>
  now: Readonly<{ commit: string; started_utc: string }>
  changes: readonly CaseChange[]
  same: number
}>

/** Best first. SKIPPED and XFAIL show nothing of what they are for, so anything that passes is better. */
const ORDER: readonly CaseVerdict[] = [
  'PASS',
  'MARGINAL',
  'XFAIL',
  'SKIPPED',
  'INCONCLUSIVE',
  'ABORTED',
  'ERROR',
  'FAIL',
]
const SHOWN: readonly CaseChange['is'][] = ['worse', 'gone', 'digest_changed', 'new', 'better']

/** What got worse first, then what is gone, decides otherwise, is new, got better. */
export function compareCampaigns(base: CampaignResult, now: CampaignResult): Comparison {
  const before = byKey(base)
  const after = byKey(now)
  const keys = [...new Set([...after.keys(), ...before.keys()])]
  const changes = keys.flatMap((key) => changeOf(key, before.get(key), after.get(key)))
  return {
    base: { commit: base.commit, started_utc: base.started_utc },
    now: { commit: now.commit, started_utc: now.started_utc },
    changes: SHOWN.flatMap((is) => changes.filter((change) => change.is === is)),
    same: keys.length - changes.length,
  }
}

/** The comparison in words, one line each. */
export function comparisonLines({ base, changes, same }: Comparison): string[] {
  const counts = SHOWN.map((is) => `${changes.filter((change) => change.is === is).length} ${words(is)}`)
  return [
    `against ${base.commit || 'a campaign without commit'} of ${base.started_utc}: ${counts.join(', ')}, ${same} the same`,
    ...changes.map(({ key, is, before, now, digestChanged, reason }) => {
      const otherwise = digestChanged && is !== 'digest_changed' ? ', decides otherwise' : ''
      return `${words(is)}: ${key}: ${before ?? '-'} -> ${now ?? '-'}${otherwise}${reason === '' ? '' : `: ${reason}`}`
    }),
  ]
}

/** What a change is called. */
export function words(is: CaseChange['is']): string {
  return is === 'digest_changed' ? 'decides otherwise' : is
}

/** Cases by key. A key that is there twice (two files with one id) is told apart by how often it came before. */
function byKey({ cases }: CampaignResult): Map<string, CaseResult> {
  const found = new Map<string, CaseResult>()
  for (const one of cases) {
    let key = caseKey(one)
    for (let n = 2; found.has(key); n += 1) key = `${caseKey(one)} (${n})`
    found.set(key, one)
  }
  return found
}

function changeOf(key: string, base: CaseResult | undefined, now: CaseResult | undefined): CaseChange[] {
  const digestChanged = base !== undefined && now !== undefined && base.measures.digest !== now.measures.digest
  const differs = (['config', 'policy', 'baseline', 'software'] as const).filter(
    (name) => base !== undefined && now !== undefined && base.hashes[name] !== now.hashes[name],
  )
  const is = kindOf(base, now, digestChanged)
  if (is === null) return []
  const reason = (now ?? base)?.reason ?? ''
  return [{ key, is, before: base?.verdict ?? null, now: now?.verdict ?? null, reason, digestChanged, hashes: differs }]
}

function kindOf(
  base: CaseResult | undefined,
  now: CaseResult | undefined,
  digestChanged: boolean,
): CaseChange['is'] | null {
  if (base === undefined) return 'new'
  if (now === undefined) return 'gone'
  const rank = ORDER.indexOf(now.verdict) - ORDER.indexOf(base.verdict)
  if (rank !== 0) return rank > 0 ? 'worse' : 'better'
  return digestChanged ? 'digest_changed' : null
}
