import {
  type BundleDraft,
  encodeConfigBundle,
  manifestBytes,
  signManifest,
} from '../../shared/codec/config-bundle.ts'
import type { JournalFile } from '../../shared/codec/journal-input.ts'
import { SIGNERS, type TestPerson } from './certified-baselines.ts'

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
