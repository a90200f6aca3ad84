import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { HbError } from '../../shared/errors/hb-error.ts'
import type { Micros, Millis } from '../../shared/units.ts'
import type { BenchEvent } from '../core/run-record.ts'
import type { AgentFolder } from './agent-folder.ts'
import { type Hb, type LogLine, Program } from './agent-process.ts'
import type { HostTime } from './host-time.ts'
import type { Pace } from './pace.ts'
import { refusalIn } from './run-facts.ts'
import type { Transmitter } from './transmitter.ts'

const runFile = promisify(execFile)
/** An agent that stops takes so long at most before it is killed. */
const STOP_MS: Millis = 10_000
/** One that refuses to begin takes so long at most to end. */
const REFUSED_END_MS: Millis = 5_000

export type AgentLifeOptions = Readonly<{
  folder: AgentFolder
  log: string
  hb: Hb
  /** Time of this machine, which bounds every wait. */
  host: HostTime
  pace: Pace
  transmitter: Transmitter
  event(event: Extract<BenchEvent, { kind: 'agent' | 'note' }>): void
  /** Told of every line that it logs. */
  said(line: LogLine): void
  /** What is run before `hb` in every life. */
  wrapped: readonly string[]
  /** Time from the start of the run. */
  atUs(): Micros
}>

/** The agent under test through all its lives: started, killed, paused, started again on what it left behind. */
export class AgentLife {
  private readonly options: AgentLifeOptions
  private program: Program | null = null
  /** Lives before this one. */
  lives = 0
  /** A fault ended it, and it was not started again. */
  killed = false
  /** A fault is about to end it: that does not break the run. */
  private doomed = false
  /** The run is over: it was ended, and is not started any more. */
  private over = false

  constructor(options: AgentLifeOptions) {
    this.options = options
  }

  get now(): Program {
    if (this.program === null) throw new HbError('AGENT_SILENT', { found: 'it was never started' })
    return this.program
  }

  get running(): boolean {
    return this.program?.running === true
  }

  /** It ended, and no fault has ended it. */
  get broke(): boolean {
    return this.program !== null && !this.program.running && !this.killed && !this.over
  }

  get tail(): readonly string[] {
    return this.program?.tail ?? []
  }

  /**
   * Does nothing while it runs: two at once would be two agents on one state.
   *
   * @param wrapped what is run before `hb` in this life as well, such as a program that limits it
   */
  async start(atUs: Micros, wrapped: readonly string[] = []): Promise<void> {
    if (this.over || this.running) return
    const { host, pace, transmitter, event } = this.options
    this.doomed = false
    const program = this.spawn(wrapped)
    try {
      await Promise.race([pace.greet(atUs), this.endsBefore(program)])
      await program.event('agent_started', host.startMs)
    } catch (error) {
      // One that has said why it will not begin is about to end; how it ends is part of what it says.
      await program.endedWithin(REFUSED_END_MS)
      throw error
    }
    transmitter.open()
    event({ t_us: atUs, kind: 'agent', is: 'started', code: null })
  }

  /** Starts it where it should not begin; it has ended afterwards, by itself or not, and what it said is told. */
  async startRefused(atUs: Micros, wrapped: readonly string[]): Promise<void> {
    const { pace, host, event } = this.options
    const program = this.spawn(wrapped)
    // Its end is told here.
    this.killed = true
    // In lock-step it says nothing before it is greeted, and what comes of the greeting is how it ends.
    await Promise.race([pace.greet(atUs).catch(() => undefined), program.endedWithin(host.startMs)])
    await program.endedWithin(REFUSED_END_MS)
    pace.gone()
    if (program.running) {
      await program.kill()
      event({ t_us: atUs, kind: 'note', text: 'the agent began where it should have refused to' })
    } else event({ t_us: atUs, kind: 'agent', is: 'exited', code: program.code, refused: refusalIn(program.tail) })
  }

  private spawn(wrapped: readonly string[]): Program {
    const { folder, log, hb, host, pace, transmitter, event, atUs } = this.options
    const [command = hb.command, ...before] = [...this.options.wrapped, ...wrapped, hb.command, ...hb.before]
    const program = new Program('agent', ['runtime', '--config', 'runtime.yaml', '--state', 'state', '--stay'], {
      cwd: folder.path,
      log,
      host,
      hb: { command, before },
      line: this.options.said,
    })
    this.program = program
    this.lives += 1
    this.killed = false
    void program.ended.then((code) => {
      if (this.program !== program || this.killed || this.over) return
      if (this.doomed) {
        this.killed = true
        transmitter.close()
        event({ t_us: atUs(), kind: 'agent', is: 'exited', code })
      }
      // Whoever waits for its answer would wait in vain.
      pace.gone()
    })
    return program
  }

  /** Whoever waits for an agent that has refused its configuration would wait in vain. */
  private async endsBefore(program: Program): Promise<never> {
    await program.ended
    throw new HbError('AGENT_SILENT', { found: `it ended with ${program.how}`, expected: 'that it begins' })
  }

  /** A fault ends it: whenever it ends now, the run goes on without it until somebody starts it again. */
  doom(doomed = true): void {
    this.doomed = doomed
  }

  /** A fault has ended it, and nobody has started it again. */
  get fell(): boolean {
    return this.doomed && this.killed
  }

  /** How it ended by itself; null when it has not. */
  get death(): HbError | null {
    if (!this.broke) return null
    const found = `it ended by itself with ${this.now.how}`
    return new HbError('AGENT_SILENT', { found, expected: 'that it goes on' })
  }

  /** @throws HbError AGENT_SILENT when it has ended by itself */
  mustLive(): void {
    const { death } = this
    if (death !== null) throw death
  }

  async kill(atUs: Micros): Promise<void> {
    const { pace, transmitter, event } = this.options
    transmitter.close()
    pace.gone()
    this.killed = true
    await this.now.kill()
    event({ t_us: atUs, kind: 'agent', is: 'killed', code: null })
  }

  pause(atUs: Micros, paused: boolean): void {
    this.now.signal(paused ? 'SIGSTOP' : 'SIGCONT')
    this.options.event({ t_us: atUs, kind: 'agent', is: paused ? 'paused' : 'resumed', code: null })
  }

  /** Limits a resource of the running process (prlimit(1)), as `--fsize=0`. */
  async limit(...limits: readonly string[]): Promise<void> {
    await runFile('prlimit', ['--pid', String(this.now.pid), ...limits])
  }

  /** What a resource of the running process may be limited to at most. */
  async hardLimit(resource: string): Promise<string> {
    const args = ['--pid', String(this.now.pid), `--${resource}`, '--output=HARD', '--noheadings', '--raw']
    return (await runFile('prlimit', args)).stdout.trim()
  }

  /** In order, or by force. It never outlives the bench. */
  async stop(atUs: Micros): Promise<void> {
    const { pace, transmitter, event } = this.options
    transmitter.close()
    this.over = true
    if (this.program === null) return
    const wasRunning = this.program.running
    pace.gone()
    const code = await this.program.stop(STOP_MS)
    event({ t_us: atUs, kind: 'agent', is: wasRunning ? 'stopped' : 'exited', code })
  }

  path(...names: readonly string[]): string {
    return join(this.options.folder.state, ...names)
  }
}
