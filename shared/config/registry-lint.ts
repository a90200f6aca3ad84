import { conversionBetween, parseUnit } from '../model/units.ts'
import { MODES } from '../model/verdict.ts'
import { type CheckedFile, checkYaml, type Path } from './document.ts'
import { type Problem, withoutRepeats } from './problems.ts'
import { type InForce, mergedProblems, metricsFor, type RegistryMetric, registryProblems } from './registry.ts'
import { RegistrySchema } from './registry-schema.ts'
import type { Schema } from './schema-terms.ts'
import type { MetricConfig, RegistryConfig } from './types.ts'
import { didYouMeanUnit } from './unit-hint.ts'

/**
 * `mistake`: no agent starts with it. Everything else an agent takes, and means something that is easily mistaken: most of
 * them meant something else to the predecessor.
 */
export type LintRule =
  | 'mistake'
  | 'fail_threshold_without_critical'
  | 'critical_without_invariant'
  | 'percent_only_at_zero'
  | 'ambiguous_unit_key'
  | 'rounded_factor'
  | 'unit_never_converted'
  | 'min_effect_hides_threshold'
  | 'limit_never_reached'

export type LintFinding = Problem & Readonly<{ rule: LintRule }>

/** Reads a metric registry by itself and lists what is wrong and what is a trap, for every programme and mode it names. Pure. */
export function lintRegistry(name: string, bytes: Uint8Array): LintFinding[] {
  const file = checkYaml(name, bytes, RegistrySchema as unknown as Schema)
  const mistakes = [...file.problems, ...registryProblems(file)]
  const traps: LintFinding[] = []
  if (file.isSound([])) {
    const registry = file.value as RegistryConfig
    for (const whose of everyPair(registry)) {
      const metrics = metricsFor(registry, whose)
      mistakes.push(...mergedProblems(file, metrics, whose))
      for (const m of metrics) {
        const at = new Looking(m, { file, whose, traps })
        for (const look of LOOKS) look(at)
      }
    }
  }
  const all = [
    ...withoutRepeats(mistakes).map((problem): LintFinding => ({ ...problem, rule: 'mistake' })),
    ...(withoutRepeats(traps) as LintFinding[]),
  ]
  return all.sort((a, b) => a.line - b.line || a.column - b.column)
}

/** No programme and no mode first, so that what is said without any override is found there. */
function everyPair({ programs, mode_overrides: modes }: RegistryConfig): InForce[] {
  const known = MODES.filter((mode) => Object.hasOwn(modes ?? {}, mode))
  return ['', ...Object.keys(programs ?? {})].flatMap((program) => ['', ...known].map((mode) => ({ program, mode })))
}

type What = Pick<Problem, 'found' | 'expected' | 'hint'>

/** One metric as it is in force, and where its keys were given. */
class Looking {
  readonly m: RegistryMetric
  private readonly file: CheckedFile
  private readonly layers: readonly Path[]
  private readonly traps: LintFinding[]

  constructor(m: RegistryMetric, { file, whose, traps }: { file: CheckedFile; whose: InForce; traps: LintFinding[] }) {
    this.m = m
    this.file = file
    this.traps = traps
    this.layers = [
      ['mode_overrides', whose.mode, 'metrics', m.metric],
      ['programs', whose.program, 'metrics', m.metric],
      ['metrics', m.metric],
    ]
  }

  /** Where a key was given: by the mode, by the programme, or at the metric; undefined when nowhere. */
  given(key: keyof MetricConfig): Path | undefined {
    return this.layers.map((layer): Path => [...layer, key]).find((path) => this.file.has(path))
  }

  add(key: keyof MetricConfig, rule: LintRule, what: What): void {
    const path = this.given(key) ?? [...this.layers.at(-1)!, key]
    this.traps.push({ ...this.file.at(path), ...what, rule })
  }
}

function criticalTraps(at: Looking): void {
  const { m } = at
  if (at.given('fail_threshold') !== undefined && m.critical !== true)
    at.add('fail_threshold', 'fail_threshold_without_critical', {
      found: '`fail_threshold` without `critical: true`',
      expected: '`fail_max`, or `critical: true` beside it',
      hint: 'the predecessor ignored it; here it always holds',
    })
  const hasInvariant = [m.invariant_eq, m.invariant_min, m.invariant_max].some((limit) => limit !== undefined)
  if (m.critical === true && !hasInvariant)
    at.add('critical', 'critical_without_invariant', {
      found: 'critical, held by window means alone',
      expected: 'an `invariant_*` beside it',
      hint: 'a mean hides a short excess; the predecessor asked for one, and failed what was above 0 without a limit',
    })
}

function limitTraps(at: Looking): void {
  const { fail_max: failMax, fail_min: failMin, invariant_max: max, invariant_min: min } = at.m
  const maxKey = at.given('fail_max') === undefined ? 'fail_threshold' : 'fail_max'
  if (failMax !== undefined && max !== undefined && failMax >= max)
    at.add(maxKey, 'limit_never_reached', {
      found: `a limit of ${failMax} behind \`invariant_max\` ${max}`,
      expected: `less than ${max}, or nothing`,
      hint: 'no sample may pass the invariant, so no mean comes to the limit',
    })
  if (failMin !== undefined && min !== undefined && failMin <= min)
    at.add('fail_min', 'limit_never_reached', {
      found: `a limit of ${failMin} behind \`invariant_min\` ${min}`,
      expected: `more than ${min}, or nothing`,
      hint: 'no sample may pass the invariant, so no mean comes to the limit',
    })
}

function driftTraps(at: Looking): void {
  const { m } = at
  const { drift_percent: percent, drift_threshold: threshold, min_effect: effect } = m
  if (percent !== undefined && threshold === undefined && mayBeZero(m))
    at.add('drift_percent', 'percent_only_at_zero', {
      found: '`drift_percent` alone, of a value that may be 0',
      expected: 'a `drift_threshold` beside it',
      hint: `a share of 0 is 0: at a baseline of 0 it says nothing; an \`invariant_min\` above 0 would rule that out`,
    })
  if (threshold !== undefined && effect !== undefined && effect > threshold)
    at.add('min_effect', 'min_effect_hides_threshold', {
      found: `\`min_effect\` ${effect} above \`drift_threshold\` ${threshold}`,
      expected: `at most ${threshold}`,
      hint: 'a smaller difference is never DRIFT, so the threshold is never what decides',
    })
}

/** Whether no limit keeps a metric from 0. */
function mayBeZero({ invariant_eq: eq, ...m }: RegistryMetric): boolean {
  if (eq !== undefined) return eq === 0
  const above = [m.invariant_min, m.fail_min].some((limit) => limit !== undefined && limit > 0)
  const below = [m.invariant_max, m.fail_max].some((limit) => limit !== undefined && limit < 0)
  return !above && !below
}

function unitTraps(at: Looking): void {
  const { unit, unit_map: map = {} } = at.m
  const seen = new Map<string, string>()
  for (const name of new Set([unit, ...Object.keys(map)])) {
    // The predecessor looked units up by their letters and digits alone.
    const letters = name.toLowerCase().replace(/[^a-z0-9]/g, '')
    const other = seen.get(letters)
    if (other !== undefined || (letters === '' && name !== unit))
      at.add('unit_map', 'ambiguous_unit_key', {
        found: other === undefined ? `\`${name}\`` : `\`${other}\` and \`${name}\``,
        expected: 'units that differ in more than case and punctuation, or none that the table knows',
        hint: `the predecessor took ${other === undefined ? 'it for no unit' : 'them for one'}; here they are read letter for letter`,
      })
    seen.set(letters, name)
  }
  const canonical = parseUnit(unit)
  if (!canonical.ok) return
  for (const [name, factor] of Object.entries(map)) {
    const stated = parseUnit(name)
    const table = stated.ok && name !== unit ? conversionBetween(stated.unit, canonical.unit) : null
    if (table?.ok !== true || table.offset !== 0 || Math.abs(factor - table.factor) <= SAME_WITHIN * table.factor)
      continue
    at.add('unit_map', 'rounded_factor', {
      found: `\`${name}\` × ${factor}`,
      expected: `nothing: the table has ${table.factor}`,
      hint: 'a factor in `unit_map` goes before that of the table, rounded as it is',
    })
  }
}

/**
 * A unit that the table does not know, or that no factor converts, is permitted: it is equal to itself. Whoever meant it
 * must be told that nothing else ever becomes it, for a slip of the pen looks the same (ADR 18).
 */
function opaqueUnitTrap(at: Looking): void {
  const { unit, unit_map: map = {} } = at.m
  const read = unit.trim() === '' ? null : parseUnit(unit)
  if (read === null || read.ok) return
  const others = Object.keys(map).filter((name) => name !== unit)
  const converted =
    others.length === 0 ? 'never converted' : `converted from ${others.join(', ')} of \`unit_map\` alone`
  const meant = didYouMeanUnit(unit)
  at.add('unit', 'unit_never_converted', {
    found: read.detail,
    expected: 'a unit of the table, unless it is meant to be equal to itself alone',
    hint: `${meant === undefined ? '' : `${meant} `}it is ${converted}: samples that state another unit make the metric INVALID`,
  })
}

/** Doubles that were written with all their digits. */
const SAME_WITHIN = 1e-12

const LOOKS = [criticalTraps, limitTraps, driftTraps, unitTraps, opaqueUnitTrap] as const
