import type { JournalInput } from '../../shared/codec/journal-input.ts'
import { HbError } from '../../shared/errors/hb-error.ts'
import type { ActionState } from '../../shared/model/action.ts'
import type { RigPolicy } from '../../shared/model/actions-policy.ts'
import { type Order, PERSONS_NOTE } from '../../shared/model/order.ts'
import { alarmOrder, isOfAlarm } from '../../shared/protocol/alarm-order.ts'
import { type DeskPlace, OrderDesk, type Ordered } from '../../shared/protocol/order-desk.ts'
import type { Micros } from '../../shared/units.ts'
import type { RigChange } from '../core/rig-change.ts'
import type { BreakGlass, SafetyState } from '../core/safety/state.ts'
import type { EvaluatorState } from '../core/state.ts'
import { actionNeedsTwo, policyOrder } from './action-orders.ts'
import { alarmsView } from './alarm-view.ts'
import { type ChannelOrder, channelInput } from './channels.ts'
import { glassView } from './glass-view.ts'
import type { Intake } from './intake.ts'
import { modeInput, modeNeedsTwo, permitted } from './modes.ts'
import { requireFollowable } from './order-check.ts'
import { type RunOrder, runId, runInputs } from './runs.ts'

export type OrdersOptions = Readonly<{
  state(): EvaluatorState
  nowUs(): Micros
  /** Time by which orders are fresh: that of the machine, also where a recording is the clock. */
  wallUs(): Micros
  place: DeskPlace
  /** Whose time that is, as `clock` of the configuration says. */
  clock: string
  intake: Intake
  run(facts: { rig: string; command: string; run: string }): void
  replaced(facts: { rig: string; metric: string; channel: string; serial: string; due: string }): void
  mode(facts: { rig: string; from: string; to: string; by: string; reason: string }): void
  /** Runs something, and gives what the safety kernel and the alarms of a rig said until that was evaluated. */
  told(rig: string, run: () => void): Promise<readonly RigChange[]>
  /** What stands against arming a rig before the kernel is asked (SE-37, SE-42). */
  against(rig: string): readonly string[]
  /** What an armed rig goes without (SE-33); to arm it anew gives that back. */
  lacking(rig: string): readonly string[]
}>

/** What operators order of a running agent. An order is an input like any other: journaled first, then evaluated. */
export class Orders {
  private readonly options: OrdersOptions
  private readonly desk: OrderDesk

  constructor(options: OrdersOptions) {
    this.options = options
    this.desk = new OrderDesk(options.place, {
      needsTwo: (order, name) => this.needsTwo(order, name),
      // Whether another mode may be ordered was looked at to know that it takes two.
      check: (order) => {
        if (order.kind !== 'mode') requireFollowable(options.state(), { order, nowUs: options.nowUs() })
      },
    })
  }

  /** Starts, notes or stops a test run. @throws HbError RIG_UNKNOWN, RUN_REFUSED, DISK_… */
  run(order: RunOrder, digits: number): Record<string, unknown> {
    const nowUs = this.options.nowUs()
    const inputs = runInputs(this.options.state(), order, { nowUs, run: runId(nowUs, digits) })
    for (const input of inputs) {
      this.take(input)
      this.options.run({ rig: input.rig, command: order.command, run: input.run })
    }
    return { run: inputs[0]!.run, command: order.command, rigs: inputs.map(({ rig }) => rig), t_us: nowUs }
  }

  /** Takes note that a sensor is another one. @throws HbError RIG_UNKNOWN, CHANNEL_UNKNOWN, USAGE, DISK_… */
  channel(order: ChannelOrder): Record<string, unknown> {
    const nowUs = this.options.nowUs()
    const { input, metric } = channelInput(this.options.state(), order, nowUs)
    this.take(input)
    const { rig, channel, serial, calDue: due } = input
    this.options.replaced({ rig, metric, channel, serial, due })
    return { rig, metric, channel, serial, cal_date: input.calDate, cal_due: due, t_us: nowUs }
  }

  /**
   * Takes a signed order: carries it out, or has it wait for a second person.
   *
   * @throws HbError ORDER_REFUSED, ORDERS_WAITING, ORDER_NOT_FOLLOWED, RIG_UNKNOWN, POLICY_MISSING, MODE_REFUSED, DISK_… and what is wrong with its bytes.
   */
  async signed(bytes: Uint8Array): Promise<Record<string, unknown>> {
    const taken = this.desk.take(bytes, this.options.wallUs())
    const { id, kind, rig } = taken.order
    if (taken.state === 'waits')
      return { state: 'waits', order: id, kind, rig, by: [taken.by], until_us: taken.untilUs }
    return { state: 'done', order: id, kind, rig, by: taken.by, ...(await this.carryOut(taken)) }
  }

  /** What a person who is about to sign must be shown, and what waits for a second one. */
  desktop(): Record<string, unknown> {
    const { deployment, agent, boot, trust } = this.options.place
    const names = trust.operators.map(({ name }) => name)
    return {
      ...{ deployment, agent, boot, operators: names, clock: this.options.clock, now_us: this.options.wallUs() },
      rigs: this.options.state().rigs.map(({ settings, mode, settles, safety }) => ({
        rig: settings.rig,
        mode,
        settles_until_us: settles[0]! < 0 ? null : settles[0],
        may_go_to: permitted(mode),
        config: settings.safety?.config ?? null,
        arm: safety === null ? null : armView(safety.kernel),
        against: safety === null ? [] : this.standsAgainst(settings.rig, safety.kernel),
      })),
      waiting: this.desk.pending(this.options.wallUs()).map(({ order, by, untilUs }) => ({
        order: order.id,
        ...{ kind: order.kind, rig: order.rig, subject: order.subject, value: order.value, config: order.config },
        ...{ reason: order.reason, by, until_us: untilUs, holds_until_us: order.untilUs },
      })),
      note: PERSONS_NOTE,
    }
  }

  /** The alarms of every rig that has any. */
  alarms(): Record<string, unknown> {
    const { nowUs } = this.options
    return { rigs: this.options.state().rigs.flatMap((rig) => alarmsView(rig, nowUs()) ?? []) }
  }

  private standsAgainst(rig: string, { arm }: SafetyState): readonly string[] {
    const { against, lacking } = this.options
    return [...against(rig), ...(arm.state === 'ARMED' ? lacking(rig) : [])]
  }

  private needsTwo(order: Order, name: string): boolean {
    if (order.kind === 'mode') return modeNeedsTwo(this.options.state(), order)
    // The kernel looks again: what it does not let pass waits there for the second person.
    if (order.kind === 'manual' && this.glassOf(order.rig)?.by === name) return false
    return actionNeedsTwo(this.policyOf(order.rig), order)
  }

  private glassOf(rig: string): BreakGlass | null {
    const { state, nowUs } = this.options
    const glass = state().rigs.find(({ settings }) => settings.rig === rig)?.safety?.kernel.glass ?? null
    return glass !== null && nowUs() < glass.untilUs ? glass : null
  }

  private policyOf(rig: string): RigPolicy | null {
    const found = this.options.state().rigs.find(({ settings }) => settings.rig === rig)
    return found?.settings.safety?.policy ?? null
  }

  private async carryOut(ordered: Ordered): Promise<Record<string, unknown>> {
    const { order, by } = ordered
    if (order.kind !== 'mode') return this.act(ordered)
    const state = this.options.state()
    const nowUs = this.options.nowUs()
    const input = modeInput(state, order, { by, nowUs })
    const from = state.rigs.find((r) => r.settings.rig === input.rig)!.mode
    this.take(input)
    this.options.mode({ rig: input.rig, from, to: input.mode, by: input.operator, reason: order.reason })
    return { from, to: input.mode, t_us: nowUs }
  }

  /** Journals an order about actions or alarms, and tells what stands against it. */
  private async act({ order: signed, by, statements }: Ordered): Promise<Record<string, unknown>> {
    const { rig, kind } = signed
    if (this.policyOf(rig) === null) throw new HbError('POLICY_MISSING', { rig })
    const against = kind === 'arm' ? this.options.against(rig) : []
    if (against.length > 0) throw new HbError('ORDER_NOT_FOLLOWED', { order: kind, rig, reasons: against.join(', ') })
    const nowUs = this.options.nowUs()
    const order = isOfAlarm(signed) ? alarmOrder(signed, by) : policyOrder(signed, by)
    const said = await this.options.told(rig, () => {
      this.take({ kind: 'policy', nowUs, rig, order, statements })
    })
    const reasons = said.flatMap((change) => refusedBy(change, order.kind))
    const actions = actionsOf(said)
    // It was taken down, and nothing is done because of it: who ordered it must not take that for done.
    const undone = order.kind === 'manual' ? actions.filter(({ state }) => NOTHING_DONE.includes(state)) : []
    reasons.push(...undone.flatMap(({ state, reasons: why }) => [state, ...why]))
    if (reasons.length > 0) throw new HbError('ORDER_NOT_FOLLOWED', { order: kind, rig, reasons: reasons.join(', ') })
    return { t_us: nowUs, changes: said.length, actions }
  }

  private take(input: JournalInput): void {
    const { intake } = this.options
    if (intake.take(input) === null) throw intake.refusals.last!
  }
}

const NOTHING_DONE: readonly ActionState[] = ['GATE_DENIED', 'WOULD_HAVE_DONE', 'CANCELLED']

type Became = Readonly<{ key: string; action: string; target: string; state: ActionState; reasons: readonly string[] }>

/** What actions have become, of what was said: each once, as it was last. */
function actionsOf(said: readonly RigChange[]): Became[] {
  const newest = new Map<string, Became>()
  for (const change of said) {
    if (change.kind !== 'action') continue
    const { key, action, target, state, reasons } = change
    newest.set(key, { key, action, target, state, reasons })
  }
  return [...newest.values()]
}

function refusedBy(change: RigChange, kind: string): readonly string[] {
  if (change.kind === 'refused') return change.input === kind ? change.reasons : []
  if (change.kind !== 'alarm_state' || change.change.refused === null) return []
  return [change.change.refused]
}

function armView(kernel: SafetyState): Record<string, unknown> {
  const { arm, inhibits, open, alarms, rules } = kernel
  return {
    ...{ state: arm.state, until_us: arm.untilUs, by: arm.by },
    inhibits: inhibits.map(({ subject, untilUs, by, reason }) => ({ subject, until_us: untilUs, by, reason })),
    ...glassView(kernel),
    open: open.length,
    alarms: alarms.map(({ id, severity }) => ({ id, severity })),
    shots: rules.map(({ id, shot, permOff }) => ({ rule: id, shot, perm_off: permOff })),
  }
}
