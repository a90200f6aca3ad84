import { Dealer, Router } from 'zeromq'
import { decodeSigned } from '../../shared/codec/signed-cbor.ts'
import type { ActuatorMessage, LinkError, LinkSide } from '../../shared/protocol/actuator.ts'
import { sealFrame } from '../../shared/protocol/actuator-frame.ts'

/** An error that is wanted: for the next message of a type from one side. `delayMs` is how long `delay` holds it. */
export type WantedLinkError = Readonly<{ side: LinkSide; t: string; kind: LinkError; delayMs: number }>

/** Stands between an agent and an actuator, and does to one message what a bad line or a bad neighbour would do. */
export type ActuatorProxy = Readonly<{
  endpoint: string
  /** Applies once; settles when it was done. */
  inject(wanted: WantedLinkError): Promise<void>
  stop(): void
}>

/** `key`: that of the link, for what only a neighbour who holds it can make. */
export async function startActuatorProxy(actuator: string, key: Uint8Array, port = 0): Promise<ActuatorProxy> {
  const front = new Router({ linger: 0 })
  const back = new Dealer({ linger: 0 })
  await front.bind(`tcp://127.0.0.1:${port}`)
  back.connect(actuator)
  let route: Uint8Array = new Uint8Array(0)
  let wanted: (WantedLinkError & { done(): void }) | null = null
  let held: { side: LinkSide; frame: Uint8Array } | null = null
  const sending: Record<LinkSide, Promise<unknown>> = { agent: Promise.resolve(), actuator: Promise.resolve() }

  const forward = (side: LinkSide, frame: Uint8Array): void => {
    const send = (): Promise<void> => (side === 'agent' ? back.send(frame) : front.send([route, frame]))
    sending[side] = sending[side].then(send).catch(() => undefined)
  }
  const take = (side: LinkSide, frame: Uint8Array): void => {
    if (wanted === null || wanted.side !== side || typeOf(frame) !== wanted.t) {
      forward(side, frame)
      if (held?.side !== side) return
      forward(side, held.frame)
      held = null
      return
    }
    const { kind, delayMs, done } = wanted
    wanted = null
    if (kind === 'reorder') held = { side, frame }
    else if (kind === 'delay') {
      // In order: what comes after it waits as well.
      sending[side] = sending[side].then(() => new Promise((resolve) => setTimeout(resolve, delayMs)))
      forward(side, frame)
    } else for (const one of spoiled({ side, kind, key }, frame)) forward(side, one)
    done()
  }

  const pump = async (side: LinkSide, socket: Router | Dealer): Promise<void> => {
    for await (const parts of socket) {
      if (side === 'agent') route = new Uint8Array(parts[0]!)
      take(side, new Uint8Array(parts.at(-1)!))
    }
  }
  void pump('agent', front)
  void pump('actuator', back)
  return {
    endpoint: front.lastEndpoint!,
    inject: (one) =>
      new Promise((resolve) => {
        wanted = { ...one, done: resolve }
      }),
    stop() {
      front.close()
      back.close()
    },
  }
}

type Spoiling = Readonly<{ side: LinkSide; kind: LinkError; key: Uint8Array }>

/** What goes on instead of a frame. */
function spoiled({ side, kind, key }: Spoiling, frame: Uint8Array): Uint8Array[] {
  const flipped = frame.slice()
  flipped[30] = flipped[30]! ^ 1
  if (kind === 'corrupt') return [flipped]
  if (kind === 'repeat') return [frame, frame]
  if (kind === 'lose') return []
  return [forged(side, kind, key), frame]
}

/** A bad line does not need to know what it spoils; a test does. */
function typeOf(frame: Uint8Array): unknown {
  const [, body] = decodeSigned(frame) as [number, Uint8Array]
  return (decodeSigned(body) as unknown as ReadonlyMap<string, unknown>).get('t')
}

/** An order, or an acknowledgement, that nobody gave. */
function forged(side: LinkSide, kind: LinkError, key: Uint8Array): Uint8Array {
  const [self, peer] = side === 'agent' ? ['agent', 'actuator'] : ['actuator', 'agent']
  const message: ActuatorMessage =
    side === 'agent'
      ? { t: 'request', key: 'key-forged', rig: 'bench', action: 'abort', target: 'x', params: {}, attempt: 1 }
      : { t: 'ack', key: 'key-forged', stage: 'completed', detail: '' }
  const stranger = new Uint8Array(32).fill(9)
  return sealFrame(
    kind === 'masquerade' ? stranger : key,
    {
      from: self,
      to: kind === 'misaddress' ? 'pump' : peer,
      session: new Uint8Array(16).fill(3),
      seq: 2,
      sent_us: 1_000_000,
      deadline_us: 600_000_000,
    },
    message,
  )
}
