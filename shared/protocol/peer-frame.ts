import { hmacSha256 } from '../crypto/digest.ts'
import { isMacOf, MAC_BYTES } from '../crypto/mac.ts'

/** Which way a frame goes; a frame that is sent back to where it came from is not authentic. */
export type PeerDirection = 'to_peer' | 'to_agent'

/** A message on ZeroMQ: one part, authentication code ‖ JSON. The code is over domain, direction and JSON. */
export function sealPeerFrame(key: Uint8Array, direction: PeerDirection, json: Uint8Array): Uint8Array {
  const frame = new Uint8Array(MAC_BYTES + json.length)
  frame.set(hmacSha256(key, covered(direction, json)))
  frame.set(json, MAC_BYTES)
  return frame
}

/** The JSON of a frame; null when it was not made for this direction with this key. */
export function openPeerFrame(key: Uint8Array, direction: PeerDirection, frame: Uint8Array): Uint8Array | null {
  if (frame.length < MAC_BYTES) return null
  const json = frame.subarray(MAC_BYTES)
  return isMacOf(key, covered(direction, json), frame.subarray(0, MAC_BYTES)) ? json : null
}

function covered(direction: PeerDirection, json: Uint8Array): Uint8Array {
  const domain = new TextEncoder().encode(`hb/peer/1\u0000${direction}\u0000`)
  const message = new Uint8Array(domain.length + json.length)
  message.set(domain)
  message.set(json, domain.length)
  return message
}
