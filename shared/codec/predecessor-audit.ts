import { sha256, toHex } from '../crypto/digest.ts'
import { isPythonMap, type PythonMap, parsePythonJson, writePythonJson } from './python-json.ts'

/** Findings that are named of one log; the rest is counted. */
export const AUDIT_FINDINGS_MAX = 1000

export const AUDIT_PROBLEMS = [
  'unreadable',
  'unhashed',
  'hash_differs',
  'chain_break',
  'beginning_missing',
  'end_cut',
] as const
export type AuditProblem = (typeof AUDIT_PROBLEMS)[number]

export type AuditFinding = Readonly<{ line: number; problem: AuditProblem; found: string }>

/** What an audit log of the predecessor proves. Entries that are neither verified nor unhashed have a finding each. */
export type AuditReport = Readonly<{
  entries: number
  /** Entries whose hash is right and whose place in the chain is, too. */
  verified: number
  unhashed: number
  findings: readonly AuditFinding[]
  /** All of them, named or not. */
  findings_total: number
  /** Hash of the last entry that has one; '' where none has. It is what an anchor elsewhere could be compared with. */
  head: string
}>

/**
 * Verifies `audit_log.jsonl`. Every entry names the hash of the one before it, so that edits, removals and reordering
 * between hashed entries show. Nothing says how many entries there were: a log that lost its end looks whole.
 */
export function verifyAuditLog(text: string): AuditReport {
  const findings: AuditFinding[] = []
  const lines = text.split('\n')
  const isCut = lines.at(-1) !== ''
  if (!isCut) lines.pop()
  const counts = { entries: 0, verified: 0, unhashed: 0, findings: 0 }
  let head = ''
  const note = (line: number, problem: AuditProblem, found: string): void => {
    counts.findings += 1
    if (findings.length < AUDIT_FINDINGS_MAX) findings.push({ line, problem, found })
  }
  lines.forEach((line, k) => {
    if (line.trim() === '') return
    counts.entries += 1
    const read = parsePythonJson(line)
    if (!('value' in read) || !isPythonMap(read.value)) {
      const found = 'problem' in read ? read.problem : 'no map of keys'
      note(k + 1, isCut && k === lines.length - 1 ? 'end_cut' : 'unreadable', found)
      return
    }
    const entry = read.value
    const stated = entry.get('entry_hash')
    if (typeof stated !== 'string' || stated === '') {
      counts.unhashed += 1
      note(k + 1, 'unhashed', 'no entry_hash')
      return
    }
    const before = counts.findings
    const hash = hashOf(entry)
    if (hash !== stated) note(k + 1, 'hash_differs', `${stated}, its content has ${hash}`)
    checkPlace(entry, head, (problem, found) => note(k + 1, problem, found))
    if (counts.findings === before) counts.verified += 1
    head = stated
  })
  const { entries, verified, unhashed } = counts
  return { entries, verified, unhashed, findings, findings_total: counts.findings, head }
}

function checkPlace(entry: PythonMap, head: string, note: (problem: AuditProblem, found: string) => void): void {
  const previous = entry.get('prev_hash') ?? ''
  if (previous === head) return
  const found = typeof previous === 'string' ? previous || 'no prev_hash' : 'a prev_hash that is no text'
  note(head === '' ? 'beginning_missing' : 'chain_break', head === '' ? found : `${found}, the entry before is ${head}`)
}

/** Hash of an entry: everything but the hash itself. */
function hashOf(entry: PythonMap): string {
  const rest = new Map([...entry].filter(([key]) => key !== 'entry_hash'))
  return toHex(sha256(new TextEncoder().encode(writePythonJson(rest))))
}
