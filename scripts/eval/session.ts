import { type ChildProcess, spawn } from 'node:child_process'
import { EvaluationError } from './evaluation-error.ts'
import {
  CHECKPOINT_LINE,
  type Evaluator,
  lockstepArguments,
  parseReply,
  type Reply,
  STATS_LINE,
} from './system-under-test.ts'

/** An evaluator that is shown rows. A row goes out only after the one before it was answered; nobody can ask otherwise. */
export type Session = Readonly<{
  /** @throws EvaluationError 70 when no answer comes in time, or one to something else */
  row(tMs: number, line: string): Promise<Reply>
  /** Has the state saved. @returns how many rows it says to have had */
  checkpoint(): Promise<number>
  stats(): Promise<Readonly<{ nsPerValue: number | null; bytesPerChannel: number | null }>>
  /** Closes its input and waits for its end in order. */
  end(): Promise<void>
  kill(): Promise<void>
  /** Lines about rows that were answered before; they changed nothing. */
  lateVerdicts(): number
}>

export type SessionOptions = Readonly<{ folder: string; checkpoint?: boolean; answerWithinMs: number }>

type Answer = Readonly<Record<string, unknown>>
/** A line is taken when it is the answer; `late` ones are of rows before. */
type Waiting = Readonly<{
  judge(answer: Answer): 'taken' | 'late' | 'wrong'
  resolve(answer: Answer): void
  reject(error: Error): void
}>

/** Characters kept of what the evaluator last complained about. */
const COMPLAINT_MAX = 2000
const END_WITHIN_MS = 20_000

const running = new Set<ChildProcess>()

/** Ends whatever still runs, for when the evaluation itself ends early. */
export function killSessions(): void {
  for (const child of running) child.kill('SIGKILL')
}

export function startSession(evaluator: Evaluator, options: SessionOptions): Session {
  return new LockstepSession(evaluator, options)
}

class LockstepSession implements Session {
  private readonly child: ChildProcess
  private readonly exited: Promise<number | null>
  private readonly answerWithinMs: number
  private waiting: Waiting | null = null
  private broken: EvaluationError | null = null
  private rest = ''
  private complaint = ''
  private late = 0
  private lastMs = Number.NEGATIVE_INFINITY

  constructor(evaluator: Evaluator, { folder, checkpoint = false, answerWithinMs }: SessionOptions) {
    this.answerWithinMs = answerWithinMs
    this.child = spawn(evaluator.command, [...evaluator.before, ...lockstepArguments({ checkpoint })], {
      cwd: folder,
      env: { ...process.env, ...evaluator.env },
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    running.add(this.child)
    this.child.stdout!.setEncoding('utf8').on('data', (text: string) => this.take(text))
    this.child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.complaint = `${this.complaint}${text}`.slice(-COMPLAINT_MAX)
    })
    // A write to a process that ended; its end says more.
    this.child.stdin!.on('error', () => undefined)
    this.child.on('error', (error) => this.fail(`it could not be started: ${error.message}`))
    this.exited = new Promise((resolve) => {
      this.child.on('close', (code) => {
        running.delete(this.child)
        this.fail(`it ended with ${code}`)
        resolve(code)
      })
    })
  }

  async row(tMs: number, line: string): Promise<Reply> {
    const answer = await this.ask(line, (given) => {
      const about = given['t_ms']
      if (about !== tMs) return typeof about === 'number' && about < tMs ? 'late' : 'wrong'
      this.lastMs = tMs
      return 'taken'
    })
    return parseReply(answer)
  }

  async checkpoint(): Promise<number> {
    const answer = await this.ask(CHECKPOINT_LINE, (given) =>
      'checkpoint' in given ? 'taken' : this.lateOrWrong(given),
    )
    return Number(answer['checkpoint'])
  }

  async stats() {
    const answer = await this.ask(STATS_LINE, (given) =>
      'ns_per_value' in given || 'bytes_per_channel' in given ? 'taken' : this.lateOrWrong(given),
    )
    const numberOf = (value: unknown): number | null => (typeof value === 'number' ? value : null)
    return { nsPerValue: numberOf(answer['ns_per_value']), bytesPerChannel: numberOf(answer['bytes_per_channel']) }
  }

  async end(): Promise<void> {
    this.child.stdin!.end()
    const timer = setTimeout(() => this.child.kill('SIGKILL'), END_WITHIN_MS)
    const code = await this.exited
    clearTimeout(timer)
    if (code !== 0)
      throw new EvaluationError(70, `the evaluator ended with ${code} at the end of its rows\n${this.complaint}`)
  }

  async kill(): Promise<void> {
    this.child.kill('SIGKILL')
    await this.exited
  }

  lateVerdicts(): number {
    return this.late
  }

  private ask(line: string, judge: Waiting['judge']): Promise<Answer> {
    if (this.broken !== null) return Promise.reject(this.broken)
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () =>
          this.fail(
            `no answer within ${this.answerWithinMs} ms to ${line.slice(0, 80)}; the next row is not shown before`,
          ),
        this.answerWithinMs,
      )
      this.waiting = {
        judge,
        resolve: (answer) => {
          clearTimeout(timer)
          resolve(answer)
        },
        reject: (error) => {
          clearTimeout(timer)
          reject(error)
        },
      }
      this.child.stdin!.write(`${line}\n`)
    })
  }

  private take(text: string): void {
    const lines = `${this.rest}${text}`.split('\n')
    this.rest = lines.pop()!
    for (const line of lines) if (line.trim() !== '') this.takeLine(line)
  }

  private takeLine(line: string): void {
    const answer = parseLine(line)
    const judged = answer === null ? 'wrong' : (this.waiting?.judge(answer) ?? this.lateOrWrong(answer))
    if (judged === 'late') this.late += 1
    else if (judged === 'wrong' || answer === null)
      this.fail(`it wrote what answers nothing it was shown: ${line.slice(0, 200)}`)
    else {
      const { resolve } = this.waiting!
      this.waiting = null
      resolve(answer)
    }
  }

  /** What comes unasked may only be about rows that were answered; it changes nothing. */
  private lateOrWrong(answer: Answer): 'late' | 'wrong' {
    const about = answer['t_ms']
    return typeof about === 'number' && about <= this.lastMs ? 'late' : 'wrong'
  }

  private fail(reason: string): void {
    const complaint = this.complaint === '' ? '' : `\n${this.complaint}`
    this.broken ??= new EvaluationError(70, `the evaluator: ${reason}${complaint}`)
    this.waiting?.reject(this.broken)
    this.waiting = null
  }
}

function parseLine(line: string): Answer | null {
  try {
    const answer: unknown = JSON.parse(line)
    return typeof answer === 'object' && answer !== null ? (answer as Answer) : null
  } catch {
    // Told as a line that answers nothing.
    return null
  }
}
