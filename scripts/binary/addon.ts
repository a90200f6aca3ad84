import { tmpdir } from 'node:os'
import { getRawAsset } from 'node:sea'
import { HbError } from '../../shared/errors/hb-error.ts'
import { addonAsset } from './asset-names.ts'
import { placeFile, runtimeFolder } from './runtime-folder.ts'

/** Name → SHA-256 in hex of every addon that the executable carries; the build puts it here. */
declare const HB_ADDON_DIGESTS: Readonly<Record<string, string>>

/**
 * Loads an addon that the executable carries: inside it, this takes the place of the packages' own loaders.
 *
 * @returns what the addon exports
 * @throws HbError RUNTIME_FOLDER_REFUSED, ADDON_DAMAGED, ADDON_NOT_LOADED
 */
export function loadAddon(name: string): unknown {
  const uid = process.getuid!()
  const folder = runtimeFolder({ env: process.env, temporary: tmpdir(), uid })
  const bytes = (): Uint8Array => new Uint8Array(getRawAsset(addonAsset(name)))
  const path = placeFile(folder, { name, digest: HB_ADDON_DIGESTS[name]!, bytes }, uid)
  const addon = { exports: {} as unknown }
  try {
    process.dlopen(addon, path)
  } catch (cause) {
    throw new HbError('ADDON_NOT_LOADED', { name, path }, { cause })
  }
  return addon.exports
}
