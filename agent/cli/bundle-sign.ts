import { CONFIG_BUNDLE_FILES_MAX, manifestBytes } from '../../shared/codec/bundle-manifest.ts'
import {
  CONFIG_BUNDLE_BYTES_MAX,
  CONFIG_BUNDLE_SIGNATURES_MAX,
  encodeConfigBundle,
  lookIntoBundle,
  signManifest,
} from '../../shared/codec/config-bundle.ts'
import { isFleetBundle } from '../../shared/codec/fleet-bundle.ts'
import { loadRuntimeConfig, parseRuntimeFiles } from '../../shared/config/load.ts'
import { toHex } from '../../shared/crypto/digest.ts'
import { loadSigner } from '../../shared/crypto/key-file.ts'
import type { Signer } from '../../shared/crypto/sign.ts'
import { BundleError } from '../../shared/errors/bundle-error.ts'
import { HbError } from '../../shared/errors/hb-error.ts'
import { systemClock } from '../../shared/lib/clock.ts'
import { printResult, utc, writeNew } from '../../shared/lib/command-output.ts'
import { PERSONS_NOTE } from '../../shared/model/order.ts'
import { holdsPolicy } from '../pipeline/bundle-judgement.ts'
import { compileSettings } from '../pipeline/compile-settings.ts'
import { bundleNumber, endOf, neededFor, reasonFor } from './bundle-draft.ts'
import { manifestJson, readBundleFile, untilWords } from './bundle-file.ts'
import { signFleetToo } from './bundle-fleet.ts'

export type SignOptions = Readonly<{
  key: string
  out: string
  config?: string
  number?: string
  notAfter?: string
  reason: string
  json?: boolean
}>

/** Makes a bundle of a configuration, or adds a signature to one. @throws HbError USAGE, KEY_…, ConfigError, BundleError */
export function signBundle(path: string | undefined, options: SignOptions): void {
  if ((path === undefined) === (options.config === undefined))
    throw new HbError('USAGE', { expected: 'either --config to make a bundle of, or a bundle to sign too' })
  const signer = loadSigner(options.key)
  if (path !== undefined) {
    const given = readBundleFile(path)
    if (isFleetBundle(given)) {
      requireNothingNew(options)
      signFleetToo(given, signer, options)
      return
    }
  }
  const bytes = path === undefined ? madeOf(options.config!, signer, options) : signedToo(path, signer, options)
  if (bytes.length > CONFIG_BUNDLE_BYTES_MAX)
    throw new HbError('BUNDLE_SHAPE', {
      found: `${bytes.length} bytes`,
      expected: `at most ${CONFIG_BUNDLE_BYTES_MAX}`,
    })
  // What is written is what was looked at once more.
  const { manifest, parts, keyIds } = lookIntoBundle(bytes)
  const needed = neededFor(holdsPolicy(parseRuntimeFiles(parts.files)))
  writeNew(options.out, bytes, 0o644)
  const missing = Math.max(0, needed - keyIds.length)
  printResult(
    options.json,
    { out: options.out, ...manifestJson(manifest), signed_by: keyIds, signers_needed: needed, note: PERSONS_NOTE },
    [
      `bundle ${manifest.number} for agent ${manifest.agent} of ${manifest.deployment}, ${untilWords(manifest)}`,
      `configuration ${manifest.config}, ${manifest.files.length} files, made ${utc(manifest.madeUs)}`,
      `signed by ${keyIds.length === 1 ? 'key' : 'keys'} ${keyIds.join(', ')}`,
      missing === 0
        ? `activate it: hb bundle activate ${options.out} --state STATE`
        : `${missing} more must sign: hb bundle sign ${options.out} --key THEIR-KEY --out FILE`,
      `(${PERSONS_NOTE})`,
    ],
  )
}

function madeOf(config: string, signer: Signer, options: SignOptions): Uint8Array {
  const loaded = loadRuntimeConfig(config)
  const { files } = loaded
  if (files.length > CONFIG_BUNDLE_FILES_MAX)
    throw new HbError('BUNDLE_SHAPE', {
      found: `${files.length} files`,
      expected: `at most ${CONFIG_BUNDLE_FILES_MAX}`,
    })
  // Nobody signs what could never be in force.
  compileSettings(files)
  const { deployment, agent, rigs } = loaded.config
  const madeUs = systemClock().nowUs()
  const manifest = manifestBytes(
    {
      ...{ deployment, agent, number: bundleNumber(options.number, madeUs), madeUs, reason: reasonFor(options.reason) },
      notAfterUs: endOf(options.notAfter, madeUs),
      rigs: rigs.map(({ rig, program }) => ({ rig, program })).sort((a, b) => (a.rig < b.rig ? -1 : 1)),
    },
    files,
  )
  return encodeConfigBundle({ files, signatures: [signManifest(manifest, agent, signer)] })
}

function requireNothingNew({ number, notAfter, reason }: SignOptions): void {
  if (number !== undefined || notAfter !== undefined || reason !== '')
    throw new HbError('USAGE', { expected: '--number, --not-after and --reason with --config only: they are signed' })
}

/** The same bundle with one signature more: byte for byte the same manifest. */
function signedToo(path: string, signer: Signer, options: SignOptions): Uint8Array {
  requireNothingNew(options)
  const { parts, payload, manifest, keyIds, problems } = lookIntoBundle(readBundleFile(path))
  if (problems.length > 0) throw new BundleError(problems)
  if (keyIds.includes(toHex(signer.keyId)))
    throw new BundleError([
      {
        code: 'repeated_key',
        found: `key ${toHex(signer.keyId)} signed it already`,
        expected: 'the key of somebody else',
      },
    ])
  if (parts.signatures.length >= CONFIG_BUNDLE_SIGNATURES_MAX)
    throw new HbError('BUNDLE_SHAPE', { found: 'one signature more', expected: `${CONFIG_BUNDLE_SIGNATURES_MAX}` })
  compileSettings(parts.files)
  const signatures = [...parts.signatures, signManifest(payload, manifest.agent, signer)]
  return encodeConfigBundle({ files: parts.files, signatures })
}
