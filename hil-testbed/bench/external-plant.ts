import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import { Router } from 'zeromq'
import type { ErrorCode } from '../../shared/errors/catalog.ts'
import { HbError } from '../../shared/errors/hb-error.ts'
import { invariant } from '../../shared/lib/assert.ts'
import type { Clock } from '../../shared/lib/clock.ts'
import { plainText } from '../../shared/log/plain-text.ts'
import type { Micros, Millis } from '../../shared/units.ts'
import type { Plant } from '../core/plant.ts'
import { HOST_WAIT_MS } from '../core/scenario.ts'
import { ENDPOINT_PLACES } from '../plant-problems.ts'
import {
  advancedProblems,
  type FromPlant,
  helloProblems,
  PLANT_MESSAGE_BYTES_MAX,
  type PlantGrant,
  type PlantHello,
  type PlantNeeds,
  readFromPlant,
  type ToPlant,
} from './plant-protocol.ts'

export type ExternalPlantOptions = Readonly<{
  /** Program and arguments; `plantProblems` has looked at them. */
  command: readonly string[]
  /** Where it runs. */
  cwd: string
  /** Folder of the run: the socket is there. */
  folder: string
  needs: PlantNeeds
  clock: Clock
  /** Host time that it may take for its hello, and for each answer. */
  waitMs?: Millis
}>

/** How the program of a plant ended. Only one that ended by itself with 0 says that the plant is safe. */
export type PlantEnded = Readonly<{ safe: boolean; how: string }>

export type ExternalPlant = Readonly<{
  /** Starts its program; `stop` it also when this fails. @throws HbError PLANT_NOT_STARTED, PLANT_UNFIT and those of `advance` */
  start(): Promise<PlantHello>
  /** `advance` rejects with PLANT_LATE, PLANT_ANSWER or PLANT_ENDED, and with the same ever after. */
  plant: Plant
  /** Tells it to make itself safe, and ends its program, by force if need be; nothing of it runs afterwards. Never rejects. */
  stop(reason: string): Promise<PlantEnded>
}>

/** A path that a UNIX socket can have on every system: 104 bytes with the end, on some. */
const IPC_PATH_BYTES_MAX = 103
/** What a plant may take to make itself safe, and to end when it is asked to by a signal. */
const SAFE_WAIT_MS: Millis = 5_000
const SIGNAL_WAIT_MS: Millis = 2_000
/** What is kept of its output: the end. */
const OUTPUT_CHARS_MAX = 4_096
const LINGER_MS: Millis = 500

/** A plant in a process of its own that speaks `plant-protocol.ts`. Between its steps signals stay as they are. */
export function createExternalPlant(options: ExternalPlantOptions): ExternalPlant {
  const made = new LinkedPlant(options)
  return { start: () => made.start(), plant: made, stop: (reason) => made.stop(reason) }
}

type Waiting = Readonly<{ resolve(message: FromPlant): void; reject(error: HbError): void }>

class LinkedPlant implements Plant {
  atUs: Micros = 0
  private readonly options: ExternalPlantOptions
  private readonly socket = new Router({
    ...{ linger: LINGER_MS, mandatory: true, sendTimeout: 0 },
    maxMessageSize: PLANT_MESSAGE_BYTES_MAX,
  })
  private readonly inputs: Record<string, number> = {}
  private signals: Readonly<Record<string, number>> = {}
  private hello: PlantHello | null = null
  private route: Uint8Array | null = null
  private turn = 0
  private waiting: Waiting | null = null
  /** What ended the run of this plant; it never goes on after it. */
  private broken: HbError | null = null
  private program: Program | null = null

  constructor(options: ExternalPlantOptions) {
    this.options = options
  }

  async start(): Promise<PlantHello> {
    const { command, cwd, needs } = this.options
    const endpoints = await this.bind(command)
    void this.receive()
    const argv = command.map((word) => ENDPOINT_PLACES.reduce((text, at) => text.replaceAll(at, endpoints[at]), word))
    const greeted = this.next('PLANT_NOT_STARTED', 'hello')
    this.program = startProgram(argv, cwd, (code, reason) =>
      this.fail(code, { reason, output: this.program!.output() }),
    )
    const hello = await greeted
    if (hello.type !== 'hello') throw this.fail('PLANT_ANSWER', { found: hello.type, expected: 'hello' })
    this.hello = hello
    const problems = helloProblems(hello, needs)
    if (problems !== '') throw this.fail('PLANT_UNFIT', { problems, model: hello.model })
    await this.grant(0)
    return hello
  }

  set(input: string, value: number): void {
    invariant(this.hello !== null && Object.hasOwn(this.hello.inputs, input), `the plant has no input ${input}`)
    invariant(Number.isFinite(value), `${input}: ${value} is not finite`)
    this.inputs[input] = value
  }

  advance(toUs: Micros): void | Promise<void> {
    const { stepUs } = this.options.needs
    invariant(toUs >= this.atUs, `the plant cannot go back from ${this.atUs} to ${toUs} µs`)
    const untilUs = toUs - (toUs % stepUs)
    if (this.broken !== null) return Promise.reject(this.broken)
    if (untilUs > this.atUs) return this.grant(untilUs)
  }

  read(signal: string): number {
    invariant(Object.hasOwn(this.signals, signal), `the plant has no signal ${signal}`)
    return this.signals[signal]!
  }

  async stop(reason: string): Promise<PlantEnded> {
    this.broken ??= new HbError('PLANT_ENDED', { reason: 'it was stopped' })
    this.waiting?.reject(this.broken)
    this.say({ type: 'end', reason })
    const ended =
      this.program === null
        ? { safe: true, how: 'never started' }
        : await this.program.stop(this.options.clock, this.route !== null)
    this.socket.close()
    return ended
  }

  /** Binds what the command asks for: a socket in the folder of the run, unless its path is too long for one. */
  private async bind(command: readonly string[]): Promise<Record<(typeof ENDPOINT_PLACES)[number], string>> {
    const path = join(this.options.folder, 'plant.sock')
    const isLocal = command.some((word) => word.includes('{endpoint}')) && Buffer.byteLength(path) <= IPC_PATH_BYTES_MAX
    const wanted = isLocal ? `ipc://${path}` : 'tcp://127.0.0.1:0'
    try {
      await this.socket.bind(wanted)
    } catch (cause) {
      throw new HbError('PORT_TAKEN', { endpoint: wanted, reason: (cause as Error).message }, { cause })
    }
    const endpoint = this.socket.lastEndpoint ?? wanted
    return { '{endpoint}': endpoint, '{tcp_endpoint}': endpoint }
  }

  private async grant(untilUs: Micros): Promise<void> {
    invariant(this.waiting === null, 'a plant goes one step at a time')
    const grant: PlantGrant = { type: 'grant', n: this.turn, until_us: untilUs, inputs: this.inputs }
    const answered = this.next('PLANT_LATE', `advanced ${this.turn}`)
    this.say(grant)
    const answer = await answered
    if (answer.type !== 'advanced') throw this.fail('PLANT_ANSWER', { found: answer.type, expected: 'advanced' })
    const problems = advancedProblems(this.hello!, grant, answer)
    if (problems !== '') throw this.fail('PLANT_ANSWER', { n: grant.n, problems })
    this.turn += 1
    this.atUs = untilUs
    this.signals = answer.signals
  }

  /** The next message of the plant, within its time. */
  private next(late: ErrorCode, expected: string): Promise<FromPlant> {
    const { clock, waitMs = HOST_WAIT_MS } = this.options
    if (this.broken !== null) return Promise.reject(this.broken)
    return new Promise((resolve, reject) => {
      const cancel = clock.after(waitMs, () =>
        this.fail(late, { expected, within_ms: waitMs, output: this.program?.output() }),
      )
      const done = (): void => {
        cancel()
        this.waiting = null
      }
      this.waiting = {
        resolve(message) {
          done()
          resolve(message)
        },
        reject(error) {
          done()
          reject(error)
        },
      }
    })
  }

  private async receive(): Promise<void> {
    for await (const parts of this.socket) {
      const [route, empty, body] = parts
      if (route === undefined || (this.route !== null && Buffer.compare(this.route, route) !== 0)) continue
      this.route ??= route
      if (parts.length !== 3 || empty?.length !== 0 || body === undefined)
        this.fail('PLANT_ANSWER', { found: `${parts.length} parts`, expected: 'an empty part and one of JSON' })
      else this.take(body)
    }
  }

  private take(body: Uint8Array): void {
    const read = readFromPlant(body)
    if (!read.ok) this.fail('PLANT_ANSWER', { refusal: read.refusal, detail: read.detail })
    else if (read.message.type === 'failed') this.fail('PLANT_ENDED', { reason: plainText(read.message.reason) })
    else if (this.waiting === null) this.fail('PLANT_ANSWER', { found: `${read.message.type} that nobody asked for` })
    else this.waiting.resolve(read.message)
  }

  /** Ends the run of this plant: whoever waits hears of it, and the plant is to make itself safe at once. */
  private fail(code: ErrorCode, context: HbError['context']): HbError {
    const early = code === 'PLANT_ENDED' && this.hello === null
    const error = new HbError(early ? 'PLANT_NOT_STARTED' : code, context)
    if (this.broken === null) {
      this.broken = error
      this.say({ type: 'end', reason: error.message })
    }
    this.waiting?.reject(this.broken)
    return this.broken
  }

  /** One that has gone does not hear it: its end is told by its process. */
  private say(message: ToPlant): void {
    if (this.route === null || this.socket.closed) return
    void this.socket.send([this.route, '', JSON.stringify(message)]).catch(() => undefined)
  }
}

interface Program {
  output(): string
  /** `hears`: it was told to end, and has time to. */
  stop(clock: Clock, hears: boolean): Promise<PlantEnded>
}

/** Starts it in a group of its own, so that what it starts ends with it. `gone` is told once when it ends before it is stopped. */
function startProgram(argv: readonly string[], cwd: string, gone: (code: ErrorCode, reason: string) => void): Program {
  const child = spawn(argv[0]!, argv.slice(1), { cwd, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  const keep = (part: Buffer): void => {
    output = (output + part.toString('utf8')).slice(-OUTPUT_CHARS_MAX)
  }
  child.stdout.on('data', keep)
  child.stderr.on('data', keep)
  let stopping = false
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(`not started: ${error.message}`))
    child.once('close', (code, signal) => resolve(signal === null ? `exit code ${code}` : `ended by ${signal}`))
  })
  void ended.then((how) => {
    if (!stopping) gone('PLANT_ENDED', how)
  })
  return {
    output: () => plainText(output.slice(-256)),
    async stop(clock, hears) {
      stopping = true
      const turns = [
        [null, hears ? SAFE_WAIT_MS : 0],
        ['SIGTERM', SIGNAL_WAIT_MS],
      ] as const
      for (const [signal, waitMs] of turns) {
        if (signal !== null) signalGroup(child, signal)
        const waiting = new AbortController()
        const late = clock.sleep(waitMs, waiting.signal).then(
          () => null,
          () => null,
        )
        const how = await Promise.race([ended, late])
        waiting.abort()
        if (how !== null) {
          signalGroup(child, 'SIGKILL')
          return { safe: signal === null && how === 'exit code 0', how }
        }
      }
      signalGroup(child, 'SIGKILL')
      return { safe: false, how: await ended }
    },
  }
}

function signalGroup({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, signal)
  } catch {
    // It is gone already.
  }
}
