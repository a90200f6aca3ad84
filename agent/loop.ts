import { configDigest } from '../shared/codec/config-digest.ts'
import type { JournalInput } from '../shared/codec/journal-input.ts'
import type { LoadedRuntime } from '../shared/config/load.ts'
import { equalBytes } from '../shared/crypto/digest.ts'
import { HbError, isHbError } from '../shared/errors/hb-error.ts'
import type { Decision } from '../shared/model/decision.ts'
import type { Micros } from '../shared/units.ts'
import type { Spans } from './adapters/spans.ts'
import type { Uplink } from './adapters/ws-uplink.ts'
import { highestSeq } from './core/sources.ts'
import { deadManOf } from './dead-man.ts'
import { endRecording } from './end-recording.ts'
import type { AgentEvents } from './events.ts'
import type { Peer } from './peer.ts'
import { batchContext } from './pipeline/batch-context.ts'
import { type Batcher, type BatchIdentity, createBatcher } from './pipeline/batcher.ts'
import type { CalibrationWatch } from './pipeline/calibrations.ts'
import type { ClockWatch } from './pipeline/clock-watch.ts'
import type { DamageWatch } from './pipeline/damage-watch.ts'
import type { DeadMan } from './pipeline/dead-man.ts'
import { createDecisionLatency, type DecisionLatency } from './pipeline/decision-latency.ts'
import type { Evaluation } from './pipeline/evaluation.ts'
import { directEvaluator, type Evaluator, type Told } from './pipeline/evaluator.ts'
import { createIntake, frameInput, type Intake } from './pipeline/intake.ts'
import type { LiveView } from './pipeline/live-view.ts'
import { Orders } from './pipeline/orders.ts'
import { outgoingOf } from './pipeline/outgoing.ts'
import { Pins } from './pipeline/pins.ts'
import { gapOf, type Recovered } from './pipeline/recovery.ts'
import type { ShardThread } from './pipeline/sharded-evaluator.ts'
import { createStateSaver } from './pipeline/state-saver.ts'
import { createTimeIndex, type TimeIndex } from './pipeline/time-index.ts'
import type { AgentClock, OutsideTime, RawTelemetry, SourceLink, SourceSink, Watchdog } from './ports.ts'
import { reasonsNotReady } from './readiness.ts'
import { type Acting, RigActions } from './rig-actions.ts'
import { evaluateOnThreads } from './rig-threads.ts'
import type { AgentStorage } from './storage.ts'
import { calibrationWatch, clockWatch, damageWatch, injectedWatch, liveViewOf, selfTestOf } from './watches.ts'

export type LoopOptions = Readonly<{
  loaded: LoadedRuntime
  clock: AgentClock
  events: AgentEvents
  storage: AgentStorage
  recovered: Recovered
  identity: BatchIdentity
  /** null: no rig has a policy, and nothing is ever done. */
  acting: Acting | null
  /** Told for as long as the dead-man lives; absent: nobody of the system looks. */
  watchdog?: Watchdog | null
  /** null: nobody traces. */
  spans: Spans | null
  peer?: Pick<Peer, 'decided'> | null
  /** Absent: time goes on by itself. */
  outside?: OutsideTime | null
  /** Threads that evaluate rigs, as many as asked for. */
  shardThreads(count: number): Promise<ShardThread[]>
}>

/** Decisions that may wait to be signed; past it nothing more is taken in until the outbox takes them. */
export const ITEMS_WAITING_MAX = 100_000
/** Inputs a recording hands over before others get a turn. */
const INPUTS_AT_ONCE = 64
/** How long a recording waits before it offers an input again that the journal refused. */
const RETRY_MS = 500

/**
 * The agent between its edges: everything that comes in is journaled and evaluated one after the other in one thread,
 * and what the evaluator asks for is done here. Signing, disk syncs and sending never hold it up.
 */
export class AgentLoop {
  readonly evaluation: Evaluation
  readonly identity: BatchIdentity
  readonly timeIndex: TimeIndex = createTimeIndex()
  readonly live: LiveView
  readonly intake: Intake
  readonly batcher: Batcher
  readonly damage: DamageWatch
  readonly clockWatch: ClockWatch
  readonly orders: Orders
  readonly actions: RigActions | null
  readonly deadMan: DeadMan | null
  private readonly calibrations: CalibrationWatch
  readonly saveCheckpoint: () => Promise<void>
  /** From the moment the lateness of a slide is over until it is decided. Empty under a recording's clock. */
  readonly latency: DecisionLatency = createDecisionLatency()
  gaps = 0
  receipts = 0
  readonly links: { readonly rig: string; readonly source: string; readonly link: SourceLink }[] = []
  batchFailure: HbError | null = null
  private readonly options: LoopOptions
  private readonly cancels: (() => void)[] = []
  private uplink: Uplink | null = null
  private evaluator: Evaluator
  private inputs = 0
  private readonly pins: Pins
  stopping = false
  private renewed = false

  constructor(options: LoopOptions) {
    const {
      loaded: { config },
      storage,
      clock,
      recovered,
      identity,
    } = options
    this.options = options
    this.identity = identity
    this.evaluation = recovered.evaluation
    this.evaluator = directEvaluator(recovered.evaluation, this.carryOut)
    const { journal } = storage
    this.pins = new Pins({ journal, times: this.timeIndex, startSeq: journal.lastSeq + 1 })
    this.batcher = createBatcher({
      identity,
      journal: storage.journal,
      outbox: storage.outbox,
      clock,
      itemsMax: config.decisions.batch_items_max,
      firstJournalSeq: recovered.firstJournalSeq,
      context: () => batchContext(this.evaluation, config),
      sealed: (entry) => {
        this.batchFailure = null
        options.spans?.sealed(entry)
        this.uplink?.notify()
      },
      failed: (cause) => this.batchFailed(cause),
    })
    this.live = liveViewOf(options, (vitals) => this.uplink?.sendVitals(vitals))
    this.intake = createIntake({
      journal: storage.journal,
      evaluate: (seq, input, body) => this.evaluator.take(seq, input, body, this.deadMan?.token(seq, input)),
      refused: (error) => options.events.notJournaled(error),
      takesAgain: (refused) => options.events.journaledAgain(refused),
      blocked: () =>
        this.batcher.waiting < ITEMS_WAITING_MAX
          ? null
          : (this.batchFailure ?? new HbError('OUTBOX_FULL', { waiting: this.batcher.waiting })),
    })
    this.damage = damageWatch(options, this.batcher)
    this.clockWatch = clockWatch(options)
    this.calibrations = calibrationWatch(options, this.evaluation, () => this.nowUs())
    this.deadMan = deadManOf(options, {
      evaluation: this.evaluation,
      evaluator: () => this.evaluator,
      actions: () => this.actions,
      journalSync: () => this.journalSync(),
    })
    this.actions = options.acting === null ? null : this.act(options.acting)
    this.orders = this.takeOrders()
    this.saveCheckpoint = this.stateSaver()
    this.damage.tell(storage.journal.unreadable)
    for (const item of recovered.items) this.batcher.add(item)
    for (const gap of recovered.gaps) this.batcher.gap(gap)
  }

  private stateSaver(): () => Promise<void> {
    const { storage, events } = this.options
    return createStateSaver({
      storage,
      state: () => this.evaluator.save(),
      flush: () => this.batcher.flush(),
      flushed: () => {
        if (this.batcher.gapsWaiting === 0) this.damage.told()
      },
      saved: events.checkpointSaved,
      failed: events.checkpointFailed,
    })
  }

  connect(uplink: Uplink | null): void {
    this.uplink = uplink
  }

  /** First inputs of a start, then timers. */
  async begin(): Promise<void> {
    const { loaded, clock, identity } = this.options
    const { config, files } = loaded
    const nowUs = this.nowUs()
    const must = (input: JournalInput): void => {
      if (this.intake.take(input) === null) throw this.intake.refusals.last!
    }
    const armed = (await this.actions?.restore(this.options.recovered.actions)) ?? []
    must({ kind: 'operator', nowUs, command: 'agent_start', bootId: identity.bootId, version: identity.code.version })
    this.deadMan?.endedArmed(armed)
    const inForce = this.evaluation.state.settings?.configDigest
    if (inForce === undefined || !equalBytes(inForce, configDigest(files))) must({ kind: 'config', nowUs, files })
    if (config.evaluation.threads > 0)
      this.evaluator = await evaluateOnThreads(this.options, this.carryOut, this.deadMan)
    if (config.clock === 'system') this.cancels.push(this.clockWatch.start())
    if (config.clock !== 'recording') {
      const slideMs = Math.min(...config.rigs.map((rig) => rig.slide_ms))
      this.cancels.push(clock.every(slideMs, () => this.tick()))
      this.deadMan?.start()
    }
    await this.actions?.start()
    // Nothing may come between a loss and a state behind it: the next start must not have to look for it again.
    if (this.options.recovered.loss !== null) await this.saveCheckpoint()
    this.cancels.push(this.damage.start(), injectedWatch(this.options, this.evaluation), this.calibrations.start())
    this.cancels.push(clock.every(config.decisions.batch_ms, () => void this.batcher.flush().catch(() => undefined)))
    this.cancels.push(clock.every(config.checkpoint.every_ms, () => void this.saveCheckpoint()))
  }

  /** Time goes on. Not while more waits than may: it goes on with the next input that is taken. */
  private tick(): void {
    const take = (): boolean => this.intake.take({ kind: 'tick', nowUs: this.options.clock.nowUs() }) !== null
    if (!this.behind.full) this.deadMan?.tick(take)
  }

  /** Settles when what was taken is evaluated, and no more than a batch waits to be signed; with whether that took a wait. */
  async caughtUp(): Promise<boolean> {
    const { evaluator, batcher, options } = this
    const told = evaluator.told()
    await told
    if (batcher.waiting > options.loaded.config.decisions.batch_items_max) await batcher.flush().catch(() => undefined)
    return told !== null
  }

  /** Inputs that wait for the threads that evaluate, and whether no more may. */
  get behind(): Readonly<{ inputs: number; full: boolean }> {
    return { inputs: this.evaluator.waiting, full: this.evaluator.room() !== null }
  }

  /** Where a source of a rig puts what it receives. */
  sinkFor(rig: string, ended: () => void): SourceSink {
    return {
      deliver: (raw) => this.deliver(raw),
      tick: async (nowUs) => void this.intake.take({ kind: 'tick', nowUs }),
      ended: () => {
        if (this.options.loaded.config.rigs.some((r) => r.rig === rig)) ended()
      },
    }
  }

  private async deliver(raw: RawTelemetry): Promise<void> {
    const { clock, spans } = this.options
    const take = (): number | null => this.intake.take(frameInput(raw, this.nowUs()))
    let seq = spans === null ? take() : spans.ingest(raw, take)
    await this.evaluator.room()
    if (raw.nowUs === undefined && raw.waits !== true) return
    // A recording or a file can wait: nothing of it is lost while the disk is full.
    while (seq === null && !this.stopping) {
      await clock.sleep(RETRY_MS)
      seq = take()
    }
    this.inputs += 1
    if (this.inputs % INPUTS_AT_ONCE !== 0) return
    if (this.batcher.waiting > this.options.loaded.config.decisions.batch_items_max)
      await this.batcher.flush().catch(() => undefined)
    await clock.sleep(0)
  }

  /** The last slides of a recording are decided too. */
  endRecording(): Promise<void> {
    const { evaluator, batcher, intake, options } = this
    return endRecording({ config: options.loaded.config, clock: options.clock, evaluator, batcher, intake })
  }

  private act(acting: Acting): RigActions {
    const { clock, outside = null } = this.options
    return new RigActions({
      ...{ ...acting, clock, outside, nowUs: () => this.nowUs(), state: () => this.evaluation.state },
      journalSync: () => this.journalSync(),
      evaluated: () => this.evaluator.told(),
      take: (input) => this.intake.take(input) !== null,
      armed: (rig) => this.deadMan?.armed(rig),
      deadMan: () => this.deadMan?.stays ?? '',
      permitStates: () => this.deadMan?.permits ?? [],
      selfTest: selfTestOf(this.options, this.clockWatch),
    })
  }

  /** Settles when what was journaled would survive a power cut; time that is moved from outside waits for it. */
  journalSync(): Promise<void> {
    const synced = this.options.storage.journal.sync()
    return this.options.outside?.hold(synced) ?? synced
  }

  private takeOrders(): Orders {
    const { identity, loaded } = this.options
    return new Orders({
      state: () => this.evaluation.state,
      nowUs: () => this.nowUs(),
      ...{ intake: this.intake, clock: loaded.config.clock },
      wallUs: () => this.options.clock.nowUs(),
      place: { deployment: identity.deployment, agent: identity.agent, boot: identity.bootId, trust: loaded.trust },
      told: async (rig, run) => (await this.actions?.told(rig, run)) ?? [],
      against: (rig) => this.actions?.guard.against(rig) ?? [],
      lacking: (rig) => this.actions?.guard.lacking(rig) ?? [],
      run: this.options.events.run,
      mode: this.options.events.modeChanged,
      replaced: (facts) => {
        this.options.events.sensorReplaced(facts)
        this.calibrations.look()
      },
    })
  }

  /** Takes another configuration from the next slide on, or says why the journal does not take it. */
  configure(files: LoadedRuntime['files']): string | null {
    const seq = this.intake.take({ kind: 'config', nowUs: this.nowUs(), files })
    return seq === null ? (this.intake.refusals.last?.message ?? '') : null
  }

  /** Highest frame of a recording that was journaled before; −1 for none. */
  highestFrame(rig: string, source: string, epoch: string): number {
    const state = this.evaluation.state.rigs.find((r) => r.settings.rig === rig)
    return state === undefined ? -1 : highestSeq(state.sources, `${source}/${epoch}`)
  }

  readonly ready = (): { code: string; detail: string }[] => reasonsNotReady(this, this.nowUs())

  /**
   * The collector has batches that are not here: this folder lost its end. Begins the next epoch and signs anew what has
   * no receipt, once a life; a collector that has other decisions under these numbers refuses that too.
   */
  async renewChain(reason: string, aboveEpoch: number): Promise<boolean> {
    if (this.renewed) return false
    this.renewed = true
    const { storage, events } = this.options
    await this.batcher.between(() => {
      storage.outbox.beginEpoch(storage.folder.renewEpoch(aboveEpoch))
      return outgoingOf(storage.outbox, storage.key).items()
    })
    events.chainRenewed({ epoch: storage.outbox.epoch, reason })
    await this.batcher.flush().catch(() => undefined)
    return true
  }

  /** Nobody waits any more for a journal that takes nothing: the end is near. */
  giveUpWaiting(): void {
    this.stopping = true
  }

  /** Ends in order: the open range is closed, everything is signed, the state is saved. */
  async stop(): Promise<void> {
    this.stopping = true
    for (const cancel of this.cancels) cancel()
    const { identity } = this.options
    this.intake.take({
      kind: 'operator',
      nowUs: this.nowUs(),
      command: 'agent_stop',
      bootId: identity.bootId,
      version: identity.code.version,
    })
    this.options.outside?.letRun()
    await this.evaluator.settled()
    await this.deadMan?.stop('the agent ends')
    await this.actions?.stop()
    await this.batcher.flush().catch(() => undefined)
    await this.saveCheckpoint()
    await this.evaluator.close()
  }

  /** Time of an input that brings none of its own: under `recording` it stands still between rows. */
  nowUs(): Micros {
    return this.options.loaded.config.clock === 'recording' ? this.evaluator.nowUs : this.options.clock.nowUs()
  }

  private readonly carryOut: Told = (effects, input, seq, marks): void => {
    const { events } = this.options
    this.timeIndex.note(input.nowUs, seq)
    for (const effect of effects) {
      if (effect.kind === 'item') this.batcher.add(effect.item)
      else if (effect.kind === 'decided') {
        this.live.decided(this.evaluation.state, effect)
        this.noteLatency(effect.decision)
        this.options.spans?.decided(effect.decision)
        this.options.peer?.decided(effect.decision, this.evaluation.state)
      } else if (effect.kind === 'gap') {
        this.gaps += 1
        this.batcher.gap(gapOf(effect))
        events.gap(effect)
      } else if (effect.kind === 'safety') this.actions?.take(effect.rig, effect.change)
      else if (effect.kind === 'request_action')
        events.wouldHaveDone({ rig: effect.rig, decision: effect.seq, action: effect.action })
      else if (effect.kind === 'revised') events.revised(effect)
    }
    this.pins.take(effects, input.nowUs, seq)
    this.deadMan?.evaluated(seq, marks)
  }

  private noteLatency({ rig, timeUs }: Decision): void {
    const { loaded, clock } = this.options
    const settings = this.evaluation.state.rigs.find((r) => r.settings.rig === rig)?.settings
    if (settings === undefined || loaded.config.clock !== 'system') return
    this.latency.note(clock.nowUs() - timeUs - settings.latenessUs)
  }

  private batchFailed(cause: unknown): void {
    if (isHbError(cause) && cause.code !== this.batchFailure?.code) this.options.events.batchFailed(cause)
    if (!isHbError(cause)) this.options.events.broken('batch', cause)
    this.batchFailure = isHbError(cause) ? cause : new HbError('DISK_FAILED', { reason: String(cause) }, { cause })
  }
}

export function createAgentLoop(options: LoopOptions): AgentLoop {
  return new AgentLoop(options)
}
