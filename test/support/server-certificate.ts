import { type createDevCa, issueCertificate } from '../../shared/crypto/certificates.ts'

/** Certificate of a collector of the deployment `demo` that listens on one address. */
export function serverCertificate(
  ca: ReturnType<typeof createDevCa>,
  address = '127.0.0.1',
): ReturnType<typeof issueCertificate> {
  return issueCertificate({
    ca,
    subjectUri: 'spiffe://demo/collector/main',
    dnsNames: ['localhost'],
    ipAddresses: [address],
    use: 'server',
    days: 1,
  })
}
