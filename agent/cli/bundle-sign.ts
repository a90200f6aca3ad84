import {
  BUNDLE_REASON_CHARS_MAX,
  CONFIG_BUNDLE_BYTES_MAX,
  CONFIG_BUNDLE_FILES_MAX,
  CONFIG_BUNDLE_SIGNATURES_MAX,
  encodeConfigBundle,
  lookIntoBundle,
  manifestBytes,
  signManifest,
} from '../../shared/codec/config-bundle.ts'
import { loadRuntimeConfig, parseRuntimeFiles } from '../../shared/config/load.ts'
import { toHex } from '../../shared/crypto/digest.ts'
import { loadSigner } from '../../shared/crypto/key-file.ts'
import type { Signer } from '../../shared/crypto/sign.ts'
import { BundleError } from '../../shared/errors/bundle-error.ts'
import { HbError } from '../../shared/errors/hb-error.ts'
import { systemClock } from '../../shared/lib/clock.ts'
import { numberOption, printResult, utc, writeNew } from '../../shared/lib/command-output.ts'
import { signersNeeded } from '../../shared/model/config-bundle.ts'
import { PERSONS_NOTE } from '../../shared/model/order.ts'
import type { Micros } from '../../shared/units.ts'
import { holdsPolicy } from '../pipeline/bundle-judgement.ts'
import { compileSettings } from '../pipeline/compile-settings.ts'
import { manifestJson, readBundleFile, untilWords } from './bundle-file.ts'

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
  const bytes = path === undefined ? madeOf(options.config!, signer, options) : signedToo(path, signer, options)
  if (bytes.length > CONFIG_BUNDLE_BYTES_MAX)
    throw new HbError('BUNDLE_SHAPE', {
      found: `${bytes.length} bytes`,
      expected: `at most ${CONFIG_BUNDLE_BYTES_MAX}`,
    })
  // What is written is what was looked at once more.
  const { manifest, parts, keyIds } = lookIntoBundle(bytes)
  const needed = signersNeeded({ holdsPolicy: holdsPolicy(parseRuntimeFiles(parts.files)), replacesPolicy: false })
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
  if (options.reason.length > BUNDLE_REASON_CHARS_MAX)
    throw new HbError('USAGE', { option: '--reason', expected: `at most ${BUNDLE_REASON_CHARS_MAX} characters` })
  const manifest = manifestBytes(
    {
      ...{ deployment, agent, number: numberOf(options.number, madeUs), madeUs, reason: options.reason },
      notAfterUs: endOf(options.notAfter, madeUs),
      rigs: rigs.map(({ rig, program }) => ({ rig, program })).sort((a, b) => (a.rig < b.rig ? -1 : 1)),
    },
    files,
  )
  return encodeConfigBundle({ files, signatures: [signManifest(manifest, agent, signer)] })
}

/** The same bundle with one signature more: byte for byte the same manifest. */
function signedToo(path: string, signer: Signer, { number, notAfter, reason }: SignOptions): Uint8Array {
  if (number !== undefined || notAfter !== undefined || reason !== '')
    throw new HbError('USAGE', { expected: '--number, --not-after and --reason with --config only: they are signed' })
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

/** The time as a number that people can read, and that rises by itself. */
function numberOf(text: string | undefined, nowUs: Micros): number {
  if (text === undefined) return Number(new Date(nowUs / 1000).toISOString().replace(/\D/g, '').slice(0, 14))
  const number = numberOption(text, '--number', { min: 1, max: Number.MAX_SAFE_INTEGER })
  if (!Number.isSafeInteger(number))
    throw new HbError('USAGE', { option: '--number', found: text, expected: 'a whole number' })
  return number
}

const UTC_TIME = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?Z)?$/

function endOf(text: string | undefined, nowUs: Micros): Micros {
  if (text === undefined) return 0
  const us = UTC_TIME.test(text) ? Date.parse(text) * 1000 : Number.NaN
  if (us > nowUs) return us
  throw new HbError('USAGE', {
    option: '--not-after',
    found: text,
    expected: 'a UTC time to come, such as 2027-01-31T12:00:00Z',
  })
}
