import type { Micros } from '../../shared/units.ts'

/** How strongly a fault acts over time: at once, growing to its magnitude over its duration, once for `pulseUs`, or again and again. */
export const FAULT_SHAPES = ['step', 'ramp', 'pulse', 'periodic'] as const
export type FaultShape = (typeof FAULT_SHAPES)[number]

/** A fault that is wanted (hil-bench.md 8.3). Times count from the start of the run. */
export type Fault = Readonly<{
  id: string
  /** `class.name`, as `sensor.stuck_at`. */
  class: string
  /** Channel, source, common-cause group, actuator, or what else its class acts on. */
  target: string
  onsetUs: Micros
  /** null: until the end of the run. */
  durationUs: Micros | null
  shape: FaultShape
  /** Of `periodic`: one period, of which it acts for `pulseUs`; of `pulse`: `pulseUs`. */
  periodUs: Micros
  pulseUs: Micros
  /** What its class takes beside that, by name; checked against the list of its class. */
  params: Readonly<Record<string, number | string>>
}>

/** What was seen of a fault: how often it changed something on its way to the agent. Zero is never proof of anything. */
export type FaultSeen = Readonly<{ id: string; count: number; firstUs: Micros | null; lastUs: Micros | null }>
