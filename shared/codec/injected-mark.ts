import { DOMAIN, type Domain, digestPrefix } from '../crypto/digest.ts'
import { SIGNATURE_BYTES, type Signer, type VerifyKey } from '../crypto/sign.ts'
import type { Canonical } from '../model/decision.ts'
import type { Frame, InjectedMark } from '../model/telemetry.ts'
import type { Micros } from '../units.ts'
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

/**
 * The mark of samples in JSON, which have no number: it is about their message by what identifies samples everywhere, channel and
 * event time. Signed are the domain `hb/injected-samples/1` and the canonical bytes of `[rig, times, channels]`. The source is
 * not in it: a sample that says none has the name that each agent gives its broker.
 *
 * @param timesUs each distinct event time of the message, in order; whole numbers.
 */
export function signSamplesMark(
  { rig, timesUs }: Readonly<{ rig: string; timesUs: readonly Micros[] }>,
  channels: readonly string[],
  signer: Signer,
): InjectedMark {
  const sorted = [...new Set(channels)].sort()
  return { channels: sorted, timesUs, signature: signer.sign(samplesMarkBytes(rig, timesUs, sorted)) }
}

/** Whether the mark of a frame was signed with the key of an injector, for this frame. */
export function isMarkSigned(frame: FrameIdentity, mark: InjectedMark, key: VerifyKey): boolean {
  const { channels, timesUs, signature } = mark
  const signed = timesUs === undefined ? markBytes(frame, channels) : samplesMarkBytes(frame.rig, timesUs, channels)
  return signature.length === SIGNATURE_BYTES && key.verify(signed, signature)
}

function markBytes({ rig, source, epoch, seq }: FrameIdentity, channels: readonly string[]): Uint8Array {
  return withDomain(DOMAIN.injected, [rig, source, epoch, seq, channels])
}

function samplesMarkBytes(rig: string, timesUs: readonly Micros[], channels: readonly string[]): Uint8Array {
  return withDomain(DOMAIN.injectedSamples, [rig, timesUs, channels])
}

function withDomain(domain: Domain, value: Canonical): Uint8Array {
  const prefix = digestPrefix(domain)
  const body = canonicalBytes(value)
  const whole = new Uint8Array(prefix.length + body.length)
  whole.set(prefix)
  whole.set(body, prefix.length)
  return whole
}
