import { toHex } from '../../shared/crypto/digest.ts'
import { FIELD, MOMENTS_FIELDS } from '../../shared/math/moments.ts'
import { severityRank } from '../../shared/model/alarm.ts'
import { alarmShown } from '../../shared/model/alarms/shown.ts'
import { entriesOf, isMasked, stateOf } from '../../shared/model/alarms/state.ts'
import type { Decay } from '../../shared/model/baseline-decay.ts'
import type { Decision, Finding } from '../../shared/model/decision.ts'
import type { BaselineRole } from '../../shared/protocol/downlink.ts'
import {
  type AlarmVitals,
  type BandVitals,
  type BaselineVitals,
  type FindingJson,
  VITAL_ALARMS_MAX,
  type Vitals,
} from '../../shared/protocol/messages.ts'
import { missingOf } from '../core/accept.ts'
import { kindAt } from '../core/decide.ts'
import { bandOf } from '../core/detectors/bands.ts'
import { eventOf } from '../core/detectors/monitor.ts'
import { isFilled, type Judgement } from '../core/judge.ts'
import { type Baseline, baselinesIn, type MetricSettings, metricsIn } from '../core/settings.ts'
import { monitorOf, type RigState } from '../core/state.ts'
import { totalCounts } from '../core/totals.ts'
import { eventIn } from '../core/watch.ts'
import type { OutboxPending } from '../ports.ts'

/** Findings that travel with vitals; the decision itself has them all. */
const VITAL_FINDINGS_MAX = 8

export type VitalsContext = Readonly<{
  program: string
  /** Rigs it may share a baseline with; '' for none. */
  family: string
  wallUs: number
  clock: 'system' | 'recording' | 'external'
  simulation: boolean
  samplesPerS: number
  outbox: OutboxPending
  /** What is left of a baseline of the rig. */
  decay(role: BaselineRole): Decay
}>

/**
 * What a person wants to see of a rig now: every channel with its windows, limits and baseline band. Unsigned and
 * lossy on purpose: for looking, never for deciding. Taken right after a slide, while its joined windows are there.
 */
export function vitalsOf(
  rig: RigState,
  decision: Decision,
  judgements: readonly Judgement[],
  context: VitalsContext,
): Vitals {
  const { settings } = rig
  const { baseline, rolling } = baselinesIn(settings, rig.mode)
  return {
    v: 1,
    type: 'vitals',
    rig: settings.rig,
    program: context.program,
    time_us: decision.timeUs,
    wall_us: context.wallUs,
    verdict: decision.verdict,
    limits_only: decision.limitsOnly,
    mode: decision.mode,
    run:
      decision.run === null
        ? null
        : {
            run: decision.run.run,
            article: decision.run.article,
            procedure: decision.run.procedure,
            operator: decision.run.operator,
          },
    decision_seq: decision.seq,
    findings: decision.findings.slice(0, VITAL_FINDINGS_MAX).map(findingJson),
    clock: context.clock,
    simulation: context.simulation,
    samples_per_s: context.samplesPerS,
    counters: countersOf(rig),
    outbox: { batches: context.outbox.batches, bytes: context.outbox.bytes, oldest_us: context.outbox.oldestUs },
    channels: metricsIn(settings, decision.mode).map((m, index) =>
      channelVitals(rig, m, index, judgements[index]!, decision.timeUs),
    ),
    baselines: {
      mode: rig.mode,
      family: context.family,
      golden: baselineVitals(baseline, decision.timeUs, context.decay('golden')),
      rolling: baselineVitals(rolling, decision.timeUs, context.decay('rolling')),
    },
    event: eventVitals(rig),
    alarms: alarmVitals(rig),
  }
}

function baselineVitals(baseline: Baseline | null, timeUs: number, decay: Decay): BaselineVitals | null {
  if (baseline === null) return null
  return {
    digest: toHex(baseline.digest),
    kind: kindAt(baseline, timeUs),
    confidence: baseline.confidence,
    decay: decay.factor,
    decay_reasons: decay.reasons,
    age_us: Math.max(0, timeUs - baseline.toUs),
    inputs: baseline.about.inputs,
  }
}

/** What is not hidden comes first, and of that the worst. */
function alarmVitals({ safety, settings }: RigState): Vitals['alarms'] {
  if (safety === null || settings.safety === undefined) return null
  const { definitions } = settings.safety.alarms
  return entriesOf(safety.alarms)
    .filter((entry) => stateOf(entry) !== 'NORMAL')
    .sort((a, b) => Number(isMasked(a)) - Number(isMasked(b)) || severityRank(b.severity) - severityRank(a.severity))
    .slice(0, VITAL_ALARMS_MAX)
    .map((entry): AlarmVitals => {
      const { id, title, state, severity, occurrence, text, raised_us } = alarmShown(safety.alarms, definitions, entry)
      return { id, title, state, severity, occurrence, text, raised_us }
    })
}

function eventVitals(rig: RigState): Vitals['event'] {
  const monitor = monitorOf(rig)
  if (monitor === null) return null
  const { state, score, stream, channel } = eventOf(monitor)
  const driver = rig.settings.metrics[channel]?.channels[0] ?? null
  return { state, score, confidence: eventIn(rig)?.confidence ?? null, stream, channel: driver }
}

/** The loss ledger of a rig as it stands in headers and on pages; `missing` counts frames, the others samples. */
export function countersOf(rig: RigState): Vitals['counters'] {
  const { received, evaluated, late, duplicate, rejected, shed } = totalCounts(rig)
  return { received, evaluated, late, duplicate, rejected, shed, missing: missingOf(rig) }
}

/** A finding as it is written in JSON: snake_case, units in the names. */
export function findingJson(f: Finding): FindingJson {
  return {
    metric: f.metric,
    channel: f.channel,
    verdict: f.verdict,
    window_us: f.windowUs,
    ground: f.ground,
    unit: f.unit,
    count: f.count,
    mean: f.mean,
    min: f.min,
    max: f.max,
    limit: f.limit,
    baseline_mean: f.baselineMean,
    baseline_spread: f.baselineSpread,
    deviation: f.deviation,
    ratio: f.ratio,
    age_us: f.ageUs,
  }
}

function channelVitals(
  rig: RigState,
  m: MetricSettings,
  index: number,
  judgement: Judgement,
  endUs: number,
): Vitals['channels'][number] {
  const windowsUs = rig.settings.windowsUs
  const newest = rig.newestUs[index]!
  const { baseline, rolling } = baselinesIn(rig.settings, rig.mode)
  const known = baseline?.metrics.get(m.metric)
  return {
    metric: m.metric,
    channel: m.channels[0]!,
    unit: m.unit,
    verdict: judgement.verdict,
    value: newest < 0 ? null : lastValue(rig, index),
    age_us: newest < 0 ? null : endUs - newest,
    limit_min: m.invariantMin ?? m.failMin ?? m.invariantEq ?? null,
    limit_max: m.invariantMax ?? m.failMax ?? m.invariantEq ?? null,
    baseline: windowBand(baseline, m, endUs),
    rolling: windowBand(rolling, m, endUs),
    level: levelBand(rig, index),
    windows: windowsUs.map((width_us, w) => {
      const at = index * MOMENTS_FIELDS
      const rows = rig.windowRows[w]!
      const count = rows[at + FIELD.count]!
      const judged = m.windows.includes(w)
      const state = !judged ? 'na' : isFilled(m, width_us, count) ? 'judged' : 'filling'
      const mean = count > 0 ? rows[at + FIELD.mean]! : null
      const band = known?.windows.find((b) => b.widthUs === width_us)
      const deviation =
        state === 'judged' && mean !== null && band !== undefined && band.spread > 0
          ? (mean - band.mean) / band.spread
          : null
      return {
        width_us,
        state,
        count,
        mean,
        min: count > 0 ? rows[at + FIELD.min]! : null,
        max: count > 0 ? rows[at + FIELD.max]! : null,
        deviation,
      }
    }),
  }
}

/** Level of the widest window of a baseline, and how far from it is tolerated. */
function windowBand(baseline: Baseline | null, m: MetricSettings, timeUs: number): BandVitals | null {
  const shown = baseline?.metrics.get(m.metric)?.windows.at(-1)
  if (baseline === null || shown === undefined) return null
  const reach = (m.deviationLimit ?? shown.limit) * shown.spread
  return { mean: shown.mean, low: shown.mean - reach, high: shown.mean + reach, kind: kindAt(baseline, timeUs) }
}

/** Where the detector expects the channel now: it moves with the rig, unlike the baseline it began from. */
function levelBand(rig: RigState, index: number): BandVitals | null {
  const monitor = monitorOf(rig)
  const band = monitor === null ? null : bandOf(monitor, index)
  if (band === null) return null
  return { mean: band.level, low: band.level - band.reach, high: band.level + band.reach, kind: band.stream }
}

/** The newest evaluated value: the last one of the narrowest window that holds any. */
function lastValue(rig: RigState, index: number): number | null {
  for (const rows of rig.windowRows)
    if (rows[index * MOMENTS_FIELDS]! > 0) return rows[index * MOMENTS_FIELDS + FIELD.last]!
  return null
}
