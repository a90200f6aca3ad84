import { createHash } from 'node:crypto'
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { isHbError } from '../../shared/errors/hb-error.ts'
import { utc } from '../../shared/lib/command-output.ts'
import type { Millis } from '../../shared/units.ts'
import type { CampaignResult, CaseResult } from '../core/result.ts'
import type { ScenarioRow } from '../core/scenario.ts'
import { judge } from '../oracle/judge.ts'
import type { Hb } from './agent-process.ts'
import { closeEvidence } from './evidence.ts'
import { type HostTime, millisSince } from './host-time.ts'
import { giveBack, reserve } from './reservations.ts'
import { LOCKSTEP_BEGIN_US, type RunView, runScenario } from './run.ts'
import { Workshop } from './workshop.ts'

export type CampaignOptions = Readonly<{
  rows: readonly ScenarioRow[]
  /** Folder of the campaign: a folder for each run, and reports. */
  folder: string
  hb: Hb
  /** Time of this machine. */
  host: HostTime
  jobs: number
  commit: string
  /** Folders of runs that passed are kept too. */
  keep: boolean
  /** Time in lock-step goes on no faster than on the wall. */
  real: boolean
  /** How long a run waits for a place that somebody else has. */
  waitMs: Millis
  signal: AbortSignal
  watch?: (view: RunView) => void
  /** Told of each case as it comes. */
  told(result: CaseResult, done: number, of: number): void
}>

/** A run that takes longer gives its place away; none may. */
const PLACE_MS: Millis = 3_600_000

/** Runs every row, several at once, and judges each by what it left. An end before the last one is said in the result. */
export async function runCampaign(options: CampaignOptions): Promise<CampaignResult> {
  const { rows, folder, hb, host, jobs, signal } = options
  const [startedUs, fromUs] = [host.nowUs(), host.monotonicUs()]
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const workshop = new Workshop(join(folder, 'baselines'), { hb, host, beginUs: LOCKSTEP_BEGIN_US, signal })
  const queues = new Map<string, Promise<unknown>>()
  const cases = rows.map((): CaseResult | null => null)
  let done = 0
  const one = async (k: number): Promise<void> => {
    let result = await oneCase(rows[k]!, options, { workshop, queues })
    for (let again = 0; again < OVERRUN_RETRIES && isOverrun(result) && !signal.aborted; again += 1) {
      rmSync(join(folder, runFolder(rows[k]!)), { recursive: true, force: true })
      result = await oneCase(rows[k]!, options, { workshop, queues })
    }
    cases[k] = result
    done += 1
    options.told(result, done, rows.length)
  }
  // What runs on the wall waits most of the time, and must not be kept from the processor by what runs as fast as it can.
  const places = rows.map((_, k) => k)
  await inTurn(
    places.filter((k) => rows[k]!.clock.mode === 'lockstep'),
    { jobs, signal },
    one,
  )
  await inTurn(
    places.filter((k) => rows[k]!.clock.mode === 'free_run'),
    { jobs: jobs * FREE_RUNS_A_JOB, signal },
    one,
  )
  rmSync(join(folder, 'baselines'), { recursive: true, force: true })
  return {
    v: 1,
    started_utc: utc(startedUs),
    host_ms: millisSince(fromUs, host),
    commit: options.commit,
    complete: cases.every((one) => one !== null && one.verdict !== 'ABORTED'),
    cases: cases.map((one, k) => one ?? notRun(rows[k]!, ENDED, host)),
  }
}

/** Runs on the wall at once, for each that would run as fast as it can. */
const FREE_RUNS_A_JOB = 2

type Turn = Readonly<{ jobs: number; signal: AbortSignal }>

/** Does it with each, so many at once, until somebody ends it. */
async function inTurn(
  all: readonly number[],
  { jobs, signal }: Turn,
  act: (k: number) => Promise<void>,
): Promise<void> {
  let next = 0
  const work = async (): Promise<void> => {
    while (next < all.length && !signal.aborted) {
      next += 1
      await act(all[next - 1]!)
    }
  }
  await Promise.all(Array.from({ length: Math.min(jobs, all.length) }, work))
}

/** Name of the folder of a run: the scenario, and which row of its matrix. */
export function runFolder({ id, row }: ScenarioRow): string {
  return `${id}.${row}`
}

/** What the runs of a campaign share: baselines, and who is next at each place. */
type Common = Readonly<{ workshop: Workshop; queues: Map<string, Promise<unknown>> }>

/** A run on the wall that this machine was too slow for says nothing, and is done again so often; then it says that. */
const OVERRUN_RETRIES = 2

function isOverrun({ verdict, reason }: CaseResult): boolean {
  return verdict === 'INCONCLUSIVE' && reason.startsWith('HOST_OVERRUN')
}

/** Never rejects: a run that could not even be made is a case of its own, and the others go on. */
async function oneCase(row: ScenarioRow, options: CampaignOptions, common: Common): Promise<CaseResult> {
  const { host, signal } = options
  if (row.skip !== '') return notRun(row, { verdict: 'SKIPPED', reason: row.skip }, host)
  try {
    const { reserve: place } = row.rig
    if (place === '') return await ran(row, options, common)
    // Runs of one campaign wait for each other, however short it would wait for others.
    const turn = (common.queues.get(place) ?? Promise.resolve()).then(() =>
      inPlace(row, options, () => ran(row, options, common)),
    )
    common.queues.set(
      place,
      turn.catch(() => undefined),
    )
    return await turn
  } catch (error) {
    if (signal.aborted) return notRun(row, ENDED, host)
    const { message } = error as Error
    // What a run needs before it begins is not there: that says nothing of the agent.
    const verdict = isHbError(error, 'RIG_RESERVED') ? 'INCONCLUSIVE' : 'ERROR'
    return notRun(row, { verdict, reason: isHbError(error) ? message : `INTERNAL: ${message}` }, host)
  }
}

/** Takes the place that the rig needs for itself, and gives it back. */
async function inPlace<T>(row: ScenarioRow, options: CampaignOptions, run: () => Promise<T>): Promise<T> {
  const { host, signal, waitMs } = options
  signal.throwIfAborted()
  const held = await reserve(row.rig.reserve, {
    forMs: PLACE_MS,
    waitMs,
    comment: row.id,
    pid: process.pid,
    host,
    signal,
  })
  try {
    return await run()
  } finally {
    giveBack(held)
  }
}

async function ran(row: ScenarioRow, options: CampaignOptions, { workshop }: Common): Promise<CaseResult> {
  const name = runFolder(row)
  const folder = join(options.folder, name)
  const { hb, host, signal, watch, real } = options
  await runScenario({ row, folder, hb, host, workshop, signal, real, ...(watch === undefined ? {} : { watch }) })
  const result: CaseResult = { ...judge(folder), folder: name }
  const isRed = result.verdict !== 'PASS' && result.verdict !== 'MARGINAL' && result.verdict !== 'XFAIL'
  if (isRed || options.keep) closeEvidence(folder)
  else rmSync(folder, { recursive: true, force: true })
  return result
}

type NotRun = Pick<CaseResult, 'verdict' | 'reason'>
const ENDED: NotRun = { verdict: 'ABORTED', reason: 'the campaign ended before' }

/** A row that was not run, and why. */
function notRun(row: ScenarioRow, { verdict, reason }: NotRun, host: HostTime): CaseResult {
  const { id, title, file, params, verifies, tags, seed, rig } = row
  return {
    ...{ id, title, file, row: row.row, params, rig: rig.name, verifies, tags, seed, verdict, reason },
    ...{ outcomes: [], faults: [], log_tail: [], host_ms: 0, simulated_us: 0, folder: '' },
    measures: NO_MEASURES,
    hashes: { config: '', policy: '', baseline: '', software: '' },
    started_utc: utc(host.nowUs()),
  }
}

const NO_MEASURES = {
  ...{ fdti_us: null, frti_us: null, fhti_us: null, ftti_us: null },
  ...{ decisions: 0, alarms: 0, actions: 0, digest: '' },
} as const

/** Which rows of a campaign one of several runners takes: each the same number, whatever the order of files. */
export function shardOf(rows: readonly ScenarioRow[], part: number, of: number): ScenarioRow[] {
  return rows.filter((row) => hashOf(`${row.id}.${row.row}`) % of === part - 1)
}

function hashOf(text: string): number {
  return createHash('sha256').update(text).digest().readUInt32BE(0)
}
