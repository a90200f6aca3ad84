import { randomBytes } from 'node:crypto'
import { Router } from 'zeromq'
import { systemClock } from '../../shared/lib/clock.ts'
import {
  type AckStage,
  type ActionRequest,
  type ActuatorMessage,
  SESSION_BYTES,
  type ToActuator,
} from '../../shared/protocol/actuator.ts'
import {
  createLinkSession,
  type LinkSession,
  sealGreeting,
  type Taken,
  takeFrame,
} from '../../shared/protocol/actuator-link.ts'
import { AGENT, type TargetName } from './pressure-rig.ts'

/** An actuator that holds the key of its link and says whatever a test wants, whether or not anything was asked. */
export type LyingActuator = Readonly<{
  endpoint: string
  requests: readonly ActionRequest[]
  /** Says it of a key. `from`: under another name than its own, which its key does not vouch for. */
  ack(key: string, stage: AckStage, from?: string): void
  stop(): Promise<void>
}>

const ANSWER_DEADLINE_US = 2_000_000

type Asked = (request: ActionRequest, self: Pick<LyingActuator, 'ack' | 'requests'>) => void
type Link = Readonly<{ target: TargetName; key: Uint8Array }>

/** `asked` is what it does with a request. Queries are answered with `unknown_key`. */
export async function startLyingActuator(link: Link, asked: Asked): Promise<LyingActuator> {
  const socket = new Router({ linger: 0 })
  await socket.bind('tcp://127.0.0.1:0')
  return new LiarAtLink(link, socket, asked)
}

class LiarAtLink implements LyingActuator {
  readonly endpoint: string
  readonly requests: ActionRequest[] = []
  private readonly clock = systemClock()
  private readonly end
  private readonly socket: Router
  private readonly asked: Asked
  private readonly done: Promise<void>
  private open: { session: LinkSession; route: Uint8Array } | null = null
  private sending: Promise<void> = Promise.resolve()

  constructor({ target, key }: Link, socket: Router, asked: Asked) {
    this.end = { side: 'actuator', self: target, peer: AGENT, key } as const
    this.socket = socket
    this.asked = asked
    this.endpoint = socket.lastEndpoint!
    this.done = this.receive()
  }

  ack(key: string, stage: AckStage, from?: string): void {
    this.say({ t: 'ack', key, stage, detail: '' }, from)
  }

  async stop(): Promise<void> {
    this.socket.close()
    await this.done
  }

  private async receive(): Promise<void> {
    for await (const [route, bytes] of this.socket) {
      const sessions = this.open === null ? [] : [this.open.session]
      const frame = new Uint8Array(bytes!)
      const taken: Taken<ToActuator> = takeFrame(this.end, sessions, { frame, nowUs: this.clock.monotonicUs() })
      if (taken.ok) this.take(new Uint8Array(route!), taken.message, taken.head.seq)
    }
  }

  private take(route: Uint8Array, message: ToActuator, seq: number): void {
    if (message.t === 'hello') {
      const id = new Uint8Array(randomBytes(SESSION_BYTES))
      const nowUs = this.clock.monotonicUs()
      this.open = { route, session: createLinkSession(this.end, { id, zeroUs: nowUs, peerZeroUs: nowUs }) }
      const about = { testbed: true, idempotent: true, loss_effect: 'de_energise', version: 'lying' } as const
      const greeting = { t: 'hello_ack', nonce: message.nonce, ...about } as const
      this.send(route, sealGreeting(this.end, greeting, { session: id, deadlineUs: ANSWER_DEADLINE_US }))
    } else if (message.t === 'ping') this.say({ t: 'pong', of: seq, heard: this.open!.session.heard })
    else if (message.t === 'query') this.say({ t: 'answer', key: message.key, stage: 'unknown_key', detail: '' })
    else if (message.t === 'request') {
      this.requests.push(message)
      this.asked(message, this)
    }
  }

  private say(message: ActuatorMessage, from: string = this.end.self): void {
    if (this.open === null) return
    const { session, route } = this.open
    const at = { nowUs: this.clock.monotonicUs(), deadlineUs: ANSWER_DEADLINE_US }
    const start = { id: session.id, zeroUs: at.nowUs - 1000, peerZeroUs: at.nowUs - 1000 }
    const speaker = from === this.end.self ? session : createLinkSession({ ...this.end, self: from }, start)
    this.send(route, speaker.seal(message, at))
  }

  private send(route: Uint8Array, frame: Uint8Array): void {
    this.sending = this.sending.then(() => this.socket.send([route, frame])).catch(() => undefined)
  }
}
