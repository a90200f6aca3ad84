import type { Micros } from '../units.ts'
import type { BaselineMetric, BaselineRecord } from './baseline.ts'
import { type BookState, currentOf, slotOf } from './baseline-book.ts'
import { levelVariance } from './baseline-decay.ts'
import type { BaselineSubject } from './baseline-statement.ts'

/**
 * A rolling baseline that follows its rig follows a slow fault as well: every run is a little further away, none is far
 * from the one before, and after twenty of them the fault is nominal (the predecessor's ratchet). Golden stands still. Two
 * looks at it find the creep: how far the newest level is from golden, and the sum of all distances of the rolling levels
 * approved since, less an allowance, so that many small ones on one side count (CUSUM; Page, Biometrika 41, 1954).
 */
export type CreepFinding = Readonly<{
  metric: string
  /** Distance of the newest level from golden, in golden's spreads, signed. */
  distance: number
  /** Sums of distances above and below. */
  sumUp: number
  sumDown: number
  ground: 'golden_distance' | 'golden_cusum' | null
  /** Whether levels are known well enough to tell a creep of 0.2 spreads a run before 1.5 in total. */
  isSure: boolean
}>

/** Half of the creep a run that is to be found, in spreads: what is below it is let pass. */
const ALLOWANCE = 0.1
/** Golden's own level is off by an error that is the same in every run and would add up: this much of it is allowed for. */
const GOLDEN_ERRORS = 1.5
/** Sum past which it is creep. A creep of 0.2 a run has come to 0.1 n² after n runs: past it at 1 spread in total. */
export const CREEP_SUM_MAX = 2
/** Distance past which one level alone is enough. */
export const CREEP_DISTANCE_MAX = 1.25
/** Error of the difference of two levels, in golden's spreads, past which neither finding nor silence is worth much. */
export const CREEP_LEVEL_ERROR_MAX = 0.2

/**
 * What creep is looked for in: digests of the golden baseline in force at a time, and of the rolling ones that were approved
 * since it was, oldest first. null: there is no golden one.
 */
export function sinceGolden(
  state: BookState,
  subject: BaselineSubject,
  atUs: Micros,
): Readonly<{ golden: string; rolling: readonly string[] }> | null {
  const golden = currentOf(state, slotOf(subject, 'golden'), atUs)
  if (golden === null) return null
  const history = state.slots.get(slotOf(subject, 'rolling')) ?? []
  const since = history.filter((one) => one.kind === 'approve' && one.atUs >= golden.atUs)
  return { golden: golden.digest, rolling: since.map(({ digest }) => digest) }
}

/** What is compared of a record. */
type Levels = Pick<BaselineRecord, 'metrics'>

/** Compares rolling records, approved ones first and the new one last, with golden. Metrics that one of them lacks are left out. */
export function creepOf(golden: Levels, rolling: readonly Levels[]): readonly CreepFinding[] {
  return golden.metrics.flatMap((m) => {
    const levels = rolling.flatMap((record) => record.metrics.filter((one) => one.metric === m.metric))
    return levels.length === 0 ? [] : [creepOfMetric(m, levels)]
  })
}

function creepOfMetric(golden: BaselineMetric, levels: readonly BaselineMetric[]): CreepFinding {
  const spread = golden.sd > 0 ? golden.sd : Math.sqrt(golden.noise)
  const distanceOf = (level: number): number =>
    level === golden.mean ? 0 : spread > 0 ? (level - golden.mean) / spread : Number.MAX_VALUE
  const allowed = spread > 0 ? ALLOWANCE + (GOLDEN_ERRORS * Math.sqrt(levelVariance(golden, 0))) / spread : 0
  let sumUp = 0
  let sumDown = 0
  for (const { mean } of levels) {
    const distance = distanceOf(mean)
    sumUp = Math.max(0, sumUp + distance - allowed)
    sumDown = Math.max(0, sumDown - distance - allowed)
  }
  const newest = levels.at(-1)!
  const distance = distanceOf(newest.mean)
  const error = Math.sqrt(levelVariance(golden, 0) + levelVariance(newest, 0))
  // Written as what must hold, so that NaN is creep.
  const isNear = Math.abs(distance) <= CREEP_DISTANCE_MAX
  const isLevel = sumUp <= CREEP_SUM_MAX && sumDown <= CREEP_SUM_MAX
  return {
    ...{ metric: golden.metric, distance, sumUp, sumDown },
    ground: isNear ? (isLevel ? null : 'golden_cusum') : 'golden_distance',
    isSure: spread > 0 && error / spread <= CREEP_LEVEL_ERROR_MAX,
  }
}
