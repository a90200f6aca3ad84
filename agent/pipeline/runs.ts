import type { JournalInput } from '../../shared/codec/journal-input.ts'
import { HbError } from '../../shared/errors/hb-error.ts'
import type { Micros } from '../../shared/units.ts'
import type { EvaluatorState, RigState } from '../core/state.ts'

/** What an operator says about a test run; `rig` null is every rig of the agent. */
export type RunOrder = Readonly<{
  command: 'start' | 'stop' | 'note'
  rig: string | null
  article: string
  procedure: string
  operator: string
  note: string
}>

type RunInput = Extract<JournalInput, { kind: 'run' }>

/**
 * The journal inputs that carry out an order, one a rig.
 *
 * @throws HbError RIG_UNKNOWN, or RUN_REFUSED when a run is open already or none is: nothing is done then, on any rig.
 */
export function runInputs(state: EvaluatorState, order: RunOrder, at: { nowUs: Micros; run: string }): RunInput[] {
  const rigs = order.rig === null ? state.rigs : state.rigs.filter((r) => r.settings.rig === order.rig)
  if (rigs.length === 0)
    throw new HbError('RIG_UNKNOWN', { rig: order.rig, known: state.rigs.map((r) => r.settings.rig).join(', ') })
  for (const rig of rigs) {
    const open = rig.run?.run ?? null
    if (order.command === 'start' && open !== null)
      throw new HbError('RUN_REFUSED', { rig: rig.settings.rig, command: order.command, open_run: open })
    if (order.command !== 'start' && open === null)
      throw new HbError('RUN_REFUSED', { rig: rig.settings.rig, command: order.command, open_run: null })
  }
  return rigs.map((rig) => inputFor(rig, order, at))
}

function inputFor(rig: RigState, order: RunOrder, { nowUs, run }: { nowUs: Micros; run: string }): RunInput {
  const { command, article, procedure, operator, note } = order
  return {
    kind: 'run',
    nowUs,
    rig: rig.settings.rig,
    command,
    run: command === 'start' ? run : rig.run!.run,
    article,
    procedure,
    operator,
    note,
  }
}

/** Name of a run: when it began, in UTC, and four digits so that two of one second differ. */
export function runId(nowUs: Micros, digits: number): string {
  const time = new Date(nowUs / 1000).toISOString().slice(0, 19).replace(/[-:]/g, '').toLowerCase()
  return `run-${time}z-${digits.toString(16).padStart(4, '0')}`
}
