import { statSync } from 'node:fs'
import { basename } from 'node:path'
import type { Command } from 'commander'
import { verifyAuditLog } from '../../shared/codec/predecessor-audit.ts'
import { readBytes } from '../../shared/config/files.ts'
import { sha256, toHex } from '../../shared/crypto/digest.ts'
import { HbError } from '../../shared/errors/hb-error.ts'
import { printResult } from '../../shared/lib/command-output.ts'
import { importDatabase } from '../predecessor/registry-database.ts'
import { IMPORT_FILE_BYTES_MAX, importReports } from '../predecessor/report-folders.ts'
import { type OutFolder, openOut } from '../predecessor/run-writer.ts'
import { addAudit, emptySummary, type ImportSummary } from '../predecessor/summary.ts'

type ImportOptions = Readonly<{
  db?: string
  reports?: string
  audit?: string
  out: string
  hmacKey?: string
  json?: boolean
}>

/** Exit code when something was refused or did not verify (sysexits: data). */
const NOT_VERIFIED_EXIT = 65
/** Bytes of a key file; the predecessor used the whole file. */
const KEY_BYTES_MAX = 65_536
/** Items of a kind that are shown to people; the summary has all. */
const SHOWN_MAX = 20
const SUMMARY = 'import_summary.json'
/** The log as it was found. */
const AUDIT_COPY = 'audit_log.jsonl'

/** Adds `hb import predecessor`. */
export function importCommands(program: Command): void {
  program
    .command('import')
    .description('take over what another system recorded')
    .command('predecessor')
    .description(
      "make run folders of the Python system's database or reports, and verify its audit logs; ends with 65 when something does not verify",
    )
    .option('--db <file>', 'its registry of runs (runs.db); it is only read')
    .option('--reports <dir>', 'one of its report folders, or a folder of them')
    .option('--audit <file>', 'one of its audit logs (audit_log.jsonl)')
    .requiredOption('--out <dir>', `new folder: a folder for every run, and ${SUMMARY}`)
    .option('--hmac-key <file>', 'with --reports: key of its manifests, as it was given to the Python system')
    .option('--json', 'one JSON object')
    .action(importPredecessor)
}

/** @throws HbError USAGE, IMPORT_MISSING, IMPORT_SHAPE, DISK_… */
async function importPredecessor(options: ImportOptions): Promise<void> {
  const { kind, path } = sourceOf(options)
  const hmacKey = options.hmacKey === undefined ? null : readNamed(options.hmacKey, KEY_BYTES_MAX)
  requireThere(path, kind === 'reports')
  const out = openOut(options.out)
  try {
    const summary = await imported({ kind, path, out, hmacKey })
    out.put(SUMMARY, `${JSON.stringify(summary, null, 2)}\n`)
    printResult(options.json, { out: options.out, ...summary }, linesOf(options.out, summary))
    if (summary.failed.length + summary.refused.length > 0) process.exitCode = NOT_VERIFIED_EXIT
  } catch (error) {
    out.undo()
    throw error
  }
}

type Kind = ImportSummary['source']['kind']
type Source = Readonly<{ kind: Kind; path: string }>

function sourceOf({ db, reports, audit, hmacKey }: ImportOptions): Source {
  const given = [
    { kind: 'database', path: db },
    { kind: 'reports', path: reports },
    { kind: 'audit', path: audit },
  ].filter((one): one is Source => one.path !== undefined)
  const [source, ...others] = given
  if (source === undefined || others.length > 0)
    throw new HbError('USAGE', {
      option: '--db, --reports, --audit',
      found: given.map(({ kind }) => kind).join(', ') || 'none',
      expected: 'one of them',
    })
  if (hmacKey !== undefined && source.kind !== 'reports')
    throw new HbError('USAGE', {
      option: '--hmac-key',
      found: `it with --${source.kind}`,
      expected: 'it with --reports',
    })
  return source
}

function requireThere(path: string, isFolder: boolean): void {
  const stat = statSync(path, { throwIfNoEntry: false })
  if (stat === undefined) throw new HbError('IMPORT_MISSING', { path })
  if (isFolder !== stat.isDirectory())
    throw new HbError('IMPORT_MISSING', { path, found: isFolder ? 'a file' : 'a folder' })
}

type Importing = Source & Readonly<{ out: OutFolder; hmacKey: Uint8Array | null }>

async function imported({ kind, path, out, hmacKey }: Importing): Promise<ImportSummary> {
  const name = basename(path)
  if (kind === 'reports') {
    const summary = emptySummary({ kind, name, sha256: null })
    importReports(path, { out, summary, hmacKey })
    return summary
  }
  if (kind === 'database') {
    const summary = emptySummary({ kind, name, sha256: null })
    await importDatabase(path, { out, summary })
    return summary
  }
  const bytes = readNamed(path, IMPORT_FILE_BYTES_MAX)
  const summary = emptySummary({ kind, name, sha256: toHex(sha256(bytes)) })
  addAudit(summary, name, verifyAuditLog(new TextDecoder().decode(bytes)))
  out.put(AUDIT_COPY, bytes)
  return summary
}

function readNamed(path: string, bytesMax: number): Uint8Array {
  const bytes = readBytes(path, bytesMax)
  if (bytes instanceof Uint8Array) return bytes
  throw new HbError(bytes.isTooLarge ? 'IMPORT_SHAPE' : 'IMPORT_MISSING', { path, found: bytes.reason })
}

function linesOf(out: string, summary: ImportSummary): string[] {
  const { runs, metrics, tags, refused, failed, unverifiable, audit, manifests } = summary
  const notRun = runs.filter(({ status, counts_as }) => status !== counts_as)
  return [
    `${out}: ${runs.length} runs, ${metrics} metrics, ${tags} tags`,
    ...audit.map(
      (log) => `audit ${log.where}: ${log.verified} of ${log.entries} entries verified, ${log.unhashed} unhashed`,
    ),
    ...manifests.map(
      (m) => `manifest ${m.where}: ${m.verified} of ${m.artifacts} files verified, signature ${m.signature}`,
    ),
    ...some(
      notRun,
      ({ run_id, status, counts_as }) => `run ${run_id}: ${status || 'no status'} counts as ${counts_as}`,
    ),
    ...some(
      refused,
      (r) => `refused: ${r.from}${r.row === null ? '' : ` row ${r.row}`} ${JSON.stringify(r.id)}: ${r.reason}`,
    ),
    ...some(failed, (f) => `failed: ${f.what} ${f.where}: ${f.found}`),
    ...some(unverifiable, (u) => `not verifiable: ${u.what} ${u.where}: ${u.why}`),
    ...Object.entries(summary.not_imported).map(([table, rows]) => `left out: table ${table}, ${rows} rows`),
    failed.length + refused.length === 0
      ? 'everything that can be verified was'
      : `${refused.length} refused, ${failed.length} did not verify: see ${SUMMARY}`,
  ]
}

function some<T>(items: readonly T[], line: (item: T) => string): string[] {
  const rest = items.length - SHOWN_MAX
  return [...items.slice(0, SHOWN_MAX).map(line), ...(rest > 0 ? [`… and ${rest} more, in ${SUMMARY}`] : [])]
}
