import type { Micros } from '../../units.ts'
import type { AlarmOrder } from '../action-input.ts'
import type { AlarmInput } from '../alarm.ts'

/** What the engine is told of an order. */
export function alarmInput(order: AlarmOrder, nowUs: Micros): AlarmInput {
  const { alarm: id, occurrence, severity, forUs, oneShot, reason } = order
  const bare = { id, nowUs, by: order.by.join(' and ') }
  switch (order.kind) {
    case 'alarm_ack':
      return { kind: 'ack', ...bare, occurrence, severity }
    case 'alarm_confirm':
      return { kind: 'confirm', ...bare, occurrence }
    case 'alarm_shelve':
      return { kind: 'shelve', ...bare, occurrence, severity, reason, forUs, oneShot }
    case 'alarm_unshelve':
      return { kind: 'unshelve', ...bare, occurrence, severity }
    case 'alarm_out':
      return { kind: 'out_of_service', ...bare, reason }
    case 'alarm_in':
      return { kind: 'in_service', ...bare }
  }
}
