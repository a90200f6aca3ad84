import {
  type BundleDraft,
  type FleetDraft,
  type FleetPart,
  fleetManifestBytes,
  manifestBytes,
} from '../../shared/codec/bundle-manifest.ts'
import { encodeConfigBundle, signManifest } from '../../shared/codec/config-bundle.ts'
import {
  cutFleetBundle,
  encodeFleetBundle,
  lookIntoFleetBundle,
  signFleetManifest,
} from '../../shared/codec/fleet-bundle.ts'
import type { JournalFile } from '../../shared/codec/journal-input.ts'
import { type LoadedRuntime, parseRuntimeFiles } from '../../shared/config/load.ts'
import { SIGNERS, type TestPerson } from './certified-baselines.ts'
import { bytesOf } from './config-texts.ts'
import { OPERATOR_LINES, PEOPLE, publicPem } from './operator-keys.ts'
import { LOOP_RUNTIME, type LoopTexts, loopFiles } from './policy-texts.ts'

export const MADE_US = 1_800_000_000_000_000

export const DRAFT: BundleDraft = {
  deployment: 'demo',
  agent: 'bench-1',
  number: 7,
  madeUs: MADE_US,
  notAfterUs: 0,
  reason: 'wider limits after the new pump',
  rigs: [{ rig: 'water-loop', program: 'pumps' }],
}

/** A bundle of files, signed by people in this order. */
export function signedBundle(
  files: readonly JournalFile[],
  { by = ['ada', 'grace'], draft = {} }: { by?: readonly TestPerson[]; draft?: Partial<BundleDraft> } = {},
): Uint8Array {
  const whole = { ...DRAFT, ...draft }
  const manifest = manifestBytes(whole, files)
  return encodeConfigBundle({ files, signatures: by.map((who) => signManifest(manifest, whole.agent, SIGNERS[who])) })
}

const LOOP_TOP = 'deployment: demo\nagent: bench-1\nsigning_key_file: sign.pem\n'

export type TrustedLoop = LoopTexts & Readonly<{ more?: string; policy?: boolean; extra?: readonly JournalFile[] }>

/** Files of the pressure loop with people who are trusted; with or without its policy. `more` are lines of runtime.yaml. */
export function trustedLoop({ more = '', policy = true, extra = [], runtime, ...texts }: TrustedLoop = {}) {
  const plain = policy ? LOOP_RUNTIME : LOOP_RUNTIME.replace('    actions_policy_file: loop.actions.yaml\n', '')
  const text = runtime ?? plain.replace(LOOP_TOP, `${LOOP_TOP}${OPERATOR_LINES}${more}`)
  const files = loopFiles({ ...texts, runtime: text }).filter(({ name }) => policy || name !== 'loop.actions.yaml')
  return [...files, ...PEOPLE.map((name) => ({ name: `${name}.pub`, bytes: bytesOf(publicPem(name)) })), ...extra]
}

export function configurationOf(files: readonly JournalFile[]): LoadedRuntime {
  return { ...parseRuntimeFiles(files), files, folder: '/' }
}

/** What the manifest of a bundle of the pressure loop says. */
export const LOOP_RIGS = [{ rig: 'pressure-loop', program: 'demo' }] as const

export const FLEET: FleetDraft = {
  ...{ deployment: 'demo', number: 7, madeUs: MADE_US, notAfterUs: 0, reason: 'wider limits after the new pump' },
  backWithinUs: 3_600_000_000,
}

/** A bundle of a fleet, signed by people in this order. */
export function fleetBundle(
  parts: readonly FleetPart[],
  { by = ['ada', 'grace'], draft = {} }: { by?: readonly TestPerson[]; draft?: Partial<FleetDraft> } = {},
): Uint8Array {
  const whole = { ...FLEET, ...draft }
  const manifest = fleetManifestBytes(whole, parts)
  const files = parts.flatMap((part) => part.files.map(({ bytes }) => bytes))
  return encodeFleetBundle(
    files,
    by.map((who) => signFleetManifest(manifest, whole.deployment, SIGNERS[who])),
  )
}

/** What it has for one of its agents. */
export function cutOf(bytes: Uint8Array, agent: string): Uint8Array {
  const { parts, manifest } = lookIntoFleetBundle(bytes)
  return cutFleetBundle(parts, manifest, agent)!
}
