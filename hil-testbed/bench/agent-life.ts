import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { HbError } from '../../shared/errors/hb-error.ts'
import type { Clock } from '../../shared/lib/clock.ts'
import type { Micros, Millis } from '../../shared/units.ts'
import type { BenchEvent } from '../core/run-record.ts'
import { HOST_WAIT_MS } from '../core/scenario.ts'
import type { AgentFolder } from './agent-folder.ts'
import { type Hb, type LogLine, Program } from './agent-process.ts'
import type { Pace } from './pace.ts'
import type { Transmitter } from './transmitter.ts'

const runFile = promisify(execFile)
/** An agent that stops takes so long at most before it is killed. */
const STOP_MS: Millis = 10_000

export type AgentLifeOptions = Readonly<{
  folder: AgentFolder
  log: string
  hb: Hb
  /** Time of this machine, which bounds every wait. */
  host: Clock
  pace: Pace
  transmitter: Transmitter
  event(event: Extract<BenchEvent, { kind: 'agent' }>): void
  /** Told of every line that it logs. */
  said(line: LogLine): void
}>

/** The agent under test through all its lives: started, killed, paused, started again on what it left behind. */
export class AgentLife {
  private readonly options: AgentLifeOptions
  private program: Program | null = null
  /** Lives before this one. */
  lives = 0
  /** The bench killed it, and has not started it again. */
  killed = false

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

  get tail(): readonly string[] {
    return this.program?.tail ?? []
  }

  /** @param wrapped what is run before `hb`, such as a program that limits it */
  async start(atUs: Micros, wrapped: readonly string[] = []): Promise<void> {
    const { folder, log, hb, host, pace, transmitter, event } = this.options
    const [command = hb.command, ...before] = [...wrapped, hb.command, ...hb.before]
    this.program = new Program('agent', ['runtime', '--config', 'runtime.yaml', '--state', 'state', '--stay'], {
      cwd: folder.path,
      log,
      host,
      hb: { command, before },
      line: this.options.said,
    })
    this.lives += 1
    this.killed = false
    await Promise.race([pace.greet(atUs), this.endsBefore(this.program)])
    await this.program.event('agent_started', HOST_WAIT_MS)
    transmitter.open()
    event({ t_us: atUs, kind: 'agent', is: 'started', code: null })
  }

  /** Whoever waits for an agent that has refused its configuration would wait in vain. */
  private async endsBefore(program: Program): Promise<never> {
    const code = await program.ended
    throw new HbError('AGENT_SILENT', { found: `it ended with ${code}`, expected: 'that it begins' })
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

  /** In order, or by force. It never outlives the bench. */
  async stop(atUs: Micros): Promise<void> {
    const { pace, transmitter, event } = this.options
    transmitter.close()
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
