import { join } from 'node:path'
import { manifestBytes } from '../../shared/codec/bundle-manifest.ts'
import { bundleDigest, encodeConfigBundle, signManifest } from '../../shared/codec/config-bundle.ts'
import { loadRuntimeConfig } from '../../shared/config/load.ts'
import { signerFromPem } from '../../shared/crypto/sign.ts'
import type { Micros } from '../../shared/units.ts'
import { AGENT, type AgentFolder, DEPLOYMENT } from './agent-folder.ts'

/**
 * The configuration of the agent of a run as a bundle of this number, signed by everybody of its bench. `digest` is hex.
 *
 * @throws ConfigError for a configuration that a fault has made wrong
 */
export function agentBundle(
  { path, pems }: AgentFolder,
  { number, madeUs }: Readonly<{ number: number; madeUs: Micros }>,
): Readonly<{ bytes: Uint8Array; digest: string }> {
  const { files, config } = loadRuntimeConfig(join(path, 'runtime.yaml'))
  const rigs = config.rigs.map(({ rig, program }) => ({ rig, program }))
  const draft = {
    deployment: DEPLOYMENT,
    agent: AGENT,
    number,
    madeUs,
    notAfterUs: 0,
    reason: `number ${number}`,
    rigs,
  }
  const manifest = manifestBytes(draft, files)
  const signatures = [...pems.values()].map((pem) => signManifest(manifest, AGENT, signerFromPem(pem)))
  return { bytes: encodeConfigBundle({ files, signatures }), digest: bundleDigest(manifest) }
}
