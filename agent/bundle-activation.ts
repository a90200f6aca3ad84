import { configDigest } from '../shared/codec/config-digest.ts'
import type { ConfigBytes, LoadedRuntime } from '../shared/config/load.ts'
import { equalBytes, toHex } from '../shared/crypto/digest.ts'
import { BundleError } from '../shared/errors/bundle-error.ts'
import { isHbError } from '../shared/errors/hb-error.ts'
import type { BundleManifest, BundleProblem } from '../shared/model/config-bundle.ts'
import type { PolicyApplied } from '../shared/model/input.ts'
import type { Bytes, Micros } from '../shared/units.ts'
import type { BundleFolder, KeptBundle } from './adapters/bundle-folder.ts'
import type { BaselineActivation } from './baseline-activation.ts'
import type { AgentEvents } from './events.ts'
import { checkBundle, holdsPolicy, judgeBundle, restartProblems } from './pipeline/bundle-judgement.ts'
import { fixedKeysChanged } from './pipeline/fixed-keys.ts'

/** The bundle that an agent runs under. */
export type BundleInForce = Readonly<{
  manifest: BundleManifest
  /** Of its manifest, in hex. */
  digest: string
  signers: readonly string[]
  atUs: Micros
}>

/** What a start runs under: the files of the disk, or the newest bundle that still fits them. */
export type StartsUnder = Readonly<{
  configured: LoadedRuntime
  bundle: BundleInForce | null
  lastNumber: number
}>

/** That a configuration took effect: who says so, what it is, and why. */
export type AppliedNote = Omit<PolicyApplied, 'kind' | 'nowUs'>

/** Longest configuration that is journaled, baselines of the collector included: one record holds all of it. */
export const JOURNALED_BYTES_MAX: Bytes = 56 * 1024 * 1024

export type BundleActivationOptions = Readonly<{
  /** The configuration as the files of the disk say. */
  disk: LoadedRuntime
  folder: BundleFolder
  events: AgentEvents
  baselines: BaselineActivation
  nowUs(): Micros
  /** Whether the agent was started with what carries actions out. */
  canAct(): boolean
  /** Journals a configuration and lets it take effect; why not otherwise. */
  configure(files: readonly ConfigBytes[]): string | null
  /** Journals who put it in force and why. */
  applied(note: AppliedNote): void
  /** What was journaled is on the disk. */
  durable(): Promise<void>
}>

/**
 * Bundles that people hand to a running agent: verified against the operators it trusts already, kept in the state folder,
 * journaled as a configuration, and in force from the next slide on. A bundle with any problem is refused as a whole, on the
 * disk and in the evaluation.
 */
export class BundleActivation {
  private readonly options: BundleActivationOptions
  private readonly started: LoadedRuntime
  private configured: LoadedRuntime
  private bundle: BundleInForce | null
  private lastNumber: number

  constructor(options: BundleActivationOptions, { configured, bundle, lastNumber }: StartsUnder) {
    this.options = options
    this.started = configured
    this.configured = configured
    this.bundle = bundle
    this.lastNumber = lastNumber
  }

  /** The bundle in force; null while the files of the disk are. */
  get inForce(): BundleInForce | null {
    return this.bundle
  }

  /** Takes one; `source` is for the journal. @throws BundleError with every reason why not; HbError DISK_… */
  async take(bytes: Uint8Array, source: AppliedNote['source'] = 'operator'): Promise<BundleInForce> {
    const { disk, folder, events, baselines, configure } = this.options
    const { lastNumber, started, configured: inForce } = this
    const nowUs = this.options.nowUs()
    const judged = judgeBundle(bytes, { inForce, started, lastNumber, nowUs, canAct: this.options.canAct() })
    const { bundle, next, problems } = judged
    if (bundle === null || next === null || problems.length > 0) throw this.refused(bundle?.manifest ?? null, problems)
    const { manifest, digest, signers } = bundle
    const configured = { ...next, folder: disk.folder }
    const { files, left } = baselines.under(configured)
    const length = files.reduce((sum, file) => sum + file.bytes.length, 0)
    if (!(length <= JOURNALED_BYTES_MAX))
      throw this.refused(manifest, [
        { code: 'shape', found: `${length} bytes with baselines`, expected: `at most ${JOURNALED_BYTES_MAX}` },
      ])
    folder.write({
      ...{ number: manifest.number, atUs: nowUs, over: configDigest(disk.files), bundle: bytes },
      ...{ before: this.bundle?.manifest.number ?? 0, takenBackUs: 0 },
    })
    // First the disk, then the journal: a stop in between finds it at the next start, and journals it then.
    const why = configure(files)
    if (why !== null) {
      folder.remove(manifest.number)
      throw this.refused(manifest, [{ code: 'not_journaled', found: why, expected: 'a journal that takes it' }])
    }
    baselines.adopt(configured, files)
    Object.assign(this, { configured, lastNumber: manifest.number })
    this.bundle = { manifest, digest, signers, atUs: nowUs }
    this.options.applied({ source, ...provenanceOf(this.bundle), by: signers.join(', '), reason: manifest.reason })
    for (const { rig, role, why: reason } of left) events.baselineLeftOut({ rig, role, reason })
    if (await this.isDurable(manifest.number)) folder.prune()
    events.bundleActivated(toldOf(this.bundle))
    return this.bundle
  }

  /**
   * Goes back from the bundle with this digest to what was in force when it came: once, while the people who signed it let
   * it be taken back, and only to what is kept here and verifies again. @returns what is in force; null: the files of the disk
   *
   * @throws BundleError with every reason why not; HbError DISK_…
   */
  async back(digest: string, { by, reason }: Pick<AppliedNote, 'by' | 'reason'>): Promise<BundleInForce | null> {
    const { folder, events, baselines, configure } = this.options
    const nowUs = this.options.nowUs()
    const from = this.bundle
    if (from?.digest !== digest)
      throw this.refused(null, [
        { code: 'not_in_force', found: from?.digest ?? 'the files of the disk', expected: digest },
      ])
    const { manifest } = from
    const { kept, under, problems } = this.before(from, nowUs)
    if (kept === null || under === null || problems.length > 0) throw this.refused(manifest, problems)
    const { files, left } = baselines.under(under.configured)
    folder.write({ ...kept, takenBackUs: Math.max(1, nowUs) })
    const why = configure(files)
    if (why !== null) {
      folder.write(kept)
      throw this.refused(manifest, [{ code: 'not_journaled', found: why, expected: 'a journal that takes it' }])
    }
    baselines.adopt(under.configured, files)
    Object.assign(this, { configured: under.configured, bundle: under.bundle })
    const config = toHex(configDigest(files))
    this.options.applied({ source: 'rollback', ...provenanceOf(under.bundle, config), by, reason })
    for (const { rig, role, why: leftWhy } of left) events.baselineLeftOut({ rig, role, reason: leftWhy })
    await this.isDurable(manifest.number)
    const to = under.bundle?.manifest.number ?? 0
    events.bundleTakenBack({ number: manifest.number, digest, to, config, by, reason })
    return under.bundle
  }

  /** What was in force when a bundle came, and everything that stands against going back to it. */
  private before(from: BundleInForce, nowUs: Micros) {
    const { disk, folder, events, canAct } = this.options
    const { number, backWithinUs } = from.manifest
    const problems: BundleProblem[] = []
    const sinceUs = nowUs - from.atUs
    if (!(backWithinUs > 0 && sinceUs >= 0 && sinceUs <= backWithinUs))
      problems.push({
        code: 'no_way_back',
        found: `${Math.round(sinceUs / 1e6)} s after it was activated`,
        expected:
          backWithinUs === 0 ? 'a bundle whose signers let it be taken back' : `at most ${backWithinUs / 1e6} s`,
      })
    const read = folder.read()
    const kept = read.kept.find((one) => one.number === number) ?? null
    const others = { ...read, kept: read.kept.filter((one) => one.number !== number) }
    const under = readBundles(disk, { read: () => others }, events)
    const found = under.bundle?.manifest.number ?? 0
    if (kept === null || kept.before !== found)
      problems.push({
        code: 'nothing_before',
        found: `bundle ${found}`,
        expected: kept === null || kept.before === null ? 'a note of what was before' : `bundle ${kept.before}`,
      })
    const { configured: inForce, started } = this
    problems.push(...restartProblems({ inForce, started, canAct: canAct() }, under.configured))
    return { kept, under, problems }
  }

  /** A disk that fails now does not make it undone: it is in force, and its file is there for the next start. */
  private async isDurable(number: number): Promise<boolean> {
    try {
      await this.options.durable()
      return true
    } catch (error) {
      if (!isHbError(error)) throw error
      this.options.events.bundleNotDurable({ number, code: error.code })
      return false
    }
  }

  private refused(manifest: BundleManifest | null, problems: readonly BundleProblem[]): BundleError {
    const error = new BundleError(problems)
    this.options.events.bundleRefused({ number: manifest?.number ?? null, problems: error.problems.map(inWords) })
    return error
  }
}

/**
 * What a start runs under. Damage is said and the bundle before is used; a bundle that this configuration cannot have any
 * more is left out with its reasons. Files of the disk that changed since are a newer wish of who owns the machine and go
 * before every bundle. Never a part of one and a part of the other.
 */
export function readBundles(
  disk: LoadedRuntime,
  folder: Pick<BundleFolder, 'read'>,
  events: BundleReadEvents,
): StartsUnder {
  const { kept, damaged, lastNumber } = folder.read()
  for (const { file, number } of damaged) events.bundleDamaged({ file, number })
  const over = configDigest(disk.files)
  for (const one of kept) {
    const { number } = one
    if (one.takenBackUs > 0) continue
    if (!equalBytes(one.over, over)) {
      events.bundleLeftOut({ number, reasons: ['the files of the configuration were changed since'] })
      break
    }
    const found = fitting(one, disk)
    if (!('reasons' in found)) return { ...found, lastNumber }
    events.bundleLeftOut({ number, reasons: found.reasons })
  }
  // What is left out still counts against replays.
  return { configured: disk, bundle: null, lastNumber }
}

export type BundleReadEvents = Pick<AgentEvents, 'bundleDamaged' | 'bundleLeftOut'>

type Fitting = Readonly<{ configured: LoadedRuntime; bundle: BundleInForce }>

function fitting({ bundle: bytes, atUs }: KeptBundle, disk: LoadedRuntime): Fitting | { reasons: string[] } {
  const { trust, config, folder } = disk
  const place = { deployment: config.deployment, agent: config.agent }
  // It may have run out since: that bounds when it may be put in force. What is in force does not change by a clock.
  const checked = checkBundle(bytes, { trust, place, nowUs: 0, replacesPolicy: holdsPolicy(disk) })
  const { bundle, next, problems } = checked
  const fixed = next === null ? [] : fixedKeysChanged(disk, next)
  if (bundle === null || next === null || problems.length + fixed.length > 0)
    return { reasons: [...problems.map(inWords), ...fixed.map(({ key }) => `${key} is another one on the disk`)] }
  const { manifest, digest, signers } = bundle
  return { configured: { ...next, folder }, bundle: { manifest, digest, signers, atUs } }
}

/** What the journal says of a configuration that took effect; the files of the disk have no number. */
function provenanceOf(bundle: BundleInForce | null, config = ''): Pick<AppliedNote, 'policy' | 'version' | 'digest'> {
  if (bundle === null) return { policy: 'files of the disk', version: '', digest: config }
  return { policy: 'bundle', version: String(bundle.manifest.number), digest: bundle.digest }
}

/** A reason as one line. */
export function inWords({ code, found, expected, file, line, key }: BundleProblem): string {
  const place = [file === undefined ? '' : `${file}:${line ?? 1}`, key ?? ''].filter((part) => part !== '').join(' ')
  return `${code}: ${place === '' ? '' : `${place}: `}${found}; expected ${expected}`
}

/** What is said of a bundle in force, in the log, the status and answers. */
export function toldOf({ manifest, digest, signers, atUs }: BundleInForce) {
  const { number, config, reason, notAfterUs } = manifest
  return { number, digest, config, signers, reason, at_us: atUs, not_after_us: notAfterUs === 0 ? null : notAfterUs }
}
