import type { Micros } from '../../shared/units.ts'
import type { Fault, FaultSeen } from '../core/fault.ts'
import { ACTUATOR_CARRIERS } from './actuator-carriers.ts'
import { AGENT_CARRIERS } from './agent-carriers.ts'
import type { Carrier, MakeCarrier, Reach } from './carrier.ts'
import { COLLECTOR_CARRIERS } from './collector-carriers.ts'
import { CONFIG_CARRIERS } from './config-carriers.ts'
import { PEER_CARRIERS } from './peer-carriers.ts'
import { PEOPLE_CARRIERS } from './people-carriers.ts'

const CARRIERS: Readonly<Record<string, MakeCarrier>> = {
  ...AGENT_CARRIERS,
  ...ACTUATOR_CARRIERS,
  ...PEOPLE_CARRIERS,
  ...PEER_CARRIERS,
  ...COLLECTOR_CARRIERS,
  ...CONFIG_CARRIERS,
}

/** Whether this bench can carry out a fault of a class that the acquisitions do not. */
export function isCarried(of: string): boolean {
  return Object.hasOwn(CARRIERS, of)
}

type One = {
  readonly fault: Fault
  readonly carrier: Carrier
  is: 'waits' | 'acts' | 'over'
  count: number
  firstUs: Micros | null
  lastUs: Micros | null
}

/** Faults of programs, disks, links and people, begun and ended in time. */
export class CarriedFaults {
  private readonly reach: Reach
  private readonly all: One[] = []

  constructor(reach: Reach) {
    this.reach = reach
  }

  inject(fault: Fault): void {
    const carrier = CARRIERS[fault.class]!(fault, this.reach)
    const one: One = { fault, carrier, is: 'waits', count: 0, firstUs: null, lastUs: null }
    this.all.push(one)
    // What was there before the agent is seen whether that begins or not.
    this.look(one, 0)
  }

  async move(atUs: Micros): Promise<void> {
    for (const one of this.all) {
      const { onsetUs, durationUs } = one.fault
      if (one.is === 'waits' && onsetUs <= atUs) {
        one.is = 'acts'
        await one.carrier.begin(atUs)
        this.look(one, atUs)
      }
      if (one.is !== 'acts') continue
      await one.carrier.move?.(atUs)
      this.look(one, atUs)
      if (durationUs !== null && onsetUs + durationUs <= atUs) await this.end(one, atUs)
    }
  }

  async clear(id: string, atUs: Micros): Promise<void> {
    for (const one of this.all) if (one.fault.id === id) await this.end(one, atUs)
  }

  async endAll(atUs: Micros): Promise<void> {
    for (const one of this.all) await this.end(one, atUs)
  }

  /** Ids of those that act. */
  get acting(): readonly string[] {
    return this.all.filter(({ is }) => is === 'acts').map(({ fault }) => fault.id)
  }

  seen(): FaultSeen[] {
    return this.all.map(({ fault, count, firstUs, lastUs }) => ({ id: fault.id, count, firstUs, lastUs }))
  }

  private async end(one: One, atUs: Micros): Promise<void> {
    const acted = one.is === 'acts'
    one.is = 'over'
    if (acted) await one.carrier.end?.(atUs)
    this.look(one, atUs)
  }

  private look(one: One, atUs: Micros): void {
    const count = one.carrier.count()
    if (count > one.count) {
      one.firstUs ??= atUs
      one.lastUs = atUs
    }
    one.count = count
  }
}
