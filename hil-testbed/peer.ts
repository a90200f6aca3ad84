import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, request as requestHttp, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Router } from 'zeromq'
import { webhookProblem, webhookSignature } from '../shared/crypto/webhook-signature.ts'
import { HbError } from '../shared/errors/hb-error.ts'
import type { Clock } from '../shared/lib/clock.ts'
import { PEER_CONTRACT_VERSION, PEER_MESSAGE_BYTES_MAX } from '../shared/protocol/peer-contract.ts'
import { openPeerFrame, sealPeerFrame } from '../shared/protocol/peer-frame.ts'
import { readOutbound } from '../shared/protocol/peer-reader.ts'
import type { Millis } from '../shared/units.ts'

export type HilPeerOptions = Readonly<{
  /** `tcp://…` listens as a ROUTER; `http://HOST:PORT` takes posts. */
  endpoint: string
  /** Where the agent takes posts; null on ZeroMQ. */
  agentUrl: string | null
  agent: string
  id: string
  /** Asked for each message. */
  key(): Uint8Array
  clock: Clock
  /** Asked for each action. */
  acks(): HilAcks
  say(event: string, facts: Record<string, unknown>): void
}>

/** How it acknowledges: `null` is not at all. Wrong on purpose when it is told to be. */
export type HilAcks = Readonly<{
  stages: readonly string[] | null
  afterMs: Millis
  times: number
  /** Instead of that of the request, and instead of its own name. */
  actionId: string | null
  from: string | null
}>

/** A message in parts: what is not named is filled in. `times` and `message_id` let it be sent again. */
export type Order = Readonly<Record<string, unknown>>

const NACKS: readonly string[] = ['rejected', 'failed']
export const TIMES_MAX = 1000

/** A simulated peer: says every message it gets, acknowledges actions, and sends what it is ordered to. */
export class HilPeer {
  private readonly options: HilPeerOptions
  private router: Router | null = null
  private server: Server | null = null
  private sent: Promise<void> = Promise.resolve()
  /** Frames that have come in over ZeroMQ, and frames that have gone, since the start. */
  readonly frames = { taken: 0, sent: 0 }
  private waits: Readonly<{ frames: number; settle: () => void }>[] = []

  constructor(options: HilPeerOptions) {
    this.options = options
  }

  /** @throws HbError PORT_TAKEN. @returns where it listens */
  async start(): Promise<string> {
    const { endpoint } = this.options
    try {
      return endpoint.startsWith('http://') ? await this.listen(new URL(endpoint)) : await this.bind()
    } catch (cause) {
      throw new HbError('PORT_TAKEN', { endpoint, reason: (cause as Error).message }, { cause })
    }
  }

  async stop(): Promise<void> {
    await this.sent
    this.router?.close()
    this.router = null
    this.tellWaiting(Number.POSITIVE_INFINITY)
    this.server?.closeAllConnections()
    this.server?.close()
  }

  /** Sends a message of the contract, or one that is none. */
  send({ times = 1, ...order }: Order): void {
    for (let n = 0; n < Math.min(Number(times), TIMES_MAX); n += 1) {
      const json = JSON.stringify({
        contract_version: PEER_CONTRACT_VERSION,
        timestamp: new Date(Math.floor(this.options.clock.nowUs() / 1000)).toISOString(),
        system_id: this.options.id,
        message_id: randomUUID(),
        ...order,
      })
      this.sent = this.sent.then(() => this.post(json)).catch((error: Error) => this.failed(error))
    }
  }

  private failed(error: Error): void {
    this.options.say('not_sent', { reason: error.message })
  }

  private async post(json: string): Promise<void> {
    const { agentUrl, agent, key, say } = this.options
    if (this.router !== null) {
      const frame = sealPeerFrame(key(), 'to_agent', new TextEncoder().encode(json))
      await this.router.send([agent, frame])
      this.frames.sent += 1
      return
    }
    if (agentUrl === null) throw new Error('nobody said where the agent listens')
    const { status, text } = await postSigned(agentUrl, json, { key: key(), nowUs: this.options.clock.nowUs() })
    say('answered', { status, answer: text })
  }

  private async bind(): Promise<string> {
    const router = new Router({ linger: 200, mandatory: true, maxMessageSize: 4 * PEER_MESSAGE_BYTES_MAX })
    await router.bind(this.options.endpoint)
    this.router = router
    void this.receive(router)
    return router.lastEndpoint ?? this.options.endpoint
  }

  private async receive(router: Router): Promise<void> {
    for await (const [from, frame] of router) {
      const json = openPeerFrame(this.options.key(), 'to_peer', frame ?? new Uint8Array())
      if (json === null) this.options.say('not_authentic', { from: String(from) })
      else this.got(json)
      this.frames.taken += 1
      this.tellWaiting(this.frames.taken)
    }
  }

  /** Settles when so many frames have come in since the start, and what was sent has gone; at once when it ends. */
  async heard(frames: number): Promise<void> {
    if (this.frames.taken < frames && this.router !== null)
      await new Promise<void>((settle) => {
        this.waits.push({ frames, settle })
      })
    await this.sent
  }

  private tellWaiting(frames: number): void {
    const met = this.waits.filter((one) => one.frames <= frames)
    this.waits = this.waits.filter((one) => one.frames > frames)
    for (const { settle } of met) settle()
  }

  private listen({ hostname, port }: URL): Promise<string> {
    const server = createServer((request, response) => void this.answer(request, response))
    this.server = server
    return new Promise((resolve, reject) => {
      server.once('error', reject)
      server.listen(Number(port), hostname, () =>
        resolve(`http://${hostname}:${(server.address() as AddressInfo).port}`),
      )
    })
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const parts: Buffer[] = []
    for await (const part of request as AsyncIterable<Buffer>) parts.push(part)
    const body = Buffer.concat(parts)
    const { key, clock, say } = this.options
    const problem = webhookProblem(key(), request.headers, { body, nowUs: clock.nowUs() })
    if (problem !== null) say('not_authentic', { problem })
    else this.got(body)
    response.writeHead(problem === null ? 202 : 401, { connection: 'close' }).end()
  }

  private got(json: Uint8Array): void {
    const { say, clock } = this.options
    const read = readOutbound(json)
    if (!read.ok) {
      say('not_of_the_contract', { refusal: read.refusal, detail: read.detail })
      return
    }
    const { message } = read
    say('received', { message })
    if (message.type !== 'ACTION_REQUEST') return
    const acks = this.options.acks()
    if (acks.stages !== null) clock.after(acks.afterMs, () => this.acknowledge(message.action_id, acks))
  }

  private acknowledge(key: string, acks: HilAcks): void {
    const { id } = this.options
    for (let n = 0; n < acks.times; n += 1)
      for (const stage of acks.stages ?? [])
        this.send({
          type: 'ACTION_ACK',
          ...{ system_id: acks.from ?? id, action_id: acks.actionId ?? key, stage },
          status: NACKS.includes(stage) ? 'nack' : 'ok',
        })
  }
}

type Signing = Readonly<{ key: Uint8Array; nowUs: number }>

function postSigned(url: string, body: string, { key, nowUs }: Signing): Promise<{ status: number; text: string }> {
  const [id, timestampS] = [randomUUID(), Math.floor(nowUs / 1_000_000)]
  const headers = {
    'content-type': 'application/json',
    'webhook-id': id,
    'webhook-timestamp': String(timestampS),
    'webhook-signature': webhookSignature(key, { id, timestampS, body }),
  }
  return new Promise((resolve, reject) => {
    const asked = requestHttp(url, { method: 'POST', headers, agent: false }, (response) => {
      const parts: Buffer[] = []
      response.on('data', (part: Buffer) => parts.push(part))
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, text: Buffer.concat(parts).toString('utf8') }),
      )
    })
    asked.on('error', reject)
    asked.end(body)
  })
}
