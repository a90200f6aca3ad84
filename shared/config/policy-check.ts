import type { MetricProvenance, RigPolicy } from '../model/actions-policy.ts'
import { lintPolicy, POLICY_LINT, type PolicyLintRule } from '../model/policy-lint.ts'
import type { Measured, RigTiming } from '../model/reaction-budget.ts'
import { microsFromMillis } from '../units.ts'
import { judgedWindowsMs } from './actions-policy-conditions.ts'
import type { CheckedFile } from './document.ts'
import type { Problem } from './problems.ts'
import type { RegistryMetric } from './registry.ts'
import type { RigConfig } from './types.ts'

/** A policy without mistakes, compiled for one rig, with what its lint and its sentences need. */
export type PolicyOfRig = Readonly<{
  rig: string
  file: CheckedFile
  policy: RigPolicy
  provenance: readonly MetricProvenance[]
  timing: RigTiming
  /** Unit of each metric. */
  units: ReadonlyMap<string, string>
}>

/** Something that is dangerous or a trap, where it stands, and the requirement it goes against. */
export type PlacedFinding = Problem &
  Readonly<{ rig: string; rule: PolicyLintRule; requirement: string; severity: 'error' | 'warning' }>

export function policyOfRig(
  { file, policy, provenance }: Pick<PolicyOfRig, 'file' | 'policy' | 'provenance'>,
  rig: RigConfig,
  metrics: readonly RegistryMetric[],
): PolicyOfRig {
  const judged = metrics.map((m) => [m.metric, judgedWindowsMs(m, rig).map(microsFromMillis)] as const)
  const timing = {
    slideUs: microsFromMillis(rig.slide_ms),
    latenessUs: microsFromMillis(rig.lateness_ms),
    judgedUs: new Map(judged),
  }
  return { rig: rig.rig, file, policy, provenance, timing, units: new Map(metrics.map((m) => [m.metric, m.unit])) }
}

/** Lint of one rig's policy. What was not measured is assumed, and says so. */
export function placedFindings(of: PolicyOfRig, measured: Measured): PlacedFinding[] {
  return lintPolicy({ ...of, measured }).map(({ path, found, expected, hint, rule, severity }) => ({
    ...of.file.at(path),
    found,
    expected,
    ...(hint === undefined ? {} : { hint }),
    rig: of.rig,
    rule,
    requirement: POLICY_LINT[rule],
    severity,
  }))
}

/** The findings that refuse a policy, as mistakes of its file. */
export function lintMistakes(policies: readonly PolicyOfRig[]): Problem[] {
  return policies.flatMap((of) =>
    placedFindings(of, {}).flatMap(({ rule, severity, requirement, rig: _, ...problem }) =>
      severity === 'error' ? [{ ...problem, found: `${problem.found} (${rule}, ${requirement})` }] : [],
    ),
  )
}
