import { DIGEST_BYTES, DOMAIN, digestOf, equalBytes, fromHex, toHex } from '../crypto/digest.ts'
import type { BundleFile, BundleManifest, FleetAgent, FleetManifest } from '../model/config-bundle.ts'
import { isId } from '../model/ids.ts'
import type { Bytes, Micros } from '../units.ts'
import { bundleShape, type Note } from './bundle-signatures.ts'
import { canonicalBytes } from './canonical.ts'
import { configDigest } from './config-digest.ts'
import type { JournalFile } from './journal-input.ts'
import { type CborCaps, decodeSigned } from './signed-cbor.ts'

/** Version of the manifest of a bundle for one agent, and of its container. */
export const CONFIG_BUNDLE_VERSION = 1
/** Version of the manifest of a bundle for many agents. */
export const FLEET_MANIFEST_VERSION = 1
/** Files of one agent in a bundle. */
export const CONFIG_BUNDLE_FILES_MAX = 1024
/** Agents of one fleet bundle, and files of all of them together. */
export const FLEET_AGENTS_MAX = 512
export const FLEET_FILES_MAX = 16_384
/** Longest time within which a fleet bundle may be taken back. */
export const BACK_WITHIN_MAX_US: Micros = 7 * 24 * 3_600_000_000
/** Longest name of a file, and longest reason, in characters. */
export const FILE_NAME_CHARS_MAX = 1024
export const BUNDLE_REASON_CHARS_MAX = 512
/** Rigs of an agent: as many as it may have. */
const RIGS_MAX = 64
/** Names of 1024 files in the widest characters, and everything else. */
const MANIFEST_BYTES_MAX: Bytes = 8 * 1024 * 1024
const MANIFEST_CAPS: CborCaps = {
  bytesMax: MANIFEST_BYTES_MAX,
  depthMax: 3,
  itemsMax: 4 * CONFIG_BUNDLE_FILES_MAX + 256,
}
const FLEET_CAPS: CborCaps = {
  bytesMax: MANIFEST_BYTES_MAX,
  depthMax: 5,
  itemsMax: 4 * FLEET_FILES_MAX + FLEET_AGENTS_MAX * (3 * RIGS_MAX + 8) + 64,
}
const FIELDS = 10
const FLEET_FIELDS = 8

/** What a manifest says beside what follows from the files. */
export type BundleDraft = Omit<BundleManifest, 'files' | 'config' | 'backWithinUs'>

export function manifestBytes(draft: BundleDraft, files: readonly JournalFile[]): Uint8Array {
  const { deployment, agent, number, madeUs, notAfterUs, reason, rigs } = draft
  return canonicalBytes({
    ...{ v: CONFIG_BUNDLE_VERSION, deployment, agent, number, made_us: madeUs, not_after_us: notAfterUs, reason },
    ...placeFields(rigs, files),
  })
}

/** What the manifest of a fleet bundle says beside what follows from the files. */
export type FleetDraft = Omit<FleetManifest, 'agents'>
/** One agent of a fleet bundle with everything that it is to run under. */
export type FleetPart = Readonly<Pick<FleetAgent, 'agent' | 'rigs'> & { files: readonly JournalFile[] }>

export function fleetManifestBytes(draft: FleetDraft, parts: readonly FleetPart[]): Uint8Array {
  const { deployment, number, madeUs, notAfterUs, backWithinUs, reason } = draft
  return canonicalBytes({
    ...{ v: FLEET_MANIFEST_VERSION, deployment, number, made_us: madeUs, not_after_us: notAfterUs },
    ...{ back_within_us: backWithinUs, reason },
    agents: parts.map(({ agent, rigs, files }) => ({ agent, ...placeFields(rigs, files) })),
  })
}

function placeFields(rigs: BundleManifest['rigs'], files: readonly JournalFile[]) {
  return {
    rigs: rigs.map(({ rig, program }) => [rig, program]),
    config: configDigest(files),
    files: files.map(({ name, bytes }) => [name, digestOf(DOMAIN.file, bytes), bytes.length]),
  }
}

type Field = <T>(name: string, holds: (value: unknown) => boolean) => T

function fieldsOf(map: ReadonlyMap<unknown, unknown>): Field {
  return <T>(name: string, holds: (value: unknown) => boolean): T => {
    const value: unknown = map.get(name)
    if (!holds(value)) throw bundleShape(`\`${name}\` of the manifest in another form`, 'what the format says')
    return value as T
  }
}

/** The manifest that a payload is. @throws HbError BUNDLE_SHAPE, CBOR_REFUSED */
export function readManifest(payload: Uint8Array): BundleManifest {
  const map = decodeSigned(payload, MANIFEST_CAPS) as unknown
  if (!(map instanceof Map) || map.get('v') !== CONFIG_BUNDLE_VERSION || map.size !== FIELDS)
    throw bundleShape('a manifest of another version', `version ${CONFIG_BUNDLE_VERSION}`)
  const field = fieldsOf(map)
  return { agent: field<string>('agent', isName), ...readTop(field), backWithinUs: 0, ...readPlace(field) }
}

/** The manifest of a fleet that a payload is. @throws HbError BUNDLE_SHAPE, CBOR_REFUSED */
export function readFleetManifest(payload: Uint8Array): FleetManifest {
  const map = decodeSigned(payload, FLEET_CAPS) as unknown
  if (!(map instanceof Map) || map.get('v') !== FLEET_MANIFEST_VERSION || map.size !== FLEET_FIELDS)
    throw bundleShape('a manifest of a fleet of another version', `version ${FLEET_MANIFEST_VERSION}`)
  const field = fieldsOf(map)
  const agents = field<Map<string, unknown>[]>('agents', (v) => isList(v, FLEET_AGENTS_MAX) && v.every(isAgentMap)).map(
    (one): FleetAgent => {
      const part = fieldsOf(one)
      return { agent: part<string>('agent', isName), ...readPlace(part) }
    },
  )
  if (new Set(agents.map(({ agent }) => agent)).size !== agents.length)
    throw bundleShape('an agent named twice', 'every agent once')
  return {
    ...readTop(field),
    backWithinUs: field<number>('back_within_us', (v) => isCount(v) && (v as number) <= BACK_WITHIN_MAX_US),
    agents,
  }
}

function isAgentMap(value: unknown): boolean {
  return value instanceof Map && value.size === 4
}

function readTop(field: Field) {
  return {
    deployment: field<string>('deployment', isName),
    number: field<number>('number', (v) => Number.isSafeInteger(v) && (v as number) > 0),
    madeUs: field<number>('made_us', isCount),
    notAfterUs: field<number>('not_after_us', isCount),
    reason: field<string>('reason', isText(0, BUNDLE_REASON_CHARS_MAX)),
  }
}

function readPlace(field: Field): Pick<BundleManifest, 'rigs' | 'config' | 'files'> {
  const rows = field<[string, Uint8Array, number][]>(
    'files',
    (v) => isList(v, CONFIG_BUNDLE_FILES_MAX) && v.every(isFileRow),
  )
  return {
    rigs: field<[string, string][]>('rigs', (v) => isList(v, RIGS_MAX) && v.every(isRig)).map(([rig, program]) => ({
      rig,
      program,
    })),
    config: toHex(field<Uint8Array>('config', isDigest)),
    files: rows.map(([name, digest, length]) => ({ name, digest: toHex(digest), length })),
  }
}

/** Every file is the signed one, in the signed order, none is missing and none is more. */
export function holdAgainst(
  { files: said, config }: Pick<BundleManifest, 'files' | 'config'>,
  files: readonly JournalFile[],
  note: Note,
): void {
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

export function isList(value: unknown, max: number): value is unknown[] & readonly [] {
  return Array.isArray(value) && value.length >= 1 && value.length <= max
}

export function isNamedFile(value: unknown): value is [string, Uint8Array] {
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
