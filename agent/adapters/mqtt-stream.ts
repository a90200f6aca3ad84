import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'
import type { Bytes } from '../../shared/units.ts'

export type GuardedOptions = Readonly<{
  /** Nothing is sent before it settles; when it rejects the connection ends. */
  beforeSending(): Promise<void>
  /** Longest packet that is taken into memory; a longer one ends the connection. */
  packetBytesMax: Bytes
  tooLong(bytes: Bytes): void
}>

/**
 * A connection whose acknowledgements wait until what they acknowledge is safe. All that is written meanwhile goes out
 * together, so that one sync of the disk is enough for many messages.
 */
export function guardStream(socket: Socket, options: GuardedOptions): Duplex {
  const meter = createPacketMeter()
  const stream = new Duplex({
    read: () => void socket.resume(),
    writev(chunks, done) {
      const bytes = Buffer.concat(chunks.map(({ chunk }) => chunk as Buffer))
      options.beforeSending().then(() => socket.write(bytes, (error) => done(error ?? null)), done)
    },
    final: (done) => void socket.end(done),
    destroy(error, done) {
      socket.destroy()
      done(error)
    },
  })
  socket.on('data', (chunk) => {
    const longest = meter(chunk)
    if (longest > options.packetBytesMax) {
      options.tooLong(longest)
      stream.destroy()
    } else if (!stream.push(chunk)) socket.pause()
  })
  socket.on('end', () => stream.push(null))
  socket.on('error', (error) => stream.destroy(error))
  socket.on('close', () => stream.destroy())
  return stream
}

const TYPE_BYTE = -1
/** Bytes of the length of a packet; a fifth is no MQTT. */
const LENGTH_BYTES_MAX = 4

/** Follows the packets of a connection by their lengths. @returns the length of the longest that begins or ends in these bytes */
export function createPacketMeter(): (chunk: Uint8Array) => Bytes {
  let at = TYPE_BYTE
  let length = 0
  let left = 0
  return (chunk) => {
    let longest = 0
    for (let k = 0; k < chunk.length; ) {
      if (left > 0) {
        const taken = Math.min(left, chunk.length - k)
        left -= taken
        k += taken
        continue
      }
      const byte = chunk[k]!
      k += 1
      if (at === TYPE_BYTE) {
        at = 0
        length = 0
        continue
      }
      if (at === LENGTH_BYTES_MAX) return Number.POSITIVE_INFINITY
      length += (byte & 0x7f) * 128 ** at
      at += 1
      if (byte >= 0x80) continue
      at = TYPE_BYTE
      left = length
      longest = Math.max(longest, length)
    }
    return longest
  }
}
