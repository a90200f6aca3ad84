/**
 * Records of an append-only file, read from docs/internals/formats.md ("record file"): magic `48 42 52 45`, version, owner
 * (3 bytes), body length u32 LE, number u64 LE, CRC-32 of these 20 bytes, body, CRC-32 of the body.
 */
export type Frame = Readonly<{ seq: number; owner: Uint8Array | null; body: Uint8Array; offset: number }>

/**
 * `torn`: what a killed process had begun to write, at the very end of a file: less than a record whose head, as far as it
 * is there, is right, or nothing but zeros. Anything else is `damaged`.
 */
export type FrameEnd = Readonly<{ is: 'whole' }> | Readonly<{ is: 'torn' | 'damaged'; offset: number; why: string }>

const MAGIC = Uint8Array.of(0x48, 0x42, 0x52, 0x45)
const HEAD_BYTES = 24
const BODY_MAX_BYTES = 64 * 1024 * 1024

/** Frames of a file up to the first that is not whole, and what is there. */
export function framesOf(bytes: Uint8Array): Readonly<{ frames: readonly Frame[]; end: FrameEnd }> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const frames: Frame[] = []
  let offset = 0
  while (offset < bytes.length) {
    const stop = (is: 'torn' | 'damaged', why: string): { frames: Frame[]; end: FrameEnd } => ({
      frames,
      end: bytes.subarray(offset).every((byte) => byte === 0)
        ? { is: 'torn', offset, why: 'zeros' }
        : { is, offset, why },
    })
    if (MAGIC.some((byte, k) => offset + k < bytes.length && bytes[offset + k] !== byte))
      return stop('damaged', 'no record begins here')
    if (offset + HEAD_BYTES > bytes.length) return stop('torn', 'less than a head')
    if (crc32(bytes.subarray(offset, offset + 20)) !== view.getUint32(offset + 20, true))
      return stop('damaged', 'the head does not match its checksum')
    const version = bytes[offset + 4]!
    if (version !== 1 && version !== 2) return stop('damaged', `version ${version} of a record`)
    const length = view.getUint32(offset + 8, true)
    const seq = Number(view.getBigUint64(offset + 12, true))
    if (length > BODY_MAX_BYTES || !Number.isSafeInteger(seq)) return stop('damaged', 'a head that cannot be')
    const bodyEnd = offset + HEAD_BYTES + length
    if (bodyEnd + 4 > bytes.length) return stop('torn', 'less than a body')
    const body = bytes.subarray(offset + HEAD_BYTES, bodyEnd)
    if (crc32(body) !== view.getUint32(bodyEnd, true)) return stop('damaged', 'the body does not match its checksum')
    frames.push({ seq, owner: version === 2 ? bytes.subarray(offset + 5, offset + 8) : null, body, offset })
    offset = bodyEnd + 4
  }
  return { frames, end: { is: 'whole' } }
}

const TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n
  for (let k = 0; k < 8; k += 1) c = c & 1 ? 0xedb8_8320 ^ (c >>> 1) : c >>> 1
  return c
})

/** CRC-32 of IEEE 802.3 (ISO-HDLC, as in zlib): polynomial 04C11DB7 reflected, begun with and ended by all ones. */
export function crc32(bytes: Uint8Array): number {
  let c = 0xffff_ffff
  for (const byte of bytes) c = TABLE[(c ^ byte) & 0xff]! ^ (c >>> 8)
  return (c ^ 0xffff_ffff) >>> 0
}
