import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type BenchAgent, runLoad, startBenchAgent } from './agent.ts'
import type { Measure } from './measure.ts'

const RIGS = 2
/** Frames of 50 samples of one channel: where the work per frame is worth more than the frame's way across threads. */
const FRAME_TIMES = 50
const SAMPLES_PER_S = 800_000
/** What the kernel counts processor time in. */
const TICK_US = 10_000

/**
 * Processor time of the main thread, which is what bounds an agent when there are cores enough for the other threads.
 * A rate would not show it here: on two cores the loads and the threads take from each other.
 */
export function threads(): Measure[] {
  return [
    {
      names: ['main_thread_us_per_frame_here', 'main_thread_us_per_frame_on_threads'],
      what: `${RIGS} rigs of 64 channels, frames of ${FRAME_TIMES} samples, ${SAMPLES_PER_S} samples/s in all: processor time of the main thread a frame, evaluating in it and on ${RIGS} threads`,
      run: async ({ short, say }) => {
        const seconds = short ? 4 : 15
        const here = await mainThreadUs(0, seconds)
        const onThreads = await mainThreadUs(RIGS, seconds)
        say(`${here.toFixed(1)} µs in the main thread, ${onThreads.toFixed(1)} µs with threads`)
        return { main_thread_us_per_frame_here: here, main_thread_us_per_frame_on_threads: onThreads }
      },
    },
  ]
}

async function mainThreadUs(count: number, seconds: number): Promise<number> {
  const agent = await startBenchAgent({ encoding: 'cbor', rigs: RIGS, threads: count })
  try {
    // Compiled code and caches first.
    await load(agent, { seconds: 2, firstSeq: 0 })
    const before = processorUs(agent.program.pid)
    const frames = await load(agent, { seconds, firstSeq: 1_000_000_000 })
    return (processorUs(agent.program.pid) - before) / frames
  } finally {
    await agent.remove()
  }
}

/** @returns frames sent */
async function load(
  { rigs, channels }: BenchAgent,
  { seconds, firstSeq }: { seconds: number; firstSeq: number },
): Promise<number> {
  const reports = await Promise.all(
    rigs.map((rig) =>
      runLoad({
        ...rig,
        channels,
        encoding: 'cbor',
        timesPerFrame: FRAME_TIMES,
        channelsPerFrame: 1,
        samplesPerS: SAMPLES_PER_S / rigs.length,
        seconds,
        lateShare: 0,
        lateMs: 0,
        firstSeq,
        epoch: 'one',
      }),
    ),
  )
  return reports.reduce((sum, { messages }) => sum + messages, 0)
}

/** Time that the main thread of a process has had, user and system (proc(5), fields 14 and 15). */
function processorUs(pid: number): number {
  const folder = `/proc/${pid}/task`
  const main = readdirSync(folder).find((task) => task === String(pid))
  const stat = readFileSync(join(folder, main ?? '', 'stat'), 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) * TICK_US
}
