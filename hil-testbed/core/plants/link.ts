import type { PlantModel } from '../plant.ts'
import { steppedModel } from './stepped.ts'

const STEP_US = 1_000
const STEP_S = STEP_US / 1_000_000
const KBIT_OF_MBIT = 1000
const MS_OF_S = 1000

/**
 * A network link as a fluid queue (Kleinrock, Queueing Systems II, ch. 2): what is offered beyond its capacity waits, and what
 * does not fit into the queue is lost.
 *
 *   dq/dt = a − c,  0 ≤ q ≤ q_max
 *   a = ((1 − shed) · offered + flood) · (1 − lost)      c = (1 − outage) · capacity_ratio · capacity
 *   latency = base + extra + q/c, at most `timeout`      loss = 1 − (what got into the queue) ÷ (what was offered)
 *
 * Exact for inputs that do not change within a step. Rates in Mbit/s, q in kbit.
 */
export const LINK: PlantModel = steppedModel({
  name: 'link',
  about: 'a network link: latency, loss and throughput with a queue',
  params: {
    capacity_mbit_s: { unit: 'Mbit/s', about: 'capacity', initial: 100, minimum: 0.001, maximum: 1e6 },
    queue_kbit: { unit: 'kbit', about: 'q_max', initial: 20_000, minimum: 0, maximum: 1e9 },
    base_ms: { unit: 'ms', about: 'latency without a queue', initial: 2, minimum: 0, maximum: 10_000 },
    base_loss_ratio: { unit: '1', about: 'loss without a queue', initial: 0.0001, minimum: 0, maximum: 1 },
    timeout_ms: { unit: 'ms', about: 'greatest latency there is', initial: 10_000, minimum: 1, maximum: 1e6 },
  },
  init: { queue_kbit: { unit: 'kbit', about: 'q', initial: 0, minimum: 0, maximum: 1e9 } },
  begin: ({ queue_kbit }, p) => ({ queue: Math.min(queue_kbit, p.queue_kbit), loss: p.base_loss_ratio, served: 0 }),
  inputs: {
    shed: {
      unit: '1',
      about: 'share of its own traffic held back; 1 makes it safe',
      initial: 0,
      minimum: 0,
      maximum: 1,
    },
    flood_blocked: { unit: '1', about: 'share of the flood that is blocked', initial: 0, minimum: 0, maximum: 1 },
    offered_mbit_s: { unit: 'Mbit/s', about: 'its own traffic', initial: 40, minimum: 0, maximum: 1e6 },
    flood_mbit_s: { unit: 'Mbit/s', about: 'traffic of others', initial: 0, minimum: 0, maximum: 1e6 },
    capacity_ratio: { unit: '1', about: 'what is left of the capacity', initial: 1, minimum: 0, maximum: 1 },
    outage: { unit: '1', about: '1: nothing passes', initial: 0, minimum: 0, maximum: 1 },
    extra_ms: { unit: 'ms', about: 'latency added', initial: 0, minimum: 0, maximum: 10_000 },
    extra_loss_ratio: { unit: '1', about: 'loss added', initial: 0, minimum: 0, maximum: 1 },
  },
  signals: {
    latency_ms: { unit: 'ms', about: 'time through the link', of: (x, u, p) => latencyMs(x, u, p) },
    loss_ratio: { unit: '1', about: 'share that is lost', of: (x) => x.loss },
    throughput_mbit_s: { unit: 'Mbit/s', about: 'what comes out', of: (x) => x.served },
    queue_kbit: { unit: 'kbit', about: 'what waits', of: (x) => x.queue },
  },
  hazard: 'latency_ms > 100',
  stepUs: STEP_US,
  step(x, u, p) {
    const offered = (1 - u.shed) * u.offered_mbit_s + (1 - u.flood_blocked) * u.flood_mbit_s
    const kept = (1 - p.base_loss_ratio) * (1 - u.extra_loss_ratio)
    const toServe = x.queue + offered * kept * KBIT_OF_MBIT * STEP_S
    const served = Math.min(toServe, capacity(u, p) * KBIT_OF_MBIT * STEP_S)
    const waiting = toServe - served
    x.queue = Math.min(waiting, p.queue_kbit)
    const overflow = (waiting - x.queue) / (KBIT_OF_MBIT * STEP_S)
    x.loss = offered > 0 ? Math.min(1, 1 - kept + overflow / offered) : 1 - kept
    x.served = served / (KBIT_OF_MBIT * STEP_S)
  },
})

type Way = Readonly<{ outage: number; capacity_ratio: number; extra_ms: number }>
type LinkParams = Readonly<{ capacity_mbit_s: number; base_ms: number; timeout_ms: number }>

function capacity(u: Way, p: LinkParams): number {
  return (1 - u.outage) * u.capacity_ratio * p.capacity_mbit_s
}

function latencyMs(x: Readonly<{ queue: number }>, u: Way, p: LinkParams): number {
  const rate = capacity(u, p)
  if (!(rate > 0)) return p.timeout_ms
  return Math.min(p.timeout_ms, p.base_ms + u.extra_ms + (x.queue * MS_OF_S) / (rate * KBIT_OF_MBIT))
}
