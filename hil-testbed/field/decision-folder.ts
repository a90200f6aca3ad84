import { readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { parse } from 'yaml'
import { isBundle, readBundle } from '../../shared/codec/baseline-bundle.ts'
import { decodeBaseline } from '../../shared/codec/baseline-record.ts'
import { configDigest } from '../../shared/codec/config-digest.ts'
import { readBytes } from '../../shared/config/files.ts'
import { defaultQualityPolicy, policyDigest } from '../../shared/config/quality-policy.ts'
import { DOMAIN, digestOf, equalBytes, toHex } from '../../shared/crypto/digest.ts'
import { HbError } from '../../shared/errors/hb-error.ts'
import type { Mode, OverallVerdict } from '../../shared/model/verdict.ts'
import { EARLIEST_US, type Micros } from '../../shared/units.ts'

/** `decision.json` as `hb decisions slice` of the same program writes it, as far as it is needed here. */
export type DecisionSlice = Readonly<{
  decision: Readonly<{
    seq: number
    rig: string
    time_us: Micros
    verdict: OverallVerdict
    mode: Mode
    findings: readonly Readonly<{ metric: string; ground: string; window_us: Micros }>[]
  }>
  begin_us: Micros
  end_us: Micros
  config: string
  baseline: string | null
  rolling: string | null
  arm: string | null
  files: readonly Readonly<{ name: string; file: string }>[]
  channels: readonly Readonly<{ channel: string; source: string; samples: number }>[]
  left_out: readonly Readonly<{ channel: string; reason: string }>[]
  left_out_more: number
  messages_refused: number
  records_damaged: number
  modes: readonly Readonly<{ at_us: Micros; mode: Mode }>[]
  starts: number
}>

type Named = Readonly<{ name: string; bytes: Uint8Array }>

/** What a decision was made from, with the configuration in force as it was written. */
export type FieldEvent = Readonly<{
  slice: DecisionSlice
  folder: string
  files: readonly Named[]
  runtime: Readonly<Record<string, unknown>>
  /** Keys of the rig in it. */
  rig: Readonly<Record<string, unknown>>
}>

/** Reads the folder that `hb decisions slice` wrote. */
export function readFieldEvent(folder: string): FieldEvent {
  const slice = JSON.parse(readFileSync(join(folder, 'decision.json'), 'utf8')) as DecisionSlice
  const files = slice.files.map(({ name, file }) => ({ name, bytes: new Uint8Array(readFileSync(join(folder, file))) }))
  const runtime = parse(new TextDecoder().decode(files[0]!.bytes)) as Readonly<Record<string, unknown>>
  const rigs = runtime['rigs'] as readonly Readonly<Record<string, unknown>>[]
  const rig = rigs.find((one) => one['rig'] === slice.decision.rig)!
  return { slice, folder, files, runtime, rig }
}

/** Bytes of a file that a key of the configuration names; null where it names none. */
export function fileAt({ files }: FieldEvent, name: unknown): Uint8Array | null {
  return files.find((file) => file.name === name)?.bytes ?? null
}

/** A recording may be of any day; the clock of an agent is not. Such a slice is played on the day of every bench. */
export function isBeforeBenches({ begin_us: beginUs }: DecisionSlice): boolean {
  return beginUs < EARLIEST_US
}

/** Longest file that is compared. */
const FILE_BYTES_MAX = 128 * 1024 * 1024

/**
 * Files on the disk must be those that the decision was made under: who mends others mends something else.
 *
 * @throws HbError FIELD_CONFIG_DIFFERS with the names of those that differ
 */
export function requireInForce({ slice, files }: FieldEvent, path: string): void {
  const folder = dirname(resolve(path))
  const read = files.map(({ name, bytes }, k) => {
    const found = readBytes(k === 0 ? path : resolve(folder, name), FILE_BYTES_MAX)
    return { name, was: bytes, is: found instanceof Uint8Array ? found : null }
  })
  const differ = read.filter(({ was, is }) => is === null || !equalBytes(was, is))
  const now = toHex(configDigest(read.map(({ name, is }) => ({ name, bytes: is ?? new Uint8Array(0) }))))
  if (differ.length === 0 && now === slice.config) return
  throw new HbError('FIELD_CONFIG_DIFFERS', {
    found: differ.map(({ name, is }) => `${name} ${is === null ? 'is not there' : 'is another one'}`).join(', '),
    expected: `the configuration of decision ${slice.decision.seq}, digest ${slice.config.slice(0, 16)}…`,
  })
}

/** A baseline without statements: its record, and the policy that its gate was judged by. */
export type FieldBaseline = Readonly<{ record: Uint8Array; policy: Uint8Array }>

/**
 * The baseline that the decision was made with, found by its digest; null where there was none.
 *
 * @throws HbError FIELD_UNFIT for a bare record whose policy is not there: nobody can certify it again
 */
export function baselineInForce(event: FieldEvent): FieldBaseline | null {
  const { slice, files, runtime } = event
  if (slice.baseline === null) return null
  for (const { bytes } of files) {
    if (bytes.length === 0 || (bytes[0]! & 0xe0) !== CBOR_MAP) continue
    const { record, policy } = isBundle(bytes) ? readBundle(bytes) : { record: bytes, policy: null }
    if (toHex(digestOf(DOMAIN.baseline, record)) !== slice.baseline) continue
    const wanted = decodeBaseline(record).gate.policy
    const governance = runtime['governance'] as Readonly<Record<string, unknown>> | undefined
    const own = fileAt(event, governance?.['quality_policy_file'])
    const candidates = [policy, own, defaultQualityPolicy().bytes]
    const found = candidates.find((one) => one !== null && equalBytes(policyDigest(one), wanted))
    if (found != null) return { record, policy: found }
    break
  }
  throw new HbError('FIELD_UNFIT', {
    found: `baseline ${slice.baseline.slice(0, 16)}… without the policy of its gate`,
    expected: 'a baseline with its policy and statements (`hb baseline export`)',
  })
}

/** Major type of a map, the first thing in a record or a bundle; no text begins like that. */
const CBOR_MAP = 0xa0
