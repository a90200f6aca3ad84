import type { ActionChange, SafetyInput } from '../../agent/core/safety/changes.ts'
import { Acts } from '../../agent/pipeline/act.ts'
import type { ActEvents } from '../../agent/pipeline/act-events.ts'
import type { ActionFacts } from '../../agent/pipeline/action-facts.ts'
import type { ActionLedger, LedgerAction } from '../../agent/pipeline/action-ledger.ts'
import { createReactionTimes } from '../../agent/pipeline/reaction-times.ts'
import type { Executor, ExecutorAck, ExecutorRequest, ExecutorSink } from '../../agent/ports.ts'
import { HbError } from '../../shared/errors/hb-error.ts'
import { createVirtualClock } from '../../shared/lib/clock.ts'
import { type ActionState, hasEnded } from '../../shared/model/action.ts'
import { actionChange } from './action-changes.ts'

export type WorldInput = SafetyInput | Readonly<{ kind: 'propose'; about: Partial<ActionChange> }>
export type Journaled = Readonly<{ input: WorldInput; nowUs: number }>

export const FACTS: ActionFacts = {
  mustWork: true,
  fttiUs: 500_000,
  vetoUs: 0,
  stages: { sendUs: 20_000, acceptUs: 50_000, startUs: 60_000, completeUs: 200_000 },
  backOffUs: 10_000,
}

const AFTER_ACK: Readonly<Record<string, ActionState>> = {
  accepted: 'ACCEPTED',
  started: 'STARTED',
  progress: 'STARTED',
  completed: 'COMPLETED',
  rejected: 'REJECTED',
  failed: 'FAILED',
}
const ORDER: readonly ActionState[] = ['RELEASED', 'SENT', 'UNKNOWN_OUTCOME', 'ACCEPTED', 'STARTED', 'COMPLETED']

/** The least of a safety kernel that the shell can work with: a state for each key, and a pure step. */
export class SmallKernel {
  readonly actions = new Map<string, ActionChange>()
  readonly retries: number
  readonly idempotent: boolean

  constructor({ retries = 2, idempotent = true }: { retries?: number; idempotent?: boolean }) {
    this.retries = retries
    this.idempotent = idempotent
  }

  step({ input, nowUs }: Journaled): ActionChange[] {
    if (input.kind === 'propose') {
      const proposed = actionChange({ nowUs, endUs: nowUs - 100_000, ...input.about, state: 'PROPOSED' })
      const change = { ...proposed, deadlineUs: proposed.nowUs + FACTS.fttiUs }
      this.actions.set(change.key, change)
      return [change, ...this.to(change, 'GATE_PASSED', nowUs)]
    }
    const action = 'key' in input ? this.actions.get(input.key) : undefined
    if (action === undefined || !('key' in input)) return []
    const { state } = action
    if (hasEnded(state)) {
      if (input.kind !== 'ack') return []
      return [{ ...action, from: state, nowUs, note: `late ${input.status}` }]
    }
    const next = this.next(input, action, nowUs)
    if (next === null) return []
    return next === 'again' ? this.again(action, nowUs) : this.to(action, next, nowUs)
  }

  private next(input: SafetyInput, { state, attempt, deadlineUs }: ActionChange, nowUs: number) {
    const isSent = ['SENT', 'ACCEPTED', 'STARTED'].includes(state)
    const mayAgain = attempt <= this.retries && nowUs < deadlineUs && this.idempotent
    if (input.kind === 'release') return state === 'GATE_PASSED' ? 'RELEASED' : null
    if (input.kind === 'sent') return state === 'RELEASED' ? 'SENT' : null
    if (input.kind === 'cancel') return ORDER.indexOf(state) < 1 ? 'CANCELLED' : null
    if (input.kind === 'unknown') return isSent ? 'UNKNOWN_OUTCOME' : null
    if (input.kind === 'timeout')
      return (isSent || state === 'UNKNOWN_OUTCOME') && (mayAgain && input.stage !== 'complete' ? 'again' : 'TIMED_OUT')
    const status = input.kind === 'ack' || input.kind === 'answer' ? input.status : null
    if (status === 'unknown_key') return mayAgain ? 'again' : 'FAILED'
    const to = status === null ? undefined : AFTER_ACK[status]
    if (to === undefined) return null
    return hasEnded(to) || ORDER.indexOf(to) > ORDER.indexOf(state) ? to : null
  }

  private again(action: ActionChange, nowUs: number): ActionChange[] {
    return this.to({ ...action, attempt: action.attempt + 1 }, 'SENT', nowUs, action.state)
  }

  private to(action: ActionChange, state: ActionState | false, nowUs: number, from = action.state): ActionChange[] {
    if (state === false) return []
    const change = { ...action, state, from, nowUs }
    this.actions.set(change.key, change)
    return [change]
  }
}

/** A peer that does a key once and answers it again with the first outcome; it outlives the agent. */
export class SmallPeer {
  readonly effects = new Map<string, number>()
  readonly outcomes = new Map<string, ExecutorAck['status']>()
  readonly requests: ExecutorRequest[] = []
  readonly queries: string[] = []
  on: ExecutorSink | null = null
  /** What it says to a request, one after the other. */
  acks: readonly ExecutorAck['status'][] = ['accepted', 'started', 'completed']
  behaves: 'well' | 'silent' | 'deaf' | 'unreachable' | 'hangs' = 'well'

  do(request: ExecutorRequest): void {
    this.requests.push(request)
    if (this.behaves === 'deaf') return
    if (!this.outcomes.has(request.key)) this.effects.set(request.key, (this.effects.get(request.key) ?? 0) + 1)
    this.outcomes.set(request.key, this.acks.at(-1) ?? 'accepted')
  }

  say(key: string, status: ExecutorAck['status'], from = 'pump-plc', message = ''): void {
    this.on?.ack({ key, status, from, message })
  }
}

/** Told at every arrow, before and after what it does; a crash is an arrow after which nothing has an effect any more. */
export type Arrow = (name: string) => boolean

export type WorldOptions = Readonly<{
  facts?: Partial<ActionFacts>
  kernel?: { retries?: number; idempotent?: boolean }
  arrow?: Arrow
  /** How long the evaluator takes over an input, when it is on another thread. */
  roundMs?(kind: WorldInput['kind']): number
}>

/** An agent's shell in a world of disks, a kernel and a peer that outlive it. */
export class ActionWorld {
  readonly clock = createVirtualClock(1_700_000_000_000_000)
  readonly peer = new SmallPeer()
  readonly told: string[] = []
  /** Written, and how much of it would survive a power cut. */
  readonly journal: Journaled[] = []
  durable = 0
  rows: ActionChange[] = []
  disk: 'well' | 'stalled' | 'full' = 'well'
  ledgerDisk: 'well' | 'stalled' | 'full' = 'well'
  journalTakes = true
  kernel: SmallKernel
  acts: Acts
  alive = { is: true }
  readonly times = createReactionTimes()
  private readonly options: WorldOptions
  private readonly held: (() => void)[] = []

  constructor(options: WorldOptions = {}) {
    this.options = options
    this.kernel = new SmallKernel(options.kernel ?? {})
    this.acts = this.createActs()
  }

  get state(): ActionState | undefined {
    return this.kernel.actions.get('k1')?.state
  }

  inputs(): string[] {
    return this.journal.map(({ input }) =>
      [input.kind, 'status' in input ? input.status : '', 'stage' in input ? input.stage : '']
        .filter(Boolean)
        .join(' '),
    )
  }

  propose(about: Partial<ActionChange> = {}): void {
    this.submit({ kind: 'propose', about })
  }

  /** Takes an input as the evaluator does: journaled, stepped, told. */
  submit(input: WorldInput): boolean {
    const { is } = this.alive
    if (!is || !this.pass(`before ${input.kind}`)) return true
    if (!this.journalTakes) return false
    const journaled = { input, nowUs: this.clock.nowUs() }
    this.journal.push(journaled)
    const changes = this.kernel.step(journaled)
    this.takeAll(changes, input.kind)
    this.pass(`after ${input.kind}`)
    return true
  }

  /** The agent is gone, and what was not durable with it or not; then it starts again. */
  async restart({ powerCut = true }: { powerCut?: boolean } = {}): Promise<void> {
    if (powerCut) this.journal.length = this.durable
    this.alive = { is: true }
    this.peer.on = null
    this.kernel = new SmallKernel(this.options.kernel ?? {})
    const changes = this.journal.flatMap((journaled) => this.kernel.step(journaled))
    for (const change of changes) if (!this.rows.some((row) => same(row, change))) this.rows.push(change)
    this.acts = this.createActs()
    await this.acts.start(this.open())
  }

  /** What the kernel has open. */
  open(): ActionChange[] {
    return [...this.kernel.actions.values()].filter(({ state }) => !hasEnded(state))
  }

  /** Whatever waited for a disk that stalled goes on. */
  release(): void {
    this.disk = 'well'
    this.ledgerDisk = 'well'
    for (const go of this.held.splice(0)) go()
  }

  private takeAll(changes: readonly ActionChange[], kind: WorldInput['kind']): void {
    const { acts, alive } = this
    const take = (): void => {
      if (alive.is) for (const change of changes) acts.take(change)
    }
    if (this.options.roundMs === undefined) take()
    else this.clock.after(this.options.roundMs(kind), take)
  }

  private pass(name: string): boolean {
    if (this.options.arrow !== undefined && this.alive.is && !this.options.arrow(name)) this.alive.is = false
    return this.alive.is
  }

  private createActs(): Acts {
    const { alive } = this
    return new Acts({
      clock: this.clock,
      ledger: this.ledgerOf(alive),
      journalSync: () => this.sync(alive),
      submit: (_, input) => (alive.is ? this.submit(input) : true),
      executors: new Map([['pump', this.executorOf(alive)]]),
      facts: ({ action }) => (action === 'degrade' ? null : { ...FACTS, ...this.options.facts }),
      times: this.times,
      events: this.eventsOf(),
    })
  }

  private async sync(alive: { is: boolean }): Promise<void> {
    const through = this.journal.length
    if (this.disk === 'full') throw new HbError('DISK_FULL', {})
    if (this.disk === 'stalled') await this.hold()
    await this.clock.sleep(1)
    if (!alive.is || !this.pass('before sync')) return never()
    this.durable = Math.max(this.durable, through)
    if (!this.pass('after sync')) return never()
  }

  private hold(): Promise<void> {
    return new Promise((resolve) => {
      this.held.push(resolve)
    })
  }

  private ledgerOf(alive: { is: boolean }): ActionLedger {
    return {
      record: async (changes) => {
        if (this.ledgerDisk === 'full') throw new HbError('DISK_FULL', {})
        if (this.ledgerDisk === 'stalled') await this.hold()
        await this.clock.sleep(2)
        if (!alive.is || !this.pass('before record')) return never()
        this.rows.push(...changes)
        if (!this.pass('after record')) return never()
      },
      passed: async () => undefined,
      open: async () => [...newest(this.rows).values()].filter(({ state }) => !hasEnded(state)),
      byKey: async () => null,
      list: async () => [],
      counts: () => ({ actions: 0, transitions: 0, groups: 0, dropped: 0, waiting: 0 }),
      close: async () => undefined,
    }
  }

  private executorOf(alive: { is: boolean }): Executor {
    const { peer } = this
    return {
      target: 'pump',
      start: async (on) => {
        peer.on = { ...on, ack: (ack) => alive.is && on.ack(ack) }
      },
      send: async (request) => {
        if (!alive.is || !this.pass('before send')) return never()
        if (peer.behaves === 'unreachable') throw new HbError('DATABASE_BUSY', {})
        if (peer.behaves === 'hangs') return never()
        peer.do(request)
        if (!this.pass('after send')) return never()
        if (peer.behaves === 'well') void this.answer(request.key, alive)
      },
      query: async (key) => {
        peer.queries.push(key)
        await this.clock.sleep(5)
        if (!alive.is || !this.pass('before answer')) return never()
        if (peer.behaves === 'unreachable' || peer.behaves === 'deaf') return 'no_answer'
        const status = peer.outcomes.get(key)
        return status === undefined ? 'unknown_key' : { key, status, from: 'pump-plc', message: '' }
      },
      proof: async () => true,
      stop: async () => undefined,
    }
  }

  private async answer(key: string, alive: { is: boolean }): Promise<void> {
    for (const status of this.peer.acks) {
      await this.clock.sleep(10)
      if (!alive.is || !this.pass(`before ${status}`)) return
      this.peer.say(key, status)
    }
  }

  private eventsOf(): ActEvents {
    const say = (name: string, facts: object | string = ''): void => {
      this.told.push(`${name} ${typeof facts === 'string' ? facts : Object.values(facts).join(' ')}`)
    }
    return {
      executorUp: (target) => say('up', target),
      executorDown: (target, reason) => say('down', `${target} ${reason}`),
      sent: ({ attempt, late }) => say('sent', `${attempt}${late ? ' late' : ''}`),
      notSent: ({ reason }) => say('notSent', reason),
      timeout: ({ stage }) => say('timeout', stage),
      refused: ({ reason }) => say('refused', reason),
      diskStalled: ({ mustWork, came }) => say('diskStalled', `${mustWork} ${came}`),
      ackIgnored: ({ reason }) => say('ackIgnored', reason),
      ledgerFailed: ({ code }) => say('ledgerFailed', code),
      asked: ({ answer }) => say('asked', String(answer)),
      orphan: ({ state }) => say('orphan', state),
      budget: ({ level, spentUs }) => say('budget', `${level} ${spentUs}`),
    }
  }
}

function never(): Promise<never> {
  return new Promise(() => undefined)
}

function same(a: ActionChange, b: ActionChange): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}

function newest(rows: readonly ActionChange[]): Map<string, LedgerAction> {
  const byKey = new Map<string, LedgerAction>()
  for (const row of rows) {
    const before = byKey.get(row.key)
    if (before !== undefined && (hasEnded(before.state) || row.nowUs < before.lastUs)) continue
    byKey.set(row.key, { ...row, firstUs: before?.firstUs ?? row.nowUs, lastUs: row.nowUs, transitions: 1 })
  }
  return byKey
}
