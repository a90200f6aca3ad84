import type { Clock } from '../../shared/lib/clock.ts'
import type { Millis } from '../../shared/units.ts'
import { HilPeer, type Order } from '../peer.ts'
import { AGENT, type AgentFolder, socketOf } from './agent-folder.ts'
import { benchSecret } from './keys.ts'

/** How a peer may misbehave; what is left out is as it should be. */
export type PeerWrongs = Readonly<{
  lateMs?: Millis
  /** Of so many requests one is not acknowledged, the first of them to begin with. */
  dropEvery?: number
  nack?: boolean
  silent?: boolean
  version?: number
  /** It has another key than the one that was agreed: what it says proves nothing, and it cannot read what it is told. */
  strangeKey?: boolean
}>

const RIGHT = ['accepted', 'started', 'completed']

/** The peer of a run: it speaks the contract over ZeroMQ, and is wrong when it is told to be. */
export class PeerStub {
  /** Messages that it took, and those that met a fault. */
  taken = 0
  hits = 0
  readonly name: string
  private wrongs: PeerWrongs = {}
  private readonly options: Readonly<{
    name: string
    folder: AgentFolder
    path: (name: string) => string
    clock: Clock
  }>
  private readonly told: (message: Readonly<Record<string, unknown>>) => void
  private peer: HilPeer | null = null
  private over = { taken: 0, sent: 0 }
  private asked = 0

  constructor(
    options: Readonly<{ name: string; folder: AgentFolder; path: (name: string) => string; clock: Clock }>,
    told: (message: Readonly<Record<string, unknown>>) => void,
  ) {
    this.options = options
    this.name = options.name
    this.told = told
  }

  /** Frames of all its lives; it has several when it goes down. */
  get frames(): Readonly<{ taken: number; sent: number }> {
    const { taken = 0, sent = 0 } = this.peer?.frames ?? {}
    return { taken: this.over.taken + taken, sent: this.over.sent + sent }
  }

  /** Settles when so many have come; at once while it is down: who is not there hears nothing. */
  async heard(frames: number): Promise<void> {
    await this.peer?.heard(frames - this.over.taken)
  }

  retire(): void {}

  async start(): Promise<void> {
    const { name, folder, path, clock } = this.options
    const key = (): Uint8Array => (this.wrongs.strangeKey ? benchSecret('strange', name) : folder.linkKeys.get(name)!)
    this.peer = new HilPeer({
      ...{ endpoint: `ipc://${path(socketOf(name))}`, agentUrl: null, agent: AGENT, id: name, clock, key },
      acks: () => this.acks(),
      say: (event, facts) => {
        if (event === 'not_authentic') this.hits += 1
        if (event !== 'received') return
        this.taken += 1
        this.told(facts['message'] as Readonly<Record<string, unknown>>)
      },
    })
    await this.peer.start()
  }

  async stop(): Promise<void> {
    const frames = this.frames
    await this.peer?.stop()
    this.peer = null
    this.over = frames
  }

  behave(wrongs: PeerWrongs): void {
    this.wrongs = wrongs
  }

  /** Says something by itself. */
  say(order: Order): void {
    if (this.peer === null) return
    const { version } = this.wrongs
    this.peer.send(version === undefined ? order : { ...order, contract_version: version })
    this.hits += 1
  }

  private acks(): Readonly<{
    stages: readonly string[] | null
    afterMs: Millis
    times: number
    actionId: null
    from: null
  }> {
    const { lateMs = 0, dropEvery, nack, silent } = this.wrongs
    const drops = silent === true || (dropEvery !== undefined && this.asked % dropEvery === 0)
    this.asked += 1
    if (drops || nack === true || lateMs > 0) this.hits += 1
    const stages = drops ? null : nack === true ? ['rejected'] : RIGHT
    return { stages, afterMs: lateMs, times: 1, actionId: null, from: null }
  }
}
