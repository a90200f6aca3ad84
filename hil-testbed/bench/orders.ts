import { signOrder } from '../../shared/codec/order.ts'
import { signerFromPem } from '../../shared/crypto/sign.ts'
import { HbError, isHbError } from '../../shared/errors/hb-error.ts'
import { askControl } from '../../shared/lib/control-socket.ts'
import type { OrderKind } from '../../shared/model/order.ts'
import type { Micros } from '../../shared/units.ts'

const ANSWER_MS = 10_000
/** Of what an order was refused with. */
const GROUNDS_CHARS_MAX = 400

/** What is ordered; what is left out is empty. `config` is that in force unless it is said. */
export type BenchOrder = Readonly<{
  kind: string
  subject?: string
  value?: string
  config?: string
  reason?: string
  untilUs?: Micros
  /** When it claims to be signed; now when absent. */
  atUs?: Micros
}>

type Desk = Readonly<{
  deployment: string
  agent: string
  boot: string
  rigs: readonly Readonly<{
    rig: string
    config: string | null
    against: readonly string[]
    arm: Readonly<{ state: string }> | null
  }>[]
  waiting: readonly Readonly<{ order: string; kind: string; config: string }>[]
}>

/** What became of an order: what the agent answered, or the code and ground it refused with. */
export type OrderAnswer = Readonly<{ state: string; order: string; refused: string; bytes: Uint8Array }>

/** People of a bench: they sign with keys of their own, and hand in over the control socket as `hb` does. */
export class People {
  private readonly state: string
  private readonly pems: ReadonlyMap<string, string>
  private readonly nowUs: () => Micros

  constructor(state: string, pems: ReadonlyMap<string, string>, nowUs: () => Micros) {
    this.state = state
    this.pems = pems
    this.nowUs = nowUs
  }

  async desk(): Promise<Desk> {
    return (await askControl(this.state, { path: '/orders', withinMs: ANSWER_MS })) as unknown as Desk
  }

  /** Signs an order and hands it in. A refusal is an answer. */
  async give(who: string, order: BenchOrder): Promise<OrderAnswer> {
    const pem = this.pems.get(who)
    if (pem === undefined) throw new HbError('USAGE', { found: who, expected: [...this.pems.keys()].join(', ') })
    const { deployment, agent, boot, rigs, waiting } = await this.desk()
    const { kind, subject = '', value = '', reason = 'a scenario', untilUs = 0, atUs = this.nowUs() } = order
    const confirmed = waiting.find((one) => kind === 'confirm' && one.order === subject)?.config
    const config = order.config ?? confirmed ?? (NEEDS_CONFIG.has(kind) ? (rigs[0]?.config ?? '') : '')
    const rig = rigs[0]?.rig ?? ''
    const draft = {
      kind: kind as OrderKind,
      deployment,
      agent,
      boot,
      rig,
      subject,
      value,
      config,
      reason,
      atUs,
      untilUs,
    }
    return this.handIn(signOrder(draft, signerFromPem(pem)))
  }

  /** Hands in signed bytes, also such as were handed in before. */
  async handIn(bytes: Uint8Array): Promise<OrderAnswer> {
    return this.ask('/orders', 'order', bytes)
  }

  /** Hands in a signed bundle of a configuration. A refusal is an answer. */
  async activate(bytes: Uint8Array): Promise<OrderAnswer> {
    const answer = await this.ask('/bundle', 'bundle', bytes)
    return answer.refused === '' ? { ...answer, state: 'taken' } : answer
  }

  private async ask(path: string, name: string, bytes: Uint8Array): Promise<OrderAnswer> {
    const body = { [name]: Buffer.from(bytes).toString('base64') }
    try {
      const answer = await askControl(this.state, { path, body, withinMs: ANSWER_MS })
      return { state: String(answer['state']), order: String(answer['order'] ?? ''), refused: '', bytes }
    } catch (error) {
      if (!isHbError(error) || error.code === 'AGENT_NOT_RUNNING' || error.code === 'STATE_MISSING') throw error
      const grounds = Object.values(error.context).filter((value) => typeof value === 'string')
      return {
        state: 'refused',
        order: '',
        refused: [error.code, ...grounds].join(' ').slice(0, GROUNDS_CHARS_MAX),
        bytes,
      }
    }
  }
}

/** Orders that say under which configuration they count. */
const NEEDS_CONFIG: ReadonlySet<string> = new Set(['arm', 'break_glass'])
