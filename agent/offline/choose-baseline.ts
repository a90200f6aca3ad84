import { statSync } from 'node:fs'
import { join } from 'node:path'
import type { BaselinePolicy } from '../../shared/config/baseline-policy-schema.ts'
import {
  type BaselineCandidate,
  type SelectedBaseline,
  type SelectionPolicy,
  selectBaseline,
} from '../../shared/model/baseline-selection.ts'
import { readRunFolders } from '../adapters/run-folders.ts'
import { readLineage } from '../adapters/run-lineage.ts'
import type { Decimal } from './metrics-csv.ts'
import { type RunFolder, type RunMeta, readRunFolder } from './run-folder.ts'

export type ChoosingBaseline = Readonly<{
  run: RunFolder
  /** What `--baseline` names: a folder, or with `runs` a tag or the id of a run. */
  named?: string | undefined
  /** Folder of runs. */
  runs?: string | undefined
  policy: BaselinePolicy
  registryHash: string
  decimal?: Decimal | undefined
}>

/** `selected` is null where a folder was named outright, or nothing at all. */
export type ChosenBaseline = Readonly<{
  baseline: RunFolder | null
  selected: SelectedBaseline | null
  /** Runs that could not be offered, in words. */
  warnings: readonly string[]
}>

/** @throws HbError RUNS_MISSING, RUN_META_SHAPE, RUN_MISSING, RUN_INVALID */
export function chooseBaseline(choosing: ChoosingBaseline): ChosenBaseline {
  const { run, named, runs, policy, decimal } = choosing
  const isFolder = named !== undefined && statSync(named, { throwIfNoEntry: false })?.isDirectory() === true
  if (runs === undefined || isFolder)
    return {
      baseline: named === undefined ? null : readRunFolder(named, decimal),
      selected: null,
      warnings: [],
    }
  const { candidates, tags, folders, skipped } = readRunFolders(runs)
  const verdicts = readLineage(runs)
  const selected = selectBaseline({
    run: saidOf(run.meta),
    candidates: candidates.map((candidate) => asJudged(candidate, verdicts.get(candidate.run_id))),
    tags,
    policy: policyFor(
      named,
      policy,
      tags.some(({ tag }) => tag === named),
    ),
    registryHash: choosing.registryHash,
  })
  const folder = selected.usable ? folders.get(selected.baseline_run_id ?? '') : undefined
  return {
    baseline: folder === undefined ? null : readRunFolder(join(runs, folder), decimal),
    selected,
    warnings: skipped.map((one) => `${one.folder} is not offered as baseline: ${one.reason}`),
  }
}

/** What a run says of itself, without what it does not. */
export function saidOf(meta: RunMeta): Partial<RunMeta> & Readonly<{ run_id: string }> {
  const entries = Object.entries(meta).filter(([, value]) => value !== '')
  return { ...Object.fromEntries(entries), run_id: meta.run_id }
}

/** The verdict of the last analysis counts before what a run says of itself. */
function asJudged(
  candidate: BaselineCandidate,
  verdict: Readonly<{ status: string; registry_hash: string | null }> | undefined,
): BaselineCandidate {
  if (verdict === undefined) return candidate
  const { registry_hash: hash } = verdict
  return { ...candidate, status: verdict.status, ...(hash === null ? {} : { registry_hash: hash }) }
}

/** A name on the command line goes before the strategy of the policy: a tag where there is one, else the id of a run. */
function policyFor(named: string | undefined, policy: BaselinePolicy, isTag: boolean): SelectionPolicy {
  if (named === undefined) return policy
  return isTag ? { ...policy, strategy: 'tag', tag: named } : { ...policy, strategy: 'explicit', run_id: named }
}
