import { checkServerIdentity, type PeerCertificate } from 'node:tls'
import type { ClientOptions } from 'ws'
import { HbError } from '../../shared/errors/hb-error.ts'
import { areNamesOf, type Realm } from '../../shared/model/realm.ts'

/**
 * Whether a certificate is that of the host that was called, and may be used in the realm of the agent; else why not.
 */
export function checkCollector(host: string, certificate: PeerCertificate, realm: Realm): Error | undefined {
  const other = checkServerIdentity(host, certificate)
  if (other !== undefined) return other
  const names = certificate.subjectaltname ?? ''
  return areNamesOf(names, realm)
    ? undefined
    : new HbError('REALM_MISMATCH', { collector: host, found: names, expected: realm })
}

/** The same as an option of a WebSocket: a handshake with a collector of the other realm fails. */
export function checksOf(realm: Realm): ClientOptions {
  const check = (host: string, certificate: PeerCertificate) => checkCollector(host, certificate, realm)
  // The types of the library have it as a predicate over a file; it is handed to `tls.connect` as it is.
  return { checkServerIdentity: check } as unknown as ClientOptions
}
