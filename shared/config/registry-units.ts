import { dayOf } from '../model/calendar-date.ts'
import { dimensionName } from '../model/unit-table.ts'
import { conversionBetween, convertUnit, isSameInSi, parseUnit, sameDimension, type Unit } from '../model/units.ts'
import type { AddKey, RegistryMetric } from './registry.ts'

/** A factor this near to that of the table was rounded by hand; one that is further off is another factor. */
export const ROUNDED_WITHIN = 0.001

/** What is wrong with the units of a metric and with its calibration. Units that the table does not know are left alone. */
export function unitProblems(m: RegistryMetric, add: AddKey): void {
  if (m.unit === '') add('unit', 'blanks', 'a unit; `1` for a count or a ratio')
  const canonical = parseUnit(m.unit)
  for (const [unit, factor] of Object.entries(m.unit_map ?? {})) {
    if (unit === '') add('unit_map', 'a unit of blanks', 'the name of a unit')
    if (factor === 0) add('unit_map', `factor 0 for \`${unit}\``, 'a factor that keeps the value')
    else if (unit === m.unit) {
      if (factor !== 1)
        add('unit_map', `factor ${factor} for its own unit \`${unit}\``, '1, or nothing: it is its own unit')
    } else if (canonical.ok) factorProblem(canonical.unit, { unit, factor }, add)
  }
  calibrationProblems(m, add)
}

/** The factor of a registry against the one of the table. */
function factorProblem(canonical: Unit, { unit, factor }: { unit: string; factor: number }, add: AddKey): void {
  const stated = parseUnit(unit)
  if (!stated.ok) return
  const given = `\`${unit}\` × ${factor} = \`${canonical.text}\``
  if (!sameDimension(stated.unit.dimension, canonical.dimension)) {
    // Somebody who knows the rig may say that a hertz is a turn a second.
    if (isSameInSi(stated.unit.dimension, canonical.dimension)) return
    const [a, b] = [stated.unit, canonical].map(({ dimension }) => dimensionName(dimension))
    add(
      'unit_map',
      `${given}: ${a} as ${b}`,
      `units of ${b}`,
      'a transducer belongs into `equivalence_file`: `scale` and `offset`',
    )
    return
  }
  const table = conversionBetween(stated.unit, canonical)
  if (!table.ok) return
  const isSame = table.offset === 0 && Math.abs(factor - table.factor) <= ROUNDED_WITHIN * table.factor
  if (isSame) return
  const shift = table.offset === 0 ? '' : ` ${table.offset < 0 ? '−' : '+'} ${Math.abs(table.offset)}`
  const hint = 'leave it out: the table converts it'
  add(
    'unit_map',
    given,
    `\`${unit}\` × ${table.factor}${shift} = \`${canonical.text}\`, as the unit table has it`,
    hint,
  )
}

function calibrationProblems({ unit, calibration }: RegistryMetric, add: AddKey): void {
  if (calibration === undefined) return
  const own = calibration.unit?.trim()
  if (own !== undefined) {
    const found = convertUnit(own, unit)
    if (!found.ok)
      add('calibration', `an offset in \`${own}\`: ${found.detail}`, `an offset in \`${unit}\` or a unit like it`)
  }
  for (const key of ['date', 'due'] as const) {
    const text = calibration[key]
    if (text !== undefined && dayOf(text) === null)
      add('calibration', `\`${key}\` ${text}`, 'a date of the calendar, as in `2026-03-31`')
  }
  const { date, due } = calibration
  if (due !== undefined && (dayOf(due) ?? 0) < (dayOf(date) ?? 0))
    add('calibration', `due ${due}, calibrated ${date}`, 'a due date behind the calibration')
}

/** The offset of a calibration in the unit of its metric. It is a difference: 1 °F of it is 5/9 °C. */
export function calibrationOffset({ unit, calibration }: RegistryMetric): number {
  if (calibration === undefined) return 0
  const found = convertUnit(calibration.unit?.trim() ?? unit, unit)
  return calibration.offset * (found.ok ? found.factor : 1)
}
