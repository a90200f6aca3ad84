import { Dealer } from 'zeromq'
import { HbError } from '../../shared/errors/hb-error.ts'
import { invariant } from '../../shared/lib/assert.ts'
import {
  decodeLockstep,
  encodeLockstep,
  type FromLockstepAgent,
  LOCKSTEP_BYTES_MAX,
  type LockstepAdvanced,
  type LockstepCounts,
  type LockstepReady,
  type ToLockstepAgent,
} from '../../shared/protocol/lockstep.ts'
import type { Micros, Millis } from '../../shared/units.ts'

export type LockstepClientOptions = Readonly<{
  /** Where the agent listens; it may begin to later. */
  endpoint: string
  /** Longest wait for one answer, in time of this machine. */
  timeoutMs: Millis
  /** The same for the first: an agent that begins may have much to read. As `timeoutMs` when left out. */
  helloMs?: Millis
}>

/** Counts since the agent began: see {@link LockstepGrant}. */
export type Grant = Readonly<{ untilUs: Micros; frames: LockstepCounts; heard: LockstepCounts }>

/**
 * The end of a bench that moves the time of an agent. One call at a time. Any of them rejects with an HbError AGENT_SILENT
 * when no answer comes (nothing more can be asked then) and LOCKSTEP_REFUSED when the agent will not.
 */
export interface LockstepClient {
  /** Settles when the agent has begun at `beginUs`. */
  hello(beginUs: Micros): Promise<LockstepReady>
  /**
   * Settles when everything was done that follows until `untilUs`.
   *
   * @throws HbError AGENT_BEHIND when it has not received what was counted; the same may be granted again
   */
  grant(grant: Grant): Promise<LockstepAdvanced>
  /** Nothing more is granted; the agent ends in order, and settles nothing here. */
  end(): Promise<void>
  close(): void
}

/** What was handed over last may still go when the socket is closed. */
const LINGER_MS: Millis = 1000

export function createLockstepClient(options: LockstepClientOptions): LockstepClient {
  return new Client(options)
}

class Client implements LockstepClient {
  private readonly options: LockstepClientOptions
  private readonly socket: Dealer
  private granted = 0
  private isAsking = false
  private silent = ''

  constructor(options: LockstepClientOptions) {
    this.options = options
    this.socket = new Dealer({
      ...{ linger: LINGER_MS, receiveTimeout: options.timeoutMs, sendTimeout: options.timeoutMs },
      maxMessageSize: LOCKSTEP_BYTES_MAX,
    })
    this.socket.connect(options.endpoint)
  }

  async hello(beginUs: Micros): Promise<LockstepReady> {
    const { timeoutMs, helloMs = timeoutMs } = this.options
    this.socket.receiveTimeout = helloMs
    const answer = await this.ask({ t: 'hello', begin_us: beginUs })
    this.socket.receiveTimeout = timeoutMs
    if (answer.t !== 'ready') throw this.strange(answer)
    return answer
  }

  async grant({ untilUs, frames, heard }: Grant): Promise<LockstepAdvanced> {
    const n = this.granted + 1
    const answer = await this.ask({ t: 'grant', n, until_us: untilUs, frames, heard })
    if (answer.t === 'behind') {
      const lacking = answer.lacking.map(({ way, name, wanted, arrived }) => `${name} ${arrived} of ${wanted} ${way}`)
      throw new HbError('AGENT_BEHIND', { endpoint: this.options.endpoint, grant: n, lacking: lacking.join(', ') })
    }
    if (answer.t !== 'advanced' || answer.n !== n) throw this.strange(answer)
    this.granted = n
    return answer
  }

  async end(): Promise<void> {
    await this.say({ t: 'end' })
  }

  close(): void {
    this.socket.close()
  }

  private async ask(message: ToLockstepAgent): Promise<FromLockstepAgent> {
    invariant(!this.isAsking, 'a bench waits for one answer before it asks again')
    this.isAsking = true
    try {
      await this.say(message)
      const parts = await this.socket.receive().catch((cause: Error) => this.fail(message.t, cause))
      const opened = decodeLockstep('agent', new Uint8Array(parts.at(-1)!))
      if (!opened.ok) throw this.refused('ANSWER', opened.detail)
      if (opened.message.t === 'refused') throw this.refused(opened.message.code, opened.message.detail)
      return opened.message
    } finally {
      this.isAsking = false
    }
  }

  private async say(message: ToLockstepAgent): Promise<void> {
    if (this.silent !== '') throw new HbError('AGENT_SILENT', { endpoint: this.options.endpoint, since: this.silent })
    await this.socket.send(encodeLockstep(message)).catch((cause: Error) => this.fail(message.t, cause))
  }

  /** An answer that comes later would be taken for that of another question. */
  private fail(asked: string, cause: Error): never {
    const { endpoint, timeoutMs } = this.options
    this.silent = asked
    throw new HbError('AGENT_SILENT', { endpoint, asked, within_ms: timeoutMs, reason: cause.message }, { cause })
  }

  private refused(code: string, detail: string): HbError {
    return new HbError('LOCKSTEP_REFUSED', { endpoint: this.options.endpoint, reason: code, detail })
  }

  private strange({ t }: FromLockstepAgent): HbError {
    return this.refused('ANSWER', `${t}, which answers something else`)
  }
}
