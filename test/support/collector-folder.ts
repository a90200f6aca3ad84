import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type CollectorAlarmsConfig, CollectorAlarmsSchema } from '../../shared/config/collector-alarm-schema.ts'
import { checkYaml } from '../../shared/config/document.ts'
import type { Schema } from '../../shared/config/schema-terms.ts'
import type { CollectorConfig } from '../../shared/config/types.ts'
import { createDevCa, issueCertificate } from '../../shared/crypto/certificates.ts'
import { generateSigner } from '../../shared/crypto/sign.ts'
import { agentUri, type Realm } from '../../shared/model/realm.ts'
import type { LinkTls } from './agent-double.ts'
import { serverCertificate } from './server-certificate.ts'

/** A folder with everything a collector of the deployment `demo` starts from, and the keys of its two agents. */
export function createCollectorFolder(realm: Realm = 'production') {
  const folder = mkdtempSync(join(tmpdir(), 'hb-collector-'))
  const ca = createDevCa()
  const otherCa = createDevCa()
  const server = serverCertificate(ca, '127.0.0.1', realm)
  const receipts = generateSigner(realm)
  const bench = generateSigner(realm)
  const rack = generateSigner(realm)

  writeFileSync(join(folder, 'ca.pem'), ca.certPem)
  writeFileSync(join(folder, 'server.pem'), server.certPem)
  writeFileSync(join(folder, 'server.key'), server.keyPem, { mode: 0o600 })
  writeFileSync(join(folder, 'sign.pem'), receipts.privatePem, { mode: 0o600 })
  writeFileSync(join(folder, 'bench-1.pub.pem'), bench.publicPem)
  writeFileSync(join(folder, 'rack-2.pub.pem'), rack.publicPem)
  mkdirSync(join(folder, 'page'))
  writeFileSync(join(folder, 'page', 'index.html'), '<!doctype html><title>fleet</title>')

  const config = {
    version: 1 as const,
    deployment: 'demo',
    realm,
    signing_key_file: 'sign.pem',
    data_dir: 'data',
    agents_listen: { host: '127.0.0.1', port: 0 },
    tls: { ca_file: 'ca.pem', cert_file: 'server.pem', key_file: 'server.key' },
    operators_listen: { host: '127.0.0.1', port: 0 },
    agents: [
      { agent: 'bench-1', public_key_file: 'bench-1.pub.pem', programs: ['demo'] },
      { agent: 'rack-2', public_key_file: 'rack-2.pub.pem', programs: ['demo'] },
    ] as CollectorConfig['agents'],
    alarms: defaultAlarms(),
    operators: [],
    governance: { require_approval: true, approvals_required: 1, approvers: [] },
    verify_workers: 1,
    log_level: 'info' as const,
  }

  /** A client certificate of an agent, by this authority or by one nobody knows. */
  const certificateOf = (agent: string, by = ca, deployment = 'demo', of = realm): LinkTls => {
    const subjectUri = agentUri(deployment, agent, of)
    const { certPem, keyPem } = issueCertificate({
      ca: by,
      subjectUri,
      dnsNames: [],
      ipAddresses: [],
      use: 'client',
      days: 1,
    })
    return { ca: ca.certPem, cert: certPem, key: keyPem }
  }
  return { folder, ca, otherCa, receipts, bench, rack, config, certificateOf }
}

/** `alarms` of a collector whose file says nothing of them. */
export function defaultAlarms(): CollectorAlarmsConfig {
  return checkYaml('alarms', new TextEncoder().encode('{}'), CollectorAlarmsSchema as unknown as Schema)
    .value as CollectorAlarmsConfig
}
