import { type FrameIdentity, signMark } from '../../shared/codec/injected-mark.ts'
import { signerFromPem } from '../../shared/crypto/sign.ts'
import type { InjectedMark } from '../../shared/model/telemetry.ts'

/** Marks the injected channels of a frame under the injector key of the bench, so that nobody takes them for measured. */
export function injectorMark(pem: string): (frame: FrameIdentity, channels: readonly string[]) => InjectedMark {
  const signer = signerFromPem(pem)
  return (frame, channels) => signMark(frame, channels, signer)
}
