import { createHash } from 'node:crypto'
import { lstatSync, readFileSync, statSync } from 'node:fs'
import { join, resolve, sep } from 'node:path'
import { decodeSigned, SIGNED_CAPS } from '../../shared/codec/signed-cbor.ts'
import { openCose } from '../../shared/crypto/cose.ts'
import { readPublicKey } from '../../shared/crypto/sign.ts'
import { HbError } from '../../shared/errors/hb-error.ts'
import { evidenceFiles, MANIFEST, MANIFEST_TYP } from './evidence.ts'
import { benchKey } from './keys.ts'

/** A manifest of ten thousand files. */
const MANIFEST_BYTES_MAX = 4 * 1024 * 1024
/** What makes a run one that can be looked at again. */
const NEEDED = ['row.json', 'run.json', 'events.jsonl'] as const

/** Why the folder of a run is no evidence of it: not there, not closed, not signed, not whole; null when nothing speaks against it. */
export function evidenceProblem(folder: string): string | null {
  const path = join(folder, MANIFEST)
  const size = statSync(path, { throwIfNoEntry: false })?.size
  if (size === undefined) return `${MANIFEST} is not there`
  if (size > MANIFEST_BYTES_MAX) return `${MANIFEST} is larger than ${MANIFEST_BYTES_MAX} bytes`
  const files = filesIn(new Uint8Array(readFileSync(path)))
  if (typeof files === 'string') return `${MANIFEST}: ${files}`
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
