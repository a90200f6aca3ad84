import type { JournalInput } from '../shared/codec/journal-input.ts'
import type { Clock } from '../shared/lib/clock.ts'
import type { RigPolicy } from '../shared/model/actions-policy.ts'
import type { Micros } from '../shared/units.ts'
import type { ActionEvents } from './action-events.ts'
import type { RigChange } from './core/rig-change.ts'
import { openActions } from './core/rig-safety.ts'
import type { ActionChange, SafetyInput } from './core/safety/changes.ts'
import type { EvaluatorState } from './core/state.ts'
import { Acts } from './pipeline/act.ts'
import { actionFacts } from './pipeline/action-facts.ts'
import { type ActionLedger, recordReplayed } from './pipeline/action-ledger.ts'
import { AlarmNotices } from './pipeline/alarm-notices.ts'
import { createReactionTimes, type ReactionTimes } from './pipeline/reaction-times.ts'
import type { Executor } from './ports.ts'

/** What an agent with policies has beside the others. */
export type Acting = Readonly<{
  ledger: ActionLedger
  /** By target. */
  executors: ReadonlyMap<string, Executor>
  events: ActionEvents
}>

export type RigActionsOptions = Acting &
  Readonly<{
    clock: Clock
    state(): EvaluatorState
    nowUs(): Micros
    journalSync(): Promise<void>
    /** Journals an input and has it evaluated; false: the journal would not take it. */
    take(input: JournalInput): boolean
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
  private readonly notices: AlarmNotices
  private listeners: RigChange[][] = []

  constructor(options: RigActionsOptions) {
    const { clock, ledger, executors, events } = options
    this.options = options
    this.ledger = ledger
    this.notices = new AlarmNotices({ executors, state: () => options.state(), notTold: events.alarmNotTold })
    this.acts = new Acts({
      ...{ clock, ledger, events, times: this.times },
      executors,
      otherAck: (ack) => this.notices.ack(ack),
      journalSync: () => options.journalSync(),
      submit: (rig, input) => options.take(journaled(rig, input, options.nowUs())),
      facts: (change) => actionFacts(this.policies(), change),
    })
  }

  /** Brings the ledger up to what the journal said anew. Before anything else happens: the steps of an action are in order. */
  async restore(replayed: readonly ActionChange[]): Promise<void> {
    await recordReplayed(this.ledger, oneByOne(replayed))
  }

  /** Begins to carry out: what was open when the agent ended is looked into first (SE-15). */
  async start(): Promise<void> {
    const nowUs = this.options.nowUs()
    await this.acts.start(this.options.state().rigs.flatMap((rig) => openActions(rig, nowUs)))
    this.notices.start()
  }

  /** Takes what the kernel said about a rig. */
  take(rig: string, change: RigChange): void {
    for (const listener of this.listeners) listener.push(change)
    this.options.events.changed(rig, change)
    if (change.kind === 'action') this.acts.take(change)
    else if (change.kind === 'alarm_state') this.notices.take(rig, change.change)
  }

  /** Runs something, and gives what the kernel said meanwhile. */
  told(run: () => void): readonly RigChange[] {
    const said: RigChange[] = []
    this.listeners = [...this.listeners, said]
    try {
      run()
    } finally {
      this.listeners = this.listeners.filter((listener) => listener !== said)
    }
    return said
  }

  async stop(): Promise<void> {
    await this.acts.stop()
    await this.ledger.close()
  }

  private policies(): RigPolicy[] {
    return this.options.state().rigs.flatMap(({ settings }) => settings.safety?.policy ?? [])
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
