import { hmacSha256, sha256, toHex } from '../crypto/digest.ts'

/** What an artifact manifest of the predecessor lists: a file by a path of the machine that wrote it, and its hash. */
export type ManifestArtifact = Readonly<{ path: string; sha256: string }>
export type ManifestContent = Readonly<{
  artifacts: readonly ManifestArtifact[]
  /** Items that are none the predecessor writes, as text. */
  unknown: readonly string[]
}>

/** Bytes that HMAC takes as they are; a longer key is hashed first (RFC 2104). */
const KEY_BYTES_MAX = 64
/** Characters that are shown of an item that is not known. */
const SHOWN_MAX = 80

/** Reads `artifact_manifest.json`; null when it is not a list in JSON. Hashes of configurations and key versions are no files. */
export function readManifest(bytes: Uint8Array): ManifestContent | null {
  let items: unknown
  try {
    items = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as unknown
  } catch {
    return null
  }
  if (!Array.isArray(items)) return null
  const artifacts: ManifestArtifact[] = []
  const unknown: string[] = []
  for (const item of items as unknown[]) {
    const fields = (typeof item === 'object' && item !== null ? item : {}) as Readonly<Record<string, unknown>>
    const { path, sha256: hash } = fields
    if (typeof path === 'string' && typeof hash === 'string') artifacts.push({ path, sha256: hash.toLowerCase() })
    else if (!('config_hashes' in fields || 'signing_key_version' in fields))
      unknown.push(String(JSON.stringify(item)).slice(0, SHOWN_MAX))
  }
  return { artifacts, unknown }
}

/** The predecessor's "signature": HMAC-SHA-256 in hex. Whoever can check it can make it, so it proves no author. */
export function predecessorSignature(key: Uint8Array, bytes: Uint8Array): string {
  return toHex(hmacSha256(key.length > KEY_BYTES_MAX ? sha256(key) : key, bytes))
}
