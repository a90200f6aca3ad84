import { type Program, runHb, startHb } from '../../scripts/demo/processes.ts'
import { createPrng } from '../../shared/lib/prng.ts'
import { type BenchFolder, recordedLoop, runtimeYaml } from './bench-folder.ts'

/** What a run is judged by. */
export type RunResult = Readonly<{
  digest: string
  decisions: number
  revisions: number
  frames: number
  kills: number
}>

/** Rows of the recording: two minutes of the loop at 100 Hz, with the valve closing after one. */
export const ROWS = 12_000
/** Longest life of a process that is to be killed: longer than its start, shorter than the run. */
const LIFE_MS = { min: 20, max: 1500 }
const CHAINS_ROUNDS_MAX = 400

export async function makeRecording(folder: BenchFolder): Promise<void> {
  await runHb(['hil', 'water-loop', '--csv', 'loop.csv', '--seconds', '120', '--fault-after', '60'], folder.path)
  folder.write('runtime.yaml', runtimeYaml({ clock: 'recording', rigs: recordedLoop() }))
  folder.write('uplink.yaml', runtimeYaml({ clock: 'recording', rigs: recordedLoop(), ports: folder.ports }))
}

export async function undisturbed(folder: BenchFolder): Promise<RunResult> {
  await runHb(['runtime', '--config', 'runtime.yaml', '--state', 'undisturbed'], folder.path)
  return { ...(await resultOf(folder, 'undisturbed')), kills: 0 }
}

/**
 * Runs the agent again and again, each life ended with SIGKILL at a random moment, until it was killed `kills` times;
 * a run that reaches the end of its recording begins anew in another state folder.
 */
export async function killedRuns(
  folder: BenchFolder,
  { kills, seed, name }: { kills: number; seed: number; name: string },
): Promise<RunResult[]> {
  const prng = createPrng(seed)
  const results: RunResult[] = []
  let left = kills
  for (let round = 1; left > 0 && round <= CHAINS_ROUNDS_MAX; round += 1) {
    const state = `${name}-${round}`
    let killed = 0
    for (let ended = false; !ended; ) {
      const lifeMs =
        left - killed > 0 ? LIFE_MS.min + prng.next() * (LIFE_MS.max - LIFE_MS.min) : Number.POSITIVE_INFINITY
      ended = await oneLife(folder, state, lifeMs)
      if (!ended) killed += 1
    }
    left -= killed
    results.push({ ...(await resultOf(folder, state)), kills: killed })
  }
  return results
}

/** @returns true when the program came to its end by itself, with exit code 0 */
async function oneLife(folder: BenchFolder, state: string, lifeMs: number): Promise<boolean> {
  const program = startHb(state, ['runtime', '--config', 'runtime.yaml', '--state', state], { folder: folder.path })
  const code = await endWithin(program, lifeMs)
  if (code !== 0 && code !== null) throw new Error(`${state} ended with ${code}`)
  return code === 0
}

async function endWithin(program: Program, lifeMs: number): Promise<number | null> {
  if (!Number.isFinite(lifeMs)) return program.exited
  const timer = setTimeout(() => process.kill(program.pid, 'SIGKILL'), lifeMs)
  const code = await program.exited
  clearTimeout(timer)
  return code
}

/** Digest over all decisions by re-running the journal, the frames in it, and that what was signed comes out again. */
export async function resultOf(folder: BenchFolder, state: string): Promise<Omit<RunResult, 'kills'>> {
  const json = async (...args: string[]): Promise<Record<string, unknown>> =>
    JSON.parse(await runHb([...args, '--state', state, '--json'], folder.path)) as Record<string, unknown>
  const verified = await json('journal', 'verify')
  if (verified['ok'] !== true)
    throw new Error(`${state}: the journal is not whole: ${JSON.stringify(verified['damage'])}`)
  const replayed = await json('replay')
  if (replayed['equal'] !== true || replayed['unsigned'] !== 0) throw new Error(`${state}: ${JSON.stringify(replayed)}`)
  const listed = await json('decisions', 'list')
  return {
    digest: String(replayed['digest']),
    decisions: Number(replayed['decisions']),
    revisions: Number(listed['revisions']),
    frames: (verified['kinds'] as { frame: number }).frame,
  }
}
