import { type createDevCa, issueCertificate } from '../../shared/crypto/certificates.ts'
import { collectorUri, type Realm } from '../../shared/model/realm.ts'

/** Certificate of a collector of the deployment `demo` that listens on one address. */
export function serverCertificate(
  ca: ReturnType<typeof createDevCa>,
  address = '127.0.0.1',
  realm: Realm = 'production',
): ReturnType<typeof issueCertificate> {
  return issueCertificate({
    ca,
    subjectUri: collectorUri('demo', realm),
    dnsNames: ['localhost'],
    ipAddresses: [address],
    use: 'server',
    days: 1,
  })
}
