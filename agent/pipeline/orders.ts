import type { JournalInput } from '../../shared/codec/journal-input.ts'
import type { Micros } from '../../shared/units.ts'
import type { EvaluatorState } from '../core/state.ts'
import { type ChannelOrder, channelInput } from './channels.ts'
import type { Intake } from './intake.ts'
import { type RunOrder, runId, runInputs } from './runs.ts'

export type OrdersOptions = Readonly<{
  state(): EvaluatorState
  nowUs(): Micros
  intake: Intake
  run(facts: { rig: string; command: string; run: string }): void
  replaced(facts: { rig: string; metric: string; channel: string; serial: string; due: string }): void
}>

/** What operators order of a running agent. An order is an input like any other: journaled first, then evaluated. */
export class Orders {
  private readonly options: OrdersOptions

  constructor(options: OrdersOptions) {
    this.options = options
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

  private take(input: JournalInput): void {
    const { intake } = this.options
    if (intake.take(input) === null) throw intake.refusals.last!
  }
}
