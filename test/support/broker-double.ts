import { createServer, type Socket } from 'node:net'

/** A connection of a client, as its broker has it; bytes are written here by hand, not by the package under test. */
export type BrokerSide = Readonly<{
  /** Packets of the client, in order: type (upper half of the first byte) and the rest. */
  packets: { type: number; flags: number; body: Buffer }[]
  send(bytes: Uint8Array): void
  end(): void
}>

export const CONNECT = 1
export const PUBACK = 4
export const PUBREC = 5
export const PUBCOMP = 7
export const SUBSCRIBE = 8

export type BrokerDouble = Readonly<{
  url: string
  /** Every connection there was. */
  sides: BrokerSide[]
  close(): Promise<void>
}>

/** Speaks just enough of MQTT 3.1.1 to let a client in; `returnCode` 5 turns it away. */
export async function startBrokerDouble({ returnCode = 0, granted = 1 } = {}): Promise<BrokerDouble> {
  const sides: BrokerSide[] = []
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    socket.on('error', () => undefined)
    const side: BrokerSide = {
      packets: [],
      send: (bytes) => void socket.write(bytes),
      end: () => void socket.destroy(),
    }
    sides.push(side)
    let rest = Buffer.alloc(0)
    socket.on('data', (chunk) => {
      rest = Buffer.concat([rest, chunk])
      // Whatever a client says in these tests is shorter than 128 bytes, or its greeting.
      for (let length = lengthOf(rest); length !== null && rest.length >= length.whole; length = lengthOf(rest)) {
        const packet = { type: rest[0]! >> 4, flags: rest[0]! & 15, body: rest.subarray(length.head, length.whole) }
        rest = rest.subarray(length.whole)
        side.packets.push(packet)
        if (packet.type === CONNECT) side.send(Buffer.from([0x20, 2, 0, returnCode]))
        if (packet.type === SUBSCRIBE) side.send(Buffer.from([0x90, 3, packet.body[0]!, packet.body[1]!, granted]))
      }
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return {
    url: `mqtt://127.0.0.1:${address.port}`,
    sides,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        for (const socket of sockets) socket.destroy()
      }),
  }
}

function lengthOf(bytes: Buffer): { head: number; whole: number } | null {
  let length = 0
  for (let k = 1; k < Math.min(bytes.length, 5); k += 1) {
    length += (bytes[k]! & 127) * 128 ** (k - 1)
    if (bytes[k]! < 128) return { head: k + 1, whole: k + 1 + length }
  }
  return null
}

export type Published = Readonly<{ topic: string; text: string; qos?: 0 | 1 | 2; id?: number; retain?: boolean }>

/** Bytes of a PUBLISH. */
export function publishBytes({ topic, text, qos = 0, id = 1, retain = false }: Published): Buffer {
  const name = Buffer.from(topic)
  const head = Buffer.from([name.length >> 8, name.length & 255])
  const number = qos === 0 ? [] : [id >> 8, id & 255]
  const body = Buffer.concat([head, name, Buffer.from(number), Buffer.from(text)])
  return Buffer.concat([Buffer.from([0x30 | (qos << 1) | (retain ? 1 : 0), ...lengthBytes(body.length)]), body])
}

/** The length of a packet as it stands behind its first byte. */
export function lengthBytes(length: number): number[] {
  const bytes: number[] = []
  let left = length
  do {
    bytes.push((left % 128) | (left >= 128 ? 128 : 0))
    left = Math.floor(left / 128)
  } while (left > 0)
  return bytes
}
