import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process'
import { closeSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Writable } from 'node:stream'
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
  /** Its standard input, when it was started with one. */
  readonly input: Writable | null
}>

const STOP_WITHIN_MS = 15_000
const EVENT_WITHIN_MS = 30_000
/** Characters kept of what a program last complained about. */
const COMPLAINT_MAX = 4000

/** How `hb` is started: what is run, and what comes before its own arguments. */
export type Hb = Readonly<{ command: string; before: readonly string[] }>

/** The bundle, run by the Node that runs this. */
export const BUNDLE: Hb = { command: process.execPath, before: [join(ROOT, 'dist', 'hb.cjs')] }

/** What is started where nobody says otherwise: the bundle, or the executable that HB_EXECUTABLE names, so that the same tests judge both. */
export function usualHb(): Hb {
  const executable = process.env['HB_EXECUTABLE'] ?? ''
  return executable === '' ? BUNDLE : { command: executable, before: [] }
}

const running = new Map<number, ChildProcess>()

type Wake = (line: LogLine) => void

/** `input`: give it a standard input to write to. */
type StartOptions = Readonly<{ folder: string; line?: Wake; hb?: Hb; input?: boolean }>

/** Starts `hb ARGS`; its log goes to a file, and every line to `line`. */
export function startHb(name: string, args: readonly string[], options: StartOptions): Program {
  return new HbProgram(name, args, options)
}

class HbProgram implements Program {
  readonly name: string
  readonly pid: number
  readonly exited: Promise<number | null>
  readonly input: Writable | null
  private readonly child: ChildProcess
  private readonly lines: LogLine[] = []
  private readonly waiting = new Set<Wake>()
  private complaint = ''

  constructor(name: string, args: readonly string[], { folder, line, hb, input = false }: StartOptions) {
    this.name = name
    this.child = launch(args, folder, { ...(hb === undefined ? {} : { hb }), input: input ? 'pipe' : 'ignore' })
    this.input = this.child.stdin
    this.pid = this.child.pid ?? 0
    const log = openSync(join(folder, `${name}.log`), 'a')
    createInterface({ input: this.child.stdout! }).on('line', (text) => {
      writeSync(log, `${text}\n`)
      const parsed = parse(text)
      if (parsed === null) return
      this.lines.push(parsed)
      line?.(parsed)
      for (const wake of this.waiting) wake(parsed)
    })
    this.child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      writeSync(log, text)
      this.complaint = `${this.complaint}${text}`.slice(-COMPLAINT_MAX)
    })
    this.exited = new Promise((resolve) => {
      this.child.on('close', (code) => {
        closeSync(log)
        resolve(code)
      })
    })
  }

  event(wanted: string, withinMs = EVENT_WITHIN_MS): Promise<LogLine> {
    const known = this.lines.find((entry) => entry['event'] === wanted)
    if (known !== undefined) return Promise.resolve(known)
    return new Promise((resolve, reject) => {
      const late = (): void => reject(new Error(`${this.name} did not say ${wanted} in time\n${this.complaint}`))
      const timer = setTimeout(late, withinMs)
      const wake = (entry: LogLine): void => {
        if (entry['event'] !== wanted) return
        clearTimeout(timer)
        this.waiting.delete(wake)
        resolve(entry)
      }
      this.waiting.add(wake)
      void this.exited.then((code) => {
        clearTimeout(timer)
        reject(new Error(`${this.name} ended with ${code}\n${this.complaint}`))
      })
    })
  }

  async stop(withinMs = STOP_WITHIN_MS): Promise<number | null> {
    this.child.kill('SIGTERM')
    const timer = setTimeout(() => this.child.kill('SIGKILL'), withinMs)
    const code = await this.exited
    clearTimeout(timer)
    return code
  }
}

type LaunchOptions = Readonly<{ hb?: Hb; input?: 'pipe' | 'ignore' }>

function launch(
  args: readonly string[],
  folder: string,
  { hb: { command, before } = usualHb(), input = 'ignore' }: LaunchOptions = {},
): ChildProcess {
  const stdio: StdioOptions = [input, 'pipe', 'pipe']
  const child = spawn(command, [...before, ...args], { cwd: folder, detached: true, stdio })
  const { pid } = child
  if (pid !== undefined) {
    running.set(pid, child)
    child.on('close', () => running.delete(pid))
  }
  return child
}

/** Runs `hb ARGS` to its end and gives its stdout. Rejects with what it said when it failed. */
export function runHb(args: readonly string[], folder: string, hb?: Hb): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = launch(args, folder, hb === undefined ? {} : { hb })
    const [out, err]: [string[], string[]] = [[], []]
    child.stdout!.setEncoding('utf8').on('data', (text: string) => out.push(text))
    child.stderr!.setEncoding('utf8').on('data', (text: string) => err.push(text))
    child.on('error', reject)
    child.on('close', (code) => {
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
