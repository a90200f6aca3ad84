import type { Canonical, RunContext } from '../../shared/model/decision.ts'
import type { LedgerCounts } from '../../shared/model/telemetry.ts'
import type { Mode } from '../../shared/model/verdict.ts'
import type { Ledger } from './ledger.ts'
import { restoreReplaced, snapshotReplaced } from './replaced.ts'
import type { EvaluatorSettings, RigSettings } from './settings.ts'
import { restoreSafety, snapshotSafety } from './snapshot-safety.ts'
import { restoreSlower, snapshotSlower } from './snapshot-slower.ts'
import { bytesOf, fill, restoreWindows, snapshotWindows, type WindowsSnapshot } from './snapshot-windows.ts'
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
    state.firsts.map((firsts) => firsts.map(({ endUs, seq }) => [endUs, seq])),
    rigs,
  ]
}

/** @returns the state, or null when the value is not a snapshot under these settings. Never half of one. */
export function restoreState(value: Canonical, settings: EvaluatorSettings): EvaluatorState | null {
  const [digest, nowUs, decisionSeq, chain, range, clockBack, records, firsts, rigs] = value as [
    Uint8Array | null,
    number,
    number,
    Uint8Array,
    Canonical,
    [number, number],
    [string, number, number][],
    [number, number][][],
    Canonical[],
  ]
  if (digest === null || !sameBytes(digest, settings.configDigest) || rigs.length !== settings.rigs.length) return null
  if (records.length !== rigs.length || firsts.length !== rigs.length) return null
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
    firsts: firsts.map((numbers) => numbers.map(([endUs, seq]) => ({ endUs, seq }))),
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
    ...snapshotWindows(rig),
    snapshotSources(rig.sources),
    snapshotLedger(rig.ledger),
    rig.settled,
    snapshotReplaced(rig.replaced),
    rig.slower === null ? null : snapshotSlower(rig.slower),
    snapshotSafety(rig),
  ]
}

/** A rig as {@link snapshotRig} writes it, in its order. */
type RigSnapshot = [
  name: string,
  mode: Mode,
  run: ReadonlyMap<string, Canonical> | null,
  closedUs: number,
  originUs: number,
  ...windows: WindowsSnapshot,
  sources: Canonical,
  ledger: Canonical,
  settled: ReadonlyMap<string, number>,
  replaced: Canonical,
  slower: Canonical,
  safety: Canonical,
]

/** @returns the rig, or null when the value is not one of a snapshot under these settings. */
export function restoreRig(value: Canonical, settings: RigSettings): RigState | null {
  const snapshot = value as unknown as RigSnapshot
  const [name, mode, run, closedUs, originUs, ...rest] = snapshot
  const [arrays, panes, samples, levels, sources, ledger, settled, replaced, slower, safety] = rest
  if (name !== settings.rig) return null
  const rig = createRigState(settings)
  if (!restoreWindows(rig, [arrays, panes, samples, levels])) return null
  if (!restoreLedger(rig.ledger, ledger)) return null
  rig.sources = restoreSources(sources)
  rig.replaced = restoreReplaced(replaced)
  if (!restoreSlower(rig, slower)) return null
  if (!restoreSafety(rig, safety)) return null
  return Object.assign(rig, {
    mode,
    closedUs,
    originUs,
    run: run === null ? null : (Object.fromEntries(run) as unknown as RunContext),
    settled: Object.fromEntries(settled) as unknown as LedgerCounts,
  })
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

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, k) => byte === b[k])
}
