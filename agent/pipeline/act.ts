import { isHbError } from '../../shared/errors/hb-error.ts'
import type { Clock } from '../../shared/lib/clock.ts'
import { HARD_ACTIONS, hasEnded, UNKNOWN_OUTCOME } from '../../shared/model/action.ts'
import type { TimedStage } from '../../shared/model/action-input.ts'
import { AGENT } from '../../shared/model/order.ts'
import { type Micros, type Millis, millisFromMicros } from '../../shared/units.ts'
import type { ActionChange, SafetyInput } from '../core/safety/changes.ts'
import type { Executor, ExecutorAck } from '../ports.ts'
import { type Backlog, createBacklog } from './act-backlog.ts'
import type { ActEvents } from './act-events.ts'
import type { ActionFacts } from './action-facts.ts'
import type { ActionLedger } from './action-ledger.ts'
import { createDurabilityWait, type DurabilityWait } from './durability.ts'
import { BEFORE_RELEASE, type LiveAction, stopTimers, UNDER_WAY } from './live-action.ts'
import { type ReactionTimes, watchBudget } from './reaction-times.ts'
import { ackText, closeOrphan, openAgain } from './resume-actions.ts'

/** Disks that take longer than this are stalled (K7). */
export const DISK_STALL_MS: Millis = 250
/** Actions under way at a time; one more is cancelled. */
export const LIVE_ACTIONS_MAX = 1_024
/** Acks of one action that are journaled; what a peer says past it is counted. */
export const ACKS_MAX = 64
export const LATE_ACKS_MAX = 8
/** Times that a release is asked for: who re-proposes more often than this never gets through. */
export const RELEASES_ASKED_MAX = 100
/** Actions that have ended and whose late acks still find their rig. */
const ENDED_MAX = 4_096

export type ActOptions = Readonly<{
  /** Timers and spans are monotonic; the time of day is looked at after a restart alone. */
  clock: Clock
  ledger: ActionLedger
  /** Settles when everything journaled so far would survive a power cut. */
  journalSync(): Promise<void>
  /** Journals an input and has it evaluated. False: the journal would not take it. Never called from within `take`. */
  submit(rig: string, input: SafetyInput): boolean
  /** By target. */
  executors: ReadonlyMap<string, Executor>
  facts(change: ActionChange): ActionFacts | null
  /** Whether an acknowledgement is of something else than an action; who says so has dealt with it. Absent: none is. */
  otherAck?(ack: ExecutorAck): boolean
  times: ReactionTimes
  events: ActEvents
  stallMs?: Millis
  /** Where time stands while a disk is waited for: whose time that is, and how much of it. Absent: it is the same. */
  disk?: Readonly<{ clock: Clock; stallMs: Millis }>
}>

/**
 * Carries out what the safety kernel decides: it decides nothing itself. Every answer goes back to the kernel as an input,
 * so that a replay of the journal comes to the same.
 *
 * Write-ahead (SE-13): before a request is handed to an executor, the journal holds that it is being sent and the ledger
 * shows it. So whatever dies, the state that is found says at least as much as was done, and a restart asks the peer.
 */
export class Acts {
  readonly live = new Map<string, LiveAction>()
  readonly options: ActOptions
  readonly backlog: Backlog
  private readonly durability: DurabilityWait
  private readonly ended = new Map<string, { readonly rig: string; acks: number }>()
  private readonly stallMs: Millis

  constructor(options: ActOptions) {
    const { clock, ledger, submit, events, disk } = options
    this.options = options
    this.backlog = createBacklog({ clock, ledger, submit, ledgerFailed: (error) => events.ledgerFailed(error) })
    this.durability = createDurabilityWait(disk?.clock ?? clock)
    this.stallMs = disk?.stallMs ?? options.stallMs ?? DISK_STALL_MS
  }

  /**
   * Starts the executors, and finds out what became of the actions that were open when the agent ended (SE-15): the
   * newest change of every one that the kernel has open. Before, what the journal said anew is recorded in the ledger.
   */
  async start(open: readonly ActionChange[]): Promise<void> {
    for (const executor of this.options.executors.values()) {
      const { target } = executor
      await executor.start({
        ack: (ack) => {
          // Who answers was verified by the link; the kernel knows peers by the target that they stand for.
          const named = { ...ack, from: target }
          if (this.options.otherAck?.(named) !== true) this.takeAck(named)
        },
        up: () => this.options.events.executorUp(target),
        down: (reason) => this.options.events.executorDown(target, reason),
      })
    }
    // The journal is the truth: a power cut may have left the ledger behind it, or ahead of it.
    const known = new Set(open.map(({ key }) => key))
    for (const action of await this.options.ledger.open()) {
      // What ended since the start may still be on its way to the ledger.
      if (!known.has(action.key) && !this.ended.has(action.key)) closeOrphan(this, action)
    }
    for (const change of open) openAgain(this, change)
  }

  /** Takes a change that the kernel says, live. Returns at once; what follows from it is told later. */
  take(change: ActionChange): void {
    const recorded = this.backlog.record(change)
    // Who waits for it has it from here; that it failed is told by the backlog.
    recorded.catch(() => undefined)
    const live = this.live.get(change.key) ?? this.begin(change)
    if (live === null) return
    const isNew = live.change.state !== change.state || live.change.attempt !== change.attempt || change.from === null
    live.recorded = recorded
    live.change = change
    watchBudget(live, change, this.options)
    if (hasEnded(change.state)) this.end(live)
    else if (isNew) this.follow(live)
  }

  /** p99 of what it took to make things durable, a term of the reaction budget. */
  durableP99Us(): Micros | null {
    return this.durability.p99Us()
  }

  /** Stops executors and timers. What is open stays so in the ledger. */
  async stop(): Promise<void> {
    this.backlog.stop()
    for (const live of this.live.values()) stopTimers(live)
    this.live.clear()
    for (const executor of this.options.executors.values()) await executor.stop()
  }

  tell(live: LiveAction, input: SafetyInput): boolean {
    return this.backlog.tell(live.change.rig, input)
  }

  timeout(live: LiveAction, stage: TimedStage): void {
    this.options.events.timeout({ key: live.change.key, target: live.change.target, stage })
    this.tell(live, { kind: 'timeout', key: live.change.key, stage })
  }

  /** What is left of the fault tolerant time; below zero when it has passed. */
  remainingUs(live: LiveAction): Micros {
    return live.deadlineUs - this.options.clock.monotonicUs()
  }

  /** Calls `then` when the stage took too long. */
  limit(live: LiveAction, stage: TimedStage, then: () => void): void {
    const { sendUs, acceptUs, startUs, completeUs } = live.facts.stages
    const stageUs = { send: sendUs, accept: acceptUs, start: startUs, complete: completeUs }[stage]
    const leftUs = this.remainingUs(live)
    live.stageTimer?.()
    live.stageTimer = this.options.clock.after((leftUs > 0 ? Math.min(stageUs, leftUs) : stageUs) / 1000, then)
  }

  private begin(change: ActionChange): LiveAction | null {
    const { clock, facts, events, submit } = this.options
    if (this.ended.has(change.key)) return null
    if (hasEnded(change.state)) {
      this.forget(change)
      return null
    }
    const known = facts(change)
    if (known === null || this.live.size >= LIVE_ACTIONS_MAX) {
      const reason = known === null ? 'NO_POLICY' : 'TOO_MANY_OPEN'
      events.refused({ key: change.key, reason })
      this.forget(change)
      queueMicrotask(() => submit(change.rig, { kind: 'cancel', key: change.key, by: AGENT, reason }))
      return null
    }
    const begunUs = clock.monotonicUs()
    const live: LiveAction = {
      change,
      facts: known,
      begunUs,
      detectedUs: change.from === null ? Math.max(0, change.nowUs - change.endUs) : null,
      deadlineUs: begunUs + (change.deadlineUs - change.nowUs),
      recorded: Promise.resolve(),
      ...{ asking: false, asked: 0, handed: 0, late: false, recovering: false, acks: 0 },
      ...{ proposedEndUs: change.endUs, done: false, told: null, stageTimer: null, vetoTimer: null, budgetTimers: [] },
    }
    this.live.set(change.key, live)
    return live
  }

  private end(live: LiveAction): void {
    stopTimers(live)
    this.live.delete(live.change.key)
    this.forget(live.change)
  }

  /** Nothing follows from it any more, but late acks still find its rig. */
  private forget({ key, rig }: ActionChange): void {
    this.ended.set(key, { rig, acks: 0 })
    if (this.ended.size > ENDED_MAX) this.ended.delete(this.ended.keys().next().value!)
  }

  /** What follows from the state that an action is in now. */
  private follow(live: LiveAction): void {
    if (BEFORE_RELEASE.includes(live.change.state)) {
      // The veto window runs on from the proposal, whatever the gates say meanwhile.
      this.askForRelease(live)
      return
    }
    live.stageTimer?.()
    live.stageTimer = null
    switch (live.change.state) {
      case 'RELEASED':
        this.prepare(live)
        break
      case 'SENT':
        this.handOver(live)
        break
      case 'ACCEPTED':
        this.limit(live, 'start', () => this.timeout(live, 'start'))
        break
      case 'STARTED':
        this.limit(live, 'complete', () => this.timeout(live, 'complete'))
        break
      default:
        break
    }
  }

  /** At once, or when the veto window is over (SE-24). */
  private askForRelease(live: LiveAction): void {
    if (live.asking) return
    live.asking = true
    const waitedUs = this.options.clock.monotonicUs() - live.begunUs
    const vetoUs = live.asked === 0 ? live.facts.vetoUs - waitedUs : 0
    const ask = (): void => {
      live.asking = false
      live.vetoTimer = null
      const { state, key } = live.change
      if (!this.isLive(live) || !BEFORE_RELEASE.includes(state)) return
      live.asked += 1
      if (live.asked > RELEASES_ASKED_MAX) this.cancel(live, 'RELEASE_NOT_REACHED')
      else if (!this.tell(live, { kind: 'release', key }) && live.facts.mustWork) {
        this.tell(live, { kind: 'sent', key })
        this.sendUnjournaled(live)
      }
    }
    if (vetoUs > 0) live.vetoTimer = this.options.clock.after(vetoUs / 1000, ask)
    else queueMicrotask(ask)
  }

  /** Released: when that is durable, it is said that it is being sent. */
  private prepare(live: LiveAction): void {
    // Done already, when not even the journal took anything.
    if (live.recovering || live.handed >= live.change.attempt) return
    const say = (): void => {
      const isTold = this.tell(live, { kind: 'sent', key: live.change.key })
      if (!isTold && live.facts.mustWork) this.sendUnjournaled(live)
    }
    this.afterPause(live, () => void this.whenDurable(live, say))
  }

  private handOver(live: LiveAction): void {
    const { attempt, from } = live.change
    if (live.recovering) return
    // That it was released is durable, and what was released counts as perhaps sent after a crash: the disks were asked.
    const isAsked = from === 'RELEASED' && attempt === 1
    const go = (): void => (isAsked ? this.send(live) : void this.whenDurable(live, () => this.send(live)))
    if (live.handed >= attempt) this.limit(live, 'accept', () => this.timeout(live, 'accept'))
    else if (from === 'SENT') this.afterPause(live, go)
    else go()
  }

  /** A retry waits for its back-off, which doubles, and never for more than half of what is left: the rest is its own. */
  private afterPause(live: LiveAction, go: () => void): void {
    const retries = live.change.attempt - 1
    const backOffUs = live.facts.backOffUs * 2 ** Math.min(30, Math.max(0, retries - 1))
    const pauseUs = retries > 0 ? Math.min(backOffUs, this.remainingUs(live) / 2) : 0
    if (pauseUs > 0) live.stageTimer = this.options.clock.after(pauseUs / 1000, go)
    else go()
  }

  /**
   * Goes on when journal and ledger have it. The exception (K7): a must-work action goes on without; another hard one is
   * denied, and a gentler one waits as long as it is of use.
   */
  private async whenDurable(live: LiveAction, go: () => void): Promise<void> {
    const { state, attempt, action, key } = live.change
    const parts = [this.options.journalSync(), live.recorded]
    let came = await this.durability.wait(parts, this.patienceMs(live))
    const mayWait = came === 'stalled' && !live.facts.mustWork && !HARD_ACTIONS.includes(action)
    if (mayWait) came = await this.durability.wait(parts, Math.max(0, this.remainingUs(live) / 1000))
    const isSame = live.change.state === state && live.change.attempt === attempt
    if (!this.isLive(live) || !isSame || live.recovering) return
    if (came === 'durable') return go()
    this.options.events.diskStalled({ key, mustWork: live.facts.mustWork, came })
    if (live.facts.mustWork) {
      this.noteLate(live)
      go()
    } else if (state === 'RELEASED') this.cancel(live, 'DISK_STALLED')
    else this.timeout(live, 'send')
  }

  /** A must-work action spends a quarter of what is left at most, and nothing once it was found that the disk stalls. */
  private patienceMs(live: LiveAction): Millis {
    if (!live.facts.mustWork || this.options.disk !== undefined) return this.stallMs
    return live.late ? 0 : Math.max(1, Math.min(this.stallMs, this.remainingUs(live) / 4000))
  }

  /** Not even the journal takes anything: the release is told later, and the gates of the proposal have to do (K7). */
  private sendUnjournaled(live: LiveAction): void {
    const { key } = live.change
    this.options.events.diskStalled({ key, mustWork: true, came: 'refused' })
    this.noteLate(live)
    this.send(live)
  }

  private noteLate(live: LiveAction): void {
    if (live.late) return
    live.late = true
    const { change } = live
    const note = { ...change, from: change.state, reasons: ['DISK_STALLED'], note: 'sent before it was durable' }
    this.backlog.record(note).catch(() => undefined)
  }

  private send(live: LiveAction): void {
    const { key, rig, action, target, params, attempt } = live.change
    live.handed = attempt
    const leftUs = this.remainingUs(live)
    // Past its time a must-work action is better late than never; a peer does not do what comes without a budget.
    const budgetUs = live.facts.mustWork ? Math.max(leftUs, live.facts.stages.acceptUs) : leftUs
    const executor = this.options.executors.get(target)
    if (executor === undefined || !(budgetUs > 0)) {
      this.options.events.notSent({ key, target, reason: executor === undefined ? 'no executor' : 'too late' })
      this.timeout(live, 'send')
      return
    }
    const isThis = (): boolean => this.isLive(live) && live.change.state === 'SENT' && live.handed === attempt
    let isOver = false
    this.limit(live, 'send', () => {
      isOver = true
      this.timeout(live, 'send')
    })
    const timer = live.stageTimer
    const request = { key, rig, action, target, params, attempt, budgetMs: Math.max(1, millisFromMicros(budgetUs)) }
    executor.send(request).then(
      () => {
        if (live.stageTimer === timer) timer?.()
        this.options.events.sent({ key, target, attempt, late: live.late })
        if (!isOver && isThis()) this.limit(live, 'accept', () => this.timeout(live, 'accept'))
      },
      (error: unknown) => {
        if (!isHbError(error)) throw error
        this.options.events.notSent({ key, target, reason: error.code })
        // What the kernel has not said yet is sent when it says so.
        if (!isThis()) live.handed = Math.min(live.handed, attempt - 1)
        else if (!isOver) this.timeout(live, 'send')
      },
    )
  }

  private cancel(live: LiveAction, reason: string): void {
    this.tell(live, { kind: 'cancel', key: live.change.key, by: AGENT, reason })
  }

  private isLive(live: LiveAction): boolean {
    return this.live.get(live.change.key) === live
  }

  private takeAck(ack: ExecutorAck): void {
    const live = this.live.get(ack.key)
    const known = live ?? this.ended.get(ack.key)
    const isTooMany = known !== undefined && known.acks >= (live === undefined ? LATE_ACKS_MAX : ACKS_MAX)
    if (known === undefined || isTooMany) {
      this.options.events.ackIgnored({ key: ackText(ack.key), reason: isTooMany ? 'too many' : 'unknown key' })
      return
    }
    known.acks += 1
    const rig = 'rig' in known ? known.rig : known.change.rig
    const { key, status, from, message } = ack
    this.backlog.tell(rig, { kind: 'ack', key, status, from: ackText(from), message: ackText(message) })
  }

  /** Takes up again what was open before a restart; see resume-actions.ts. */
  resume(change: ActionChange, remainingUs: Micros): LiveAction | null {
    const live = this.live.get(change.key) ?? this.begin(change)
    if (live === null) return null
    live.deadlineUs = this.options.clock.monotonicUs() + remainingUs
    return live
  }

  /** Goes on with an action that was certainly not sent. */
  goOn(live: LiveAction): void {
    this.follow(live)
  }

  isUnderWay(live: LiveAction): boolean {
    const { state } = live.change
    const isNotTaken = live.recovering && state === 'RELEASED'
    return this.isLive(live) && (UNDER_WAY.includes(state) || state === UNKNOWN_OUTCOME || isNotTaken)
  }
}
