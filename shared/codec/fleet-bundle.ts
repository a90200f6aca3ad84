import type { Operator } from '../config/operators.ts'
import { signCose } from '../crypto/cose.ts'
import { DOMAIN, digestOf, toHex } from '../crypto/digest.ts'
import type { Signer } from '../crypto/sign.ts'
import type { BundleProblem, FleetAgent, FleetManifest } from '../model/config-bundle.ts'
import type { Bytes } from '../units.ts'
import { FLEET_FILES_MAX, isList, readFleetManifest } from './bundle-manifest.ts'
import { attempt, bundleShape, type Note, signedAs, verifiedSignatures } from './bundle-signatures.ts'
import { canonicalBytes } from './canonical.ts'
import {
  bundleDigest,
  CONFIG_BUNDLE_SIGNATURES_MAX,
  encodeConfigBundle,
  FLEET_BUNDLE_TYP,
  fleetSubject,
  signaturesIn,
} from './config-bundle.ts'
import { type CborCaps, decodeSigned } from './signed-cbor.ts'

/** Version of the container: every file once, whichever agents have it, and the signatures. */
export const FLEET_BUNDLE_VERSION = 1
/** Longest bundle of a fleet. */
export const FLEET_BUNDLE_BYTES_MAX: Bytes = 48 * 1024 * 1024
/** Longest part of one agent, which goes down in one message. */
export const FLEET_CUT_BYTES_MAX: Bytes = 12 * 1024 * 1024
const CAPS: CborCaps = {
  bytesMax: FLEET_BUNDLE_BYTES_MAX,
  depthMax: 2,
  itemsMax: FLEET_FILES_MAX + CONFIG_BUNDLE_SIGNATURES_MAX + 8,
}

/** The parts of a fleet bundle before anything of them is believed. `blobs` are files by digest (hex), without names. */
export type FleetBundleParts = Readonly<{
  blobs: ReadonlyMap<string, Uint8Array>
  signatures: readonly Uint8Array[]
}>

/** A signature over the manifest of a fleet bundle. */
export function signFleetManifest(manifest: Uint8Array, deployment: string, signer: Signer): Uint8Array {
  const issuer = `operator/${toHex(signer.keyId)}`
  const subject = fleetSubject(deployment)
  return signCose({ typ: FLEET_BUNDLE_TYP, issuer, subject, payload: manifest, signer })
}

/** `files` may repeat: what has the same bytes is carried once. */
export function encodeFleetBundle(files: Iterable<Uint8Array>, signatures: readonly Uint8Array[]): Uint8Array {
  const blobs = [...byDigest(files)].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, bytes]) => bytes)
  return canonicalBytes({ v: FLEET_BUNDLE_VERSION, blobs, signatures })
}

function byDigest(files: Iterable<Uint8Array>): Map<string, Uint8Array> {
  return new Map([...files].map((bytes) => [toHex(digestOf(DOMAIN.file, bytes)), bytes]))
}

/** Whether bytes are meant as a bundle of a fleet: said by the first key of the map, and proved by nothing. */
export function isFleetBundle(bytes: Uint8Array): boolean {
  // {"v":1,"blobs":…}: keys are in the order of their encoding.
  return [0xa3, 0x61, 0x76, FLEET_BUNDLE_VERSION, 0x65].every((byte, k) => bytes[k] === byte) && bytes[5] === 0x62
}

/**
 * Takes the container apart; nothing is proved by it.
 *
 * @throws HbError BUNDLE_SHAPE, CBOR_REFUSED.
 */
export function fleetBundleParts(bytes: Uint8Array): FleetBundleParts {
  if (bytes.length > FLEET_BUNDLE_BYTES_MAX)
    throw bundleShape(`${bytes.length} bytes`, `at most ${FLEET_BUNDLE_BYTES_MAX}`)
  const map = decodeSigned(bytes, CAPS) as unknown
  if (!(map instanceof Map) || map.size !== 3 || map.get('v') !== FLEET_BUNDLE_VERSION)
    throw bundleShape('no bundle of a fleet', 'one of `hb bundle fleet`')
  const blobs: unknown = map.get('blobs')
  if (!isList(blobs, FLEET_FILES_MAX) || !blobs.every((one) => one instanceof Uint8Array))
    throw bundleShape('`blobs` in another form', `1 to ${FLEET_FILES_MAX} files`)
  const found = byDigest(blobs)
  if (found.size !== blobs.length) throw bundleShape('a file twice', 'every file once')
  return { blobs: found, signatures: signaturesIn(map.get('signatures')) }
}

/** What a fleet bundle says before anybody is believed. */
export type FleetLook = Readonly<{
  parts: FleetBundleParts
  payload: Uint8Array
  manifest: FleetManifest
  digest: string
  keyIds: readonly string[]
  problems: readonly BundleProblem[]
}>

/**
 * Looks into a bundle of a fleet without believing anybody. What does not belong together is listed.
 *
 * @throws HbError BUNDLE_SHAPE, CBOR_REFUSED, COSE_SHAPE.
 */
export function lookIntoFleetBundle(bytes: Uint8Array): FleetLook {
  const problems: BundleProblem[] = []
  const note: Note = (code, found, expected) => void problems.push({ code, found, expected })
  const parts = fleetBundleParts(bytes)
  const { payload, keyIds } = signedAs(parts.signatures, note)
  const manifest = readFleetManifest(payload)
  holdBlobsAgainst(manifest, parts.blobs, note)
  return { parts, payload, manifest, digest: bundleDigest(payload), keyIds, problems }
}

/** A bundle of a fleet whose every byte is vouched for by its signatures. */
export type OpenedFleetBundle = Readonly<{
  parts: FleetBundleParts
  manifest: FleetManifest
  digest: string
  signers: readonly string[]
}>

/** Opens one for those who are trusted here. Never throws for what it is given: everything that is wrong is listed. */
export function openFleetBundle(
  bytes: Uint8Array,
  operators: readonly Operator[],
): Readonly<{ opened: OpenedFleetBundle | null; problems: readonly BundleProblem[] }> {
  const problems: BundleProblem[] = []
  const note: Note = (code, found, expected) => void problems.push({ code, found, expected })
  const parts = attempt(() => fleetBundleParts(bytes))
  if ('refused' in parts) return { opened: null, problems: [{ code: 'shape', ...parts.refused }] }
  const signed = verifiedSignatures(parts.value.signatures, { typ: FLEET_BUNDLE_TYP, operators, note })
  const [first] = signed
  if (first === undefined) return { opened: null, problems }
  const manifest = attempt(() => readFleetManifest(first.payload))
  if ('refused' in manifest) return { opened: null, problems: [...problems, { code: 'shape', ...manifest.refused }] }
  if (first.about !== fleetSubject(manifest.value.deployment))
    note('shape', 'claims that are not those of the manifest', 'the same deployment')
  holdBlobsAgainst(manifest.value, parts.value.blobs, note)
  const signers = signed.map(({ name }) => name)
  const digest = bundleDigest(first.payload)
  return { opened: { parts: parts.value, manifest: manifest.value, digest, signers }, problems }
}

/** Every file that was signed is there, and no other one. */
function holdBlobsAgainst({ agents }: FleetManifest, blobs: ReadonlyMap<string, Uint8Array>, note: Note): void {
  const said = new Set<string>()
  for (const { agent, files } of agents)
    for (const { name, digest, length } of files) {
      if (blobs.get(digest)?.length !== length && !said.has(digest))
        note('file_differs', `${name} of agent ${agent} is not there`, `${digest.slice(0, 16)}…`)
      said.add(digest)
    }
  for (const digest of blobs.keys())
    if (!said.has(digest))
      note('file_differs', `a file ${digest.slice(0, 16)}… that no agent has`, 'signed files alone')
}

/** What a fleet bundle has for one agent, as that agent takes it; null for one that it does not name. */
export function cutFleetBundle(
  { blobs, signatures }: FleetBundleParts,
  { agents }: FleetManifest,
  agent: string,
): Uint8Array | null {
  const own = agents.find((one) => one.agent === agent)
  if (own === undefined) return null
  return encodeConfigBundle({ files: filesFor(own, blobs), signatures, cutFor: agent })
}

/** @throws HbError BUNDLE_SHAPE for a file that is not there */
export function filesFor({ files }: Pick<FleetAgent, 'files'>, blobs: ReadonlyMap<string, Uint8Array>) {
  return files.map(({ name, digest }) => {
    const bytes = blobs.get(digest)
    if (bytes === undefined) throw bundleShape(`${name} is not there`, `${digest.slice(0, 16)}…`)
    return { name, bytes }
  })
}
