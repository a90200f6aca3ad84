import type { Judgement } from '../../agent/core/judge.ts'
import type { RigChange } from '../../agent/core/rig-change.ts'
import type {
  Baseline,
  EvaluatorSettings,
  MetricBaseline,
  MetricSettings,
  RigSettings,
} from '../../agent/core/settings.ts'
import { createState, type EvaluatorState, type RigState } from '../../agent/core/state.ts'
import { type Effect, type EvaluatorInput, step } from '../../agent/core/step.ts'
import { evaluatorDigests } from '../../agent/pipeline/digests.ts'
import { canonicalBytes } from '../../shared/codec/canonical.ts'
import { defaultQualityPolicy } from '../../shared/config/quality-policy.ts'
import { sha256, toHex } from '../../shared/crypto/digest.ts'
import type { Canonical, Decision, DecisionItem, Finding } from '../../shared/model/decision.ts'
import type { FrameResult } from '../../shared/model/input.ts'
import type { Frame } from '../../shared/model/telemetry.ts'
import type { MetricVerdict } from '../../shared/model/verdict.ts'
import { baselineMetric } from './certified-baselines.ts'

/** A time on the grid of every slide used here: 14 November 2023, in µs. */
export const T0 = 1_700_000_000_000_000
export const SLIDE_US = 50_000
export const LATENESS_US = 200_000
export const RIG = 'rig-a'

/** A metric at 100 Hz that is judged on windows 0 and 1, asks for no baseline and has no limits. */
export function metricSettings(metric: string, more: Partial<MetricSettings> = {}): MetricSettings {
  return {
    metric,
    unit: 'bar',
    channels: [metric],
    unitFactors: new Map(),
    required: true,
    baselineRequired: false,
    idleAfterUs: 1_000_000,
    nominalRateHz: 100,
    windows: [0, 1],
    persistenceSlides: 3,
    ...more,
  }
}

/** A rig with 50 ms slides, windows of 250 ms and 1 s, 200 ms of lateness and 5 s of future. */
export function rigSettings(metrics: readonly MetricSettings[], more: Partial<RigSettings> = {}): RigSettings {
  return {
    rig: RIG,
    mode: 'nominal',
    slideUs: SLIDE_US,
    windowsUs: [250_000, 1_000_000],
    latenessUs: LATENESS_US,
    maxFutureUs: 5_000_000,
    latePolicy: 'drop',
    reviseWithinUs: 0,
    metrics: [...metrics].sort((a, b) => (a.metric < b.metric ? -1 : 1)),
    baseline: null,
    rolling: null,
    stepUs: 1_000_000,
    settleUs: 0,
    ...more,
  }
}

/** Settings of an evaluator; `tag` makes the configuration another one. */
export function evaluatorSettings(rigs: readonly RigSettings[], tag = 1): EvaluatorSettings {
  return {
    configDigest: new Uint8Array(32).fill(tag),
    rigs,
    passRecordEveryUs: 1_000_000,
    notPassRecordEveryUs: 500_000,
  }
}

/** A baseline whose means of the given window widths lie at `mean` with `spread`, tolerated within `limit` spreads. */
export function metricBaseline(
  metric: string,
  levels: { mean: number; spread: number; limit: number; widthsUs?: readonly number[]; unit?: string },
): MetricBaseline {
  const { mean, spread, limit, widthsUs = [250_000, 1_000_000], unit = 'bar' } = levels
  return {
    metric,
    unit,
    detectors: [],
    windows: widthsUs.map((widthUs) => ({ widthUs, windows: 100, mean, spread, limit })),
  }
}

export type FrameParts = Partial<Omit<Frame, 'timeUs' | 'value'>> & {
  times: readonly number[]
  values: readonly (readonly number[])[]
}

/** A frame of `values[channel][time]`; of source `daq`, life `e1`, without a sequence, unless told otherwise. */
export function frameOf({ times, values, ...more }: FrameParts): Frame {
  return {
    rig: RIG,
    source: 'daq',
    epoch: 'e1',
    seq: -1,
    channels: ['a'],
    cid: null,
    provenance: 'live',
    timeUs: Float64Array.from(times),
    value: Float64Array.from(values.flat()),
    ...more,
  }
}

export function frameInput(nowUs: number, ...frames: readonly Frame[]): EvaluatorInput {
  return { kind: 'frame', nowUs, results: frames.map((frame): FrameResult => ({ ok: true, frame })) }
}

export function tickInput(nowUs: number): EvaluatorInput {
  return { kind: 'tick', nowUs }
}

export function configInput(nowUs: number, settings: EvaluatorSettings): EvaluatorInput {
  return { kind: 'config', nowUs, settings }
}

export type Collected = {
  state: EvaluatorState
  items: DecisionItem[]
  decisions: Decision[]
  judgements: (readonly Judgement[])[]
  gaps: Extract<Effect, { kind: 'gap' }>[]
  actions: Extract<Effect, { kind: 'request_action' }>[]
  revisions: Extract<Effect, { kind: 'revised' }>[]
  late: Extract<Effect, { kind: 'late' }>[]
  safety: RigChange[]
}

/** Nothing collected yet, of a fresh state or of the one given. */
export function collected(state: EvaluatorState = createState()): Collected {
  return { state, items: [], decisions: [], judgements: [], gaps: [], actions: [], revisions: [], late: [], safety: [] }
}

/** Feeds one input and keeps what comes out of it. */
export function feed(into: Collected, input: EvaluatorInput): Effect[] {
  const effects = step(into.state, input, evaluatorDigests)
  for (const effect of effects) {
    if (effect.kind === 'item') into.items.push(effect.item)
    else if (effect.kind === 'gap') into.gaps.push(effect)
    else if (effect.kind === 'request_action') into.actions.push(effect)
    else if (effect.kind === 'revised') into.revisions.push(effect)
    else if (effect.kind === 'late') into.late.push(effect)
    else if (effect.kind === 'safety') into.safety.push(effect.change)
    else {
      into.decisions.push(effect.decision)
      into.judgements.push(effect.judgements!)
    }
  }
  return effects
}

/** Feeds all inputs to a fresh evaluator. */
export function feedAll(inputs: Iterable<EvaluatorInput>): Collected {
  const out = collected()
  for (const input of inputs) feed(out, input)
  return out
}

/** Feeds a configuration at the time of the first input, then all inputs. */
export function runEvaluator(settings: EvaluatorSettings, inputs: Iterable<EvaluatorInput>, startUs = T0): Collected {
  return feedAll([configInput(startUs, settings), ...inputs])
}

export function rigOf(out: Collected, id = RIG): RigState {
  return out.state.rigs.find((rig) => rig.settings.rig === id)!
}

/** One digest over the bytes of all items and the chain: equal exactly when both are. */
export function digestOfRun(out: Collected): string {
  return toHex(sha256(canonicalBytes(out.items as unknown as Canonical), out.state.chain))
}

/** What was found of a metric in the slide that ended at `endUs`; undefined when there was no such slide. */
export function judgedAt(out: Collected, metric: string, endUs: number): Judgement | undefined {
  const at = out.decisions.findIndex((d) => d.timeUs === endUs)
  return out.judgements[at]?.[rigOf(out).settings.metrics.findIndex((m) => m.metric === metric)]
}

/** Verdict of a metric in every slide, in order. */
export function verdictsOf(out: Collected, metric: string): MetricVerdict[] {
  const index = rigOf(out).settings.metrics.findIndex((m) => m.metric === metric)
  return out.judgements.map((slide) => slide[index]!.verdict)
}

export function findingOf(out: Collected, metric: string): Finding | null {
  const index = rigOf(out).settings.metrics.findIndex((m) => m.metric === metric)
  return out.judgements[out.judgements.length - 1]![index]!.finding
}

export type Steady = {
  fromUs: number
  toUs: number
  rateHz?: number
  channels?: readonly string[]
  value?: (channel: number, timeUs: number) => number
  source?: string
  seqFrom?: number
  unit?: string
  quality?: (timeUs: number) => number
}

/**
 * Frames of 20 ms from one publisher at a steady rate, each taken in at the end of its span; a tick at every slide.
 */
export function steadyInputs(steady: Steady): EvaluatorInput[] {
  const { fromUs, toUs, rateHz = 100, channels = ['a'], value = () => 1, source = 'daq', seqFrom = 0 } = steady
  const inputs: EvaluatorInput[] = []
  const stepUs = 1_000_000 / rateHz
  let seq = seqFrom
  for (let at = fromUs; at < toUs; at += 20_000) {
    const times: number[] = []
    for (let t = Math.ceil(at / stepUs) * stepUs; t < Math.min(at + 20_000, toUs); t += stepUs) times.push(t)
    if (times.length > 0) {
      const values = channels.map((_, c) => times.map((t) => value(c, t)))
      const quality =
        steady.quality === undefined
          ? {}
          : { quality: Uint8Array.from(channels.flatMap(() => times.map((t) => steady.quality!(t)))) }
      const unit = steady.unit === undefined ? {} : { unit: steady.unit }
      inputs.push(frameInput(at + 20_000, frameOf({ times, values, channels, source, seq, ...quality, ...unit })))
      seq += 1
    }
    if ((at + 20_000) % SLIDE_US < 20_000) inputs.push(tickInput(at + 20_000))
  }
  return inputs
}

/** Merges input sequences by their time, earlier lists first at equal times. */
export function mergedInputs(...lists: readonly (readonly EvaluatorInput[])[]): EvaluatorInput[] {
  const all = lists.flatMap((inputs, list) => inputs.map((input, k) => ({ input, list, k })))
  all.sort((a, b) => a.input.nowUs - b.input.nowUs || a.list - b.list || a.k - b.k)
  return all.map((entry) => entry.input)
}

/** Ticks of one slide, so that time passes with nothing arriving. */
export function ticks(fromUs: number, toUs: number): EvaluatorInput[] {
  const inputs: EvaluatorInput[] = []
  for (let at = fromUs; at <= toUs; at += SLIDE_US) inputs.push(tickInput(at))
  return inputs
}

/** A draft baseline of these metrics that no detector knows: windows are held against it, and nothing else. */
export function windowBaseline(digest: Uint8Array, metrics: readonly MetricBaseline[]): Baseline {
  return {
    digest,
    kind: 'draft',
    validUntilUs: null,
    mode: 'nominal',
    confidence: 0.5,
    fromUs: T0 - 3_600_000_000,
    toUs: T0,
    about: {
      inputs: [],
      metrics: metrics.map(({ metric, unit }) => baselineMetric({ metric, unit, tolerance: null })),
      stepUs: 1_000_000,
      policy: defaultQualityPolicy().policy.decay,
    },
    metrics: new Map(metrics.map((m) => [m.metric, m])),
    rigDetectors: [],
    rigMaxima: [],
  }
}
