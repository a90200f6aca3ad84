import type { EvaluatorInput } from '../../agent/core/step.ts'
import { createPrng } from '../../shared/lib/prng.ts'
import {
  type Collected,
  configInput,
  evaluatorSettings,
  frameInput,
  frameOf,
  LATENESS_US,
  metricSettings,
  rigSettings,
  SLIDE_US,
  T0,
  tickInput,
} from './evaluator-rig.ts'

export type LatePolicy = 'drop' | 'side_output' | 'revise'

/** How much later than the lateness samples come that still revise. */
export const REVISE_US = 1_000_000

/** Two channels at 50 Hz with limits. `slowerBy` makes a rig of it that waits so much longer. */
export function lateSettings(latePolicy: LatePolicy, { slowerBy = 0, tag = 1 } = {}) {
  const metrics = [
    metricSettings('a', { invariantMax: 10, nominalRateHz: 50 }),
    metricSettings('b', { failMax: 4, nominalRateHz: 50, required: false }),
  ]
  const reviseWithinUs = latePolicy === 'revise' ? REVISE_US : 0
  return evaluatorSettings(
    [rigSettings(metrics, { latePolicy, reviseWithinUs, latenessUs: LATENESS_US + slowerBy })],
    tag,
  )
}

/** A sample that is sent by itself; `late` ones come after the first evaluation has closed their slide. */
export type SentSample = Readonly<{ channel: string; seq: number; timeUs: number; value: number; late: boolean }>

/** Both channels every 20 ms; of `b` one in twelve is late, and half of these are beyond the limit. */
export function sentSamples(seed: number, seconds = 4): SentSample[] {
  const prng = createPrng(seed)
  const sent: SentSample[] = []
  for (let k = 0; k < seconds * 50; k += 1) {
    const timeUs = T0 + 20_000 * k
    sent.push({ channel: 'a', seq: k, timeUs, value: prng.int(90) === 0 ? 11 : 1, late: false })
    const late = prng.int(12) === 0
    sent.push({ channel: 'b', seq: k, timeUs, value: late && prng.int(2) === 0 ? 90 : 1, late })
  }
  return sent
}

type Arrival = Readonly<{ atUs: number; tie: number; input: EvaluatorInput }>

/**
 * Inputs of one order of arrival, with a tick every slide and time enough at the end to close everything. Under `kept` those
 * that are late stay late and the others in time; under `any` all come at any moment within both spans.
 */
export function arrivalOf(sent: readonly SentSample[], seed: number, which: 'kept' | 'any' = 'kept'): EvaluatorInput[] {
  const prng = createPrng(seed)
  const all: Arrival[] = []
  const lateFromUs = LATENESS_US + 2 * SLIDE_US + 1
  let endUs = T0
  for (const { channel, seq, timeUs, value, late } of sent) {
    const kept = late ? lateFromUs + prng.int(REVISE_US + LATENESS_US - lateFromUs) : prng.int(LATENESS_US)
    const atUs = timeUs + (which === 'kept' ? kept : prng.int(LATENESS_US + REVISE_US))
    const frame = frameOf({ source: `daq-${channel}`, channels: [channel], seq, times: [timeUs], values: [[value]] })
    all.push({ atUs, tie: prng.nextUint32(), input: frameInput(atUs, frame) })
    endUs = Math.max(endUs, timeUs + LATENESS_US + REVISE_US + 3 * SLIDE_US)
  }
  for (let at = T0; at <= endUs; at += SLIDE_US) all.push({ atUs: at, tie: prng.nextUint32(), input: tickInput(at) })
  return [tickInput(T0), ...all.sort((x, y) => x.atUs - y.atUs || x.tie - y.tie).map(({ input }) => input)]
}

/** The same under a policy, from its configuration on. */
export function lateRun(policy: LatePolicy, inputs: readonly EvaluatorInput[], more: { slowerBy?: number } = {}) {
  return [configInput(T0, lateSettings(policy, more)), ...inputs]
}

type Found = Readonly<{
  verdict: string
  findings: readonly Readonly<{ metric: string; verdict: string; ground: string; windowUs: number }>[]
}>

/** What a decision says, as text: its verdict and its drivers. */
export function sayingOf({ verdict, findings }: Found): string {
  return JSON.stringify([verdict, findings.map((f) => [f.metric, f.verdict, f.ground, f.windowUs].join(' ')).sort()])
}

/** What is said of each slide by its first decision, and in the end, when revisions count. */
export function sayings(out: Collected): { first: Map<number, string>; last: Map<number, string> } {
  const first = new Map(out.decisions.map((d) => [d.timeUs, sayingOf(d)]))
  const last = new Map(first)
  for (const { decision } of out.revisions) last.set(decision.timeUs, sayingOf(decision))
  return { first, last }
}
