import type { ConfigBytes, LoadedRuntime } from '../shared/config/load.ts'
import { toHex } from '../shared/crypto/digest.ts'
import { isHbError } from '../shared/errors/hb-error.ts'
import type { BaselineDownlink } from '../shared/protocol/downlink.ts'
import { BASELINE_ANSWER_VERSION, type BaselineAnswerMessage, TEXT_MAX } from '../shared/protocol/messages.ts'
import type { Micros } from '../shared/units.ts'
import type { ActivatedFolder } from './adapters/activated-baselines.ts'
import type { AgentEvents } from './events.ts'
import {
  type ActivatedBaseline,
  type Configured,
  type Judged,
  judgeBaseline,
  type LeftOut,
  withActivated,
} from './pipeline/activation.ts'

export type ActivationOptions = Readonly<{
  /** The configuration as its files say, or those of the bundle that it was started under. */
  loaded: LoadedRuntime
  folder: ActivatedFolder
  events: AgentEvents
  nowUs(): Micros
  /** Journals a configuration and lets it take effect; why not otherwise. */
  configure(files: readonly ConfigBytes[]): string | null
  /** What was journaled is on the disk. */
  durable(): Promise<void>
}>

/**
 * Baselines that the collector sends: verified, kept in the state folder, journaled as a configuration, and in force from
 * the next slide on. On any failure the one before stays, on the disk and in the evaluation.
 */
export class BaselineActivation {
  private readonly options: ActivationOptions
  private configured: LoadedRuntime
  private readonly kept = new Map<string, ActivatedBaseline>()
  private files: readonly ConfigBytes[]
  private lastNumber = 0

  constructor(options: ActivationOptions, files: readonly ConfigBytes[], activated: readonly ActivatedBaseline[]) {
    this.options = options
    this.configured = options.loaded
    this.files = files
    for (const one of activated) this.keep(one)
  }

  /** What was activated, over the files of another configuration; what it leaves out, because those files are other ones. */
  under(configured: LoadedRuntime): Readonly<{ files: readonly ConfigBytes[]; left: readonly LeftOut[] }> {
    return withActivated(configured, [...this.kept.values()])
  }

  /** Goes on from another configuration, whose files are journaled already. */
  adopt(configured: LoadedRuntime, files: readonly ConfigBytes[]): void {
    this.configured = configured
    this.files = files
  }

  /** Takes one, or says why not. Never rejects for what was sent. */
  async take(downlink: BaselineDownlink): Promise<BaselineAnswerMessage> {
    const { events, durable } = this.options
    const judged = judgeBaseline(downlink, {
      configured: this.configured,
      inForce: this.files,
      lastNumber: this.lastNumber,
      nowUs: this.options.nowUs(),
    })
    const reason = judged.ok ? this.activate(judged) : judged.reason
    const { rig, role, number } = downlink
    if (judged.ok && reason === null) {
      await durable()
      const { digest, effectiveKind } = judged.opened
      events.baselineActivated({ rig, role, number, baseline: toHex(digest), kind: effectiveKind })
      return answer(downlink, '')
    }
    events.baselineRefused({ rig, role, number, reason: reason! })
    return answer(downlink, reason!)
  }

  /** First the disk, then the journal: a stop in between finds it at the next start, and journals it then. */
  private activate({ files, activated }: Extract<Judged, { ok: true }>): string | null {
    const { folder, configure } = this.options
    const before = this.kept.get(nameOf(activated)) ?? null
    try {
      folder.write(activated)
      const why = configure(files)
      if (why !== null) {
        folder.restore(activated, before)
        return why
      }
    } catch (error) {
      if (!isHbError(error)) throw error
      return error.message
    }
    this.files = files
    this.keep(activated)
    return null
  }

  private keep(one: ActivatedBaseline): void {
    this.kept.set(nameOf(one), one)
    this.lastNumber = Math.max(this.lastNumber, one.number)
  }
}

function nameOf({ rig, role, mode }: Pick<ActivatedBaseline, 'rig' | 'role' | 'mode'>): string {
  return `${rig} ${role} ${mode}`
}

function answer({ id, rig, role }: BaselineDownlink, reason: string): BaselineAnswerMessage {
  return {
    ...{ t: 'baseline_answer', v: BASELINE_ANSWER_VERSION, id, rig, role },
    taken: reason === '',
    reason: reason.slice(0, TEXT_MAX),
  }
}

/** Reads what was activated before, says what is wrong with it, and puts it over the files of this start. */
export function readActivations(
  configured: Configured,
  folder: ActivatedFolder,
  events: AgentEvents,
): Readonly<{ files: readonly ConfigBytes[]; activated: readonly ActivatedBaseline[] }> {
  const { activated, damaged } = folder.read()
  for (const file of damaged) events.baselineFileDamaged({ file })
  const { files, left } = withActivated(configured, activated)
  for (const { rig, role, why } of left) events.baselineLeftOut({ rig, role, reason: why })
  // What is left out still counts against replays.
  return { files, activated }
}
