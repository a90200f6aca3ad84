import { ACTION_PRIORITY, HARD_ACTIONS } from '../model/action.ts'
import type { Hazard, MetricProvenance, RigPolicy, Rule, Target } from '../model/actions-policy.ts'
import type { RigAlarms } from '../model/alarm.ts'
import type { Peer } from '../model/provenance.ts'
import { type Micros, microsFromMillis } from '../units.ts'
import { collectProblems, compileCondition, judgedWindowsMs } from './actions-policy-conditions.ts'
import { lossOfPermit } from './actions-policy-hazards.ts'
import { gone, policyProblems } from './actions-policy-problems.ts'
import {
  type ActionsPolicy,
  ActionsPolicySchema,
  type HazardConfig,
  type RuleConfig,
  type TargetConfig,
} from './actions-policy-schema.ts'
import { readAlarms } from './alarms.ts'
import { type CheckedFile, checkYaml } from './document.ts'
import type { Equivalence } from './equivalence.ts'
import type { Problem } from './problems.ts'
import type { RegistryMetric } from './registry.ts'
import { rigProvenance } from './registry-provenance.ts'
import type { Loose } from './rig-problems.ts'
import type { Schema } from './schema-terms.ts'
import type { RigConfig } from './types.ts'

/** A policy against one rig: null where too much is wrong to compile it. */
export type PolicyFound = Readonly<{
  policy: RigPolicy | null
  /** Null exactly when the policy is. */
  alarms: RigAlarms | null
  provenance: readonly MetricProvenance[]
  problems: readonly Problem[]
}>

/** Reads `actions_policy.yaml` against its schema alone; keys of the predecessor are told what became of them. */
export function readPolicy(name: string, bytes: Uint8Array): CheckedFile {
  const file = checkYaml(name, bytes, ActionsPolicySchema as unknown as Schema)
  return { ...file, problems: file.problems.map(gone) }
}

type For = Readonly<{
  rig: RigConfig
  metrics: readonly RegistryMetric[]
  equivalences: readonly Equivalence[]
}>

/** What a policy means for a rig, with every mistake that no single key shows; without one, where its metrics come from. Pure. */
export function policyFor(file: CheckedFile | null, { rig, metrics, equivalences }: For): PolicyFound {
  if (file === null)
    return { policy: null, alarms: null, provenance: rigProvenance({ metrics, equivalences, peers: [] }), problems: [] }
  const policy = (file.value ?? {}) as Loose<ActionsPolicy>
  const provenance = rigProvenance({ metrics, equivalences, peers: peersOf(policy) })
  const problems: Problem[] = []
  const about = { rig, metrics, provenance }
  policyProblems({ file, policy, about, add: collectProblems(file, problems) })
  const alarms = readAlarms(file, {
    slideMs: rig.slide_ms,
    metrics: metrics.map((m) => ({ metric: m.metric, windowsMs: judgedWindowsMs(m, rig) })),
  })
  problems.push(...alarms.problems, ...notifyProblems(file, policy))
  if (!file.isSound([]) || problems.length > 0) return { policy: null, alarms: null, provenance, problems }
  const { definitions } = alarms
  const notify = (file.value as ActionsPolicy).alarms_notify ?? null
  return {
    policy: compilePolicy(file.value as ActionsPolicy, rig),
    alarms: { definitions, notify },
    provenance,
    problems,
  }
}

/** Who is told of alarms is a target that tells people. */
function notifyProblems(file: CheckedFile, { alarms_notify: name, targets = [] }: Loose<ActionsPolicy>): Problem[] {
  if (name === undefined || targets.some((target) => target?.name === name && target.executor === 'notify')) return []
  const own = targets.filter((target) => target?.executor === 'notify').map((target) => `\`${target?.name}\``)
  const expected = `a target whose executor is notify (${own.join(', ') || 'there is none'})`
  return [{ ...file.at(['alarms_notify']), found: `\`${name}\``, expected }]
}

function peersOf({ targets = [] }: Loose<ActionsPolicy>): Peer[] {
  return targets.flatMap((target) =>
    target?.name === undefined
      ? []
      : [{ name: target.name, groups: (target.groups ?? []).filter((group) => group !== undefined) }],
  )
}

function compilePolicy(policy: ActionsPolicy, { rig, testbed }: RigConfig): RigPolicy {
  return {
    rig,
    testbed,
    rules: policy.rules.map((rule) => compileRule(rule, policy)),
    hazards: policy.hazards.map(compileHazard),
    interlocks: policy.interlocks.map(({ id, assume, guarantee, blocks }) => ({
      id,
      assume: compileCondition('assume', assume),
      guarantee: compileCondition('guarantee', guarantee),
      blocks,
    })),
    exclusions: policy.exclusions.map(({ actions }) => actions),
    budgets: policy.budgets.map((b) => ({
      action: b.action,
      target: b.target ?? '',
      most: b.most,
      windowUs: microsFromMillis(b.window_ms),
      spacingUs: microsFromMillis(b.spacing_ms),
      latchUs: microsFromMillis(b.latch_ms),
    })),
    priority: policy.priority ?? ACTION_PRIORITY,
    targets: policy.targets.map((target) => compileTarget(target, policy.hazards.map(compileHazard))),
    releasesMax: policy.decision_authority.releases_max,
  }
}

function compileRule(rule: RuleConfig, { decision_authority: authority }: ActionsPolicy): Rule {
  const isHard = HARD_ACTIONS.includes(rule.action)
  return {
    id: rule.id,
    action: rule.action,
    target: rule.target,
    vote: rule.vote,
    conditions: rule.conditions.map(({ id, ...c }, k) => compileCondition(id ?? String(k + 1), c)),
    params: sortedByName(rule.params),
    coincidenceUs: microsFromMillis(rule.coincidence_ms),
    minConfidence: rule.min_confidence ?? (isHard ? authority.min_confidence : 0),
    modes: rule.modes,
    rearm: rule.rearm,
    clearUs: microsFromMillis(rule.clear_ms),
    vetoUs: microsFromMillis(rule.veto_window_ms),
    fastPath: rule.fast_path,
    dryRun: rule.dry_run,
    escalation: rule.escalation ?? null,
    ...(rule.expected_per_hour === undefined ? {} : { expectedPerHour: rule.expected_per_hour }),
  }
}

function compileHazard(h: HazardConfig): Hazard {
  return {
    action: h.action,
    target: h.target,
    inadvertent: h.inadvertent,
    omission: h.omission,
    reason: h.reason,
    fttiUs: microsFromMillis(h.ftti_ms),
    safeState: h.safe_state,
    verify:
      h.verify === undefined
        ? null
        : { condition: compileCondition('verify', h.verify), withinUs: microsFromMillis(h.verify.within_ms) },
    lossOfPermit: lossOfPermit(h),
    ...(h.loss_of_permit_reason === undefined ? {} : { lossOfPermitReason: h.loss_of_permit_reason }),
    secondLayer: h.second_layer ?? null,
    onUnknown: h.on_unknown ?? 'alarm',
  }
}

const HOUR_MS = 3_600_000
/** Without a sign of life for so long the hardware is on its own, unless the policy or a shorter FTTI says otherwise. */
const PERMIT_HOLD_US: Micros = 1_000_000

function compileTarget(t: TargetConfig, hazards: readonly Hazard[]): Target {
  const counting = hazards.filter(({ target, lossOfPermit }) => target === t.name && lossOfPermit !== 'none')
  const shortestUs = counting.reduce((least, { fttiUs }) => Math.min(least, fttiUs), PERMIT_HOLD_US)
  const holdUs = t.permit_hold_ms === undefined ? shortestUs : microsFromMillis(t.permit_hold_ms)
  return {
    name: t.name,
    executor: t.executor,
    groups: t.groups,
    nonIdempotent: t.non_idempotent,
    stages: {
      sendUs: microsFromMillis(t.send_timeout_ms),
      acceptUs: microsFromMillis(t.accept_timeout_ms),
      startUs: microsFromMillis(t.start_timeout_ms),
      completeUs: microsFromMillis(t.complete_timeout_ms),
    },
    retries: t.retries,
    backOffUs: microsFromMillis(t.back_off_ms),
    ...(counting.length === 0 ? {} : { permitHoldUs: holdUs }),
    ...(t.proof_every_h === undefined ? {} : { proofEveryUs: microsFromMillis(Math.round(t.proof_every_h * HOUR_MS)) }),
  }
}

function sortedByName<T>(of: Readonly<Record<string, T>>): Record<string, T> {
  return Object.fromEntries(Object.entries(of).sort(([a], [b]) => (a < b ? -1 : 1)))
}
