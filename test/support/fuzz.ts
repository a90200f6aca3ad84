import { isHbError } from '../../shared/errors/hb-error.ts'
import { createPrng, type Prng } from '../../shared/lib/prng.ts'

/** Something that reads foreign bytes. */
export type FuzzTarget = Readonly<{
  name: string
  /** Valid inputs, and some that were trouble once. */
  seeds: readonly Uint8Array[]
  /** Words of the format, for inputs that are text. */
  words?: readonly string[]
  /** How many of a thousand executions are this one's. */
  share: number
  /** Whether it was taken; throws an error with a code when not. A text says what is wrong with its own answer. */
  run(bytes: Uint8Array): boolean | string
}>

export type FuzzResult = Readonly<{
  executions: number
  accepted: number
  slowestMs: number
  slowest: string
  failures: readonly string[]
}>

const BYTES_MAX = 65_536
const STEPS_MAX = 6
const FAILURES_MAX = 20
/** Heads of CBOR and numbers of files that ask for more than there is. */
const EXTREMES = [
  [0x1b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
  [0x5b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
  [0x9a, 0x80, 0x00, 0x00, 0x00],
  [0xba, 0xff, 0xff, 0xff, 0xff],
  [0x7a, 0x00, 0x10, 0x00, 0x00],
  [0xfb, 0x7f, 0xf8, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01],
  [0xfb, 0x7f, 0xf0, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00],
  [0xf9, 0x80, 0x00],
  [0xfb, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01],
  [0x9f],
  [0xff],
  [0xc2, 0x48, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
  [0xd8, 0x56, 0x48, 0, 0, 0, 0, 0, 0, 0xf8, 0x7f],
  [0x3b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
]

/** One input: a seed, changed a few times. The same `prng` gives the same. */
export function mutated({ seeds, words = [] }: Pick<FuzzTarget, 'seeds' | 'words'>, prng: Prng): Uint8Array {
  if (prng.int(64) === 0) return Uint8Array.from({ length: prng.int(200) }, () => prng.int(256))
  let bytes: Uint8Array = seeds[prng.int(seeds.length)]!.slice()
  for (let k = 1 + prng.int(STEPS_MAX); k > 0; k -= 1) bytes = changed(bytes, { seeds, words, prng })
  return bytes.length > BYTES_MAX ? bytes.slice(0, BYTES_MAX) : bytes
}

type Change = Readonly<{ seeds: readonly Uint8Array[]; words: readonly string[]; prng: Prng }>

function changed(bytes: Uint8Array, { seeds, words, prng }: Change): Uint8Array {
  const at = prng.int(bytes.length + 1)
  const end = Math.min(bytes.length, at + prng.int(24))
  const other = seeds[prng.int(seeds.length)]!
  const from = prng.int(other.length + 1)
  switch (prng.int(words.length > 0 ? 9 : 8)) {
    case 0: {
      if (at < bytes.length) bytes[at] = bytes[at]! ^ (1 << prng.int(8))
      return bytes
    }
    case 1: {
      if (at < bytes.length) bytes[at] = prng.int(256)
      return bytes
    }
    case 2:
      return put(bytes, at, end, new Uint8Array(0))
    case 3:
      return put(bytes, at, at, bytes.subarray(at, end))
    case 4:
      return put(bytes, at, end, other.subarray(from, from + prng.int(64)))
    case 5:
      return put(
        bytes,
        at,
        Math.min(bytes.length, at + prng.int(10)),
        Uint8Array.from(EXTREMES[prng.int(EXTREMES.length)]!),
      )
    case 6:
      return bytes.slice(0, at)
    case 7:
      return put(bytes, at, at, new Uint8Array(1 + prng.int(16)).fill([0, 0xff, 0x20, 0x30][prng.int(4)]!))
    default:
      return put(bytes, at, end, new TextEncoder().encode(words[prng.int(words.length)]))
  }
}

function put(bytes: Uint8Array, from: number, to: number, part: Uint8Array): Uint8Array {
  return new Uint8Array(Buffer.concat([bytes.subarray(0, from), part, bytes.subarray(to)]))
}

/** Seeds that are not taken as they are: with such only the door would be tried. */
export function refusedSeeds(target: FuzzTarget): string[] {
  return target.seeds
    .map((seed) => answerOf(target, seed.slice()))
    .filter((answer) => answer !== null)
    .map((answer) => `${target.name}: ${answer}`)
}

/** Runs a target with inputs that follow from `seed`; a failure names the input, so that it can be had again. */
export function fuzz(target: FuzzTarget, { executions, seed }: { executions: number; seed: number }): FuzzResult {
  const prng = createPrng(seed)
  const failures: string[] = []
  let [accepted, slowestMs, slowest] = [0, 0, '']
  for (let k = 0; k < executions && failures.length < FAILURES_MAX; k += 1) {
    const bytes = mutated(target, prng)
    const startMs = performance.now()
    const wrong = answerOf(target, bytes)
    const ms = performance.now() - startMs
    if (wrong === null) accepted += 1
    else if (wrong !== REFUSED) failures.push(`${target.name}: ${wrong}: ${Buffer.from(bytes).toString('hex')}`)
    if (ms > slowestMs) [slowestMs, slowest] = [ms, Buffer.from(bytes.subarray(0, 256)).toString('hex')]
  }
  return { executions, accepted, slowestMs, slowest, failures }
}

const REFUSED = 'refused'

/** null: taken; {@link REFUSED}: refused with a code; otherwise what went wrong. */
function answerOf(target: FuzzTarget, bytes: Uint8Array): string | null {
  try {
    const taken = target.run(bytes)
    return taken === true ? null : taken === false ? REFUSED : taken
  } catch (error) {
    if (isHbError(error)) return REFUSED
    return error instanceof Error ? `${error.name}: ${error.message}\n${error.stack}` : String(error)
  }
}
