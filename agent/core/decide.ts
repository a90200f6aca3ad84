import type { BaselineKind } from '../../shared/model/baseline.ts'
import type { Canonical, DecisionValues, Finding, RunContext } from '../../shared/model/decision.ts'
import { METRIC_VERDICTS, type MetricVerdict, type Mode, type OverallVerdict } from '../../shared/model/verdict.ts'
import type { Micros } from '../../shared/units.ts'
import type { Judgement } from './judge.ts'
import {
  type Baseline,
  baselinesIn,
  EVALUATOR_VERSION,
  type EvaluatorSettings,
  FINDINGS_MAX,
  type MetricSettings,
  metricsIn,
  type RigSettings,
} from './settings.ts'
import type { RigState } from './state.ts'

/** Verdicts that mean nobody knows how a metric is. A required metric with one of them makes the rig NO_TEST. */
const UNKNOWN: ReadonlySet<MetricVerdict> = new Set(['INVALID', 'STALE', 'INSUFFICIENT'])

/**
 * The verdict of a rig from those of its metrics: FAIL > NO_TEST > NO_BASELINE > PASS_WITH_DRIFT > PASS (decisions 6).
 * PASS needs at least one metric that was really judged: nothing known is never good.
 */
export function overallVerdict(rig: RigState, judgements: readonly Judgement[]): OverallVerdict {
  const metrics = metricsIn(rig.settings, rig.mode)
  let drift = false
  let known = false
  let unknown = false
  let withoutBaseline = false
  for (let m = 0; m < judgements.length; m += 1) {
    const { verdict } = judgements[m]!
    if (verdict === 'FAIL') return 'FAIL'
    const required = metrics[m]!.required
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
export function sayingKey({ verdict, findings, mode, run }: Slide): string {
  return JSON.stringify([verdict, mode, run?.run ?? '', run?.note ?? '', driversOf(findings)]).normalize('NFC')
}

/** The same of what was found alone: mode and run are no finding, and no late sample changes them. */
export function foundKey({ verdict, findings }: Pick<Slide, 'verdict' | 'findings'>): string {
  return JSON.stringify([verdict, driversOf(findings)]).normalize('NFC')
}

function driversOf(findings: readonly Finding[]): string[] {
  return findings.map((f) => `${f.metric}\u0000${f.verdict}\u0000${f.ground}\u0000${f.windowUs}`).sort()
}

/** What one rig came to at the end of one slide. It has no number yet: that is given where all rigs meet. */
export type Slide = Readonly<{
  endUs: number
  verdict: OverallVerdict
  /** Worst first. */
  findings: readonly Finding[]
  /** Digest of the closed panes that were used. */
  slice: Uint8Array
  mode: Mode
  run: RunContext | null
  /** State and score (in limits) of the event streams, and 1 − p while in alarm; null while no detector watches. */
  event: Readonly<{ state: 'warming_up' | 'nominal' | 'alarm'; score: number; confidence: number | null }> | null
}>

export type Numbered = Readonly<{
  seq: number
  /** What would be asked of an actuator; until actions land nothing is done and the record says so (decisions 26). */
  action: 'notify' | null
  /** The decision that this one corrects. Who knows only version 1 of a core must not take it for one of its own. */
  revises?: number
}>

/** The six class values of a decision: core, measurements, identifiers, limits, persons, free text (evidence.md 4.3). */
export function decisionValues(
  settings: EvaluatorSettings,
  rig: RigSettings,
  slide: Slide,
  { seq, action, revises }: Numbered,
): DecisionValues {
  const { run } = slide
  const findings = slide.findings.slice(0, FINDINGS_MAX)
  const { baseline, rolling } = baselinesIn(rig, slide.mode)
  const core: Canonical = {
    ...(revises === undefined ? { v: 3 } : { v: 4, revises }),
    seq,
    rig: rig.rig,
    t_us: slide.endUs,
    verdict: slide.verdict,
    limits_only: isLimitsOnly(metricsIn(rig, slide.mode)),
    mode: slide.mode,
    run: run?.run ?? null,
    code: EVALUATOR_VERSION,
    config: settings.configDigest,
    baseline: baseline?.digest ?? null,
    rolling: rolling?.digest ?? null,
    baseline_kind: baseline === null ? null : kindAt(baseline, slide.endUs),
    baseline_confidence: baseline?.confidence ?? null,
    event: slide.event === null ? null : [slide.event.state, slide.event.score, slide.event.confidence],
    slice: slide.slice,
    drivers: findings.map((f) => [f.metric, f.verdict, f.ground, f.windowUs]),
    more: slide.findings.length - findings.length,
    action: action === null ? null : { type: action, outcome: 'would_have_done' },
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
  return [core, measurements, identifiers(run, findings), limits, run?.operator ?? null, run === null ? null : run.note]
}

/** What a baseline counts as at a time: what was approved by break-glass ends by itself. */
export function kindAt({ kind, validUntilUs }: Baseline, atUs: Micros): BaselineKind {
  return validUntilUs === null || atUs < validUntilUs ? kind : 'draft'
}

/** A rig none of whose metrics asks for a baseline is judged on limits alone, and is badged so everywhere (K5). */
export function isLimitsOnly(metrics: readonly MetricSettings[]): boolean {
  return metrics.every((m) => !m.baselineRequired)
}

function identifiers(run: RunContext | null, findings: readonly Finding[]): Canonical {
  return {
    channels: findings.map((f) => f.channel),
    article: run?.article ?? null,
    procedure: run?.procedure ?? null,
  }
}
