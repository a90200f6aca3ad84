import { FLEET_BUNDLE_BYTES_MAX } from '../../shared/codec/fleet-bundle.ts'
import { readBytes } from '../../shared/config/files.ts'
import { HbError } from '../../shared/errors/hb-error.ts'
import { utc } from '../../shared/lib/command-output.ts'
import type { BundleManifest } from '../../shared/model/config-bundle.ts'

/** A bundle for one agent or for a fleet. @throws HbError CONFIG_MISSING, BUNDLE_SHAPE */
export function readBundleFile(path: string): Uint8Array {
  const bytes = readBytes(path, FLEET_BUNDLE_BYTES_MAX)
  if (bytes instanceof Uint8Array) return bytes
  throw new HbError(bytes.isTooLarge ? 'BUNDLE_SHAPE' : 'CONFIG_MISSING', { path, reason: bytes.reason })
}

export function manifestJson(manifest: BundleManifest) {
  const { deployment, agent, number, madeUs, notAfterUs, reason, rigs, config, files } = manifest
  return {
    ...{ deployment, agent, number, made_us: madeUs, not_after_us: notAfterUs === 0 ? null : notAfterUs, reason },
    ...{ rigs, config, files },
  }
}

export function untilWords({ notAfterUs }: Pick<BundleManifest, 'notAfterUs'>): string {
  return notAfterUs === 0 ? 'without an end' : `to be activated until ${utc(notAfterUs)}`
}
