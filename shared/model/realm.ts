/** Where a program, a key and a certificate belong. What is of a testbed and what is not never believe each other. */
export const REALMS = ['production', 'testbed'] as const
export type Realm = (typeof REALMS)[number]

/** What the trust domain of a testbed begins with. No deployment has a dot in its name, so no domain is of both realms. */
export const TESTBED_DOMAIN_PREFIX = 'testbed.'

/** Trust domain of certificates: that of a deployment itself is production. */
export function trustDomain(deployment: string, realm: Realm): string {
  return realm === 'testbed' ? `${TESTBED_DOMAIN_PREFIX}${deployment}` : deployment
}

/** Name of an agent in certificates and messages. */
export function agentUri(deployment: string, agent: string, realm: Realm): string {
  return `spiffe://${trustDomain(deployment, realm)}/agent/${agent}`
}

/** Name of a collector in certificates. */
export function collectorUri(deployment: string, realm: Realm): string {
  return `spiffe://${trustDomain(deployment, realm)}/collector/main`
}

/**
 * Whether a certificate with these subject alternative names (as Node writes them) may be used in a realm. In a testbed its
 * one SPIFFE name must be of a testbed; in production it must have none of a testbed, and may have none at all, as the
 * authority of a fleet issues them. Text with quotes is never good: inside of them a comma does not part names.
 */
export function areNamesOf(names: string, realm: Realm): boolean {
  if (names.includes('"')) return false
  const uris = names.split(', ').filter((name) => name.startsWith('URI:spiffe://'))
  const isOfTestbed = (uri: string): boolean => uri.startsWith(`URI:spiffe://${TESTBED_DOMAIN_PREFIX}`)
  return realm === 'testbed' ? uris.length === 1 && uris.every(isOfTestbed) : !uris.some(isOfTestbed)
}
