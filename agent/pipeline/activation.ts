import { type OpenedBaseline, openBundle } from '../../shared/codec/baseline-bundle.ts'
import type { ConfigBytes, LoadedRuntime } from '../../shared/config/load.ts'
import type { RigConfig } from '../../shared/config/types.ts'
import { DOMAIN, digestOf, equalBytes } from '../../shared/crypto/digest.ts'
import { isHbError } from '../../shared/errors/hb-error.ts'
import type { BaselineSubject } from '../../shared/model/baseline-statement.ts'
import type { Mode } from '../../shared/model/verdict.ts'
import type { BaselineDownlink, BaselineRole } from '../../shared/protocol/downlink.ts'
import type { Bytes, Micros } from '../../shared/units.ts'
import { compileSettings } from './compile-settings.ts'

/** Longest bundle that is taken: what fits into a message of the session, with room for the rest of it. */
export const ACTIVATED_BYTES_MAX: Bytes = 12 * 1024 * 1024

/** A baseline that came from the collector and was put in force for a rig. */
export type ActivatedBaseline = Readonly<{
  rig: string
  role: BaselineRole
  /** Mode it was made in. */
  mode: Mode
  /** Number of the message that brought it. */
  number: number
  atUs: Micros
  /** Digest of the bytes that the configuration named for this role when it was put in force. */
  over: Uint8Array
  bundle: Uint8Array
}>

export type Configured = Pick<LoadedRuntime, 'config' | 'trust' | 'files'>
export type Judged =
  | Readonly<{ ok: true; files: readonly ConfigBytes[]; activated: ActivatedBaseline; opened: OpenedBaseline }>
  | Readonly<{ ok: false; reason: string }>

export type JudgeAgainst = Readonly<{
  /** The configuration as its files say, before anything of the collector. */
  configured: Configured
  /** Files in force now. */
  inForce: readonly ConfigBytes[]
  /** Highest number that was ever taken. */
  lastNumber: number
  nowUs: Micros
}>

/**
 * Decides whether a baseline from the collector may be put in force, and what the configuration is then. The collector is
 * not believed: everything is verified against the operators that this agent's own configuration names.
 */
export function judgeBaseline(downlink: BaselineDownlink, against: JudgeAgainst): Judged {
  const { rig: id, role, number, bundle } = downlink
  const { configured, inForce, lastNumber, nowUs } = against
  const { config, trust } = configured
  if (config.evaluation.threads > 0)
    return no(
      'rigs on threads take another baseline at a start only: put it into the configuration, or set evaluation.threads to 0',
    )
  if (!(number > lastNumber)) return no(`number ${number} is not above ${lastNumber}: an older message was played back`)
  const rig = config.rigs.find((one) => one.rig === id)
  if (rig === undefined) return no('this agent has no such rig')
  if (trust.operators.length === 0) return no('the configuration names no operators, so that nobody is believed')
  if (bundle.length > ACTIVATED_BYTES_MAX) return no(`${bundle.length} bytes, at most ${ACTIVATED_BYTES_MAX}`)
  const opened = tried(() => openBundle(bundle, { ...trust, nowUs }))
  if (typeof opened === 'string') return no(opened)
  const misfit = misfitOf(opened, { rig, role })
  if (misfit !== null) return no(misfit)
  const { mode } = opened.record
  const name = fileOf(rig, { role, mode })
  if (name === undefined) return no(noPlaceFor(rig, { role, mode }))
  const taken = inForce.find((file) => file.name === name)?.bytes
  const doubt = doubtOf(opened, role, { taken, trust, nowUs })
  if (doubt !== null) return no(doubt)
  const files = replaced(inForce, name, bundle)
  const compiled = tried(() => compileSettings(files))
  if (typeof compiled === 'string') return no(compiled)
  const over = digestNamed(configured.files, name)
  return { ok: true, files, opened, activated: { rig: id, role, mode, number, atUs: nowUs, over, bundle } }
}

function nameOf({ rig, family }: Pick<BaselineSubject, 'rig' | 'family'>): string {
  return rig === '' ? `the family ${family}` : `rig ${rig}`
}

/** A baseline for something else than this rig. */
function misfitOf({ record }: OpenedBaseline, { rig, role }: { rig: RigConfig; role: BaselineRole }): string | null {
  const isOurs = record.rig === rig.rig || (record.family !== '' && record.family === rig.family)
  if (!isOurs || record.program !== rig.program)
    return `it is for ${nameOf(record)} of programme ${record.program}, this is ${rig.rig} of ${rig.program}`
  return record.kind === role ? null : `it is a ${record.kind} baseline, not a ${role} one`
}

type Doubting = Readonly<{ taken: Uint8Array | undefined; trust: Configured['trust']; nowUs: Micros }>

/**
 * Why it may not count. What counts for nothing is taken in one case alone: it is the very baseline in force, whose
 * approval was taken back since.
 */
function doubtOf(opened: OpenedBaseline, role: BaselineRole, { taken, trust, nowUs }: Doubting): string | null {
  if (opened.effectiveKind === role) return null
  const before = taken === undefined ? null : tried(() => openBundle(taken, { ...trust, nowUs }))
  const isTakenBack =
    before !== null &&
    typeof before !== 'string' &&
    before.effectiveKind === role &&
    equalBytes(before.digest, opened.digest) &&
    opened.request?.status === 'expired'
  return isTakenBack ? null : draftReason(opened)
}

/** What was activated before, put over the files of a start. What no longer fits is left out, with the reason. */
export function withActivated(
  configured: Configured,
  activated: readonly ActivatedBaseline[],
): Readonly<{ files: readonly ConfigBytes[]; left: readonly LeftOut[] }> {
  let { files } = configured
  const left: LeftOut[] = []
  for (const one of activated) {
    const rig = configured.config.rigs.find(({ rig: id }) => id === one.rig)
    const name = rig === undefined ? undefined : fileOf(rig, one)
    const why =
      rig === undefined || name === undefined
        ? 'the configuration has no place for it any more'
        : whyLeftOut(one, { configured, rig, name })
    if (why === null) files = replaced(files, name!, one.bundle)
    else left.push({ rig: one.rig, role: one.role, why })
  }
  return { files, left }
}

type Place = Readonly<{ configured: Configured; rig: RigConfig; name: string }>

function whyLeftOut({ role, bundle, over }: ActivatedBaseline, { configured, rig, name }: Place): string | null {
  // Whoever puts another file there after it came means that file.
  if (!equalBytes(digestNamed(configured.files, name), over)) return 'the configuration names another file since'
  const opened = tried(() => openBundle(bundle, { ...configured.trust, nowUs: 0 }))
  if (typeof opened === 'string') return opened
  const misfit = misfitOf(opened, { rig, role })
  if (misfit !== null) return misfit
  // What was taken back by its operators stays, as the draft that it is now; what nobody here vouches for does not.
  if (opened.effectiveKind === role || opened.request?.status === 'expired') return null
  return draftReason(opened)
}

function draftReason({ problems }: OpenedBaseline): string {
  return `it counts as a draft: ${problems.map(({ text }) => text).join('; ')}`
}

export type LeftOut = Readonly<{ rig: string; role: BaselineRole; why: string }>

type Wanted = Pick<ActivatedBaseline, 'role' | 'mode'>

/** File whose bytes it takes the place of. A mode with a file of its own, whether at the start or not, has no rolling one. */
function fileOf(rig: RigConfig, { role, mode }: Wanted): string | undefined {
  const ofMode = rig.mode_baseline_files?.[mode]
  const isAtStart = mode === rig.mode
  if (role === 'golden') return isAtStart ? (rig.baseline_file ?? ofMode) : ofMode
  return isAtStart && ofMode === undefined ? rig.rolling_baseline_file : undefined
}

function noPlaceFor(rig: RigConfig, { role, mode }: Wanted): string {
  const file = role === 'golden' ? 'baseline_file' : 'rolling_baseline_file'
  if (mode === rig.mode)
    return rig[file] === undefined
      ? `the configuration of the rig names no ${file} that it could replace`
      : `mode ${mode} has a file in mode_baseline_files, beside which no rolling one counts`
  return role === 'golden'
    ? `it is for mode ${mode}, and mode_baseline_files of the rig names no file for it`
    : `it is for mode ${mode}, and rolling ones are for ${rig.mode} alone, the mode at the start`
}

function replaced(files: readonly ConfigBytes[], name: string, bytes: Uint8Array): ConfigBytes[] {
  return files.map((file) => (file.name === name ? { name, bytes } : file))
}

function digestNamed(files: readonly ConfigBytes[], name: string): Uint8Array {
  return digestOf(DOMAIN.file, files.find((file) => file.name === name)?.bytes ?? new Uint8Array(0))
}

function no(reason: string): Judged {
  return { ok: false, reason }
}

/** What a person can be told of what went wrong; anything else is a bug. */
function tried<T extends object>(work: () => T): T | string {
  try {
    return work()
  } catch (error) {
    if (isHbError(error)) return error.message
    throw error
  }
}
