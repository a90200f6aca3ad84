import { HbError } from '../shared/errors/hb-error.ts'
import { entriesOf } from '../shared/model/alarms/state.ts'
import { type Order, TWO_PERSON_ORDERS } from '../shared/model/order.ts'
import { isOfAlarm } from '../shared/protocol/alarm-order.ts'
import { type DeskPlace, OrderDesk } from '../shared/protocol/order-desk.ts'
import type { SiteAlarms } from './core/alarms/site.ts'

/** Where orders about alarms of sites are handed in; one about nothing that is here does not wait. */
export function alarmDesk(place: DeskPlace, sites: readonly SiteAlarms[]): OrderDesk {
  return new OrderDesk(place, {
    needsTwo: ({ kind }) => TWO_PERSON_ORDERS.includes(kind),
    check(order) {
      const { state } = siteMeant(sites, order)
      if (!entriesOf(state).some(({ id }) => id === order.subject)) throw notFollowed(order, 'unknown_alarm')
    },
  })
}

/** The site that an order is about. @throws HbError ORDER_REFUSED, ORDER_NOT_FOLLOWED */
export function siteMeant(sites: readonly SiteAlarms[], order: Order): SiteAlarms {
  const { kind, rig: site } = order
  if (!isOfAlarm(order)) throw new HbError('ORDER_REFUSED', { reason: 'not_taken_here', order: kind, rig: site })
  const at = sites.find((one) => one.site.site === site)
  if (at === undefined) throw notFollowed(order, 'unknown_site')
  return at
}

export function notFollowed({ kind: order, rig }: Order, reasons: string): HbError {
  return new HbError('ORDER_NOT_FOLLOWED', { order, rig, reasons })
}
