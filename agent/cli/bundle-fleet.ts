import {
  BACK_WITHIN_MAX_US,
  CONFIG_BUNDLE_FILES_MAX,
  FLEET_AGENTS_MAX,
  type FleetPart,
  fleetManifestBytes,
} from '../../shared/codec/bundle-manifest.ts'
import { CONFIG_BUNDLE_SIGNATURES_MAX } from '../../shared/codec/config-bundle.ts'
import {
  cutFleetBundle,
  encodeFleetBundle,
  FLEET_BUNDLE_BYTES_MAX,
  FLEET_CUT_BYTES_MAX,
  filesFor,
  isFleetBundle,
  lookIntoFleetBundle,
  openFleetBundle,
  signFleetManifest,
} from '../../shared/codec/fleet-bundle.ts'
import { readBytes } from '../../shared/config/files.ts'
import { loadRuntimeConfig, parseRuntimeFiles } from '../../shared/config/load.ts'
import { toHex } from '../../shared/crypto/digest.ts'
import { loadSigner } from '../../shared/crypto/key-file.ts'
import type { Signer } from '../../shared/crypto/sign.ts'
import { BundleError } from '../../shared/errors/bundle-error.ts'
import { HbError } from '../../shared/errors/hb-error.ts'
import { systemClock } from '../../shared/lib/clock.ts'
import { printResult, utc, writeNew } from '../../shared/lib/command-output.ts'
import { spanOption } from '../../shared/lib/span.ts'
import type { BundleProblem, FleetManifest } from '../../shared/model/config-bundle.ts'
import { PERSONS_NOTE } from '../../shared/model/order.ts'
import { type BundleTrust, checkBundle, holdsPolicy } from '../pipeline/bundle-judgement.ts'
import { compileSettings } from '../pipeline/compile-settings.ts'
import { bundleNumber, endOf, neededFor, reasonFor } from './bundle-draft.ts'
import { untilWords } from './bundle-file.ts'

export type FleetOptions = Readonly<{
  config: readonly string[]
  key: string
  out: string
  number?: string
  notAfter?: string
  backWithin: string
  reason: string
  json?: boolean
}>

/** Makes a bundle of the configurations of many agents. @throws HbError USAGE, KEY_…, BUNDLE_SHAPE, ConfigError */
export function makeFleetBundle(options: FleetOptions): void {
  const signer = loadSigner(options.key)
  const parts = options.config.map(partOf)
  const deployments = [...new Set(parts.map(({ deployment }) => deployment))]
  const [deployment] = deployments
  if (deployment === undefined || deployments.length > 1 || parts.length > FLEET_AGENTS_MAX)
    throw new HbError('USAGE', {
      ...{ option: '--config', found: `${parts.length} agents of ${deployments.join(', ')}` },
      expected: `1 to ${FLEET_AGENTS_MAX} agents of one deployment`,
    })
  const names = parts.map(({ agent }) => agent)
  const twice = names.filter((name, k) => names.indexOf(name) !== k)
  if (twice.length > 0)
    throw new HbError('USAGE', { option: '--config', found: `${twice.join(', ')} twice`, expected: 'every agent once' })
  const madeUs = systemClock().nowUs()
  const draft = {
    ...{ deployment, number: bundleNumber(options.number, madeUs), madeUs, reason: reasonFor(options.reason) },
    ...{ notAfterUs: endOf(options.notAfter, madeUs), backWithinUs: backWithin(options.backWithin) },
  }
  const manifest = fleetManifestBytes(draft, parts)
  const files = parts.flatMap((part) => part.files.map(({ bytes }) => bytes))
  write(encodeFleetBundle(files, [signFleetManifest(manifest, deployment, signer)]), options)
}

type Part = FleetPart & Readonly<{ deployment: string }>

function partOf(path: string): Part {
  const { config, files } = loadRuntimeConfig(path)
  if (files.length > CONFIG_BUNDLE_FILES_MAX)
    throw new HbError('BUNDLE_SHAPE', { path, found: `${files.length} files`, expected: CONFIG_BUNDLE_FILES_MAX })
  // Nobody signs what could never be in force.
  compileSettings(files)
  const rigs = config.rigs.map(({ rig, program }) => ({ rig, program })).sort((a, b) => (a.rig < b.rig ? -1 : 1))
  return { deployment: config.deployment, agent: config.agent, rigs, files }
}

function backWithin(text: string): number {
  const us = text === '0' ? 0 : spanOption(text, '--back-within')
  if (us <= BACK_WITHIN_MAX_US) return us
  throw new HbError('USAGE', { option: '--back-within', found: text, expected: 'at most 7d' })
}

/** The same bundle with one signature more. @throws BundleError; HbError BUNDLE_SHAPE */
export function signFleetToo(
  bytes: Uint8Array,
  signer: Signer,
  options: Readonly<{ out: string; json?: boolean }>,
): void {
  const { parts, payload, manifest, keyIds, problems } = lookIntoFleetBundle(bytes)
  if (problems.length > 0) throw new BundleError(problems)
  const keyId = toHex(signer.keyId)
  if (keyIds.includes(keyId))
    throw new BundleError([
      { code: 'repeated_key', found: `key ${keyId} signed it already`, expected: 'the key of somebody else' },
    ])
  if (parts.signatures.length >= CONFIG_BUNDLE_SIGNATURES_MAX)
    throw new HbError('BUNDLE_SHAPE', { found: 'one signature more', expected: CONFIG_BUNDLE_SIGNATURES_MAX })
  for (const agent of manifest.agents) compileSettings(filesFor(agent, parts.blobs))
  const signatures = [...parts.signatures, signFleetManifest(payload, manifest.deployment, signer)]
  write(encodeFleetBundle(parts.blobs.values(), signatures), options)
}

/** Writes what was looked at once more. */
function write(bytes: Uint8Array, { out, json }: Readonly<{ out: string; json?: boolean }>): void {
  const { manifest, digest, keyIds, parts } = lookIntoFleetBundle(bytes)
  if (bytes.length > FLEET_BUNDLE_BYTES_MAX)
    throw new HbError('BUNDLE_SHAPE', { found: `${bytes.length} bytes`, expected: `at most ${FLEET_BUNDLE_BYTES_MAX}` })
  const wide = manifest.agents.filter(
    ({ agent }) => (cutFleetBundle(parts, manifest, agent)?.length ?? 0) > FLEET_CUT_BYTES_MAX,
  )
  if (wide.length > 0)
    throw new HbError('BUNDLE_SHAPE', {
      found: `more for ${wide.map(({ agent }) => agent).join(', ')}`,
      expected: `at most ${FLEET_CUT_BYTES_MAX} bytes an agent`,
    })
  const holds = manifest.agents.some((one) => holdsPolicy(parseRuntimeFiles(filesFor(one, parts.blobs))))
  const needed = neededFor(holds)
  writeNew(out, bytes, 0o644)
  const missing = Math.max(0, needed - keyIds.length)
  printResult(
    json,
    { out, digest, ...fleetJson(manifest), signed_by: keyIds, signers_needed: needed, note: PERSONS_NOTE },
    [
      `fleet bundle ${manifest.number} for ${manifest.agents.length} agents of ${manifest.deployment}, ${untilWords(manifest)}`,
      `digest ${digest}`,
      `agents, in the order of a rollout: ${manifest.agents.map(({ agent }) => agent).join(', ')}`,
      `signed by ${keyIds.length === 1 ? 'key' : 'keys'} ${keyIds.join(', ')}`,
      missing === 0
        ? `roll it out: hb rollout start ${out} --collector URL --key KEY --stages 1,10%,all --why WHY`
        : `${missing} more must sign: hb bundle sign ${out} --key THEIR-KEY --out FILE`,
      `(${PERSONS_NOTE})`,
    ],
  )
}

export function fleetJson({ deployment, number, madeUs, notAfterUs, backWithinUs, reason, agents }: FleetManifest) {
  return {
    ...{ deployment, number, made_us: madeUs, not_after_us: notAfterUs === 0 ? null : notAfterUs },
    ...{ back_within_us: backWithinUs, reason },
    agents: agents.map(({ agent, rigs, config, files }) => ({ agent, rigs, config, files: files.length })),
  }
}

/** Checks what a fleet bundle has for every agent, as each would. @throws BundleError with everything that is wrong */
export function verifyFleet(bytes: Uint8Array, trust: BundleTrust, json: boolean | undefined): void {
  const { opened, problems } = openFleetBundle(bytes, trust.trust.operators)
  if (opened === null || problems.length > 0) throw new BundleError(problems)
  const { manifest, parts, digest, signers } = opened
  const named = manifest.agents.filter(({ agent }) => trust.place === null || agent === trust.place.agent)
  const found = named.flatMap(({ agent }): BundleProblem[] => {
    const cut = cutFleetBundle(parts, manifest, agent)
    const { problems: wrong } = checkBundle(cut ?? new Uint8Array(0), trust)
    return wrong.map((problem) => ({ ...problem, found: `agent ${agent}: ${problem.found}` }))
  })
  if (named.length === 0)
    found.push({ code: 'other_agent', found: 'agents of the bundle', expected: `${trust.place?.agent} among them` })
  if (found.length > 0) throw new BundleError(found)
  printResult(json, { ok: true, digest, ...fleetJson(manifest), signers, note: PERSONS_NOTE }, [
    `fleet bundle ${manifest.number} for ${manifest.agents.length} agents of ${manifest.deployment}: good, signed by ${signers.join(', ')}`,
    `digest ${digest}`,
    `made ${utc(manifest.madeUs)}, ${untilWords(manifest)}, may be taken back for ${manifest.backWithinUs / 1e6} s`,
    ...(manifest.reason === '' ? [] : [`reason: ${manifest.reason}`]),
    `(${PERSONS_NOTE})`,
  ])
}

/** @throws HbError CONFIG_MISSING, BUNDLE_SHAPE for a file that is no bundle of a fleet */
export function readFleetFile(path: string): Uint8Array {
  const bytes = readBytes(path, FLEET_BUNDLE_BYTES_MAX)
  if (!(bytes instanceof Uint8Array))
    throw new HbError(bytes.isTooLarge ? 'BUNDLE_SHAPE' : 'CONFIG_MISSING', { path, reason: bytes.reason })
  if (isFleetBundle(bytes)) return bytes
  throw new HbError('BUNDLE_SHAPE', { path, found: 'no bundle of a fleet', expected: 'one of `hb bundle fleet`' })
}

type CutOptions = Readonly<{ agent: string; out: string; json?: boolean }>

/** Writes what a fleet bundle has for one agent: for one that no network reaches. */
export function cutFleet(path: string, { agent, out, json }: CutOptions): void {
  const { parts, manifest, digest, problems } = lookIntoFleetBundle(readFleetFile(path))
  if (problems.length > 0) throw new BundleError(problems)
  const cut = cutFleetBundle(parts, manifest, agent)
  if (cut === null)
    throw new HbError('USAGE', {
      ...{ option: '--agent', found: agent },
      expected: `one of ${manifest.agents.map((one) => one.agent).join(', ')}`,
    })
  writeNew(out, cut, 0o644)
  printResult(json, { out, digest, agent, bytes: cut.length }, [
    `what bundle ${manifest.number} has for agent ${agent}: ${cut.length} bytes`,
    `activate it: hb bundle activate ${out} --state STATE`,
  ])
}
