import { acceptFrame } from '../../agent/core/accept.ts'
import { growTree, leafRows } from '../../agent/core/pane-tree.ts'
import { closePane, paneOf } from '../../agent/core/panes.ts'
import type { Digests, MetricSettings, RigSettings } from '../../agent/core/settings.ts'
import { createRigState, type RigState } from '../../agent/core/state.ts'
import { joinWindow } from '../../agent/core/windows.ts'
import type { Frame } from '../../shared/model/telemetry.ts'
import { L64_CHANNELS } from './agent.ts'
import type { Measure } from './measure.ts'

const START_US = 1_800_000_000_000_000
const TIMES_PER_FRAME = 50
const FRAME_US = 50_000
const WINDOWS_US = [250_000, 1_000_000, 10_000_000]
/** One frame in twenty comes after the one that follows it. */
const SWAP_EVERY = 20
/** No hashing: the windows alone are measured here; digests are part of every figure that is end to end. */
const NOTHING = new Uint8Array(32)
const NO_DIGESTS: Digests = { bytes: () => NOTHING, encode: () => NOTHING }

/** Windows alone, in this process: samples of decoded frames into panes, panes into windows. */
export function kernel(): Measure[] {
  return [50_000, 10_000].map((slideUs) => {
    const name = `kernel_samples_per_s_${slideUs / 1000}ms`
    return {
      names: [name],
      what: `windows of 250 ms, 1 s, 10 s at a slide of ${slideUs / 1000} ms, decoded L64 frames of 3 200 samples (50 ms), 5 % out of order; the best span of 10 s; no decoding, digests, decisions`,
      run: async ({ short, say }) => {
        const rate = best(slideUs, short ? 3 : 7)
        say(`${(rate / 1e6).toFixed(1)} M samples/s`)
        return { [name]: rate }
      },
    }
  })
}

/** The best of many short spans: what the machine did beside it only ever makes a span slower. */
function best(slideUs: number, runs: number): number {
  let rate = 0
  for (let k = 0; k < runs; k += 1) rate = Math.max(rate, ...spansOf(slideUs))
  return rate
}

/** Rates of spans as long as the widest window, so that each meets every node of the tree; in the first it only fills. */
function spansOf(slideUs: number): number[] {
  const rig = createRigState(settingsOf(slideUs))
  rig.closedUs = START_US
  const rates: number[] = []
  let startMs = 0
  for (const [k, frame] of framesOf().entries()) {
    if (k % SPAN_FRAMES === 0) {
      const endMs = performance.now()
      if (k > SPAN_FRAMES) rates.push((SPAN_FRAMES * TIMES_PER_FRAME * L64_CHANNELS * 1000) / (endMs - startMs))
      startMs = endMs
    }
    const nowUs = START_US + (k + 1) * FRAME_US
    acceptFrame(rig, frame, nowUs)
    // Two frames behind, so that a frame that was swapped is still in time.
    while (rig.closedUs + 2 * FRAME_US < nowUs) closeSlide(rig, slideUs)
  }
  return rates
}

/** The windows' part of closing a slide, as `step.ts` does it. */
function closeSlide(rig: RigState, slideUs: number): void {
  const pane = paneOf(rig.closedUs, slideUs)
  closePane(rig.panes, pane, rig.sources.names, leafRows(rig.tree, pane), rig.newestUs)
  growTree(rig.tree, pane, NO_DIGESTS)
  rig.closedUs += slideUs
  for (const window of rig.windows) joinWindow(rig.tree, window, pane)
}

const FRAMES = 2_001
const SPAN_FRAMES = 200

function framesOf(): Frame[] {
  const value = new Float64Array(TIMES_PER_FRAME * L64_CHANNELS)
  for (let i = 0; i < value.length; i += 1) value[i] = 50 + Math.sin(i * 0.7)
  const channels = channelNames()
  const frames = Array.from({ length: FRAMES }, (_, k): Frame => {
    const timeUs = Float64Array.from(
      { length: TIMES_PER_FRAME },
      (__, i) => START_US + k * FRAME_US + (i * FRAME_US) / TIMES_PER_FRAME,
    )
    return {
      rig: 'bench',
      source: 'b',
      epoch: 'e',
      seq: k,
      channels,
      cid: null,
      timeUs,
      value,
      provenance: 'simulated',
    }
  })
  for (let k = SWAP_EVERY; k < frames.length; k += SWAP_EVERY) [frames[k - 1], frames[k]] = [frames[k]!, frames[k - 1]!]
  return frames
}

const channelNames = (): string[] => Array.from({ length: L64_CHANNELS }, (_, c) => `ch${String(c).padStart(3, '0')}`)

function settingsOf(slideUs: number): RigSettings {
  const metrics = channelNames().map(
    (metric): MetricSettings => ({
      metric,
      unit: 'bar',
      channels: [metric],
      unitFactors: new Map(),
      required: true,
      baselineRequired: false,
      idleAfterUs: 1_000_000,
      nominalRateHz: 1000,
      windows: [0, 1, 2],
      persistenceSlides: 1,
    }),
  )
  return {
    rig: 'bench',
    mode: 'nominal',
    slideUs,
    windowsUs: WINDOWS_US,
    latenessUs: 200_000,
    maxFutureUs: 5_000_000,
    latePolicy: 'drop',
    reviseWithinUs: 0,
    metrics,
    baseline: null,
    rolling: null,
    stepUs: 1_000_000,
    settleUs: 0,
  }
}
