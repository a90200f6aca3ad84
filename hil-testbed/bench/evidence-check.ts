import { createHash } from 'node:crypto'
import { lstatSync, readFileSync } from 'node:fs'
import { join, resolve, sep } from 'node:path'
import { decodeSigned, SIGNED_CAPS } from '../../shared/codec/signed-cbor.ts'
import { openCose } from '../../shared/crypto/cose.ts'
import { readPublicKey } from '../../shared/crypto/sign.ts'
import { HbError } from '../../shared/errors/hb-error.ts'
import type { CaseResult } from '../core/result.ts'
import { evidenceFiles, MANIFEST, MANIFEST_KEY, MANIFEST_TYP } from './evidence.ts'
import { benchKey } from './keys.ts'

/** A manifest of ten thousand files. */
const MANIFEST_BYTES_MAX = 4 * 1024 * 1024
/** What makes a run one that can be looked at again. */
const NEEDED = ['row.json', 'run.json', 'events.jsonl'] as const

/** Why the folder of a run is no evidence of it: not there, not closed, not signed, not whole; null when nothing speaks against it. */
export function evidenceProblem(folder: string): string | null {
  const bytes = bytesIn(folder, MANIFEST)
  if (typeof bytes === 'string') return bytes
  const files = filesIn(bytes)
  if (typeof files === 'string') return `${MANIFEST}: ${files}`
  const key = bytesIn(folder, MANIFEST_KEY)
  if (typeof key === 'string') return key
  if (new TextDecoder().decode(key) !== benchKey('bench').publicPem)
    return `${MANIFEST_KEY} is not the key of the manifest`
  const missing = NEEDED.find((name) => !files.some((file) => file.path === name))
  if (missing !== undefined) return `${missing} is not in it`
  for (const file of files) {
    const problem = fileProblem(folder, file)
    if (problem !== null) return `${file.path} ${problem}`
  }
  const listed = new Set(files.map(({ path: name }) => name))
  const more = evidenceFiles(folder).find((name) => name !== MANIFEST && !listed.has(name))
  return more === undefined ? null : `${more} came after it was closed`
}

/** The same, for one case of a report: whole evidence of another run is none of it. */
export function caseProblem(
  folder: string,
  { id, row, seed, started_utc }: Pick<CaseResult, 'id' | 'row' | 'seed' | 'started_utc'>,
): string | null {
  const problem = evidenceProblem(folder)
  if (problem !== null) return problem
  const of = { ...objectIn(folder, 'run.json'), ...objectIn(folder, 'row.json') }
  const isOf = of['id'] === id && of['row'] === row && of['seed'] === seed && of['started_utc'] === started_utc
  return isOf ? null : `it is of ${String(of['id'])} row ${String(of['row'])}, begun ${String(of['started_utc'])}`
}

function objectIn(folder: string, name: (typeof NEEDED)[number]): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(readFileSync(join(folder, name), 'utf8'))
    return typeof value === 'object' && value !== null ? { ...value } : {}
  } catch {
    return {}
  }
}

/** A small file of the folder itself, or why there is none. */
function bytesIn(folder: string, name: string): Uint8Array | string {
  const path = join(folder, name)
  const stat = lstatSync(path, { throwIfNoEntry: false })
  if (stat === undefined) return `${name} is not there`
  if (!stat.isFile()) return `${name} is no file`
  if (stat.size > MANIFEST_BYTES_MAX) return `${name} is larger than ${MANIFEST_BYTES_MAX} bytes`
  return new Uint8Array(readFileSync(path))
}

type Listed = Readonly<{ path: string; digest: Uint8Array; length: number }>

function filesIn(bytes: Uint8Array): readonly Listed[] | string {
  try {
    const { payload } = openCose(bytes, { typ: MANIFEST_TYP, key: readPublicKey(benchKey('bench').publicPem) })
    const caps = { ...SIGNED_CAPS, bytesMax: MANIFEST_BYTES_MAX }
    const manifest = decodeSigned(payload, caps)
    const files = manifest instanceof Map && manifest.get('v') === 1 ? manifest.get('files') : undefined
    if (!Array.isArray(files)) return 'it lists no files'
    return files.map((file: unknown): Listed => {
      const [path, digest, length] = Array.isArray(file) ? (file as unknown[]) : []
      if (typeof path !== 'string' || !(digest instanceof Uint8Array) || typeof length !== 'number')
        throw new HbError('COSE_SHAPE', { found: 'an entry of another shape' })
      return { path, digest, length }
    })
  } catch (error) {
    if (error instanceof HbError) return error.message
    throw error
  }
}

function fileProblem(folder: string, { path, digest, length }: Listed): string | null {
  const full = resolve(folder, path)
  if (!full.startsWith(`${resolve(folder)}${sep}`)) return 'is outside of the folder'
  const stat = lstatSync(full, { throwIfNoEntry: false })
  if (stat === undefined) return 'is not there'
  if (!stat.isFile()) return 'is no file any more'
  if (stat.size !== length) return `has ${stat.size} bytes, ${length} were closed`
  return createHash('sha256').update(readFileSync(full)).digest().equals(digest) ? null : 'was changed'
}
