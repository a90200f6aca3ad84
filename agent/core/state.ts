import type { RunContext } from '../../shared/model/decision.ts'
import type { LedgerCounts } from '../../shared/model/telemetry.ts'
import type { Affine } from '../../shared/model/units.ts'
import { MODES, type Mode, type OverallVerdict } from '../../shared/model/verdict.ts'
import type { Micros } from '../../shared/units.ts'
import type { NoConversion } from './convert.ts'
import { createMonitor, type Monitor } from './detectors/monitor.ts'
import { createStepFeed, type StepFeed } from './detectors/step-feed.ts'
import type { LateSamples } from './late.ts'
import { createLedger, type Ledger } from './ledger.ts'
import { createMismatches, type Mismatches } from './mismatch.ts'
import { monitorSettings } from './monitored.ts'
import { createOrigins, type Origins } from './origins.ts'
import { createPaneTree, type PaneTree } from './pane-tree.ts'
import { createOpenPanes, type OpenPanes } from './panes.ts'
import { createPersistence, type Persistence } from './persistence.ts'
import type { Replaced } from './replaced.ts'
import { createRigSafety, type RigSafety } from './rig-safety.ts'
import type { EvaluatorSettings, RigSettings } from './settings.ts'
import { createSources, type Sources } from './sources.ts'
import { createWindow, type JoinedWindow } from './windows.ts'

/** Everything the evaluator remembers of one rig. */
export type RigState = {
  settings: RigSettings
  /** Channel name in Unicode NFC, the form that snapshots keep → index into `settings.metrics`. Derived from the settings. */
  readonly channelIndex: Map<string, number>
  /** Metric of each channel of a channel list, −1 for none. Derived like `channelIndex`, and as long as the list. */
  readonly listMetrics: WeakMap<readonly string[], readonly number[]>
  /** Conversions of units that samples stated. Derived from the settings alone: what is forgotten is found again. */
  readonly conversions: Map<string, Affine | NoConversion>
  mode: Mode
  run: RunContext | null
  /** Event time through which slides are closed; −1 before the first input of the rig. */
  closedUs: Micros
  /** Where evaluation began, or began again after a gap: windows fill from here. */
  originUs: Micros
  panes: OpenPanes
  tree: PaneTree
  /** Newest accepted event time per metric, in open panes too; −1 for none. The watermark is this less the lateness. */
  newestSeenUs: Float64Array
  /** Newest evaluated event time per metric, in closed panes only; −1 for none. Age and staleness are judged by it. */
  newestUs: Float64Array
  /** Where evaluated samples of each metric began, since {@link originUs}; −1 for none. Longer windows fill from here. */
  firstUs: Float64Array
  /** Last pane of each metric that held an invalid sample; −1 for none. */
  invalidPane: Float64Array
  /** Slides in a row that metric `m` departed from its baseline in window `w`, at `m · windows + w`. */
  departures: Int32Array
  /** More about departures; null where no metric asks for it. */
  readonly persistence: Persistence | null
  /** Panes that held samples which nothing converts. */
  readonly mismatches: Mismatches
  /** Sensors that were replaced, by metric, oldest first. The slower evaluation has the same ones. */
  replaced: Map<string, Replaced>
  /** Makes steps of closed panes. */
  readonly steps: StepFeed
  /** The detectors of every mode that has a baseline any of them knows, in the order of the modes. */
  readonly monitors: ReadonlyMap<Mode, Monitor>
  /** Until when the rig settles after a change of mode (−1: it does not), and the index of the mode it was changed to. */
  readonly settles: Float64Array
  sources: Sources
  ledger: Ledger
  /** What became of samples under earlier configurations. */
  settled: LedgerCounts
  /** Windows of the slide being judged, shortest first. Written before they are read, never kept. */
  readonly windows: readonly JoinedWindow[]
  /** Their rows. */
  readonly windowRows: readonly Float64Array[]
  /** Late samples of the input being taken, to be handed out with it; null under `drop`. Scratch: empty between inputs. */
  readonly late: LateSamples | null
  /** The slower evaluation of the same frames; null unless the late policy is `revise`. */
  slower: Slower | null
  /** Where samples came from; null for a rig without a policy, and for the second look. */
  readonly origins: Origins | null
  /** What is remembered for actions; null likewise. */
  readonly safety: RigSafety | null
}

/** What a decision said that a revision may correct, and the mode and run in force when it did. */
export type Saying = Readonly<{ verdict: OverallVerdict; key: string; mode: Mode; run: RunContext | null }>

/** What was first said of a slide, until the slower evaluation has closed that slide too. */
export type FirstSaying = Readonly<{ endUs: Micros; saying: Saying }>

/** The number of the first decision of a slide. */
export type FirstNumber = Readonly<{ endUs: Micros; seq: number }>

/** What became of the second look: samples that only it took; slides it saw differently, the same, or could not compare. */
export type RevisionCounts = { samples: number; revised: number; confirmed: number; unknown: number }

/**
 * The second look under `revise`: the same frames with more lateness, judged by the same code. It closes a slide when the
 * first evaluation has come `reviseWithinUs` further, so the two take turns by event time alone.
 */
export type Slower = {
  readonly rig: RigState
  /** What was said of the slides that are closed there and not here, oldest first: `reviseWithinUs / slideUs` at most. */
  first: FirstSaying[]
  /** Newest event time of a sample that found no room here; −1 for none. Nothing is revised on what was shed. */
  shedUs: Micros
  counts: RevisionCounts
}

/** What the last full record of a rig said (its key, '' for none), and where it stands in the sequence. */
export type LastRecord = { key: string; seq: number; endUs: Micros }

/** A run of decisions that said the same as the last full record of their rig. */
export type OpenRange = {
  first: number
  last: number
  count: number
  firstUs: Micros
  lastUs: Micros
  rigs: Map<string, { seq: number; verdict: string }>
}

/** The whole state of the evaluator: a checkpoint is this and a journal position, and nothing else. */
export type EvaluatorState = {
  settings: EvaluatorSettings | null
  /** Newest input time; it never goes back. */
  nowUs: Micros
  /** Sequence of the last decision; 0 before the first. */
  decisionSeq: number
  /** Rolling digest over the canonical bytes of every decision so far. */
  chain: Uint8Array
  range: OpenRange | null
  /** Rigs sorted by id. */
  rigs: RigState[]
  /** The last full record of each rig, in their order. */
  records: LastRecord[]
  /** Of each rig, the numbers that a revision may name; empty unless its late policy is `revise`. */
  firsts: FirstNumber[][]
  /** Times the wall clock went back, and by how much at most. */
  clockBack: { count: number; worstUs: Micros }
}

export function createState(): EvaluatorState {
  return {
    settings: null,
    nowUs: 0,
    decisionSeq: 0,
    chain: new Uint8Array(32),
    range: null,
    rigs: [],
    records: [],
    firsts: [],
    clockBack: { count: 0, worstUs: 0 },
  }
}

/** Before a rig has said anything, or anything that what comes next could be the same as. */
export function noRecord(): LastRecord {
  return { key: '', seq: 0, endUs: 0 }
}

/** A rig before its first input. */
export function createRigState(settings: RigSettings): RigState {
  const metrics = settings.metrics.length
  const openPanes = Math.floor((settings.latenessUs + settings.maxFutureUs) / settings.slideUs) + 4
  const panesMax = Math.floor(settings.windowsUs.reduce((a, b) => Math.max(a, b), settings.slideUs) / settings.slideUs)
  const channelIndex = new Map<string, number>()
  settings.metrics.forEach((m, index) => {
    for (const channel of m.channels) channelIndex.set(channel.normalize('NFC'), index)
  })
  const windows = settings.windowsUs.map((us) => createWindow(metrics, Math.floor(us / settings.slideUs)))
  return {
    settings,
    channelIndex,
    listMetrics: new WeakMap(),
    conversions: new Map(),
    mode: settings.mode,
    run: null,
    closedUs: -1,
    originUs: -1,
    panes: createOpenPanes(metrics, settings.slideUs, openPanes),
    tree: createPaneTree(metrics, panesMax),
    newestSeenUs: new Float64Array(metrics).fill(-1),
    newestUs: new Float64Array(metrics).fill(-1),
    firstUs: new Float64Array(metrics).fill(-1),
    invalidPane: new Float64Array(metrics).fill(-1),
    departures: new Int32Array(metrics * settings.windowsUs.length),
    persistence: createPersistence(settings),
    mismatches: createMismatches(metrics, openPanes),
    replaced: new Map(),
    steps: createStepFeed({ stepUs: settings.stepUs, ratesHz: settings.metrics.map((m) => m.nominalRateHz) }),
    monitors: createMonitors(settings),
    settles: Float64Array.of(-1, MODES.indexOf(settings.mode)),
    sources: createSources(),
    ledger: createLedger(metrics),
    settled: { received: 0, evaluated: 0, late: 0, duplicate: 0, rejected: 0, shed: 0, pending: 0 },
    windows,
    windowRows: windows.map(({ rows }) => rows),
    late: settings.latePolicy === 'drop' ? null : { samples: [], more: 0 },
    slower: settings.latePolicy === 'revise' ? createSlower(settings) : null,
    origins: settings.safety === undefined ? null : createOrigins(metrics),
    safety: createRigSafety(settings),
  }
}

function createSlower(settings: RigSettings): Slower {
  const latenessUs = settings.latenessUs + settings.reviseWithinUs
  // Actions are decided by the first look alone.
  const { safety: _, ...without } = settings
  return {
    rig: createRigState({ ...without, latenessUs, latePolicy: 'drop', reviseWithinUs: 0 }),
    first: [],
    shedUs: -1,
    counts: { samples: 0, revised: 0, confirmed: 0, unknown: 0 },
  }
}

function createMonitors(settings: RigSettings): Map<Mode, Monitor> {
  const monitors = new Map<Mode, Monitor>()
  for (const mode of MODES) {
    const monitored = monitorSettings(settings, mode)
    if (monitored !== null) monitors.set(mode, createMonitor(monitored))
  }
  return monitors
}

/** The detectors of the mode a rig is in; null when no baseline of that mode is known to any. */
export function monitorOf({ monitors, mode }: RigState): Monitor | null {
  return monitors.get(mode) ?? null
}
