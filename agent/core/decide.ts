import type { Canonical, DecisionValues, Finding, RunContext } from '../../shared/model/decision.ts'
import { METRIC_VERDICTS, type MetricVerdict, type OverallVerdict } from '../../shared/model/verdict.ts'
import type { Judgement } from './judge.ts'
import { EVALUATOR_VERSION, type EvaluatorSettings, FINDINGS_MAX } from './settings.ts'
import type { RigState } from './state.ts'

/** Verdicts that mean nobody knows how a metric is. A required metric with one of them makes the rig NO_TEST. */
const UNKNOWN: ReadonlySet<MetricVerdict> = new Set(['INVALID', 'STALE', 'INSUFFICIENT'])

/**
 * The verdict of a rig from those of its metrics: FAIL > NO_TEST > NO_BASELINE > PASS_WITH_DRIFT > PASS (decisions 6).
 * PASS needs at least one metric that was really judged: nothing known is never good.
 */
export function overallVerdict(rig: RigState, judgements: readonly Judgement[]): OverallVerdict {
  let drift = false
  let known = false
  let unknown = false
  let withoutBaseline = false
  for (let m = 0; m < judgements.length; m += 1) {
    const { verdict } = judgements[m]!
    if (verdict === 'FAIL') return 'FAIL'
    const required = rig.settings.metrics[m]!.required
    if (UNKNOWN.has(verdict)) unknown ||= required
    else if (verdict === 'NO_BASELINE') withoutBaseline ||= required
    else known = true
    if (verdict === 'DRIFT') drift = true
  }
  if (unknown || !(known || withoutBaseline)) return 'NO_TEST'
  if (withoutBaseline) return 'NO_BASELINE'
  return drift ? 'PASS_WITH_DRIFT' : 'PASS'
}

/** Findings, worst first: by verdict, then by how far outside, then by name. The first is the driver. */
export function rankFindings(judgements: readonly Judgement[]): Finding[] {
  const findings: Finding[] = []
  for (const { finding } of judgements) if (finding !== null) findings.push(finding)
  findings.sort((a, b) => {
    const byVerdict = METRIC_VERDICTS.indexOf(a.verdict) - METRIC_VERDICTS.indexOf(b.verdict)
    if (byVerdict !== 0) return byVerdict
    const ratioA = a.ratio ?? -1
    const ratioB = b.ratio ?? -1
    if (ratioA !== ratioB) return ratioB - ratioA
    return a.metric < b.metric ? -1 : 1
  })
  return findings
}

/** Text, in the Unicode form that snapshots keep, that is equal exactly when two slides of a rig say the same: verdict, drivers with window and ground, mode, run, configuration. */
export function sayingKey(rig: RigState, verdict: OverallVerdict, findings: readonly Finding[]): string {
  const drivers = driversOf(findings)
  return JSON.stringify([verdict, rig.mode, rig.run?.run ?? '', rig.run?.note ?? '', drivers]).normalize('NFC')
}

/** The same of what was found alone: mode and run are no finding, and no late sample changes them. */
export function foundKey(verdict: OverallVerdict, findings: readonly Finding[]): string {
  return JSON.stringify([verdict, driversOf(findings)]).normalize('NFC')
}

function driversOf(findings: readonly Finding[]): string[] {
  return findings.map((f) => `${f.metric}\u0000${f.verdict}\u0000${f.ground}\u0000${f.windowUs}`).sort()
}

export type Saying = Readonly<{
  seq: number
  endUs: number
  verdict: OverallVerdict
  findings: readonly Finding[]
  slice: Uint8Array
  /** What would be asked of an actuator; until actions land nothing is done and the record says so (decisions 26). */
  action: 'notify' | null
  /** The decision that this one corrects. Who knows only version 1 of a core must not take it for one of its own. */
  revises?: number
}>

/** Whose decision it is, and what was in force. */
export type Subject = Pick<RigState, 'settings' | 'mode' | 'run'>

/** The six class values of a decision: core, measurements, identifiers, limits, persons, free text (evidence.md 4.3). */
export function decisionValues(settings: EvaluatorSettings, rig: Subject, saying: Saying): DecisionValues {
  const findings = saying.findings.slice(0, FINDINGS_MAX)
  const core: Canonical = {
    ...(saying.revises === undefined ? { v: 1 } : { v: 2, revises: saying.revises }),
    seq: saying.seq,
    rig: rig.settings.rig,
    t_us: saying.endUs,
    verdict: saying.verdict,
    limits_only: isLimitsOnly(rig),
    mode: rig.mode,
    run: rig.run?.run ?? null,
    code: EVALUATOR_VERSION,
    config: settings.configDigest,
    baseline: rig.settings.baseline?.digest ?? null,
    slice: saying.slice,
    drivers: findings.map((f) => [f.metric, f.verdict, f.ground, f.windowUs]),
    more: saying.findings.length - findings.length,
    action: saying.action === null ? null : { type: saying.action, outcome: 'would_have_done' },
  }
  const measurements = findings.map((f) => [f.metric, f.count, f.mean, f.min, f.max, f.ageUs])
  const limits = findings.map((f) => [
    f.metric,
    f.unit,
    f.limit,
    f.baselineMean,
    f.baselineSpread,
    f.deviation,
    f.ratio,
  ])
  return [
    core,
    measurements,
    identifiers(rig.run, findings),
    limits,
    rig.run?.operator ?? null,
    rig.run === null ? null : rig.run.note,
  ]
}

/** A rig none of whose metrics asks for a baseline is judged on limits alone, and is badged so everywhere (K5). */
export function isLimitsOnly(rig: Pick<RigState, 'settings'>): boolean {
  return rig.settings.metrics.every((m) => !m.baselineRequired)
}

function identifiers(run: RunContext | null, findings: readonly Finding[]): Canonical {
  return {
    channels: findings.map((f) => f.channel),
    article: run?.article ?? null,
    procedure: run?.procedure ?? null,
  }
}
