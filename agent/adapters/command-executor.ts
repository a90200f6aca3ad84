import { type ChildProcess, spawn } from 'node:child_process'
import { HbError } from '../../shared/errors/hb-error.ts'
import type { Clock } from '../../shared/lib/clock.ts'
import { plainText } from '../../shared/log/plain-text.ts'
import type { Bytes, Millis } from '../../shared/units.ts'
import type { Executor, ExecutorAck, ExecutorRequest, ExecutorSink, OutsideTime } from '../ports.ts'

export type CommandExecutorOptions = Readonly<{
  target: string
  argv: readonly string[]
  /** What a proof test runs instead; null: there is none, and a proof test fails. */
  proofArgv: readonly string[] | null
  directory: string
  timeoutMs: Millis
  clock: Clock
  /** Time that is moved from outside waits for its end; absent: none is. */
  hold?: OutsideTime['hold'] | undefined
}>

/** Commands that run at once; beyond, one is refused. */
const RUNNING_MAX = 8
/** Output kept of one command; the rest is read and thrown away, so that it never waits for us. */
const OUTPUT_BYTES_MAX: Bytes = 4096
/** Keys whose outcome is remembered; the oldest makes room. */
const KEYS_MAX = 4096
/** A program that has ended may have left somebody behind who holds its output open. */
const OUTPUT_WAIT_MS: Millis = 500
/** Commands that run when the agent stops are waited for so long, and then left to themselves. */
const STOP_WAIT_MS: Millis = 5000
/** All that a command gets of our environment. */
const PATH = '/usr/sbin:/usr/bin:/sbin:/bin'

type Outcome = Readonly<{ status: 'started' | 'completed' | 'failed'; message: string }>
const STARTED: Outcome = { status: 'started', message: '' }

/**
 * Actions as a program of this machine: started without a shell, with arguments that never change and an environment
 * of two variables. What it is asked stands on its standard input as one JSON object; the key is `HB_KEY`, so that it can
 * look whether it has done it before. A key that this process has run is answered with the first outcome and not run
 * again; what a process before this one has run is not known here.
 */
export function createCommandExecutor(options: CommandExecutorOptions): Executor {
  return new CommandExecutor(options)
}

class CommandExecutor implements Executor {
  readonly target: string
  private readonly options: CommandExecutorOptions
  private readonly outcomes = new Map<string, Outcome>()
  private readonly running = new Set<Promise<unknown>>()
  private on: ExecutorSink = { ack() {}, up() {}, down() {} }
  private stopped = false

  constructor(options: CommandExecutorOptions) {
    this.options = options
    this.target = options.target
  }

  async start(on: ExecutorSink): Promise<void> {
    this.on = on
    on.up()
  }

  async send({ budgetMs, ...request }: ExecutorRequest): Promise<void> {
    const { target, outcomes, running } = this
    const { key } = request
    const known = outcomes.get(key)
    if (known !== undefined) {
      this.on.ack(this.ackOf(key, known))
      return
    }
    if (!(budgetMs > 0)) throw new HbError('EXECUTOR_REQUEST', { target, field: 'budgetMs' })
    if (this.stopped) throw new HbError('EXECUTOR_UNREACHABLE', { target, reason: 'stopped' })
    if (running.size >= RUNNING_MAX) throw new HbError('EXECUTOR_BUSY', { target, waiting: running.size })
    const { argv } = this.options
    const run = runCommand(this.options, { argv, key, input: JSON.stringify({ v: 1, ...request }) })
    running.add(run.ended)
    void this.options.hold?.(run.ended)
    // At once: the same key again must not start it again while this one is being started.
    outcomes.set(key, STARTED)
    void run.ended.then((outcome) => {
      running.delete(run.ended)
      if (run.isRunning()) this.note(key, outcome)
      else outcomes.delete(key)
    })
    await run.started
    this.note(key, STARTED)
  }

  async query(key: string): Promise<ExecutorAck | 'unknown_key' | 'no_answer'> {
    const known = this.outcomes.get(key)
    // Not `unknown_key`: the process before this one may have run it.
    return known === undefined ? 'no_answer' : this.ackOf(key, known)
  }

  async proof(timeoutMs: Millis): Promise<boolean> {
    const { options, running } = this
    if (options.proofArgv === null || this.stopped || running.size >= RUNNING_MAX) return false
    const short = { ...options, timeoutMs: Math.min(timeoutMs, options.timeoutMs) }
    const run = runCommand(short, { argv: options.proofArgv, key: '', input: '' })
    running.add(run.ended)
    void this.options.hold?.(run.ended)
    run.started.catch(() => undefined)
    const { status } = await run.ended
    running.delete(run.ended)
    return status === 'completed'
  }

  /** A half-run action may be worse than one of which nobody hears the end: what runs is never ended for this. */
  async stop(): Promise<void> {
    this.stopped = true
    if (this.running.size === 0) return
    const waiting = new AbortController()
    const waited = this.options.clock.sleep(STOP_WAIT_MS, waiting.signal).catch(() => undefined)
    await Promise.race([Promise.all(this.running), waited])
    waiting.abort()
  }

  private note(key: string, outcome: Outcome): void {
    this.outcomes.set(key, outcome)
    if (this.outcomes.size > KEYS_MAX) this.outcomes.delete(this.outcomes.keys().next().value!)
    this.on.ack(this.ackOf(key, outcome))
  }

  private ackOf(key: string, { status, message }: Outcome): ExecutorAck {
    return { key, status, from: this.options.argv[0]!, message }
  }
}

type Order = Readonly<{ argv: readonly string[]; key: string; input: string }>
/** `isRunning`: it was started at all. */
type Run = Readonly<{ started: Promise<void>; ended: Promise<Outcome>; isRunning(): boolean }>

function runCommand({ target, directory, timeoutMs, clock }: CommandExecutorOptions, order: Order): Run {
  const [program, ...args] = order.argv
  const child = spawn(program!, args, {
    cwd: directory,
    env: order.key === '' ? { PATH } : { PATH, HB_KEY: order.key },
    shell: false,
    // A group of its own: what it started is ended with it.
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  let output = ''
  let spawned = false
  let late = false
  const keep = (part: Buffer): void => {
    if (output.length < OUTPUT_BYTES_MAX) output += part.toString('utf8').slice(0, OUTPUT_BYTES_MAX - output.length)
  }
  child.stdout.on('data', keep)
  child.stderr.on('data', keep)
  // One that does not read what it is asked has said so with its exit code.
  child.stdin.on('error', () => undefined)
  child.stdin.end(order.input)
  const cancel = clock.after(timeoutMs, () => {
    late = true
    killGroup(child)
  })
  const started = new Promise<void>((resolve, reject) => {
    child.once('spawn', () => {
      spawned = true
      resolve()
    })
    child.once('error', (cause) =>
      reject(new HbError('EXECUTOR_UNREACHABLE', { target, reason: cause.message }, { cause })),
    )
  })
  const ended = new Promise<Outcome>((resolve) => {
    child.once('error', (error) => resolve({ status: 'failed', message: plainText(error.message) }))
    child.once('exit', (code, signal) => {
      const how = late ? `killed after ${timeoutMs} ms` : signal === null ? `exit code ${code}` : `ended by ${signal}`
      const end = (): void => {
        stopWaiting()
        killGroup(child)
        resolve({ status: code === 0 && !late ? 'completed' : 'failed', message: plainText(`${how} ${output}`) })
      }
      const stopWaiting = clock.after(OUTPUT_WAIT_MS, end)
      child.once('close', end)
    })
  }).finally(cancel) as Promise<Outcome>
  return { started, ended, isRunning: () => spawned }
}

function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return
  try {
    process.kill(-child.pid, 'SIGKILL')
  } catch {
    // It is gone already.
  }
}
