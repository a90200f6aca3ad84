import { DOMAIN, digestPrefix } from '../crypto/digest.ts'
import { SIGNATURE_BYTES, type Signer, type VerifyKey } from '../crypto/sign.ts'
import type { Frame, InjectedMark } from '../model/telemetry.ts'
import { canonicalBytes } from './canonical.ts'

/** What a mark is about: one frame of one life of one publisher. */
export type FrameIdentity = Pick<Frame, 'rig' | 'source' | 'epoch' | 'seq'>

/**
 * The mark of a frame that a bench changed: which of its channels hold injected samples, under the key of its injector.
 *
 * Signed are the domain `hb/injected/1` and the canonical bytes of `[rig, source, epoch, seq, channels]`, so that a mark
 * says nothing about any other frame. Give it to `encodeFrame` with the frame it is made for.
 */
export function signMark(frame: FrameIdentity, channels: readonly string[], signer: Signer): InjectedMark {
  const sorted = [...new Set(channels)].sort()
  return { channels: sorted, signature: signer.sign(markBytes(frame, sorted)) }
}

/** Whether the mark of a frame was signed with the key of an injector, for this frame. */
export function isMarkSigned(frame: FrameIdentity, mark: InjectedMark, key: VerifyKey): boolean {
  return mark.signature.length === SIGNATURE_BYTES && key.verify(markBytes(frame, mark.channels), mark.signature)
}

function markBytes({ rig, source, epoch, seq }: FrameIdentity, channels: readonly string[]): Uint8Array {
  const prefix = digestPrefix(DOMAIN.injected)
  const body = canonicalBytes([rig, source, epoch, seq, channels])
  const whole = new Uint8Array(prefix.length + body.length)
  whole.set(prefix)
  whole.set(body, prefix.length)
  return whole
}
