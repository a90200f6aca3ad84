import { ORDER_BYTES_MAX, openOrder } from '../codec/order.ts'
import type { Trust } from '../config/operators.ts'
import { coseKeyId } from '../crypto/cose.ts'
import { equalBytes, toHex } from '../crypto/digest.ts'
import { HbError } from '../errors/hb-error.ts'
import { CONFIRM_WITHIN_US, ORDER_AGE_MAX_US, type Order, type OrderKind } from '../model/order.ts'
import type { Micros } from '../units.ts'

/** Orders that wait for a second person. */
export const ORDERS_WAITING_MAX = 64
/** Those of one person: nobody takes the room of all others. */
export const ORDERS_WAITING_PERSON_MAX = 8
/** Orders remembered so that none is taken twice; at the bound no more are taken until the oldest are no longer fresh. */
export const ORDERS_SEEN_MAX = 4096

/** What makes a rig safer is taken at every bound; once more does no harm. */
const SAFER: readonly OrderKind[] = ['disarm', 'off', 'cancel']

/** Whom the desk believes, and what it is the desk of. */
export type DeskPlace = Readonly<{ deployment: string; agent: string; boot: string; trust: Trust }>

/** An order that is to be carried out, by whom, and the signed bytes that say so. */
export type Ordered = Readonly<{ order: Order; by: readonly string[]; statements: readonly Uint8Array[] }>
export type Taken =
  | Readonly<{ state: 'done' } & Ordered>
  | Readonly<{ state: 'waits'; order: Order; by: string; untilUs: Micros }>

export type DeskRules = Readonly<{
  /** Whether an order of this person waits for a second one. */
  needsTwo(order: Order, name: string): boolean
  /** Looks at an order before it waits. @throws HbError for one that would be refused when it is confirmed */
  check(order: Order): void
}>

type Waiting = Readonly<{ order: Order; name: string; bytes: Uint8Array; untilUs: Micros }>

/**
 * Where signed orders are handed in. One person's order is carried out at once, or waits for the order of another key
 * that confirms it. Keys are distinct, persons unproven.
 */
export class OrderDesk {
  private readonly place: DeskPlace
  private readonly rules: DeskRules
  private readonly waiting = new Map<string, Waiting>()
  private readonly seen = new Map<string, Micros>()

  constructor(place: DeskPlace, rules: DeskRules) {
    this.place = place
    this.rules = rules
  }

  /** Orders that wait for a second person now, oldest first. */
  pending(nowUs: Micros): readonly Readonly<{ order: Order; by: string; untilUs: Micros }>[] {
    this.forget(nowUs)
    return [...this.waiting.values()].map(({ order, name, untilUs }) => ({ order, by: name, untilUs }))
  }

  /** @throws HbError ORDER_REFUSED, ORDERS_WAITING, what `check` finds, and what is wrong with the bytes: COSE_SHAPE, BATCH_SIGNATURE */
  take(bytes: Uint8Array, nowUs: Micros): Taken {
    this.forget(nowUs)
    const { order, name } = this.verified(bytes)
    this.checkPlace(order, nowUs)
    if (this.seen.has(order.id)) throw refused('repeated', order)
    // None is forgotten while it is fresh, or it could be taken twice.
    if (this.seen.size >= ORDERS_SEEN_MAX && !SAFER.includes(order.kind))
      throw new HbError('ORDERS_WAITING', { taken: this.seen.size })
    const taken =
      order.kind === 'confirm' ? this.confirm(order, name, bytes) : this.first(order, { name, bytes, nowUs })
    if (this.seen.size < ORDERS_SEEN_MAX) this.seen.set(order.id, nowUs + 2 * ORDER_AGE_MAX_US)
    return taken
  }

  private first(order: Order, { name, bytes, nowUs }: { name: string; bytes: Uint8Array; nowUs: Micros }): Taken {
    if (!this.rules.needsTwo(order, name)) return { state: 'done', order, by: [name], statements: [bytes] }
    this.rules.check(order)
    const own = [...this.waiting.values()].filter((one) => one.name === name).length
    if (own >= ORDERS_WAITING_PERSON_MAX) throw new HbError('ORDERS_WAITING', { waiting: own, by: name })
    if (this.waiting.size >= ORDERS_WAITING_MAX) throw new HbError('ORDERS_WAITING', { waiting: this.waiting.size })
    const untilUs = nowUs + CONFIRM_WITHIN_US
    this.waiting.set(order.id, { order, name, bytes, untilUs })
    return { state: 'waits', order, by: name, untilUs }
  }

  /** Only an approver confirms, and nobody their own order. What was shown to both is the same. */
  private confirm(order: Order, name: string, bytes: Uint8Array): Taken {
    const first = this.waiting.get(order.subject)
    if (first === undefined) throw refused('no_such_order', order)
    if (first.order.by === order.by) throw refused('same_person', order)
    const { approvers } = this.place.trust
    if (approvers.length > 0 && !approvers.includes(name)) throw refused('not_an_approver', order)
    if (first.order.config !== order.config) throw refused('config_differs', order)
    this.waiting.delete(order.subject)
    return { state: 'done', order: first.order, by: [first.name, name], statements: [first.bytes, bytes] }
  }

  private verified(bytes: Uint8Array): Readonly<{ order: Order; name: string }> {
    if (bytes.length > ORDER_BYTES_MAX)
      throw new HbError('COSE_SHAPE', { found: `an order of ${bytes.length} bytes`, expected: ORDER_BYTES_MAX })
    const id = coseKeyId(bytes)
    const operator = this.place.trust.operators.find(({ key }) => equalBytes(key.keyId, id))
    if (operator === undefined) throw new HbError('ORDER_REFUSED', { reason: 'unknown_key', key: toHex(id) })
    return { order: openOrder(bytes, operator.key), name: operator.name }
  }

  private checkPlace(order: Order, nowUs: Micros): void {
    const { deployment, agent, boot } = this.place
    if (order.deployment !== deployment || order.agent !== agent) throw refused('other_agent', order)
    if (order.boot !== boot) throw refused('other_boot', order)
    if (!(Math.abs(nowUs - order.atUs) <= ORDER_AGE_MAX_US)) throw refused('too_old', order)
  }

  private forget(nowUs: Micros): void {
    for (const [id, { untilUs }] of this.waiting) if (!(nowUs < untilUs)) this.waiting.delete(id)
    // Beyond the bound the oldest go: none of them is fresh any more unless thousands came within four minutes.
    for (const [id, untilUs] of this.seen) if (!(nowUs < untilUs)) this.seen.delete(id)
  }
}

function refused(reason: string, { kind, rig }: Order): HbError {
  return new HbError('ORDER_REFUSED', { reason, order: kind, rig })
}
