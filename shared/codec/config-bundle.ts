import type { Operator } from '../config/operators.ts'
import { coseKeyId, cosePayload, openCose, signCose } from '../crypto/cose.ts'
import { DIGEST_BYTES, DOMAIN, digestOf, equalBytes, fromHex, toHex } from '../crypto/digest.ts'
import type { Signer } from '../crypto/sign.ts'
import { HbError, isHbError } from '../errors/hb-error.ts'
import type { BundleFile, BundleManifest, BundleProblem, BundleProblemCode } from '../model/config-bundle.ts'
import { isId } from '../model/ids.ts'
import type { Bytes } from '../units.ts'
import { canonicalBytes } from './canonical.ts'
import { configDigest } from './config-digest.ts'
import type { JournalFile } from './journal-input.ts'
import { type CborCaps, decodeSigned } from './signed-cbor.ts'

export const CONFIG_BUNDLE_TYP = 'application/hb-config-bundle+cose'
/** Version of the container and of the manifest in its signatures. */
export const CONFIG_BUNDLE_VERSION = 1
/** Longest bundle: every file of an agent, its baselines included, within one journal record. */
export const CONFIG_BUNDLE_BYTES_MAX: Bytes = 32 * 1024 * 1024
/** Files of one bundle. */
export const CONFIG_BUNDLE_FILES_MAX = 1024
/** Signatures of one bundle. */
export const CONFIG_BUNDLE_SIGNATURES_MAX = 16
/** Longest name of a file, and longest reason, in characters. */
export const FILE_NAME_CHARS_MAX = 1024
export const BUNDLE_REASON_CHARS_MAX = 512
/** Rigs of a manifest: as many as an agent may have. */
const RIGS_MAX = 64
const CONTAINER_CAPS: CborCaps = {
  bytesMax: CONFIG_BUNDLE_BYTES_MAX,
  depthMax: 3,
  itemsMax: 3 * CONFIG_BUNDLE_FILES_MAX + CONFIG_BUNDLE_SIGNATURES_MAX + 8,
}
/** Names of 1024 files in the widest characters, and everything else. */
const MANIFEST_BYTES_MAX: Bytes = 8 * 1024 * 1024
const MANIFEST_CAPS: CborCaps = {
  bytesMax: MANIFEST_BYTES_MAX,
  depthMax: 3,
  itemsMax: 4 * CONFIG_BUNDLE_FILES_MAX + 256,
}
const FIELDS = 10

/** The parts of a bundle before anything of them is believed. `signatures` are COSE_Sign1 over one manifest. */
export type BundleParts = Readonly<{ files: readonly JournalFile[]; signatures: readonly Uint8Array[] }>

/** A bundle whose every byte is vouched for by its signatures. `digest` (hex) is that of the manifest. */
export type OpenedBundle = Readonly<{
  manifest: BundleManifest
  digest: string
  files: readonly JournalFile[]
  /** Names of the operators who signed, in the order of the signatures. */
  signers: readonly string[]
}>
export type BundleOpening = Readonly<{ opened: OpenedBundle | null; problems: readonly BundleProblem[] }>

/** What a manifest says beside what follows from the files. */
export type BundleDraft = Omit<BundleManifest, 'files' | 'config'>

export function manifestBytes(draft: BundleDraft, files: readonly JournalFile[]): Uint8Array {
  const { deployment, agent, number, madeUs, notAfterUs, reason, rigs } = draft
  return canonicalBytes({
    ...{ v: CONFIG_BUNDLE_VERSION, deployment, agent, number, made_us: madeUs, not_after_us: notAfterUs, reason },
    rigs: rigs.map(({ rig, program }) => [rig, program]),
    config: configDigest(files),
    files: files.map(({ name, bytes }) => [name, digestOf(DOMAIN.file, bytes), bytes.length]),
  })
}

/** A signature over a manifest. */
export function signManifest(manifest: Uint8Array, agent: string, signer: Signer): Uint8Array {
  const issuer = `operator/${toHex(signer.keyId)}`
  return signCose({ typ: CONFIG_BUNDLE_TYP, issuer, subject: `agent/${agent}`, payload: manifest, signer })
}

export function encodeConfigBundle({ files, signatures }: BundleParts): Uint8Array {
  return canonicalBytes({
    v: CONFIG_BUNDLE_VERSION,
    files: files.map(({ name, bytes }) => [name, bytes]),
    signatures,
  })
}

/**
 * Takes the container apart; nothing is proved by it.
 *
 * @throws HbError BUNDLE_SHAPE, CBOR_REFUSED.
 */
export function bundleParts(bytes: Uint8Array): BundleParts {
  if (bytes.length > CONFIG_BUNDLE_BYTES_MAX) throw shape(`${bytes.length} bytes`, `at most ${CONFIG_BUNDLE_BYTES_MAX}`)
  const map = decodeSigned(bytes, CONTAINER_CAPS) as unknown
  if (!(map instanceof Map) || map.size !== 3) throw shape('something else', 'a map of three keys')
  if (map.get('v') !== CONFIG_BUNDLE_VERSION)
    throw shape(`version ${String(map.get('v'))}`, `version ${CONFIG_BUNDLE_VERSION}`)
  const [files, signatures]: unknown[] = [map.get('files'), map.get('signatures')]
  if (!isList(files, CONFIG_BUNDLE_FILES_MAX) || !files.every(isNamedFile))
    throw shape('`files` in another form', `1 to ${CONFIG_BUNDLE_FILES_MAX} names with bytes`)
  if (!isList(signatures, CONFIG_BUNDLE_SIGNATURES_MAX) || !signatures.every((one) => one instanceof Uint8Array))
    throw shape('`signatures` in another form', `1 to ${CONFIG_BUNDLE_SIGNATURES_MAX} signatures`)
  return { files: files.map(([name, body]) => ({ name, bytes: body })), signatures }
}

/**
 * Opens a bundle for those who are trusted here, never those it names itself. Signatures are verified before the manifest
 * is read, and files are held against the manifest before anything is made of them. Never throws for what it is given:
 * everything that is wrong is listed.
 */
export function openConfigBundle(bytes: Uint8Array, operators: readonly Operator[]): BundleOpening {
  const problems: BundleProblem[] = []
  const note = (code: BundleProblemCode, found: string, expected: string): void => {
    problems.push({ code, found, expected })
  }
  const parts = read(() => bundleParts(bytes))
  if ('refused' in parts) return { opened: null, problems: [{ code: 'shape', ...parts.refused }] }
  const { files, signatures } = parts.value
  const signed = verified(signatures, operators, note)
  const [first] = signed
  if (first === undefined) return { opened: null, problems }
  const manifest = read(() => signedManifest(first))
  if ('refused' in manifest) return { opened: null, problems: [...problems, { code: 'shape', ...manifest.refused }] }
  holdAgainst(manifest.value, files, note)
  const digest = toHex(digestOf(DOMAIN.configBundle, first.payload))
  return { opened: { manifest: manifest.value, digest, files, signers: signed.map(({ name }) => name) }, problems }
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
  const payloads = parts.signatures.map(cosePayload)
  const payload = payloads[0]!
  if (!payloads.every((one) => equalBytes(one, payload)))
    note('other_statement', 'signatures of more than one bundle', 'signatures of one manifest')
  const manifest = readManifest(payload)
  holdAgainst(manifest, parts.files, note)
  return { parts, payload, manifest, keyIds: parts.signatures.map((one) => toHex(coseKeyId(one))), problems }
}

type Note = (code: BundleProblemCode, found: string, expected: string) => void
type Verified = Readonly<{ name: string; payload: Uint8Array; about: string }>

/** Signatures that verify with the key of somebody who is trusted, once a person, and over the same manifest. */
function verified(signatures: readonly Uint8Array[], operators: readonly Operator[], note: Note): Verified[] {
  const found: Verified[] = []
  for (const [k, signature] of signatures.entries()) {
    const which = `signature ${k + 1}`
    const one = verifiedOne(signature, { which, operators, note })
    if (one === null) continue
    const [first] = found
    if (found.some(({ name }) => name === one.name))
      note('repeated_key', `${which}: ${one.name} a second time`, 'every person once')
    else if (first !== undefined && !(equalBytes(first.payload, one.payload) && first.about === one.about))
      note('other_statement', `${which} of ${one.name} is of another bundle`, 'signatures of one manifest')
    else found.push(one)
  }
  return found
}

type Signed = Readonly<{ which: string; operators: readonly Operator[]; note: Note }>

function verifiedOne(signature: Uint8Array, { which, operators, note }: Signed): Verified | null {
  const id = read(() => coseKeyId(signature))
  if ('refused' in id) {
    note('signature', `${which}: ${id.refused.found}`, 'a COSE_Sign1 message')
    return null
  }
  const operator = operators.find(({ key }) => equalBytes(key.keyId, id.value))
  if (operator === undefined) {
    note('unknown_key', `${which} by key ${toHex(id.value)}`, 'a key of `operators` that is trusted here')
    return null
  }
  const { name, key } = operator
  const message = read(() => openCose(signature, { typ: CONFIG_BUNDLE_TYP, key }))
  if ('refused' in message) {
    note('signature', `${which} of ${name}: ${message.refused.found}`, 'a signature of the manifest')
    return null
  }
  const { issuer, subject, payload } = message.value
  if (issuer === `operator/${toHex(key.keyId)}`) return { name, payload, about: subject }
  note('signature', `${which} in the name of ${issuer}`, `that of ${name}`)
  return null
}

/** The manifest that a payload is. @throws HbError BUNDLE_SHAPE, CBOR_REFUSED */
function readManifest(payload: Uint8Array): BundleManifest {
  const map = decodeSigned(payload, MANIFEST_CAPS) as unknown
  if (!(map instanceof Map) || map.get('v') !== CONFIG_BUNDLE_VERSION || map.size !== FIELDS)
    throw shape('a manifest of another version', `version ${CONFIG_BUNDLE_VERSION}`)
  const field = <T>(name: string, holds: (value: unknown) => boolean): T => {
    const value: unknown = map.get(name)
    if (!holds(value)) throw shape(`\`${name}\` of the manifest in another form`, 'what the format says')
    return value as T
  }
  return {
    deployment: field<string>('deployment', isName),
    agent: field<string>('agent', isName),
    number: field<number>('number', (v) => Number.isSafeInteger(v) && (v as number) > 0),
    madeUs: field<number>('made_us', isCount),
    notAfterUs: field<number>('not_after_us', isCount),
    reason: field<string>('reason', isText(0, BUNDLE_REASON_CHARS_MAX)),
    rigs: field<[string, string][]>('rigs', (v) => isList(v, RIGS_MAX) && v.every(isRig)).map(([rig, program]) => ({
      rig,
      program,
    })),
    config: toHex(field<Uint8Array>('config', isDigest)),
    files: field<[string, Uint8Array, number][]>(
      'files',
      (v) => isList(v, CONFIG_BUNDLE_FILES_MAX) && v.every(isFileRow),
    ).map(([name, digest, length]) => ({ name, digest: toHex(digest), length })),
  }
}

function signedManifest({ payload, about }: Verified): BundleManifest {
  const manifest = readManifest(payload)
  if (about !== `agent/${manifest.agent}`) throw shape('claims that are not those of the manifest', 'the same agent')
  return manifest
}

/** Every file is the signed one, in the signed order, none is missing and none is more. */
function holdAgainst({ files: said, config }: BundleManifest, files: readonly JournalFile[], note: Note): void {
  const names = files.map(({ name }) => name)
  if (new Set(names).size !== names.length) note('file_differs', 'a file named twice', 'every file once')
  for (let k = 0; k < Math.max(said.length, files.length); k += 1) {
    const [should, is] = [said[k], files[k]]
    if (is === undefined) note('file_differs', `${should!.name} is missing`, 'every file that was signed')
    else if (should === undefined) note('file_differs', `${is.name} was not signed`, 'the files that were signed')
    else if (should.name !== is.name) note('file_differs', `${is.name} where ${should.name} was`, 'the signed order')
    else if (!isSame(should, is)) note('file_differs', `${is.name} has other bytes`, `${should.digest.slice(0, 16)}…`)
  }
  if (toHex(configDigest(files)) !== config)
    note('config_differs', `configuration ${toHex(configDigest(files)).slice(0, 16)}…`, `${config.slice(0, 16)}…`)
}

function isSame({ digest, length }: BundleFile, { bytes }: JournalFile): boolean {
  return bytes.length === length && equalBytes(fromHex(digest)!, digestOf(DOMAIN.file, bytes))
}

function shape(found: string, expected: string): HbError {
  return new HbError('BUNDLE_SHAPE', { found, expected })
}

/** What a person can be told of what went wrong; anything else is a bug. */
function read<T>(work: () => T): Readonly<{ value: T }> | Readonly<{ refused: { found: string; expected: string } }> {
  try {
    return { value: work() }
  } catch (error) {
    if (!isHbError(error)) throw error
    const { found, expected, reason } = error.context
    const told = found ?? (reason === undefined ? error.code : `${error.code} ${String(reason)}`)
    return { refused: { found: String(told), expected: String(expected ?? 'a bundle of `hb bundle sign`') } }
  }
}

function isList(value: unknown, max: number): value is unknown[] & readonly [] {
  return Array.isArray(value) && value.length >= 1 && value.length <= max
}

function isNamedFile(value: unknown): value is [string, Uint8Array] {
  return (
    Array.isArray(value) &&
    value.length === 2 &&
    isText(1, FILE_NAME_CHARS_MAX)(value[0]) &&
    value[1] instanceof Uint8Array
  )
}

function isFileRow(value: unknown): boolean {
  return (
    Array.isArray(value) &&
    value.length === 3 &&
    isText(1, FILE_NAME_CHARS_MAX)(value[0]) &&
    isDigest(value[1]) &&
    isCount(value[2])
  )
}

function isRig(value: unknown): boolean {
  return Array.isArray(value) && value.length === 2 && value.every(isName)
}

function isName(value: unknown): boolean {
  return typeof value === 'string' && isId(value)
}

function isDigest(value: unknown): boolean {
  return value instanceof Uint8Array && value.length === DIGEST_BYTES
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

const isText =
  (min: number, max: number) =>
  (value: unknown): boolean =>
    typeof value === 'string' && value.length >= min && value.length <= max
