import type { JournalInput } from '../shared/codec/journal-input.ts'
import { HbError } from '../shared/errors/hb-error.ts'
import type { Clock } from '../shared/lib/clock.ts'
import type { PolicyOrder } from '../shared/model/action-input.ts'
import type { RigPolicy } from '../shared/model/actions-policy.ts'
import { AGENT } from '../shared/model/order.ts'
import type { Micros, Millis } from '../shared/units.ts'
import type { ActionEvents } from './action-events.ts'
import type { RigChange } from './core/rig-change.ts'
import { openActions } from './core/rig-safety.ts'
import type { ActionChange, SafetyInput } from './core/safety/changes.ts'
import type { EvaluatorState } from './core/state.ts'
import { Acts } from './pipeline/act.ts'
import { actionFacts } from './pipeline/action-facts.ts'
import { type ActionLedger, recordReplayed } from './pipeline/action-ledger.ts'
import { AlarmNotices } from './pipeline/alarm-notices.ts'
import { ArmGuard } from './pipeline/arm-guard.ts'
import { Integrity } from './pipeline/integrity.ts'
import type { Permit, Permits } from './pipeline/permits.ts'
import { type ProofStore, Proofs, type ProofTarget } from './pipeline/proofs.ts'
import { createReactionTimes, type ReactionTimes } from './pipeline/reaction-times.ts'
import type { Executor, OutsideTime } from './ports.ts'

/** What an agent with policies has beside the others. */
export type Acting = Readonly<{
  ledger: ActionLedger
  /** By target. */
  executors: ReadonlyMap<string, Executor>
  /** Of the actuators that drop by themselves when the agent no longer says that it is well. */
  permits: readonly Permit[]
  /** Where proof tests are kept, and whom they are of. */
  proofs: ProofStore
  proved: readonly ProofTarget[]
  events: ActionEvents
}>

export type RigActionsOptions = Acting &
  Readonly<{
    clock: Clock
    state(): EvaluatorState
    nowUs(): Micros
    /** null: time goes on by itself. */
    outside: OutsideTime | null
    /** Settles when what was taken so far has been told; null when it has. */
    evaluated(): Promise<void> | null
    journalSync(): Promise<void>
    /** Journals an input and has it evaluated; false: the journal would not take it. */
    take(input: JournalInput): boolean
    /** A rig was armed by people: permits of it may begin. */
    armed(rig: string): void
    /** Where tokens of the dead-man stay; '' while they come through. */
    deadMan(): string
    /** How the permits of actuators stand. */
    permitStates(): Permits['states']
    /** For the test of itself, before anything is armed. */
    selfTest: Readonly<{ clock(): boolean; key(): boolean }>
  }>

/**
 * The actions of all rigs of an agent: what the safety kernel says goes to the ledger and is carried out, and what became
 * of it goes back as an input.
 */
export class RigActions {
  readonly ledger: ActionLedger
  readonly times: ReactionTimes = createReactionTimes()
  private readonly options: RigActionsOptions
  private readonly acts: Acts
  readonly integrity: Integrity
  readonly proofs: Proofs
  readonly guard: ArmGuard
  private readonly notices: AlarmNotices
  private listeners: Readonly<{ rig: string; said: RigChange[] }>[] = []

  constructor(options: RigActionsOptions) {
    const { clock, executors, events, outside } = options
    const ledger = outside === null ? options.ledger : heldLedger(options.ledger, outside)
    this.options = options
    this.ledger = ledger
    this.notices = new AlarmNotices({ executors, state: () => options.state(), notTold: events.alarmNotTold })
    this.integrity = new Integrity({
      state: () => options.state(),
      found: events.integrity,
      disarm: (rig, reason) => {
        options.take(journaled(rig, { kind: 'disarm', by: AGENT, reason }, options.nowUs()))
      },
    })
    this.proofs = new Proofs({
      clock,
      events,
      store: options.proofs,
      targets: options.proved,
      stands: (target, rigs, overdue) => this.proofStands(target, rigs, overdue),
    })
    this.guard = new ArmGuard({
      parts: { ...options.selfTest, disk: () => this.testDisk() },
      ...{ proofs: this.proofs, integrity: this.integrity, policies: () => this.policies() },
      deadMan: () => options.deadMan(),
      permits: () => options.permitStates(),
      failed: events.selfTestFailed,
    })
    this.acts = new Acts({
      ...{ clock, ledger, times: this.times, events: peersTold(events, this.guard) },
      ...(outside === null ? {} : { disk: { clock: outside.host, stallMs: OUTSIDE_STALL_MS } }),
      executors,
      otherAck: (ack) => this.notices.ack(ack),
      journalSync: () => options.journalSync(),
      submit: (rig, input) => options.take(journaled(rig, input, options.nowUs())),
      facts: (change) => actionFacts(this.policies(), change),
    })
  }

  /**
   * Brings the ledger up to what the journal said anew. Before anything else happens: the steps of an action are in order.
   *
   * @returns rigs that were armed when the process died; an orderly end has disarmed them
   */
  async restore(replayed: readonly ActionChange[]): Promise<string[]> {
    await recordReplayed(this.ledger, oneByOne(replayed))
    const armed = this.options.state().rigs.filter(({ safety }) => safety?.kernel.arm.state === 'ARMED')
    return armed.map(({ settings }) => settings.rig)
  }

  /** Begins to carry out: what was open when the agent ended is looked into first (SE-15). */
  async start(): Promise<void> {
    const nowUs = this.options.nowUs()
    this.forgetPermits()
    this.proofs.start()
    await this.guard.test()
    await this.acts.start(this.options.state().rigs.flatMap((rig) => openActions(rig, nowUs)))
    this.notices.start()
  }

  /** Takes what the kernel said about a rig. */
  take(rig: string, change: RigChange): void {
    for (const listener of this.listeners) if (listener.rig === rig) listener.said.push(change)
    this.options.events.changed(rig, change)
    if (change.kind === 'action') this.acts.take(change)
    else if (change.kind === 'alarm_state') this.notices.take(rig, change.change)
    else if (change.kind === 'arm') {
      this.integrity.armed(rig, change)
      if (change.state === 'ARMED') this.options.armed(rig)
    }
  }

  /** Runs something, and gives what the kernel said of a rig until that was evaluated. */
  async told(rig: string, run: () => void): Promise<readonly RigChange[]> {
    const listener = { rig, said: [] }
    this.listeners = [...this.listeners, listener]
    try {
      run()
      // Where it was evaluated at once, nothing of what follows from it is waited for.
      const evaluated = this.options.evaluated()
      if (evaluated !== null) await evaluated
      return listener.said
    } finally {
      this.listeners = this.listeners.filter((one) => one !== listener)
    }
  }

  private proofStands(target: string, rigs: readonly string[], overdue: boolean): boolean {
    return this.tellRigs(rigs, { kind: 'proof', target, overdue })
  }

  /** Journals that a permit was lost or is held. @returns false when the journal did not take it for every rig */
  permitStands(target: string, rigs: readonly string[], lost: boolean): boolean {
    return this.tellRigs(rigs, { kind: 'permit', target, lost })
  }

  /** Every rig of a target has an alarm of its own; one whose policy has it no longer is not asked. */
  private tellRigs(rigs: readonly string[], order: Extract<PolicyOrder, { kind: 'proof' | 'permit' }>): boolean {
    const using = this.policies().filter(
      ({ rig, targets }) => rigs.includes(rig) && targets.some(({ name }) => name === order.target),
    )
    return using.every(({ rig }) => this.options.take(journaled(rig, order, this.options.nowUs())))
  }

  /** Alarms of a life before about permits that no policy asks for any more. */
  private forgetPermits(): void {
    const { state, permits, take, nowUs } = this.options
    for (const { settings, safety } of state().rigs)
      for (const { id } of [...(safety?.kernel.alarms ?? [])]) {
        const target = PERMIT_LOST.exec(id)?.[1]
        if (target === undefined || permits.some((one) => one.target === target && one.rigs.includes(settings.rig)))
          continue
        take(journaled(settings.rig, { kind: 'permit', target, lost: false }, nowUs()))
      }
  }

  /** Journal and ledger as they are used: written, and read back. */
  private async testDisk(): Promise<void> {
    await this.options.journalSync()
    await this.ledger.list({ limit: 1 })
  }

  async stop(): Promise<void> {
    this.proofs.stop()
    await this.acts.stop()
    await this.ledger.close()
  }

  private policies(): RigPolicy[] {
    return this.options.state().rigs.flatMap(({ settings }) => settings.safety?.policy ?? [])
  }
}

/** Time stands while a disk is waited for, so there is more of it. */
const OUTSIDE_STALL_MS: Millis = 5000

/** A ledger whose disk time waits for. */
function heldLedger(ledger: ActionLedger, { hold }: OutsideTime): ActionLedger {
  return { ...ledger, record: (changes) => hold(ledger.record(changes)), passed: () => hold(ledger.passed()) }
}

const PERMIT_LOST = /^permit_lost:(.+)$/

/** Whether a target answers is of interest to who is about to arm. */
function peersTold(events: ActionEvents, guard: ArmGuard): ActionEvents {
  return {
    ...events,
    executorUp(target) {
      guard.peer(target, true)
      events.executorUp(target)
    },
    executorDown(target, reason) {
      guard.peer(target, false)
      events.executorDown(target, reason)
    },
  }
}

async function* oneByOne<T>(list: readonly T[]): AsyncGenerator<T> {
  yield* list
}

/** The journal input that an input of the kernel is. Orders of people are journaled where they are handed in. */
function journaled(rig: string, input: SafetyInput, nowUs: Micros): JournalInput {
  switch (input.kind) {
    case 'ack':
      return { ...input, nowUs, rig }
    case 'release':
    case 'sent':
    case 'timeout':
    case 'unknown':
    case 'answer':
      return { kind: 'action_transition', nowUs, rig, step: input }
    default:
      return { kind: 'policy', nowUs, rig, order: input, statements: [] }
  }
}

/** Proves the path to a target because somebody wants to know. @throws HbError TARGET_UNKNOWN, PROOF_FAILED */
export async function proveTarget(actions: RigActions | null, target: string): Promise<Record<string, unknown>> {
  const proof = await actions?.proofs.prove(target, 'operator')
  const standings = actions?.proofs.standing() ?? []
  if (proof === undefined || proof === null)
    throw new HbError('TARGET_UNKNOWN', {
      found: target,
      expected: standings.map((one) => one.target).join(', ') || 'no target: no rig has a policy',
    })
  const standing = standings.find((one) => one.target === target)
  if (!proof.ok) throw new HbError('PROOF_FAILED', { target, due_us: standing?.dueUs ?? 'never' })
  return { target, ok: true, at_us: proof.atUs, due_us: standing?.dueUs ?? null, overdue: standing?.overdue ?? false }
}
