import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { arch, cpus, platform, tmpdir } from 'node:os'
import { join } from 'node:path'
import { runCampaign, runFolder } from '../../hil-testbed/bench/campaign.ts'
import { hostTime } from '../../hil-testbed/bench/host-time.ts'
import type { ScenarioRow } from '../../hil-testbed/core/scenario.ts'
import { type Run, readRun } from '../../hil-testbed/oracle/run-folder.ts'
import { loadScenarios } from '../../hil-testbed/scenario/load.ts'
import { usualHb } from '../demo/processes.ts'
import { ROOT } from '../sources.ts'
import { type Quiet, quietOf, type Trial, trialOf } from './measure.ts'
import { faultRow, nominalRow } from './rows.ts'
import { VARIANTS, type Variant } from './variants.ts'

/** What the runs of the figures are made from. */
const BASE = 'hil-testbed/figures/vessel.scenario.yaml'

/** What the figures are of: the last commit that changed any of it is named with them. */
const SOURCES = ['agent', 'shared', 'hil-testbed/bench', 'hil-testbed/core', 'hil-testbed/oracle', 'hil-testbed/rigs']

export type Wanted = Readonly<{
  variants: readonly Variant[]
  /** 1 … n are the seeds. */
  seeds: number
  /** Of each nominal run. */
  minutes: number
  jobs: number
}>

/** Everything that was measured, as it is kept: the document is made from it. */
export type Measured = Readonly<{
  v: 1
  commit: string
  /** Whether the sources are those of the commit. */
  clean: boolean
  date: string
  command: string
  machine: string
  host_s: number
  rig: string
  seeds: number
  minutes: number
  complete: boolean
  faults: readonly Readonly<{ variant: Variant; trials: readonly Trial[] }>[]
  quiet: readonly Quiet[]
}>

export type Say = (done: number, of: number, leftS: number) => void

/** Runs every variant with every seed on the real bench, and the nominal runs; folders are thrown away once they are read. */
export async function collect(wanted: Wanted, signal: AbortSignal, say: Say): Promise<Omit<Measured, 'command'>> {
  const { variants, seeds, minutes, jobs } = wanted
  const base = loadScenarios([join(ROOT, BASE)]).rows[0]!
  const { runs, faults, quiet } = planOf(base, wanted)
  const rows = [...runs.values()].map(({ row }) => row)
  const folder = mkdtempSync(join(tmpdir(), 'hb-figures-'))
  const startedMs = performance.now()
  const spentS = (): number => (performance.now() - startedMs) / 1000
  const work = rows.reduce((sum, row) => sum + costOf(row), 0)
  let worked = 0
  try {
    const { complete } = await runCampaign({
      ...{ rows, folder, hb: usualHb(), host: hostTime(), jobs, commit: '', keep: true, real: false, waitMs: 0 },
      signal,
      told: (result, done, of) => {
        const name = `${result.id}.${result.row}`
        const { row, read } = runs.get(name)!
        read(readRun(join(folder, name)))
        rmSync(join(folder, name), { recursive: true, force: true })
        worked += costOf(row)
        say(done, of, (spentS() / worked) * (work - worked))
      },
    })
    return {
      v: 1,
      ...{ commit: git('log', '-1', '--format=%H', '--', ...SOURCES) },
      clean: git('status', '--porcelain', '--', ...SOURCES) === '',
      ...{ date: new Date().toISOString().slice(0, 10), machine: machine(), rig: base.rig.name },
      ...{ host_s: Math.round(spentS()), seeds, minutes, complete },
      faults: variants.map((variant, k) => ({ variant, trials: faults[k]!.sort(bySeed) })),
      quiet: quiet.sort(bySeed),
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

type Planned = Readonly<{ row: ScenarioRow; read: (run: Run) => void }>

/** Every run by its folder, and where what is read of it goes. */
function planOf(
  base: ScenarioRow,
  { variants, seeds, minutes }: Wanted,
): Readonly<{ runs: ReadonlyMap<string, Planned>; faults: Trial[][]; quiet: Quiet[] }> {
  const faults = variants.map((): Trial[] => [])
  const quiet: Quiet[] = []
  const runs = new Map<string, Planned>()
  const plan = (row: ScenarioRow, read: Planned['read']): void => void runs.set(runFolder(row), { row, read })
  const each = Array.from({ length: seeds }, (_, k) => k + 1)
  // The long ones first, so that all jobs end together.
  for (const seed of each) plan(nominalRow(base, seed, minutes), (run) => quiet.push(quietOf(run)))
  variants.forEach((variant, k) => {
    const index = VARIANTS.indexOf(variant)
    for (const seed of each)
      plan(faultRow(base, variant, { index, seed }), (run) => faults[k]!.push(trialOf(run, variant.channels)))
  })
  return { runs, faults, quiet }
}

/** In simulated µs: the start of an agent costs as much as so many of them. */
const START_US = 20_000_000
const costOf = ({ clock }: Readonly<{ clock: Readonly<{ durationUs: number }> }>): number => START_US + clock.durationUs

const bySeed = (a: Readonly<{ seed: number }>, b: Readonly<{ seed: number }>): number => a.seed - b.seed

function machine(): string {
  const all = cpus()
  return `${all.length} × ${all[0]?.model.trim() ?? 'unknown'}, ${platform()} ${arch()}, Node ${process.version}`
}

/** '' where nobody can say. */
function git(...args: readonly string[]): string {
  try {
    return execFileSync('git', args, { cwd: ROOT, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
  } catch {
    return ''
  }
}
