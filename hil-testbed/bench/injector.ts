import { type FrameIdentity, signMark, signSamplesMark } from '../../shared/codec/injected-mark.ts'
import { signerFromPem } from '../../shared/crypto/sign.ts'
import type { InjectedMark } from '../../shared/model/telemetry.ts'
import type { Micros } from '../../shared/units.ts'

/** Samples without a frame, by what identifies them. */
export type SamplesIdentity = Readonly<{ rig: string; timesUs: readonly Micros[] }>

/** Whoever says which samples are injected, so that nobody takes them for measured. */
export type Injector = Readonly<{
  /** Mark of injected channels of a frame, or of a message of samples. */
  mark(what: FrameIdentity | SamplesIdentity, channels: readonly string[]): InjectedMark
}>

/** An injector under a key. @param pem private key of a testbed */
export function createInjector(pem: string): Injector {
  const signer = signerFromPem(pem)
  return {
    mark: (what, channels) =>
      'timesUs' in what ? signSamplesMark(what, channels, signer) : signMark(what, channels, signer),
  }
}
