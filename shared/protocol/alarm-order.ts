import { HbError } from '../errors/hb-error.ts'
import { ALARM_ORDERS, type AlarmOrder, type AlarmOrderKind } from '../model/action-input.ts'
import { ALARM_SEVERITIES } from '../model/alarm.ts'
import type { Order } from '../model/order.ts'

/** Whether an order is about an alarm. */
export function isOfAlarm({ kind }: Pick<Order, 'kind'>): boolean {
  return (ALARM_ORDERS as readonly string[]).includes(kind)
}

/** What was seen of an alarm: number of the announcement, severity or `-`, and for a shelf perhaps that it is for once. */
const SEEN = /^(\d{1,15})\/([A-Z]+|-)(\/once)?$/

/**
 * What the alarms of a rig are told of an order. `by` are the people behind it. How long a shelf lasts is counted from when it
 * was signed to when it is to end, so it does not matter by which clock the rig lives.
 *
 * @throws HbError ORDER_REFUSED for what was seen in another form
 */
export function alarmOrder(order: Order, by: readonly string[]): AlarmOrder {
  const { subject: alarm, value, reason, atUs, untilUs } = order
  const kind = order.kind as AlarmOrderKind
  const bare = { kind, alarm, occurrence: 0, severity: null, forUs: 0, oneShot: false, by, reason }
  if (kind === 'alarm_out' || kind === 'alarm_in') return bare
  const [, number, word, once] = SEEN.exec(value) ?? []
  const severity = ALARM_SEVERITIES.find((one) => one === word) ?? null
  const isShelf = kind === 'alarm_shelve'
  const isKnown = number !== undefined && (severity !== null || word === '-') && (isShelf || once === undefined)
  if (!isKnown) throw unknownWord(order, value, 'NUMBER/SEVERITY as `hb alarms list` shows it, such as 3/CRITICAL')
  const seen = { ...bare, occurrence: Number(number), severity }
  return isShelf ? { ...seen, forUs: Math.max(0, untilUs - atUs), oneShot: once !== undefined } : seen
}

/** An order with a word that has no meaning here. */
export function unknownWord({ kind, rig }: Order, found: string, expected: string): HbError {
  return new HbError('ORDER_REFUSED', { reason: 'unknown_word', order: kind, rig, found, expected })
}
