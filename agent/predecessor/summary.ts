import type { AuditReport } from '../../shared/codec/predecessor-audit.ts'

export type ImportedRun = Readonly<{
  run_id: string
  folder: string
  /** What the predecessor said, and what that is worth. */
  status: string
  counts_as: string
}>

/** A row or folder that was not taken. `row` is its number in the table. */
export type Refused = Readonly<{ from: string; row: number | null; id: string; reason: string }>
/** A check that was made and did not come out as it must. */
export type Failed = Readonly<{ what: string; where: string; found: string }>
/** What nothing vouches for, or could not be checked with what was given. */
export type Unverifiable = Readonly<{ what: string; where: string; why: string }>

/** What an import did, as `import_summary.json` has it. No time and no machine is in it: the same input gives the same bytes. */
export type ImportSummary = {
  schema_version: '1.0'
  source: Readonly<{ kind: 'database' | 'reports' | 'audit'; name: string; sha256: string | null }>
  runs: ImportedRun[]
  metrics: number
  tags: number
  refused: Refused[]
  failed: Failed[]
  unverifiable: Unverifiable[]
  audit: (AuditReport & Readonly<{ where: string }>)[]
  manifests: Readonly<{ where: string; artifacts: number; verified: number; signature: SignatureState }>[]
  /** Rows of tables that have no place in the run contract. */
  not_imported: Record<string, number>
}

export const SIGNATURE_STATES = ['verified', 'wrong', 'absent', 'not_checked'] as const
export type SignatureState = (typeof SIGNATURE_STATES)[number]

export function emptySummary(source: ImportSummary['source']): ImportSummary {
  const none = { runs: [], metrics: 0, tags: 0, refused: [], failed: [], unverifiable: [], audit: [], manifests: [] }
  return { schema_version: '1.0', source, ...structuredClone(none), not_imported: {} }
}

/** Takes what an audit log proves into the summary. */
export function addAudit(summary: ImportSummary, where: string, report: AuditReport): void {
  summary.audit.push({ where, ...report })
  for (const { line, problem, found } of report.findings)
    summary.failed.push({ what: `audit_${problem}`, where: `${where}:${line}`, found })
  const rest = report.findings_total - report.findings.length
  if (rest > 0) summary.failed.push({ what: 'audit_more', where, found: `${rest} further entries` })
  summary.unverifiable.push({
    what: 'audit_end',
    where,
    why: 'nothing says how many entries there were; compare `head` with a copy kept elsewhere',
  })
}
