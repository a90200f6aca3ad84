import { PROVENANCES, type Provenance } from '../../shared/model/telemetry.ts'
import type { Micros } from '../../shared/units.ts'

/**
 * Where samples of each metric came from: what gates ask before they believe a condition (SE-06, SE-08, SE-12), and nothing
 * else does. Kept only for rigs with a policy.
 */
export type Origins = {
  /** Time of the newest input that brought samples; −1 before the first. */
  readonly arrivedUs: Float64Array
  /** Newest event time of a sample of each provenance, row by row of metrics; −1 for none. */
  readonly newestUs: Float64Array
  /** Name of the source that published last; '' before the first. */
  readonly publisher: string[]
  /** Event time of the newest sample of another publisher than the last one; −1 for none. */
  readonly otherUs: Float64Array
}

const KINDS = PROVENANCES.length

export function createOrigins(metrics: number): Origins {
  return {
    arrivedUs: new Float64Array(metrics).fill(-1),
    newestUs: new Float64Array(metrics * KINDS).fill(-1),
    publisher: new Array<string>(metrics).fill(''),
    otherUs: new Float64Array(metrics).fill(-1),
  }
}

/** `newestUs` is the newest event time among the samples that arrived. */
export type Arrival = Readonly<{ nowUs: Micros; newestUs: Micros; provenance: Provenance; publisher: string }>

/** Notes where samples of a metric came from. */
export function noteOrigin(origins: Origins, metric: number, arrival: Arrival): void {
  const { nowUs, newestUs, provenance, publisher } = arrival
  const at = metric * KINDS
  if (origins.publisher[metric] !== publisher) {
    let before = -1
    for (let k = 0; k < KINDS; k += 1) before = Math.max(before, origins.newestUs[at + k]!)
    origins.otherUs[metric] = Math.max(origins.otherUs[metric]!, before)
    origins.publisher[metric] = publisher
  }
  const kind = at + PROVENANCES.indexOf(provenance)
  origins.newestUs[kind] = Math.max(origins.newestUs[kind]!, newestUs)
  origins.arrivedUs[metric] = nowUs
}

/**
 * The least trusted provenance among samples newer than `sinceUs`: one replayed sample makes a window what it is. `late` of
 * a metric without any: what is not known to be live opens no gate.
 */
export function provenanceSince(origins: Origins, metric: number, sinceUs: Micros): Provenance {
  for (let k = KINDS - 1; k >= 0; k -= 1) if (origins.newestUs[metric * KINDS + k]! > sinceUs) return PROVENANCES[k]!
  return 'late'
}

/** The one publisher of all samples newer than `sinceUs`; '' when there were several, or none. */
export function publisherSince(origins: Origins, metric: number, sinceUs: Micros): string {
  return origins.otherUs[metric]! > sinceUs ? '' : origins.publisher[metric]!
}

/** Everything that is remembered, in a fixed order: a snapshot is a copy of these and the publishers' names. */
export function arraysOfOrigins({ arrivedUs, newestUs, otherUs }: Origins): Float64Array[] {
  return [arrivedUs, newestUs, otherUs]
}
