import { spawn } from 'node:child_process'

/** How a program ended. `output` is stdout and stderr as they came. */
export type Ended = Readonly<{
  output: string
  code: number | null
  signal: NodeJS.Signals | null
  /** Ended by us because it took longer than it may. */
  timedOut: boolean
  /** Processes it had started still ran after it; they have been ended. */
  leftOthers: boolean
  seconds: number
}>

export type Launch = Readonly<{
  command: string
  args: readonly string[]
  cwd: string
  env?: NodeJS.ProcessEnv
  timeoutMs: number
}>

/** Output kept of one program; more than that is a program gone wild, and its beginning says why. */
const OUTPUT_MAX_CHARS = 4_000_000
/** What ends together with its parent needs a moment to be gone. */
const STRAGGLERS_MS = 2_000
const STRAGGLER_POLL_MS = 20

const running = new Set<number>()

/** Runs a program in a process group of its own, to its end, and leaves nothing of the group behind. Never rejects. */
export function runGroup(launch: Launch): Promise<Ended> {
  const startMs = performance.now()
  let output = ''
  let timedOut = false
  const child = spawn(launch.command, launch.args, {
    cwd: launch.cwd,
    env: launch.env ?? process.env,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const take = (chunk: string): void => {
    if (output.length < OUTPUT_MAX_CHARS) output += chunk
  }
  child.stdout.setEncoding('utf8').on('data', take)
  child.stderr.setEncoding('utf8').on('data', take)
  const group = child.pid ?? 0
  if (group > 0) running.add(group)
  const timer = setTimeout(() => {
    timedOut = true
    signalGroup(group, 'SIGKILL')
  }, launch.timeoutMs)
  return new Promise((resolve) => {
    const seconds = (): number => (performance.now() - startMs) / 1_000
    child.on('error', (error) => {
      clearTimeout(timer)
      resolve({ output: error.message, code: null, signal: null, timedOut, leftOthers: false, seconds: seconds() })
    })
    child.on('exit', async (code, signal) => {
      clearTimeout(timer)
      const leftOthers = !timedOut && !(await isGone(group))
      if (leftOthers) signalGroup(group, 'SIGKILL')
      running.delete(group)
      // Whoever left the group may hold the pipe for ever; what came until now is enough.
      await Promise.race([closed(child), later(STRAGGLERS_MS)])
      resolve({ output, code, signal, timedOut, leftOthers, seconds: seconds() })
    })
  })
}

/** Ends every group that still runs: for when we are ended ourselves. */
export function endAllGroups(): void {
  for (const group of running) signalGroup(group, 'SIGKILL')
}

function closed(child: ReturnType<typeof spawn>): Promise<void> {
  if (child.stdout?.destroyed && child.stderr?.destroyed) return Promise.resolve()
  return new Promise((resolve) => child.once('close', () => resolve()))
}

/** Scripts may sleep: nothing here decides anything by the time. */
function later(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

async function isGone(group: number): Promise<boolean> {
  for (let waited = 0; waited <= STRAGGLERS_MS; waited += STRAGGLER_POLL_MS) {
    if (!signalGroup(group, 0)) return true
    await later(STRAGGLER_POLL_MS)
  }
  return false
}

/** False when the group has no member left. */
function signalGroup(group: number, signal: NodeJS.Signals | 0): boolean {
  if (group <= 0) return false
  try {
    process.kill(-group, signal)
    return true
  } catch {
    return false
  }
}
