import { lstatSync, readdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import { verifyAuditLog } from '../../shared/codec/predecessor-audit.ts'
import { predecessorSignature, readManifest } from '../../shared/codec/predecessor-manifest.ts'
import { readBytes } from '../../shared/config/files.ts'
import { sha256, toHex } from '../../shared/crypto/digest.ts'
import { HbError } from '../../shared/errors/hb-error.ts'
import { candidateFromMeta, countsAs } from '../../shared/model/run-meta.ts'
import type { OutFolder, RunMeta } from './run-writer.ts'
import { addAudit, type ImportSummary, type SignatureState } from './summary.ts'

/** Bytes of one file that is read. */
export const IMPORT_FILE_BYTES_MAX = 268_435_456

const REPORT = 'drift_report.json'
const MANIFEST = 'artifact_manifest.json'
const AUDIT = 'audit_log.jsonl'
const METAS = ['run_meta_normalized.json', 'run_meta.json'] as const
const METRICS = ['metrics_normalized.csv', 'metrics.csv'] as const
/** Any of them makes a folder one of the predecessor's. */
const SIGNS: readonly string[] = [REPORT, MANIFEST, AUDIT, ...METAS]
/** Parts at the end of a path of another machine that are looked for here. */
const PATH_PARTS_MAX = 4

type Importing = Readonly<{ out: OutFolder; summary: ImportSummary; hmacKey: Uint8Array | null }>
type Folder = Readonly<{ path: string; name: string; files: ReadonlySet<string> }>

/** Imports a report folder, or a folder of them. @throws HbError IMPORT_SHAPE when there is none, DISK_… */
export function importReports(path: string, importing: Importing): void {
  const own = folderOf(path)
  const folders = isReport(own)
    ? [own]
    : readdirSync(path, { withFileTypes: true })
        .filter((entry) => entry.isDirectory())
        .map((entry) => folderOf(join(path, entry.name)))
        .filter(isReport)
        .sort((a, b) => (a.name < b.name ? -1 : 1))
  if (folders.length === 0)
    throw new HbError('IMPORT_SHAPE', { path, found: 'no report folder', expected: `folders with ${REPORT}` })
  for (const folder of folders) {
    if (folder.files.has(AUDIT)) checkAudit(folder, importing.summary)
    checkManifest(folder, importing)
    addRun(folder, importing)
    for (const name of [...folder.files].filter((file) => file.endsWith('.enc')).sort())
      importing.summary.unverifiable.push({
        ...{ what: 'encrypted', where: `${folder.name}/${name}` },
        why: 'it is encrypted with a key that is not asked for here; it was left out',
      })
  }
}

/** A folder with its plain files; a link is none, it could lead anywhere. */
function folderOf(path: string): Folder {
  const plain = readdirSync(path, { withFileTypes: true }).filter((entry) => entry.isFile())
  return { path, name: basename(path), files: new Set(plain.map(({ name }) => name)) }
}

function isReport({ files }: Folder): boolean {
  return SIGNS.some((name) => files.has(name))
}

function checkAudit(folder: Folder, summary: ImportSummary): void {
  const where = `${folder.name}/${AUDIT}`
  const bytes = readBytes(join(folder.path, AUDIT), IMPORT_FILE_BYTES_MAX)
  if (bytes instanceof Uint8Array) addAudit(summary, where, verifyAuditLog(new TextDecoder().decode(bytes)))
  else summary.failed.push({ what: 'audit_unreadable', where, found: bytes.reason })
}

function checkManifest(folder: Folder, { summary, hmacKey }: Importing): void {
  const where = `${folder.name}/${MANIFEST}`
  if (!folder.files.has(MANIFEST)) {
    summary.unverifiable.push({ what: 'manifest_absent', where, why: 'nothing says what was in this folder' })
    return
  }
  const bytes = readBytes(join(folder.path, MANIFEST), IMPORT_FILE_BYTES_MAX)
  const manifest = bytes instanceof Uint8Array ? readManifest(bytes) : null
  if (manifest === null || !(bytes instanceof Uint8Array)) {
    summary.failed.push({ what: 'manifest_unreadable', where, found: 'no list in JSON' })
    return
  }
  for (const item of manifest.unknown) summary.failed.push({ what: 'manifest_item', where, found: item })
  const listed = new Set<string>()
  let verified = 0
  for (const { path, sha256: hash } of manifest.artifacts) {
    const here = findHere(folder, path)
    if (here === null) {
      summary.failed.push({ what: 'artifact_missing', where, found: path })
      continue
    }
    listed.add(here)
    const content = readBytes(join(folder.path, here), IMPORT_FILE_BYTES_MAX)
    const found = content instanceof Uint8Array ? toHex(sha256(content)) : content.reason
    if (found === hash) verified += 1
    else summary.failed.push({ what: 'artifact_differs', where: `${folder.name}/${here}`, found })
  }
  for (const name of [...folder.files].sort())
    if (!listed.has(name) && !name.startsWith(MANIFEST.replace('.json', '')))
      summary.unverifiable.push({ what: 'not_in_manifest', where: `${folder.name}/${name}`, why: 'no hash covers it' })
  const signature = checkSignature(folder, { bytes, summary, hmacKey })
  summary.manifests.push({ where, artifacts: manifest.artifacts.length, verified, signature })
}

/** The file of this folder that an absolute path of another machine means, by the end of that path. */
function findHere(folder: Folder, path: string): string | null {
  const parts = path.split(/[/\\]/).filter((part) => part !== '' && part !== '.')
  if (parts.includes('..')) return null
  for (let count = Math.min(PATH_PARTS_MAX, parts.length); count > 0; count -= 1) {
    const name = parts.slice(-count).join('/')
    if (lstatSync(join(folder.path, name), { throwIfNoEntry: false })?.isFile() === true) return name
  }
  return null
}

type Signed = Readonly<{ bytes: Uint8Array; summary: ImportSummary; hmacKey: Uint8Array | null }>

function checkSignature(folder: Folder, { bytes, summary, hmacKey }: Signed): SignatureState {
  const where = `${folder.name}/${MANIFEST}`
  const name = [`${MANIFEST}.sig`, `${MANIFEST.replace('.json', '')}.sig`].find((file) => folder.files.has(file))
  if (name === undefined) {
    if (hmacKey === null)
      summary.unverifiable.push({
        what: 'signature_absent',
        where,
        why: 'whoever can write the folder could have made it',
      })
    else summary.failed.push({ what: 'signature_absent', where, found: 'no signature beside the manifest' })
    return 'absent'
  }
  if (hmacKey === null) {
    summary.unverifiable.push({ what: 'signature_not_checked', where, why: 'no key was given with --hmac-key' })
    return 'not_checked'
  }
  const stated = readBytes(join(folder.path, name), IMPORT_FILE_BYTES_MAX)
  const text = stated instanceof Uint8Array ? new TextDecoder().decode(stated).trim().toLowerCase() : ''
  if (text === predecessorSignature(hmacKey, bytes)) return 'verified'
  summary.failed.push({ what: 'signature_wrong', where: `${folder.name}/${name}`, found: 'not the HMAC with this key' })
  return 'wrong'
}

function addRun(folder: Folder, { out, summary }: Importing): void {
  const refuse = (id: string, reason: string): void => {
    summary.refused.push({ from: folder.name, row: null, id, reason })
  }
  const metaName = METAS.find((name) => folder.files.has(name))
  const metricsName = METRICS.find((name) => folder.files.has(name))
  if (metaName === undefined || metricsName === undefined) {
    refuse('', `it has no ${(metaName === undefined ? METAS : METRICS).join(' and no ')}`)
    return
  }
  const meta = readMap(folder, metaName)
  const report = folder.files.has(REPORT) ? readMap(folder, REPORT) : {}
  const metrics = readBytes(join(folder.path, metricsName), IMPORT_FILE_BYTES_MAX)
  if (meta === null || report === null) {
    refuse('', `${meta === null ? metaName : REPORT} is no map of keys in JSON`)
    return
  }
  const id = textOf(meta, 'run_id')
  const problem = metricsProblem(metrics)
  const candidate = candidateFromMeta(meta)
  if (problem !== null || 'problem' in candidate) {
    refuse(id, problem === null ? (candidate as { problem: string }).problem : `${metricsName}: ${problem}`)
    return
  }
  if (report['run_id'] !== undefined && report['run_id'] !== id) {
    refuse(id, `${REPORT} is of run ${JSON.stringify(report['run_id'])}`)
    return
  }
  const whole = metaOf(meta, report)
  const added = out.addRun(whole)
  if ('reason' in added) {
    refuse(id, added.reason)
    return
  }
  const { status, counts_as } = whole.imported
  out.putMetrics(added.folder, metrics as Uint8Array)
  summary.metrics += rowsOf(metrics as Uint8Array)
  summary.runs.push({ run_id: id, folder: added.folder, status, counts_as })
}

type JsonMap = Readonly<Record<string, unknown>>

function metaOf(meta: JsonMap, report: JsonMap): RunMeta {
  const [runId, status] = [textOf(meta, 'run_id'), textOf(report, 'status')]
  const baselineRunId = textOf(report, 'baseline_run_id')
  const { status: _, registry_hash: hash = '', ...rest } = meta
  return {
    ...rest,
    run_id: runId,
    imported: {
      from: 'predecessor',
      status,
      counts_as: countsAs({ status, runId, baselineRunId }),
      baseline_run_id: baselineRunId,
      registry_hash: textOf(report, 'registry_hash') || (typeof hash === 'string' ? hash : ''),
      created_at: '',
    },
  }
}

function metricsProblem(bytes: ReturnType<typeof readBytes>): string | null {
  if (!(bytes instanceof Uint8Array)) return bytes.reason
  const header = new TextDecoder().decode(bytes.subarray(0, 4096)).replace(/^\uFEFF/, '')
  const columns = (header.split(/\r?\n/)[0] ?? '').split(',').map((name) => name.trim().replace(/^"(.*)"$/, '$1'))
  const missing = ['metric', 'value'].filter((name) => !columns.includes(name))
  return missing.length === 0 ? null : `no column ${missing.join(', ')}`
}

/** Lines behind the header; a line break inside a quoted cell is none of a row. */
function rowsOf(bytes: Uint8Array): number {
  const text = new TextDecoder().decode(bytes)
  const lines = text.replace(/"(?:[^"]|"")*"/g, '').split(/\r?\n/)
  return lines.slice(1).filter((line) => line !== '').length
}

function readMap(folder: Folder, name: string): JsonMap | null {
  const bytes = readBytes(join(folder.path, name), IMPORT_FILE_BYTES_MAX)
  if (!(bytes instanceof Uint8Array)) return null
  try {
    const value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as unknown
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonMap) : null
  } catch {
    return null
  }
}

function textOf(map: JsonMap, key: string): string {
  const value = map[key]
  return typeof value === 'string' ? value : ''
}
