import { DIGEST_BYTES } from '../crypto/digest.ts'
import { HbError, isHbError } from '../errors/hb-error.ts'
import { invariant } from '../lib/assert.ts'
import { dayOf } from '../model/calendar-date.ts'
import type { Canonical } from '../model/decision.ts'
import { APPLIED_SOURCES, INPUT_KIND, type Input, type InputKind, type Loss } from '../model/input.ts'
import { PROVENANCES, type Provenance } from '../model/telemetry.ts'
import { MODES, type Mode } from '../model/verdict.ts'
import type { Micros } from '../units.ts'
import { ACTION_READERS, type ActionInput, actionFields } from './action-input.ts'
import { canonicalBytes } from './canonical.ts'
import { decodeSigned } from './signed-cbor.ts'

/**
 * What the body of a journal record holds: an input with its telemetry still in the bytes it arrived in.
 *
 * Body = signed-profile CBOR of an array `[kind, version, now_us, …]`, kind as numbered in `INPUT_KIND`. The numbers
 * and their order are for ever; a kind or version that is not known refuses the journal with its number (decisions 15),
 * because evaluating past it would silently be another evaluation.
 */
export type JournalInput =
  | Readonly<{
      kind: 'frame'
      nowUs: Micros
      rig: string
      origin: string
      encoding: 'cbor' | 'json'
      provenance: Provenance
      messages: readonly Uint8Array[]
      /** The times of the source are not to be believed; absent: they are. */
      time?: 'arrival'
    }>
  | Readonly<{ kind: 'config'; nowUs: Micros; files: readonly JournalFile[] }>
  | Extract<Input, { kind: 'tick' | 'mode' | 'operator' | 'run' | 'loss' | 'channel' | 'policy_applied' }>
  | ActionInput

/** One configuration file by name and exact bytes. */
export type JournalFile = Readonly<{ name: string; bytes: Uint8Array }>

const VERSION = 1
/** A frame whose source is dated by arrival; it has one field more. Others stay as they were. */
const ARRIVAL_FRAME_VERSION = 2
const TIME_BASES = ['source', 'arrival'] as const
const ENCODINGS = ['cbor', 'json'] as const
const RUN_COMMANDS = ['start', 'stop', 'note'] as const

/** The bytes of a journal record's body. @throws InvariantError for an input about actions that is past a bound. */
export function encodeJournalInput(input: JournalInput): Uint8Array {
  const body = canonicalBytes([INPUT_KIND[input.kind], versionOf(input), input.nowUs, ...fieldsOf(input)])
  // Texts of peers and people: what could be written but never read again would take everything behind it along.
  if (input.kind in ACTION_READERS) invariant(isReadable(body), `${input.kind}: fields past their bounds`)
  return body
}

function isReadable(body: Uint8Array): boolean {
  try {
    decodeJournalInput(body)
    return true
  } catch (error) {
    if (isHbError(error)) return false
    throw error
  }
}

function versionOf(input: JournalInput): number {
  return input.kind === 'frame' && input.time === 'arrival' ? ARRIVAL_FRAME_VERSION : VERSION
}

function fieldsOf(input: JournalInput): Canonical[] {
  switch (input.kind) {
    case 'frame':
      return [
        input.rig,
        input.origin,
        ENCODINGS.indexOf(input.encoding),
        PROVENANCES.indexOf(input.provenance),
        input.messages,
        ...(input.time === 'arrival' ? [TIME_BASES.indexOf(input.time)] : []),
      ]
    case 'tick':
      return []
    case 'mode':
      return [input.rig, input.mode, input.reason, input.operator, input.source]
    case 'operator':
      return [input.command, input.bootId, input.version]
    case 'config':
      return [input.files.map((f) => [f.name, f.bytes])]
    case 'run':
      return [input.rig, input.command, input.run, input.article, input.procedure, input.operator, input.note]
    case 'channel': {
      const { rig, command, channel, serial, calDate, calDue, operator, reason } = input
      return [rig, command, channel, serial, calDate, calDue, operator, reason]
    }
    case 'policy_applied':
      return [input.source, input.policy, input.version, input.digest, input.by, input.reason]
    case 'ack':
    case 'action_transition':
    case 'policy':
      return actionFields(input)
    case 'loss':
      return [
        input.resumesAfter,
        input.signedThrough,
        input.decisionSeq,
        input.chain,
        input.throughUs,
        input.unreadable.map(({ fromSeq, toSeq, reason }) => [fromSeq, toSeq, reason]),
      ]
  }
}

/**
 * Reads the body of a journal record.
 *
 * @throws HbError JOURNAL_INPUT_UNKNOWN for a kind or version this program does not know, JOURNAL_INPUT_SHAPE for a
 * body that is not what its kind says, CBOR_REFUSED for bytes outside the profile.
 */
export function decodeJournalInput(body: Uint8Array): JournalInput {
  const value = decodeSigned(body)
  if (!Array.isArray(value) || value.length < 3)
    throw new HbError('JOURNAL_INPUT_SHAPE', { found: 'not an array of at least 3' })
  const [number, version, nowUs, ...fields] = value as [unknown, unknown, unknown, ...unknown[]]
  const kind = KIND_BY_NUMBER.get(number as number)
  const newer = kind === 'frame' && version === ARRIVAL_FRAME_VERSION
  if (kind === undefined || !(version === VERSION || newer) || !(kind in READERS))
    throw new HbError('JOURNAL_INPUT_UNKNOWN', { kind: String(number), version: String(version) })
  const input = Number.isSafeInteger(nowUs) ? READERS[kind as keyof typeof READERS](nowUs as number, fields) : null
  if (input === null || versionOf(input) !== version)
    throw new HbError('JOURNAL_INPUT_SHAPE', { kind, found: 'fields of another shape' })
  return input
}

/** Kind and time of a body, without its telemetry: for counting and for the time index. */
export function peekJournalInput(body: Uint8Array): { kind: InputKind; nowUs: Micros } {
  const input = decodeJournalInput(body)
  return { kind: input.kind, nowUs: input.nowUs }
}

/** Kind of a body by its first two bytes: an array of at most 23, and the number. Undefined when it begins otherwise. */
export function inputKindOf(body: Uint8Array): InputKind | undefined {
  const isShortArray = body[0]! >= 0x83 && body[0]! <= 0x97
  return isShortArray ? KIND_BY_NUMBER.get(body[1]!) : undefined
}

const KIND_BY_NUMBER = new Map<number, InputKind>(
  Object.entries(INPUT_KIND).map(([kind, number]) => [number, kind as InputKind]),
)

const READERS = {
  ...ACTION_READERS,
  frame(nowUs: Micros, f: unknown[]): JournalInput | null {
    const encoding = ENCODINGS[f[2] as number]
    const provenance = PROVENANCES[f[3] as number]
    if (!texts(f[0], f[1]) || encoding === undefined || provenance === undefined || !Array.isArray(f[4])) return null
    if (!f[4].every((m) => m instanceof Uint8Array)) return null
    if (f.length > 6 || (f.length === 6 && TIME_BASES[f[5] as number] !== 'arrival')) return null
    return {
      kind: 'frame',
      nowUs,
      rig: f[0] as string,
      origin: f[1] as string,
      encoding,
      provenance,
      messages: f[4] as Uint8Array[],
      ...(f.length === 6 ? { time: 'arrival' as const } : {}),
    }
  },
  tick(nowUs: Micros, f: unknown[]): JournalInput | null {
    return f.length === 0 ? { kind: 'tick', nowUs } : null
  },
  mode(nowUs: Micros, f: unknown[]): JournalInput | null {
    if (f.length !== 5 || !texts(...f) || !(MODES as readonly unknown[]).includes(f[1])) return null
    const [rig, mode, reason, operator, source] = f as [string, Mode, string, string, string]
    return { kind: 'mode', nowUs, rig, mode, reason, operator, source }
  },
  operator(nowUs: Micros, f: unknown[]): JournalInput | null {
    if (f.length !== 3 || !texts(...f) || (f[0] !== 'agent_start' && f[0] !== 'agent_stop')) return null
    return { kind: 'operator', nowUs, command: f[0], bootId: f[1] as string, version: f[2] as string }
  },
  config(nowUs: Micros, f: unknown[]): JournalInput | null {
    if (f.length !== 1 || !Array.isArray(f[0])) return null
    const files = f[0] as unknown[][]
    if (!files.every((file) => Array.isArray(file) && texts(file[0]) && file[1] instanceof Uint8Array)) return null
    return {
      kind: 'config',
      nowUs,
      files: files.map((file) => ({ name: file[0] as string, bytes: file[1] as Uint8Array })),
    }
  },
  run(nowUs: Micros, f: unknown[]): JournalInput | null {
    if (f.length !== 7 || !texts(...f) || !(RUN_COMMANDS as readonly unknown[]).includes(f[1])) return null
    const [rig, command, run, article, procedure, operator, note] = f as [
      string,
      'start' | 'stop' | 'note',
      string,
      string,
      string,
      string,
      string,
    ]
    return { kind: 'run', nowUs, rig, command, run, article, procedure, operator, note }
  },
  loss(nowUs: Micros, f: unknown[]): JournalInput | null {
    const [resumesAfter, signedThrough, decisionSeq, chain, throughUs, spans] = f as [
      number,
      number,
      number,
      Uint8Array,
      number,
      unknown,
    ]
    if (f.length !== 6 || !counts(resumesAfter, signedThrough, decisionSeq, throughUs)) return null
    if (!Array.isArray(spans)) return null
    if (!(chain instanceof Uint8Array) || chain.length !== DIGEST_BYTES) return null
    const unreadable = (spans as unknown[][]).map((span) =>
      Array.isArray(span) && span.length === 3 && counts(span[0], span[1]) && texts(span[2])
        ? { fromSeq: span[0] as number, toSeq: span[1] as number, reason: span[2] as string }
        : null,
    )
    if (unreadable.includes(null)) return null
    return {
      kind: 'loss',
      nowUs,
      resumesAfter,
      signedThrough,
      decisionSeq,
      chain,
      throughUs,
      unreadable: unreadable as Loss['unreadable'],
    }
  },
  channel(nowUs: Micros, f: unknown[]): JournalInput | null {
    if (f.length !== 8 || !texts(...f) || f[1] !== 'replace') return null
    const [rig, command, channel, serial, calDate, calDue, operator, reason] = f as [
      string,
      'replace',
      string,
      string,
      string,
      string,
      string,
      string,
    ]
    if (dayOf(calDate) === null || dayOf(calDue) === null) return null
    return { kind: 'channel', nowUs, rig, command, channel, serial, calDate, calDue, operator, reason }
  },
  policy_applied(nowUs: Micros, f: unknown[]): JournalInput | null {
    const source = APPLIED_SOURCES.find((one) => one === f[0])
    if (f.length !== 6 || !texts(...f) || source === undefined) return null
    const [, policy, version, digest, by, reason] = f as [string, string, string, string, string, string]
    return { kind: 'policy_applied', nowUs, source, policy, version, digest, by, reason }
  },
} satisfies Partial<Record<InputKind, (nowUs: Micros, fields: unknown[]) => JournalInput | null>>

function counts(...values: unknown[]): boolean {
  return values.every((value) => Number.isSafeInteger(value) && (value as number) >= 0)
}

function texts(...values: unknown[]): boolean {
  return values.every((value) => typeof value === 'string')
}
