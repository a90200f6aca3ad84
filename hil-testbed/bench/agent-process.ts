import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync, writeSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { HbError } from '../../shared/errors/hb-error.ts'
import type { Clock } from '../../shared/lib/clock.ts'
import type { Millis } from '../../shared/units.ts'

/** How this program is started again: what is run, and what comes before the arguments of `hb`. */
export type Hb = Readonly<{ command: string; before: readonly string[] }>

/** The program that runs this, bundle or executable. */
export function ownHb(): Hb {
  const script = process.argv[1] ?? ''
  return /\.(c|m)?[jt]s$/.test(script)
    ? { command: process.execPath, before: [script] }
    : { command: process.execPath, before: [] }
}

export type LogLine = Readonly<Record<string, unknown>>

/** Lines kept to be shown when a run breaks, and characters of one. */
const TAIL_LINES = 40
const TAIL_CHARS = 600
const STOP_WITHIN_MS: Millis = 15_000

/** A program of a run: its log goes to a file, and it never outlives the bench. */
export class Program {
  readonly name: string
  readonly pid: number
  readonly ended: Promise<number | null>
  /** null while it runs; a program that was killed by a signal has −1. */
  code: number | null = null
  readonly tail: string[] = []
  private readonly host: Clock
  private readonly child: ChildProcess
  private readonly lines: LogLine[] = []
  private wakes: ((line: LogLine | null) => void)[] = []

  constructor(
    name: string,
    args: readonly string[],
    options: Readonly<{ cwd: string; log: string; hb: Hb; host: Clock; line?: (line: LogLine) => void }>,
  ) {
    const { cwd, log, hb, host, line: tell } = options
    this.name = name
    this.host = host
    this.child = spawn(hb.command, [...hb.before, ...args], { cwd, stdio: ['ignore', 'pipe', 'pipe'] })
    this.pid = this.child.pid ?? 0
    const fd = openSync(log, 'a', 0o600)
    const keep = (text: string): void => {
      writeSync(fd, `${text}\n`)
      this.tail.push(text.slice(0, TAIL_CHARS))
      if (this.tail.length > TAIL_LINES) this.tail.shift()
    }
    createInterface({ input: this.child.stdout! }).on('line', (text) => {
      keep(text)
      const line = parsed(text)
      if (line === null) return
      this.lines.push(line)
      tell?.(line)
      for (const wake of this.wakes) wake(line)
    })
    createInterface({ input: this.child.stderr! }).on('line', keep)
    this.ended = new Promise((resolve) => {
      this.child.on('error', (error) => keep(error.message))
      this.child.on('close', (code) => {
        closeSync(fd)
        this.code = code ?? -1
        for (const wake of this.wakes) wake(null)
        resolve(this.code)
      })
    })
  }

  get running(): boolean {
    return this.code === null
  }

  /** Everything it said so far. */
  get said(): readonly LogLine[] {
    return this.lines
  }

  /** @throws HbError AGENT_SILENT when it does not say that in time, or ends before */
  async event(wanted: string, withinMs: Millis): Promise<LogLine> {
    const known = this.lines.find((line) => line['event'] === wanted)
    if (known !== undefined) return known
    const found = await new Promise<LogLine | null>((resolve) => {
      const cancel = this.host.after(withinMs, () => resolve(null))
      const wake = (line: LogLine | null): void => {
        if (line !== null && line['event'] !== wanted) return
        cancel()
        this.wakes = this.wakes.filter((one) => one !== wake)
        resolve(line)
      }
      this.wakes.push(wake)
      if (!this.running) wake(null)
    })
    if (found !== null) return found
    const ended = this.running ? 'still runs' : `ended with ${this.code}`
    throw new HbError('AGENT_SILENT', {
      program: this.name,
      waited_for: wanted,
      found: ended,
      expected: `${withinMs} ms`,
    })
  }

  signal(name: NodeJS.Signals): void {
    if (this.running) this.child.kill(name)
  }

  /** SIGTERM, and SIGKILL when that is not enough. @returns the exit code; −1 when it had to be killed */
  async stop(withinMs: Millis = STOP_WITHIN_MS): Promise<number> {
    // One that was stopped by a signal does not hear SIGTERM before it goes on.
    this.signal('SIGCONT')
    this.signal('SIGTERM')
    const cancel = this.host.after(withinMs, () => this.signal('SIGKILL'))
    const code = await this.ended
    cancel()
    return code ?? -1
  }

  async kill(): Promise<void> {
    this.signal('SIGKILL')
    await this.ended
  }
}

function parsed(text: string): LogLine | null {
  try {
    const line: unknown = JSON.parse(text)
    return typeof line === 'object' && line !== null ? (line as LogLine) : null
  } catch {
    return null
  }
}

/** Runs `hb ARGS` to its end. @returns what it wrote @throws HbError PROGRAM_FAILED */
export function runHb(args: readonly string[], { cwd, hb, codes = [0] }: RunOptions): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(hb.command, [...hb.before, ...args], { cwd, stdio: ['ignore', 'pipe', 'pipe'] })
    const parts: { out: string; error: string } = { out: '', error: '' }
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      parts.out += text
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      parts.error += text
    })
    child.on('error', reject)
    child.on('close', (code) => {
      if (codes.includes(code ?? -1)) resolve(parts.out)
      else
        reject(
          new HbError('PROGRAM_FAILED', {
            program: `hb ${args.join(' ')}`,
            found: `exit ${code}`,
            reason: parts.error.slice(-2000) || parts.out.slice(-2000),
          }),
        )
    })
  })
}

type RunOptions = Readonly<{ cwd: string; hb: Hb; codes?: readonly number[] }>
