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

/** Events that are kept of a program; what it says after that stands in its log alone. */
const EVENTS_MAX = 200_000
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
  /** How it ended, in words: its exit code or the signal; '' while it runs. */
  how = ''
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
      if (this.lines.length < EVENTS_MAX) this.lines.push(line)
      tell?.(line)
      for (const wake of this.wakes) wake(line)
    })
    createInterface({ input: this.child.stderr! }).on('line', keep)
    this.ended = new Promise((resolve) => {
      this.child.on('error', (error) => keep(error.message))
      this.child.on('close', (code, signal) => {
        closeSync(fd)
        this.code = code ?? -1
        this.how = signal ?? `exit code ${code}`
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
    const ended = this.running ? 'it still runs' : `it ended with ${this.how}`
    throw new HbError('AGENT_SILENT', {
      program: this.name,
      waited_for: wanted,
      found: ended,
      expected: `${withinMs} ms`,
    })
  }

  /** Settles when it has ended, or after a while. */
  async endedWithin(ms: Millis): Promise<void> {
    let cancel = (): void => {}
    const late = new Promise<void>((resolve) => {
      cancel = this.host.after(ms, resolve)
    })
    await Promise.race([this.ended, late])
    cancel()
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

/** A program that takes longer than this will never be done. */
const RUN_WITHIN_MS: Millis = 600_000

/**
 * Runs `hb ARGS` to its end.
 *
 * @returns what it wrote
 * @throws HbError PROGRAM_FAILED, also when it takes too long; the AbortError of `signal`
 */
export function runHb(args: readonly string[], { cwd, hb, codes = [0], signal }: RunOptions): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { cwd, timeout: RUN_WITHIN_MS, ...(signal === undefined ? {} : { signal }) }
    const child = spawn(hb.command, [...hb.before, ...args], { ...options, stdio: ['ignore', 'pipe', 'pipe'] })
    const parts: { out: string; error: string } = { out: '', error: '' }
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      parts.out += text
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      parts.error += text
    })
    child.on('error', reject)
    child.on('close', (code, how) => {
      if (codes.includes(code ?? -1)) resolve(parts.out)
      else
        reject(
          new HbError('PROGRAM_FAILED', {
            program: `hb ${args.join(' ')}`,
            found: how ?? `exit ${code}`,
            reason: parts.error.slice(-2000) || parts.out.slice(-2000),
          }),
        )
    })
  })
}

type RunOptions = Readonly<{ cwd: string; hb: Hb; codes?: readonly number[]; signal?: AbortSignal }>
