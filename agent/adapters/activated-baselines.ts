import { BUNDLE_BYTES_MAX } from '../../shared/codec/baseline-bundle.ts'
import { canonicalBytes } from '../../shared/codec/canonical.ts'
import { type CborCaps, checkSigned, decodeSigned } from '../../shared/codec/signed-cbor.ts'
import { concat } from '../../shared/crypto/cose.ts'
import { DIGEST_BYTES, DOMAIN, digestOf, equalBytes } from '../../shared/crypto/digest.ts'
import { MODES, type Mode } from '../../shared/model/verdict.ts'
import { BASELINE_ROLES, type BaselineRole } from '../../shared/protocol/downlink.ts'
import type { Micros } from '../../shared/units.ts'
import type { ActivatedBaseline } from '../pipeline/activation.ts'
import { diskError, type Files, replaceFile } from './files.ts'

const VERSION = 1
const FOLDER = 'baselines'
const CAPS: CborCaps = { bytesMax: BUNDLE_BYTES_MAX + 4096, depthMax: 3, itemsMax: 64 }

export type ReadActivated = Readonly<{
  activated: readonly ActivatedBaseline[]
  /** Files that are not what was written. */
  damaged: readonly string[]
}>

type Place = Pick<ActivatedBaseline, 'rig' | 'role' | 'mode'>

/** Baselines from the collector in a state folder: a file for each rig, role and mode, whole or as it was before. */
export type ActivatedFolder = Readonly<{
  read(): ReadActivated
  /** @throws HbError DISK_FULL, DISK_READ_ONLY, DISK_FAILED; what was there is still there then */
  write(one: ActivatedBaseline): void
  /** Puts back what was there before a {@link write}; null: nothing. */
  restore(one: Place, before: ActivatedBaseline | null): void
}>

export function createActivatedFolder(files: Files, statePath: string): ActivatedFolder {
  const folder = `${statePath}/${FOLDER}`
  const nameOf = ({ rig, role, mode }: Place): string => `${rig}.${role}.${mode}`
  const write = (one: ActivatedBaseline): void => {
    try {
      files.mkdirSync(folder, { recursive: true, mode: 0o700 })
    } catch (cause) {
      throw diskError(cause, folder)
    }
    replaceFile(files, folder, nameOf(one), encode(one))
  }
  return {
    write,
    restore(one, before) {
      const path = `${folder}/${nameOf(one)}`
      if (before !== null) write(before)
      else if (files.existsSync(path)) files.unlinkSync(path)
    },
    read() {
      const activated: ActivatedBaseline[] = []
      const damaged: string[] = []
      const names = files.existsSync(folder) ? files.readdirSync(folder) : []
      for (const name of names.filter((one) => !one.endsWith('.new')).sort()) {
        const one = decode(new Uint8Array(files.readFileSync(`${folder}/${name}`)))
        if (one !== null && nameOf(one) === name) activated.push(one)
        else damaged.push(`${FOLDER}/${name}`)
      }
      return { activated, damaged }
    },
  }
}

function encode({ rig, role, mode, number, atUs, over, bundle }: ActivatedBaseline): Uint8Array {
  const body = canonicalBytes({ v: VERSION, rig, role, mode, number, at_us: atUs, over, bundle })
  return concat(digestOf(DOMAIN.activated, body), body)
}

/** What a file holds, or null when it is not what was written. */
function decode(bytes: Uint8Array): ActivatedBaseline | null {
  const body = bytes.subarray(DIGEST_BYTES)
  const isWhole = equalBytes(digestOf(DOMAIN.activated, body), bytes.subarray(0, DIGEST_BYTES))
  if (!isWhole || !checkSigned(body, CAPS).ok) return null
  const map = decodeSigned(body, CAPS) as unknown
  if (!(map instanceof Map) || map.get('v') !== VERSION) return null
  const [rig, role, number, atUs]: unknown[] = ['rig', 'role', 'number', 'at_us'].map((key) => map.get(key))
  const [mode, over, bundle]: unknown[] = ['mode', 'over', 'bundle'].map((key) => map.get(key))
  const holds =
    typeof rig === 'string' &&
    (BASELINE_ROLES as readonly unknown[]).includes(role) &&
    (MODES as readonly unknown[]).includes(mode) &&
    Number.isSafeInteger(number) &&
    Number.isSafeInteger(atUs) &&
    over instanceof Uint8Array &&
    bundle instanceof Uint8Array
  if (!holds) return null
  return {
    ...{ rig, role: role as BaselineRole, mode: mode as Mode },
    ...{ number: number as number, atUs: atUs as Micros, over, bundle },
  }
}
