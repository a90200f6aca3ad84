import type { Canonical, RunContext } from '../../shared/model/decision.ts'
import { MODES, type Mode, type OverallVerdict } from '../../shared/model/verdict.ts'
import { restoreWindows, snapshotWindows, type WindowsSnapshot } from './snapshot-windows.ts'
import type { RigState, Saying, Slower } from './state.ts'

type SayingSnapshot = [verdict: OverallVerdict, key: string, mode: Mode, run: ReadonlyMap<string, Canonical> | null]

type SlowerSnapshot = [
  closedUs: number,
  originUs: number,
  ...windows: WindowsSnapshot,
  sayings: SayingSnapshot[],
  /** End of the slide, and which of the sayings. */
  first: [number, number][],
  shedUs: number,
  counts: [number, number, number, number],
]

/**
 * The slower evaluation as a value. Its sources are those of the rig, and its ledger says nothing that is asked for; what
 * first decisions said stands once, however many said it one after the other.
 */
export function snapshotSlower({ rig, first, shedUs, counts }: Slower): Canonical {
  const sayings: Saying[] = []
  const rows = first.map(({ endUs, saying }) => {
    if (sayings[sayings.length - 1] !== saying) sayings.push(saying)
    return [endUs, sayings.length - 1]
  })
  return [
    rig.closedUs,
    rig.originUs,
    ...snapshotWindows(rig),
    sayings.map(({ verdict, key, mode, run }) => [verdict, key, mode, run]),
    rows,
    shedUs,
    [counts.samples, counts.revised, counts.confirmed, counts.unknown],
  ]
}

/** Fills the slower evaluation of a fresh rig whose sources are there. @returns false when the value is none of it. */
export function restoreSlower({ slower, sources, replaced }: RigState, value: Canonical): boolean {
  if (slower === null || value === null) return slower === null && value === null
  const snapshot = value as unknown as SlowerSnapshot
  const [closedUs, originUs, arrays, panes, samples, levels, sayings, first, shedUs, counted] = snapshot
  if (!restoreWindows(slower.rig, [arrays, panes, samples, levels])) return false
  const restored = sayings.map(
    ([verdict, key, mode, run]): Saying => ({
      verdict,
      key,
      mode,
      run: run === null ? null : (Object.fromEntries(run) as unknown as RunContext),
    }),
  )
  Object.assign(slower.rig, { closedUs, originUs, sources, replaced, mode: MODES[slower.rig.settles[1]!] })
  slower.first = first.map(([endUs, k]) => ({ endUs, saying: restored[k]! }))
  slower.shedUs = shedUs
  const [samplesTaken, revised, confirmed, unknown] = counted
  slower.counts = { samples: samplesTaken, revised, confirmed, unknown }
  return true
}
