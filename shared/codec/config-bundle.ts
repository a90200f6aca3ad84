import type { Operator } from '../config/operators.ts'
import { signCose } from '../crypto/cose.ts'
import { DOMAIN, digestOf, toHex } from '../crypto/digest.ts'
import type { Signer } from '../crypto/sign.ts'
import type { BundleManifest, BundleProblem } from '../model/config-bundle.ts'
import { isId } from '../model/ids.ts'
import type { Bytes } from '../units.ts'
import {
  CONFIG_BUNDLE_FILES_MAX,
  CONFIG_BUNDLE_VERSION,
  holdAgainst,
  isList,
  isNamedFile,
  readFleetManifest,
  readManifest,
} from './bundle-manifest.ts'
import { attempt, bundleShape, type Note, signedAs, type Verified, verifiedSignatures } from './bundle-signatures.ts'
import { canonicalBytes } from './canonical.ts'
import type { JournalFile } from './journal-input.ts'
import { type CborCaps, decodeSigned } from './signed-cbor.ts'

export const CONFIG_BUNDLE_TYP = 'application/hb-config-bundle+cose'
export const FLEET_BUNDLE_TYP = 'application/hb-fleet-bundle+cose'
/** Version of the container of what a fleet bundle has for one agent: its files, under the signatures over all agents. */
export const FLEET_CUT_VERSION = 2
/** Longest bundle: every file of an agent, its baselines included, within one journal record. */
export const CONFIG_BUNDLE_BYTES_MAX: Bytes = 32 * 1024 * 1024
/** Signatures of one bundle. */
export const CONFIG_BUNDLE_SIGNATURES_MAX = 16
const CONTAINER_CAPS: CborCaps = {
  bytesMax: CONFIG_BUNDLE_BYTES_MAX,
  depthMax: 3,
  itemsMax: 3 * CONFIG_BUNDLE_FILES_MAX + CONFIG_BUNDLE_SIGNATURES_MAX + 8,
}

/**
 * The parts of a bundle before anything of them is believed. `signatures` are COSE_Sign1 over one manifest. `cutFor` is the
 * agent that a fleet bundle was cut for; without it the manifest is of one agent.
 */
export type BundleParts = Readonly<{
  files: readonly JournalFile[]
  signatures: readonly Uint8Array[]
  cutFor?: string
}>

/** A bundle whose every byte is vouched for by its signatures. `digest` (hex) is that of the manifest. */
export type OpenedBundle = Readonly<{
  manifest: BundleManifest
  digest: string
  files: readonly JournalFile[]
  /** Names of the operators who signed, in the order of the signatures. */
  signers: readonly string[]
}>
export type BundleOpening = Readonly<{ opened: OpenedBundle | null; problems: readonly BundleProblem[] }>

/** A signature over a manifest. */
export function signManifest(manifest: Uint8Array, agent: string, signer: Signer): Uint8Array {
  const issuer = `operator/${toHex(signer.keyId)}`
  return signCose({ typ: CONFIG_BUNDLE_TYP, issuer, subject: `agent/${agent}`, payload: manifest, signer })
}

export function encodeConfigBundle({ files, signatures, cutFor }: BundleParts): Uint8Array {
  const parts = { files: files.map(({ name, bytes }) => [name, bytes]), signatures }
  return canonicalBytes(
    cutFor === undefined ? { v: CONFIG_BUNDLE_VERSION, ...parts } : { v: FLEET_CUT_VERSION, agent: cutFor, ...parts },
  )
}

/**
 * Takes the container apart; nothing is proved by it.
 *
 * @throws HbError BUNDLE_SHAPE, CBOR_REFUSED.
 */
export function bundleParts(bytes: Uint8Array): BundleParts {
  if (bytes.length > CONFIG_BUNDLE_BYTES_MAX)
    throw bundleShape(`${bytes.length} bytes`, `at most ${CONFIG_BUNDLE_BYTES_MAX}`)
  const map = decodeSigned(bytes, CONTAINER_CAPS) as unknown
  const version: unknown = map instanceof Map ? map.get('v') : undefined
  if (!(map instanceof Map) || !(version === CONFIG_BUNDLE_VERSION || version === FLEET_CUT_VERSION))
    throw bundleShape(`version ${String(version)}`, `version ${CONFIG_BUNDLE_VERSION} or ${FLEET_CUT_VERSION}`)
  const [files, signatures, agent]: unknown[] = [map.get('files'), map.get('signatures'), map.get('agent')]
  if (map.size !== (version === FLEET_CUT_VERSION ? 4 : 3)) throw bundleShape('other keys', 'those of the version')
  if (!isList(files, CONFIG_BUNDLE_FILES_MAX) || !files.every(isNamedFile))
    throw bundleShape('`files` in another form', `1 to ${CONFIG_BUNDLE_FILES_MAX} names with bytes`)
  const parts = { files: files.map(([name, body]) => ({ name, bytes: body })), signatures: signaturesIn(signatures) }
  if (version === CONFIG_BUNDLE_VERSION) return parts
  if (typeof agent !== 'string' || !isId(agent)) throw bundleShape('`agent` in another form', 'the name of an agent')
  return { ...parts, cutFor: agent }
}

/** @throws HbError BUNDLE_SHAPE */
export function signaturesIn(value: unknown): readonly Uint8Array[] {
  if (!isList(value, CONFIG_BUNDLE_SIGNATURES_MAX) || !value.every((one) => one instanceof Uint8Array))
    throw bundleShape('`signatures` in another form', `1 to ${CONFIG_BUNDLE_SIGNATURES_MAX} signatures`)
  return value
}

/**
 * Opens a bundle for those who are trusted here, never those it names itself. Signatures are verified before the manifest
 * is read, and files are held against the manifest before anything is made of them. Never throws for what it is given:
 * everything that is wrong is listed.
 */
export function openConfigBundle(bytes: Uint8Array, operators: readonly Operator[]): BundleOpening {
  const problems: BundleProblem[] = []
  const note: Note = (code, found, expected) => void problems.push({ code, found, expected })
  const parts = attempt(() => bundleParts(bytes))
  if ('refused' in parts) return { opened: null, problems: [{ code: 'shape', ...parts.refused }] }
  const { files, signatures, cutFor } = parts.value
  const typ = cutFor === undefined ? CONFIG_BUNDLE_TYP : FLEET_BUNDLE_TYP
  const signed = verifiedSignatures(signatures, { typ, operators, note })
  const [first] = signed
  if (first === undefined) return { opened: null, problems }
  const manifest = attempt(() => signedManifest(first, cutFor))
  if ('refused' in manifest) return { opened: null, problems: [...problems, { code: 'shape', ...manifest.refused }] }
  holdAgainst(manifest.value, files, note)
  const digest = bundleDigest(first.payload)
  return { opened: { manifest: manifest.value, digest, files, signers: signed.map(({ name }) => name) }, problems }
}

/** Digest (hex) that a bundle goes by: that of its manifest. Every agent of a fleet bundle has the same. */
export function bundleDigest(manifest: Uint8Array): string {
  return toHex(digestOf(DOMAIN.configBundle, manifest))
}

/** What a bundle says before anybody is believed. `payload` is the manifest as every signature has it, `keyIds` are in hex. */
export type BundleLook = Readonly<{
  parts: BundleParts
  payload: Uint8Array
  manifest: BundleManifest
  keyIds: readonly string[]
  problems: readonly BundleProblem[]
}>

/**
 * Looks into a bundle without believing anybody: for whoever is about to sign it too, or compares it. What does not belong
 * together is listed; who signed is not asked.
 *
 * @throws HbError BUNDLE_SHAPE, CBOR_REFUSED, COSE_SHAPE.
 */
export function lookIntoBundle(bytes: Uint8Array): BundleLook {
  const problems: BundleProblem[] = []
  const note: Note = (code, found, expected) => void problems.push({ code, found, expected })
  const parts = bundleParts(bytes)
  const { payload, keyIds } = signedAs(parts.signatures, note)
  const manifest = manifestOf(payload, parts.cutFor)
  holdAgainst(manifest, parts.files, note)
  return { parts, payload, manifest, keyIds, problems }
}

/** What a manifest says to one agent. */
function manifestOf(payload: Uint8Array, cutFor: string | undefined): BundleManifest {
  if (cutFor === undefined) return readManifest(payload)
  const { agents, ...top } = readFleetManifest(payload)
  const own = agents.find(({ agent }) => agent === cutFor)
  if (own === undefined) throw bundleShape(`a fleet bundle without agent ${cutFor}`, 'one that names it')
  return { ...top, ...own }
}

/** Subject of the signatures of a fleet bundle. */
export function fleetSubject(deployment: string): string {
  return `fleet/${deployment}`
}

function signedManifest({ payload, about }: Verified, cutFor: string | undefined): BundleManifest {
  const manifest = manifestOf(payload, cutFor)
  const expected = cutFor === undefined ? `agent/${manifest.agent}` : fleetSubject(manifest.deployment)
  if (about !== expected) throw bundleShape('claims that are not those of the manifest', 'the same agent')
  return manifest
}
