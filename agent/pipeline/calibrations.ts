import type { RegistryMetric } from '../../shared/config/registry.ts'
import type { Clock } from '../../shared/lib/clock.ts'
import { isOverdue } from '../../shared/model/calendar-date.ts'
import type { Micros, Millis } from '../../shared/units.ts'
import type { Replaced } from '../core/replaced.ts'

/** A calibration that holds no more. It is a warning: nothing is judged otherwise because of it. */
export type OverdueCalibration = Readonly<{ rig: string; metric: string; due: string; source: string }>

type Registries = ReadonlyMap<string, readonly RegistryMetric[]>
/** Sensors that were replaced, by metric, of a rig. */
type ReplacedOf = (rig: string) => ReadonlyMap<string, Pick<Replaced, 'serial' | 'calDate' | 'calDue'>>

/** Every calibration that is past due. Of what the registry says and what was said at a replacement the younger one counts. */
export function overdueCalibrations(registries: Registries, replaced: ReplacedOf, nowUs: Micros): OverdueCalibration[] {
  return [...registries].flatMap(([rig, metrics]) =>
    metrics.flatMap(({ metric, calibration }): OverdueCalibration[] => {
      const sensor = replaced(rig).get(metric)
      const isOfSensor = sensor !== undefined && !(calibration !== undefined && calibration.date > sensor.calDate)
      const due = isOfSensor ? sensor.calDue : calibration?.due
      if (due === undefined || !isOverdue(due, nowUs)) return []
      return [{ rig, metric, due, source: isOfSensor ? `sensor ${sensor.serial}` : calibration!.source }]
    }),
  )
}

/** How often it is looked whether a calibration has come due. */
const LOOK_EVERY_MS: Millis = 3_600_000

export type CalibrationWatchOptions = Readonly<{
  clock: Pick<Clock, 'every'>
  nowUs(): Micros
  /** Those in force. */
  registries(): Registries
  replaced: ReplacedOf
  overdue(found: OverdueCalibration): void
}>

/** Says of every calibration once that it is overdue. */
export class CalibrationWatch {
  private readonly options: CalibrationWatchOptions
  private readonly said = new Set<string>()

  constructor(options: CalibrationWatchOptions) {
    this.options = options
  }

  /** @returns cancels */
  start(): () => void {
    this.look()
    return this.options.clock.every(LOOK_EVERY_MS, () => this.look())
  }

  look(): void {
    const { registries, replaced, nowUs, overdue } = this.options
    for (const found of overdueCalibrations(registries(), replaced, nowUs())) {
      const key = JSON.stringify(found)
      if (this.said.has(key)) continue
      this.said.add(key)
      overdue(found)
    }
  }
}
