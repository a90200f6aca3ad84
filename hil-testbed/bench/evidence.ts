import { createHash } from 'node:crypto'
import { type Dirent, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { canonicalBytes } from '../../shared/codec/canonical.ts'
import { signCose } from '../../shared/crypto/cose.ts'
import { sha256, toHex } from '../../shared/crypto/digest.ts'
import { signerFromPem } from '../../shared/crypto/sign.ts'
import { trustDomain } from '../../shared/model/realm.ts'
import { DEPLOYMENT } from './agent-folder.ts'
import { benchKey } from './keys.ts'

export const MANIFEST_TYP = 'application/hb-hil-evidence+cose'
export const MANIFEST = 'manifest.cose'
/** Public half of the key that signed it. */
export const MANIFEST_KEY = 'manifest.pub.pem'

/**
 * Closes the folder of a run: keys that could sign are taken out, and a signed manifest says what every file is. The
 * manifest is a COSE_Sign1 by the bench over `{v: 1, files: [[path, digest, length]…]}`, in the order of the paths.
 *
 * @returns digest of what was signed
 */
export function closeEvidence(folder: string): string {
  removeOthers(folder)
  const paths = evidenceFiles(folder)
  for (const path of paths.filter(isSecret)) rmSync(join(folder, path))
  const files = paths
    .filter((path) => !isSecret(path) && path !== MANIFEST)
    .map((path) => {
      const bytes = readFileSync(join(folder, path))
      return [path, new Uint8Array(createHash('sha256').update(bytes).digest()), bytes.length] as const
    })
  const payload = canonicalBytes({ v: 1, files })
  const key = benchKey('bench')
  const about = { typ: MANIFEST_TYP, issuer: `spiffe://${trustDomain(DEPLOYMENT, 'testbed')}/bench`, subject: 'run' }
  writeFileSync(join(folder, MANIFEST), signCose({ ...about, payload, signer: signerFromPem(key.privatePem) }))
  writeFileSync(join(folder, MANIFEST_KEY), key.publicPem)
  return toHex(sha256(payload))
}

const isSecret = (path: string): boolean => /(^|\/)(sign\.pem|receipts\.pem|[^/]+\.key)$/.test(path)

/** Paths of everything in a folder that a manifest lists, or that has no business there once it is closed; in order. */
export function evidenceFiles(folder: string): string[] {
  return entriesOf(folder)
    .filter(({ path, entry }) => !entry.isDirectory() && path !== MANIFEST_KEY)
    .map(({ path }) => path)
    .sort()
}

/** What is no file: sockets where nobody listens any more, which what packs files up stumbles over, and what leads elsewhere. */
function removeOthers(folder: string): void {
  for (const { path, entry } of entriesOf(folder))
    if (!entry.isFile() && !entry.isDirectory()) rmSync(join(folder, path))
}

function entriesOf(folder: string): { path: string; entry: Dirent }[] {
  const entries = readdirSync(folder, { withFileTypes: true, recursive: true })
  return entries.map((entry) => ({ path: relative(folder, join(entry.parentPath, entry.name)), entry }))
}
