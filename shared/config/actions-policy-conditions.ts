import type { ActionOn, Condition, Look, MetricProvenance } from '../model/actions-policy.ts'
import { microsFromMillis } from '../units.ts'
import type { ActionsPolicy, ConditionConfig } from './actions-policy-schema.ts'
import type { CheckedFile, Path } from './document.ts'
import { didYouMean, type Problem } from './problems.ts'
import type { RegistryMetric } from './registry.ts'
import type { Loose } from './rig-problems.ts'
import type { RigConfig } from './types.ts'

/** Samples that a window must hold for a metric to be judged by it. */
const WINDOW_SAMPLES_MIN = 5
const WINDOW_KEYS = ['window_ms', 'of', 'op', 'value'] as const

/** What a policy is checked against: the rig, its metrics, and where they come from. */
export type PolicyAbout = Readonly<{
  rig: RigConfig
  metrics: readonly RegistryMetric[]
  provenance: readonly MetricProvenance[]
}>

/** A policy while it is looked at: what is wrong by itself has holes in it, and is passed over. */
export type PolicyCheck = Readonly<{
  file: CheckedFile
  policy: Loose<ActionsPolicy>
  about: PolicyAbout
  add(path: Path, found: string, expected: string, hint?: string): void
}>

export type AddProblem = PolicyCheck['add']

export function collectProblems(file: CheckedFile, problems: Problem[]): AddProblem {
  return (path, found, expected, hint) => {
    problems.push({ ...file.at(path), found, expected, ...(hint === undefined ? {} : { hint }) })
  }
}

/** Names of targets; null where one of them cannot be read, so that nothing can be said of a name that is not among them. */
export function targetNames({ policy }: Pick<PolicyCheck, 'policy'>): string[] | null {
  const names = policy.targets?.map((one) => one?.name)
  return names?.every((name) => name !== undefined) === true ? names : null
}

/** Notes a target that is not there. @returns whether it may be. */
export function knownTarget({ policy, add }: PolicyCheck, path: Path, { target }: Pick<ActionOn, 'target'>): boolean {
  const names = targetNames({ policy })
  if (names === null || names.includes(target)) return true
  add([...path, 'target'], `\`${target}\``, 'a target from `targets`', didYouMean(target, names))
  return false
}

/** Windows of the rig that a metric is judged by, in ms. */
export function judgedWindowsMs(m: RegistryMetric, rig: RigConfig): number[] {
  const widths = rig.windows_ms.filter((ms) => m.windows_ms === undefined || m.windows_ms.includes(ms))
  return widths.filter((ms) => (m.nominal_rate_hz * ms) / 1000 >= WINDOW_SAMPLES_MIN).sort((a, b) => a - b)
}

/** Mistakes of one condition. `isTrigger`: it is to be TRUE only when something is wrong. */
export function conditionProblems(check: PolicyCheck, path: Path, c: ConditionConfig, isTrigger: boolean): void {
  const { add } = check
  const kinds = (['metric', 'overall', 'event'] as const).filter((key) => c[key] !== undefined)
  const strange =
    c.metric === undefined ? [...WINDOW_KEYS, 'verdict' as const].filter((key) => c[key] !== undefined) : []
  if (kinds.length !== 1)
    add(
      path,
      kinds.length === 0 ? 'nothing to look at' : kinds.map((key) => `\`${key}\``).join(' and '),
      'one of `metric`, `overall`, `event`',
      'two things to look at are two conditions, and a vote',
    )
  for (const key of kinds.length === 1 ? strange : [])
    add([...path, key], `\`${key}\` without \`metric\``, 'a metric beside it')
  const { persistence, persistence_of: of } = c
  if (of !== undefined && persistence > of)
    add([...path, 'persistence_of'], `${persistence} of ${of} slides`, `at least \`persistence\` (${persistence})`)
  if (c.metric !== undefined) metricProblems(check, path, c, isTrigger)
}

function metricProblems({ about, add }: PolicyCheck, path: Path, c: ConditionConfig, isTrigger: boolean): void {
  const m = about.metrics.find(({ metric }) => metric === c.metric)
  if (m === undefined) {
    const known = about.metrics.map(({ metric }) => metric)
    const aliased = about.metrics.find((one) => one.aliases?.includes(c.metric!))
    const hint = aliased === undefined ? didYouMean(c.metric!, known) : `its metric is \`${aliased.metric}\``
    add([...path, 'metric'], `\`${c.metric}\``, `a metric of rig \`${about.rig.rig}\``, hint)
    return
  }
  const intervalMs = Math.ceil(1000 / m.nominal_rate_hz)
  const leastMs = about.rig.lateness_ms + about.rig.slide_ms + intervalMs
  if (c.fresh_ms < leastMs)
    add(
      [...path, 'fresh_ms'],
      `${c.fresh_ms}`,
      `at least ${leastMs}: \`lateness_ms\` + \`slide_ms\` + one interval of \`${m.metric}\``,
      'shorter, and it is STALE while all is well',
    )
  if (c.verdict !== undefined) {
    for (const key of WINDOW_KEYS)
      if (c[key] !== undefined)
        add([...path, key], `\`${key}\` beside \`verdict\``, 'a verdict, or a window and a number')
    return
  }
  windowProblems({ about, add }, path, c, m)
  if (isTrigger) invertedProblems(add, path, c, m)
}

type Adding = Pick<PolicyCheck, 'about' | 'add'>

function windowProblems({ about, add }: Adding, path: Path, c: ConditionConfig, m: RegistryMetric): void {
  const judged = judgedWindowsMs(m, about.rig)
  for (const key of ['window_ms', 'op', 'value'] as const) {
    if (c[key] !== undefined) continue
    const hint = key === 'window_ms' ? `\`${m.metric}\` is judged by windows of ${judged.join(', ')} ms` : undefined
    add([...path, key], 'nothing', 'a window with `window_ms`, `op` and `value`, or a `verdict`', hint)
  }
  if (c.window_ms === undefined || judged.includes(c.window_ms)) return
  const hint = about.rig.windows_ms.includes(c.window_ms)
    ? `at ${m.nominal_rate_hz} Hz it holds less than ${WINDOW_SAMPLES_MIN} samples, or \`windows_ms\` of the metric leaves it out`
    : 'add it to `windows_ms` of the rig'
  add(
    [...path, 'window_ms'],
    `${c.window_ms}`,
    `a window that \`${m.metric}\` is judged by: ${judged.join(', ')}`,
    hint,
  )
}

/** A limit the wrong way round: TRUE for every value that the registry permits. */
function invertedProblems(add: AddProblem, path: Path, { op, value }: ConditionConfig, m: RegistryMetric): void {
  if (op === undefined || value === undefined) return
  const lower = largest([m.invariant_min, m.fail_min])
  const upper = smallest([m.invariant_max, m.fail_max ?? m.fail_threshold])
  const isAbove = op === '>' || op === '>='
  const always = isAbove ? lower !== undefined && lower > value : upper !== undefined && upper < value
  if (!always) return
  add(
    [...path, 'op'],
    `\`${m.metric}\` ${op} ${value}, which every value that the registry permits is`,
    `a limit that is passed when something is wrong; permitted is ${lower ?? '…'} to ${upper ?? '…'} ${m.unit}`,
    `did you mean \`${isAbove ? '<' : '>'}\`?`,
  )
}

function largest(values: readonly (number | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== undefined)
  return known.length === 0 ? undefined : Math.max(...known)
}

function smallest(values: readonly (number | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== undefined)
  return known.length === 0 ? undefined : Math.min(...known)
}

/** A sound condition, compiled. */
export function compileCondition(id: string, c: ConditionConfig): Condition {
  return {
    id,
    look: compileLook(c),
    persistence: { k: c.persistence, n: c.persistence_of ?? c.persistence },
    freshUs: microsFromMillis(c.fresh_ms),
  }
}

function compileLook(c: ConditionConfig): Look {
  if (c.overall !== undefined) return { kind: 'overall', verdicts: c.overall }
  if (c.metric === undefined) return { kind: 'event' }
  if (c.verdict !== undefined) return { kind: 'verdict', metric: c.metric, verdicts: c.verdict }
  const { metric, window_ms: windowMs, of = 'mean', op, value } = c
  return { kind: 'window', metric, windowUs: microsFromMillis(windowMs!), of, op: op!, value: value! }
}
