import type { JournalInput } from '../../shared/codec/journal-input.ts'
import { didYouMean } from '../../shared/config/problems.ts'
import { HbError } from '../../shared/errors/hb-error.ts'
import { dayOf } from '../../shared/model/calendar-date.ts'
import type { Micros } from '../../shared/units.ts'
import type { EvaluatorState, RigState } from '../core/state.ts'

/** What an operator says about a sensor that was changed; `rig` null is the one rig that has the channel. */
export type ChannelOrder = Readonly<{
  command: 'replace'
  rig: string | null
  channel: string
  serial: string
  cal_date: string
  cal_due: string
  operator: string
  reason: string
}>

type ChannelInput = Extract<JournalInput, { kind: 'channel' }>

/**
 * The journal input that carries out an order, and the metric it is about.
 *
 * @throws HbError RIG_UNKNOWN; CHANNEL_UNKNOWN when no rig or more than one has the channel; USAGE for a date that is none.
 */
export function channelInput(
  state: EvaluatorState,
  order: ChannelOrder,
  nowUs: Micros,
): Readonly<{ input: ChannelInput; metric: string }> {
  const known = state.rigs.map((r) => r.settings.rig)
  const asked = state.rigs.filter((r) => order.rig === null || r.settings.rig === order.rig)
  if (asked.length === 0) throw new HbError('RIG_UNKNOWN', { rig: order.rig, known: known.join(', ') })
  const having = asked.filter((r) => metricOf(r, order.channel) !== undefined)
  const [rig] = having
  if (rig === undefined || having.length > 1) throw unknownChannel(order, asked, having)
  for (const key of ['cal_date', 'cal_due'] as const)
    if (dayOf(order[key]) === null)
      throw new HbError('USAGE', {
        found: `${key} ${order[key]}`,
        expected: 'a date of the calendar, as in 2026-03-31',
      })
  if (dayOf(order.cal_due)! < dayOf(order.cal_date)!)
    throw new HbError('USAGE', { found: `due ${order.cal_due}`, expected: `a day behind ${order.cal_date}` })
  const { command, channel, serial, cal_date: calDate, cal_due: calDue, operator, reason } = order
  const { rig: name } = rig.settings
  return {
    metric: metricOf(rig, channel)!,
    input: { kind: 'channel', nowUs, rig: name, command, channel, serial, calDate, calDue, operator, reason },
  }
}

function metricOf(rig: RigState, channel: string): string | undefined {
  const index = rig.channelIndex.get(channel.normalize('NFC'))
  return index === undefined ? undefined : rig.settings.metrics[index]!.metric
}

function unknownChannel(order: ChannelOrder, asked: readonly RigState[], having: readonly RigState[]): HbError {
  const { channel } = order
  if (having.length > 1)
    return new HbError('CHANNEL_UNKNOWN', {
      channel,
      rigs: having.map((r) => r.settings.rig).join(', '),
      expected: '--rig',
    })
  const near = didYouMean(channel, [...new Set(asked.flatMap((r) => [...r.channelIndex.keys()]))])
  return new HbError('CHANNEL_UNKNOWN', {
    channel,
    rigs: asked.map((r) => r.settings.rig).join(', '),
    hint: near ?? null,
  })
}
