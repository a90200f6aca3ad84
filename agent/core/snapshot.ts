import type { Canonical, RunContext } from '../../shared/model/decision.ts'
import type { LedgerCounts } from '../../shared/model/telemetry.ts'
import type { Mode } from '../../shared/model/verdict.ts'
import type { Ledger } from './ledger.ts'
import { createOpenSamples, type OpenSamples, pushRun } from './open-samples.ts'
import type { EvaluatorSettings, RigSettings } from './settings.ts'
import type { Sources } from './sources.ts'
import { createRigState, type EvaluatorState, type LastRecord, type OpenRange, type RigState } from './state.ts'

/**
 * The state as a value that has one encoding, and back. A checkpoint is this and a journal position, nothing else; so a
 * restored evaluator goes on exactly as the first one would have, to the last bit. The settings are not in it: they
 * come from the configuration's bytes, whose digest is checked. `rigs` are given where they are evaluated elsewhere.
 *
 * Doubles are kept as their eight bytes, little-endian, because the encoding of numbers would turn −0 into 0.
 */
export function snapshotState(
  state: EvaluatorState,
  rigs: readonly Canonical[] = state.rigs.map(snapshotRig),
): Canonical {
  return [
    state.settings?.configDigest ?? null,
    state.nowUs,
    state.decisionSeq,
    state.chain.slice(),
    state.range === null ? null : snapshotRange(state.range),
    [state.clockBack.count, state.clockBack.worstUs],
    state.records.map(({ key, seq, endUs }) => [key, seq, endUs]),
    rigs,
  ]
}

/** @returns the state, or null when the value is not a snapshot under these settings. Never half of one. */
export function restoreState(value: Canonical, settings: EvaluatorSettings): EvaluatorState | null {
  const [digest, nowUs, decisionSeq, chain, range, clockBack, records, rigs] = value as [
    Uint8Array | null,
    number,
    number,
    Uint8Array,
    Canonical,
    [number, number],
    [string, number, number][],
    Canonical[],
  ]
  if (digest === null || !sameBytes(digest, settings.configDigest) || rigs.length !== settings.rigs.length) return null
  if (records.length !== rigs.length) return null
  const restored: RigState[] = []
  for (let k = 0; k < rigs.length; k += 1) {
    const rig = restoreRig(rigs[k]!, settings.rigs[k]!)
    if (rig === null) return null
    restored.push(rig)
  }
  return {
    settings,
    nowUs,
    decisionSeq,
    chain,
    range: range === null ? null : restoreRange(range),
    rigs: restored,
    records: records.map(([key, seq, endUs]): LastRecord => ({ key, seq, endUs })),
    clockBack: { count: clockBack[0], worstUs: clockBack[1] },
  }
}

/** One rig of a snapshot. */
export function snapshotRig(rig: RigState): Canonical {
  return [
    rig.settings.rig,
    rig.mode,
    rig.run,
    rig.closedUs,
    rig.originUs,
    [
      bytesOf(rig.newestSeenUs),
      bytesOf(rig.newestUs),
      bytesOf(rig.invalidPane),
      bytesOf(rig.departures),
      bytesOf(rig.firstUs),
    ],
    bytesOf(rig.panes.rows),
    rig.panes.samples.map(snapshotSamples),
    rig.tree.levels.map((level) => [bytesOf(level.rows), level.digests.slice()]),
    snapshotSources(rig.sources),
    snapshotLedger(rig.ledger),
    rig.settled,
  ]
}

/** A rig as {@link snapshotRig} writes it, in its order. */
type RigSnapshot = [
  name: string,
  mode: Mode,
  run: ReadonlyMap<string, Canonical> | null,
  closedUs: number,
  originUs: number,
  arrays: Uint8Array[],
  panes: Uint8Array,
  samples: Canonical[],
  levels: [Uint8Array, Uint8Array][],
  sources: Canonical,
  ledger: Canonical,
  settled: ReadonlyMap<string, number>,
]

/** @returns the rig, or null when the value is not one of a snapshot under these settings. */
export function restoreRig(value: Canonical, settings: RigSettings): RigState | null {
  const snapshot = value as unknown as RigSnapshot
  const [name, mode, run, closedUs, originUs, ...rest] = snapshot
  const [arrays, panes, samples, levels, sources, ledger, settled] = rest
  if (name !== settings.rig) return null
  const rig = createRigState(settings)
  const wholes: [ArrayBufferView, Uint8Array | undefined][] = [
    [rig.newestSeenUs, arrays[0]],
    [rig.newestUs, arrays[1]],
    [rig.invalidPane, arrays[2]],
    [rig.departures, arrays[3]],
    [rig.firstUs, arrays[4]],
    [rig.panes.rows, panes],
    ...rig.tree.levels.flatMap((level, k): [ArrayBufferView, Uint8Array | undefined][] => [
      [level.rows, levels[k]?.[0]],
      [level.digests, levels[k]?.[1]],
    ]),
  ]
  for (const [into, bytes] of wholes) if (!fill(into, bytes)) return null
  if (samples.length !== rig.panes.samples.length) return null
  for (let m = 0; m < samples.length; m += 1) {
    const open = restoreSamples(samples[m]!)
    if (open === null) return null
    rig.panes.samples[m] = open
  }
  if (!restoreLedger(rig.ledger, ledger)) return null
  return Object.assign(rig, {
    mode,
    closedUs,
    originUs,
    run: run === null ? null : (Object.fromEntries(run) as unknown as RunContext),
    sources: restoreSources(sources),
    settled: Object.fromEntries(settled) as unknown as LedgerCounts,
  })
}

/** `[times, values, [[count, seq, source], …]]`, runs in order of arrival. */
function snapshotSamples(open: OpenSamples): Canonical {
  const time = new Float64Array(open.length)
  const value = new Float64Array(open.length)
  let at = 0
  for (const run of open.runs) {
    time.set(run.time.subarray(run.timeAt, run.timeAt + run.count), at)
    value.set(run.value.subarray(run.valueAt, run.valueAt + run.count), at)
    at += run.count
  }
  return [bytesOf(time), bytesOf(value), open.runs.map(({ count, seq, source }) => [count, seq, source])]
}

function restoreSamples(snapshot: Canonical): OpenSamples | null {
  const [timeBytes, valueBytes, runs] = snapshot as [Uint8Array, Uint8Array, [number, number, number][]]
  const time = new Float64Array(timeBytes.length / 8)
  const value = new Float64Array(time.length)
  if (!fill(time, timeBytes) || !fill(value, valueBytes)) return null
  const open = createOpenSamples()
  for (const [count, seq, source] of runs)
    pushRun(open, { time, value, timeAt: open.length, valueAt: open.length, seq, source }, count)
  return open.length === time.length ? open : null
}

function snapshotSources(sources: Sources): Canonical {
  const slots = sources.slots.map((s) => [s.name, s.first, s.highest, s.seen.slice(), s.missing, s.lastUs])
  const lists = [...sources.lists.entries()].sort((a, b) => (a[0] < b[0] ? -1 : 1)).map(([cid, names]) => [cid, names])
  return [slots, lists, sources.missingBefore]
}

function restoreSources(value: Canonical): Sources {
  const [slots, lists, missingBefore] = value as unknown as [
    [string, number, number, Uint8Array, number, number][],
    [string, string[]][],
    number,
  ]
  const restored = slots.map(([name, first, highest, seen, missing, lastUs]) => ({
    name,
    first,
    highest,
    seen: seen.slice(),
    missing,
    lastUs,
  }))
  return { slots: restored, names: restored.map((s) => s.name), lists: new Map(lists), missingBefore }
}

function snapshotLedger(ledger: Ledger): Canonical {
  const refusals = [...ledger.refusals.entries()].sort((a, b) => (a[0] < b[0] ? -1 : 1))
  return [
    bytesOf(ledger.rows),
    refusals.map(([reason, r]) => [reason, r.count, r.firstUs, r.example]),
    ledger.framesReceived,
    ledger.framesRefused,
  ]
}

function restoreLedger(ledger: Ledger, value: Canonical): boolean {
  const [rows, refusals, received, refused] = value as unknown as [
    Uint8Array,
    [string, number, number, string][],
    number,
    number,
  ]
  if (!fill(ledger.rows, rows)) return false
  for (const [reason, count, firstUs, example] of refusals)
    ledger.refusals.set(reason as never, { count, firstUs, example })
  ledger.framesReceived = received
  ledger.framesRefused = refused
  return true
}

function snapshotRange(range: OpenRange): Canonical {
  const rigs = [...range.rigs.entries()]
    .sort((a, b) => (a[0] < b[0] ? -1 : 1))
    .map(([rig, as]) => [rig, as.seq, as.verdict])
  return [range.first, range.last, range.count, range.firstUs, range.lastUs, rigs]
}

function restoreRange(value: Canonical): OpenRange {
  const [first, last, count, firstUs, lastUs, rigs] = value as unknown as [
    number,
    number,
    number,
    number,
    number,
    [string, number, string][],
  ]
  return {
    first,
    last,
    count,
    firstUs,
    lastUs,
    rigs: new Map(rigs.map(([rig, seq, verdict]) => [rig, { seq, verdict }])),
  }
}

/** The bytes of a typed array, copied. Every platform the agent is built for is little-endian. */
function bytesOf(view: ArrayBufferView): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength).slice()
}

function fill(into: ArrayBufferView, bytes: Uint8Array | undefined): boolean {
  if (bytes === undefined || bytes.length !== into.byteLength) return false
  new Uint8Array(into.buffer, into.byteOffset, into.byteLength).set(bytes)
  return true
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, k) => byte === b[k])
}
