import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { ROOT } from '../sources.ts'

/** One JSON line that a program wrote. */
export type LogLine = Readonly<Record<string, unknown>>

/** A program of the demo: runs in a process group of its own, so that Ctrl-C reaches the demo alone and it stops the others in order. */
export type Program = Readonly<{
  name: string
  pid: number
  /** Settles with the first line of an event; rejects when the program ends before. */
  event(name: string, withinMs?: number): Promise<LogLine>
  /** SIGTERM, and SIGKILL when that is not enough. @returns the exit code, or null when it had to be killed */
  stop(withinMs?: number): Promise<number | null>
  readonly exited: Promise<number | null>
}>

const STOP_WITHIN_MS = 15_000
const EVENT_WITHIN_MS = 30_000
const HB = join(ROOT, 'dist', 'hb.cjs')

const running = new Map<number, ChildProcess>()

/** Starts `hb ARGS`; its log goes to a file, and every line to `line`. */
export function startHb(
  name: string,
  args: readonly string[],
  { folder, line }: { folder: string; line?: (line: LogLine) => void },
): Program {
  const child = spawn(process.execPath, [HB, ...args], {
    cwd: folder,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const log = openSync(join(folder, `${name}.log`), 'a')
  const lines: LogLine[] = []
  const waiting = new Set<(line: LogLine) => void>()
  if (child.pid !== undefined) running.set(child.pid, child)
  createInterface({ input: child.stdout! }).on('line', (text) => {
    writeSync(log, `${text}\n`)
    const parsed = parse(text)
    if (parsed === null) return
    lines.push(parsed)
    line?.(parsed)
    for (const wake of waiting) wake(parsed)
  })
  let complaint = ''
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    writeSync(log, text)
    complaint = `${complaint}${text}`.slice(-4000)
  })
  const exited = new Promise<number | null>((resolve) => {
    child.on('close', (code) => {
      running.delete(child.pid ?? 0)
      closeSync(log)
      resolve(code)
    })
  })
  return {
    name,
    pid: child.pid ?? 0,
    exited,
    event(wanted, withinMs = EVENT_WITHIN_MS) {
      const known = lines.find((entry) => entry['event'] === wanted)
      if (known !== undefined) return Promise.resolve(known)
      return new Promise((resolve, reject) => {
        const timer = setTimeout(
          () => reject(new Error(`${name} did not say ${wanted} within ${withinMs / 1000} s\n${complaint}`)),
          withinMs,
        )
        const wake = (entry: LogLine): void => {
          if (entry['event'] !== wanted) return
          clearTimeout(timer)
          waiting.delete(wake)
          resolve(entry)
        }
        waiting.add(wake)
        void exited.then((code) => reject(new Error(`${name} ended with ${code}\n${complaint}`)))
      })
    },
    async stop(withinMs = STOP_WITHIN_MS) {
      child.kill('SIGTERM')
      const timer = setTimeout(() => child.kill('SIGKILL'), withinMs)
      const code = await exited
      clearTimeout(timer)
      return code
    },
  }
}

/** Runs `hb ARGS` to its end and gives its stdout. Rejects with what it said when it failed. */
export function runHb(args: readonly string[], folder: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [HB, ...args], {
      cwd: folder,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    if (child.pid !== undefined) running.set(child.pid, child)
    const [out, err]: [string[], string[]] = [[], []]
    child.stdout.setEncoding('utf8').on('data', (text: string) => out.push(text))
    child.stderr.setEncoding('utf8').on('data', (text: string) => err.push(text))
    child.on('error', reject)
    child.on('close', (code) => {
      running.delete(child.pid ?? 0)
      if (code === 0) resolve(out.join(''))
      else reject(new Error(`hb ${args.join(' ')} ended with ${code}\n${err.join('')}`))
    })
  })
}

/** For when the demo itself is ended hard: nothing that it started stays behind. */
export function killAll(): void {
  for (const child of running.values()) child.kill('SIGKILL')
}

function parse(text: string): LogLine | null {
  try {
    return JSON.parse(text) as LogLine
  } catch {
    // Not one of our log lines; it is in the file.
    return null
  }
}
