/** A run that was PASS, as `baselines.json` keeps it. `dir` starts from the folder of that file. */
export type KnownGood = Readonly<{ run_id: string; dir: string; registry_hash: string; ts_utc: string }>

/** Good runs under one key: one golden that stays, and the newest that passed, oldest first. */
export type KeyedBaselines = Readonly<{ golden: KnownGood | null; passes: readonly KnownGood[] }>
export type Baselines = ReadonlyMap<string, KeyedBaselines>

/** Runs that are remembered under one key beside its golden. */
export const PASSES_KEPT_MAX = 20

const NOTHING: KeyedBaselines = { golden: null, passes: [] }

export type Chosen = Readonly<{ good: KnownGood | null; reason: string }>

/**
 * The baseline of a scenario from the good runs under its key. `last_known_good`: golden where there is one, so that slow
 * drift is not followed. Never the run itself, never one that another registry judged.
 */
export function chooseKnownGood(
  baselines: Baselines,
  {
    key,
    mode,
    dir,
    registryHash,
  }: Readonly<{ key: string; mode: 'last_known_good' | 'rolling'; dir: string; registryHash: string }>,
): Chosen {
  const { golden, passes } = baselines.get(key) ?? NOTHING
  const others = passes.filter((good) => good.dir !== dir)
  const [good, reason] =
    mode === 'last_known_good' && golden !== null && golden.dir !== dir
      ? [golden, 'golden']
      : [
          others.findLast((one) => one.registry_hash === registryHash) ?? others.at(-1),
          mode === 'rolling' ? 'rolling' : 'last_pass',
        ]
  if (good === undefined) return { good: null, reason: 'no_pass' }
  return good.registry_hash === registryHash ? { good, reason } : { good: null, reason: 'registry_mismatch' }
}

/** Adds a run that was PASS. A golden that is there stays: whoever wants another one takes it out by hand. */
export function withPass(
  baselines: Baselines,
  key: string,
  { good, asGolden }: Readonly<{ good: KnownGood; asGolden: boolean }>,
): Baselines {
  const { golden, passes } = baselines.get(key) ?? NOTHING
  const kept = [...passes.filter((one) => one.dir !== good.dir), good].slice(-PASSES_KEPT_MAX)
  return new Map([...baselines, [key, { golden: golden ?? (asGolden ? good : null), passes: kept }]])
}
