import { canonicalBytes } from '../../shared/codec/canonical.ts'
import { CONFIG_BUNDLE_BYTES_MAX } from '../../shared/codec/config-bundle.ts'
import { type CborCaps, checkSigned, decodeSigned } from '../../shared/codec/signed-cbor.ts'
import { concat } from '../../shared/crypto/cose.ts'
import { DIGEST_BYTES, DOMAIN, digestOf, equalBytes } from '../../shared/crypto/digest.ts'
import { isHbError } from '../../shared/errors/hb-error.ts'
import type { Micros } from '../../shared/units.ts'
import { diskError, type Files, replaceFile } from './files.ts'

/** Version 1 did not say what was in force before. */
const VERSIONS = [1, 2] as const
const FOLDER = 'bundles'
/** Bundles that are kept: the one in force, and those before it for when it is damaged. */
export const BUNDLES_KEPT_MAX = 4
const CAPS: CborCaps = { bytesMax: CONFIG_BUNDLE_BYTES_MAX + 4096, depthMax: 2, itemsMax: 16 }
/** The number is the name: it counts against replays also when the file is damaged. */
const NAME = /^([1-9][0-9]{0,15})\.bundle$/

/** A bundle that was put in force. */
export type KeptBundle = Readonly<{
  number: number
  atUs: Micros
  /** Digest of the configuration on the disk when it was put in force: who changes that means it. */
  over: Uint8Array
  /** Number of the bundle that was in force before; 0: the files of the disk; null: it is not known. */
  before: number | null
  /** When it was taken back; 0: it was not. It only counts against replays then. */
  takenBackUs: Micros
  bundle: Uint8Array
}>

export type ReadBundles = Readonly<{
  /** Newest first. */
  kept: readonly KeptBundle[]
  /** Files that are not what was written, newest first. */
  damaged: readonly Readonly<{ file: string; number: number }>[]
  /** Highest number of any of them; 0 for none. */
  lastNumber: number
}>

/** Bundles in a state folder: each whole, or as if it had never come. */
export type BundleFolder = Readonly<{
  read(): ReadBundles
  /** @throws HbError DISK_FULL, DISK_READ_ONLY, DISK_FAILED; what was there is still there then */
  write(one: KeptBundle): void
  /** Takes one back that was not put in force after all. */
  remove(number: number): void
  /** Forgets what was taken back, but for the newest number, and the oldest beyond {@link BUNDLES_KEPT_MAX}. */
  prune(): void
}>

export function createBundleFolder(files: Files, statePath: string): BundleFolder {
  const folder = `${statePath}/${FOLDER}`
  const nameOf = (number: number): string => `${number}.bundle`
  const numbers = (): number[] => {
    const names = files.existsSync(folder) ? files.readdirSync(folder) : []
    const found = names.flatMap((name) => NAME.exec(name)?.[1] ?? []).map(Number)
    return found.filter((number) => Number.isSafeInteger(number)).sort((a, b) => b - a)
  }
  const remove = (number: number): void => {
    const path = `${folder}/${nameOf(number)}`
    try {
      if (files.existsSync(path)) files.unlinkSync(path)
    } catch (cause) {
      throw diskError(cause, path)
    }
  }
  const read = (): ReadBundles => {
    const kept: KeptBundle[] = []
    const damaged: { file: string; number: number }[] = []
    const found = numbers()
    for (const number of found) {
      const one = decode(new Uint8Array(files.readFileSync(`${folder}/${nameOf(number)}`)))
      if (one?.number === number) kept.push(one)
      else damaged.push({ file: `${FOLDER}/${nameOf(number)}`, number })
    }
    return { kept, damaged, lastNumber: found[0] ?? 0 }
  }
  return {
    ...{ read, remove },
    write(one) {
      try {
        files.mkdirSync(folder, { recursive: true, mode: 0o700 })
      } catch (cause) {
        throw diskError(cause, folder)
      }
      replaceFile(files, folder, nameOf(one.number), encode(one))
    },
    prune() {
      const { kept, lastNumber } = read()
      const spent = kept.filter((one) => one.takenBackUs > 0 && one.number !== lastNumber).map(({ number }) => number)
      const others = numbers().filter((number) => !spent.includes(number))
      for (const number of [...spent, ...others.slice(BUNDLES_KEPT_MAX)]) {
        try {
          remove(number)
        } catch (error) {
          // One too many does no harm, and goes the next time.
          if (!isHbError(error)) throw error
        }
      }
    },
  }
}

function encode({ number, atUs, over, before, takenBackUs, bundle }: KeptBundle): Uint8Array {
  const fields = { number, at_us: atUs, over, before, taken_back_us: takenBackUs, bundle }
  const body = canonicalBytes({ v: VERSIONS[1], ...fields })
  return concat(digestOf(DOMAIN.keptBundle, body), body)
}

/** What a file holds, or null when it is not what was written. */
function decode(bytes: Uint8Array): KeptBundle | null {
  const body = bytes.subarray(DIGEST_BYTES)
  const isWhole = equalBytes(digestOf(DOMAIN.keptBundle, body), bytes.subarray(0, DIGEST_BYTES))
  if (!isWhole || !checkSigned(body, CAPS).ok) return null
  const map = decodeSigned(body, CAPS) as unknown
  if (!(map instanceof Map) || !(VERSIONS as readonly unknown[]).includes(map.get('v'))) return null
  const [number, atUs, over, bundle]: unknown[] = ['number', 'at_us', 'over', 'bundle'].map((key) => map.get(key))
  const [before = null, takenBackUs = 0]: unknown[] = ['before', 'taken_back_us'].map((key) => map.get(key))
  const holds =
    [number, atUs, takenBackUs, before ?? 0].every(Number.isSafeInteger) &&
    over instanceof Uint8Array &&
    bundle instanceof Uint8Array
  if (!holds) return null
  return {
    ...{ number: number as number, atUs: atUs as Micros, over, bundle },
    ...{ before: before as number | null, takenBackUs: takenBackUs as Micros },
  }
}
