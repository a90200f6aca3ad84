import type { GoalResult } from './goals.ts'

type Result = Readonly<Record<string, unknown>>

/** A result for people: a line a figure, then what was missed or broken. */
export function reportText(result: Result, goals: readonly GoalResult[], broken: readonly string[]): string {
  const lines = LINES.flatMap(([title, path, unit]) => {
    const value = path.split('.').reduce<unknown>((at, key) => (at as Result | null)?.[key], result)
    return value === undefined ? [] : [`${title.padEnd(34)} ${shown(value)}${value === null ? '' : unit}`.trimEnd()]
  })
  const met = goals.map(({ figure, value, bound, met: holds }) => {
    const limit = [bound.min === undefined ? '' : `≥ ${bound.min}`, bound.max === undefined ? '' : `≤ ${bound.max}`]
    return `${holds ? 'holds ' : 'MISSED'} ${figure} ${shown(value)} (${limit.filter((text) => text !== '').join(', ')})`
  })
  const rules = broken.length === 0 ? ['rules of the evaluation: all hold'] : broken.map((text) => `BROKEN ${text}`)
  return `${[...lines, ...met, ...rules].join('\n')}\n`
}

const LINES: readonly (readonly [title: string, path: string, unit: string])[] = [
  ['mode', 'mode', ''],
  ['configuration', 'config_hash', ''],
  ['mean detection of the faults', 'fdr18', ' %'],
  ['  95 % by fault', 'bootstrap.fdr18', ''],
  ['F1', 'f1', ''],
  ['  95 % by file', 'bootstrap.f1', ''],
  ['false alarms in normal rows (FAR)', 'far', ' %'],
  ['missed rows of faults (MAR)', 'mar', ' %'],
  ['J = 1 − FAR − MAR', 'j', ''],
  ['  95 % by file', 'bootstrap.j', ''],
  ['changepoint score', 'nab', ''],
  ['events', 'events', ''],
  ['delay', 'delay_s', ' s'],
  ['driver as expected', 'driver_hit', ''],
  ['alarms an hour, nothing wrong', 'alarms_per_hour', ''],
  ['  of them counted', 'false_alarms.alarms', ''],
  ['  hours watched', 'false_alarms.hours', ' h'],
  ['  rows alarmed', 'false_alarms.rows_alarmed_percent', ' %'],
  ['by start', 'by_start', ''],
  ['by group', 'by_group', ''],
  ['by fault', 'faults.all', ''],
  ['without a meaning here', 'without_meaning', ''],
  ['baselines rejected', 'rejected.runs', ''],
  ['  with these left out', 'rejected.left_out', ''],
  ['position check', 'position_check', ''],
  ['same to the last bit', 'sameness', ''],
  ['cost of a value', 'ns_per_value', ' ns'],
  ['memory of a channel', 'bytes_per_channel', ' B'],
  ['scores', 'score_digest', ''],
  ['anchor: always alarm', 'anchors.always_alarm.f1', ''],
  ['anchor: rows 572–973', 'anchors.clock.f1', ''],
  ['scorer', 'anchors.self_test', ''],
]

/** Objects of objects a line each; what is in them is one line, with what is in that in brackets. */
function shown(value: unknown): string {
  if (!isTable(value)) return flat(value)
  return Object.entries(value as Result)
    .map(([key, row]) => `\n    ${key.padEnd(10)} ${flat(row)}`)
    .join('')
}

function flat(value: unknown): string {
  if (value === null) return '-'
  if (typeof value === 'number') return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(4)))
  if (Array.isArray(value)) {
    if (value.every((one) => typeof one === 'number')) return value.length === 0 ? 'none' : value.map(flat).join(' … ')
    if (value.every((one) => typeof one === 'string')) return value.join('; ')
    return value.map((one) => `\n    ${flat(one)}`).join('')
  }
  if (typeof value !== 'object') return String(value)
  return Object.entries(value as Result)
    .map(([key, one]) => (typeof one === 'object' && one !== null ? `${key} (${flat(one)})` : `${key} ${flat(one)}`))
    .join('  ')
}

const isTable = (value: unknown): boolean =>
  typeof value === 'object' &&
  value !== null &&
  !Array.isArray(value) &&
  Object.values(value).length > 0 &&
  Object.values(value).every((one) => typeof one === 'object' && one !== null && !Array.isArray(one))
