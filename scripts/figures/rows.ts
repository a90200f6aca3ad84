import type { Fault } from '../../hil-testbed/core/fault.ts'
import type { ScenarioRow } from '../../hil-testbed/core/scenario.ts'
import { createPrng } from '../../shared/lib/prng.ts'
import type { Micros } from '../../shared/units.ts'
import type { Variant } from './variants.ts'

/** Faults begin when the longest window, of ten seconds, is full, at a moment that seed and variant choose within a second. */
export const SETTLED_US: Micros = 11_000_000
const SPREAD_US: Micros = 1_000_000
/** How long it is waited for a record about a fault. */
export const WATCHED_US: Micros = 15_000_000
/** Lateness and a slide, after which the last moment that is watched has been decided. */
const DECIDED_US: Micros = 500_000

/** One run of one variant: the base of the vessel with its fault in it. */
export function faultRow(
  base: ScenarioRow,
  variant: Variant,
  place: Readonly<{ index: number; seed: number }>,
): ScenarioRow {
  const { index, seed } = place
  const { class: of, target, params, durationMs, common } = variant
  const onsetUs = SETTLED_US + createPrng(seed * 65_536 + index).int(SPREAD_US)
  const fault: Fault = {
    ...{ id: 'F1', class: of, target, onsetUs, params, periodUs: 0, pulseUs: 0 },
    shape: 'step',
    durationUs: durationMs === null ? null : durationMs * 1000,
  }
  const sensors = base.rig.sensors.map((sensor) =>
    common.includes(sensor.channel) ? { ...sensor, ccg: [...sensor.ccg, target] } : sensor,
  )
  return {
    ...base,
    ...{ id: `FIG-${index}-${of}`, row: seed, seed, rig: { ...base.rig, sensors } },
    clock: { ...base.clock, durationUs: SETTLED_US + SPREAD_US + WATCHED_US + DECIDED_US },
    steps: [{ atUs: onsetUs, when: null, withinUs: null, steps: [{ do: 'inject', fault }], note: '' }],
  }
}

/** A run in which nothing happens. */
export function nominalRow(base: ScenarioRow, seed: number, minutes: number): ScenarioRow {
  const durationUs = SETTLED_US + Math.round(minutes * 60_000_000) + DECIDED_US
  return { ...base, id: 'FIG-nominal', row: seed, seed, clock: { ...base.clock, durationUs } }
}

/** Moments of a nominal run at which a fault could have begun, so that their watches do not overlap. */
export function quietMoments(durationUs: Micros): Micros[] {
  const count = Math.floor((durationUs - SETTLED_US) / WATCHED_US)
  return Array.from({ length: count }, (_, k) => SETTLED_US + k * WATCHED_US)
}
