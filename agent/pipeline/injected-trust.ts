import { isMarkSigned } from '../../shared/codec/injected-mark.ts'
import { readPublicKey } from '../../shared/crypto/sign.ts'
import type { InjectedTrust, RigSettings } from '../core/settings.ts'

/** Whose word it is that samples are injected: the injector's, in a testbed; without its key nobody's. */
export function injectedTrust(spki: Uint8Array | null): InjectedTrust {
  const key = spki === null ? null : readPublicKey(spki, 'testbed')
  return { spki, isSigned: (frame, mark) => key !== null && isMarkSigned(frame, mark, key) }
}

/** Settings of a rig as they can go to a thread: without what only this one can call. */
export type SentSettings = Omit<RigSettings, 'injected'> & Readonly<{ injectorSpki?: Uint8Array | null }>

export function sentSettings({ injected, ...settings }: RigSettings): SentSettings {
  return injected === undefined ? settings : { ...settings, injectorSpki: injected.spki }
}

export function receivedSettings({ injectorSpki, ...settings }: SentSettings): RigSettings {
  return injectorSpki === undefined ? settings : { ...settings, injected: injectedTrust(injectorSpki) }
}
