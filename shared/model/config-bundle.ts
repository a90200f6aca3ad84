import type { Micros } from '../units.ts'

/**
 * What the people who sign a bundle put their names to: for whom it is, its place in the order of bundles, and every file
 * by digest. The first file is the configuration, as in the journal.
 */
export type BundleManifest = Readonly<{
  deployment: string
  agent: string
  /** Rises with every bundle for the same agent, so that an older one is never played back. */
  number: number
  madeUs: Micros
  /** It may not be activated after this; 0: no end. What is in force stays in force. */
  notAfterUs: Micros
  reason: string
  /**
   * For so long after its activation the collector may have it taken back for what was in force before; 0: never. Only
   * bundles of a fleet say more than 0.
   */
  backWithinUs: Micros
  /** Every rig with its programme, by name of the rig. */
  rigs: readonly Readonly<{ rig: string; program: string }>[]
  /** Digest of the configuration that these files are, in hex: what decisions and armings name. */
  config: string
  files: readonly BundleFile[]
}>

/** What a bundle of a fleet says to one of its agents. */
export type FleetAgent = Pick<BundleManifest, 'agent' | 'rigs' | 'config' | 'files'>

/**
 * The manifest of a bundle for many agents: whoever signs it says what each of them runs under, file by file. `agents`
 * stand in the order in which a rollout takes them.
 */
export type FleetManifest = Omit<BundleManifest, keyof FleetAgent> & Readonly<{ agents: readonly FleetAgent[] }>

/** One file of a bundle by name, digest (hex) and length in bytes. */
export type BundleFile = Readonly<{ name: string; digest: string; length: number }>

/** Distinct operators that sign a bundle where what may be done to hardware is at stake (SE-04, SE-39). */
export const SIGNERS_WITH_POLICY = 2

/**
 * How many distinct operators have to sign: two when the bundle holds a policy of actions, and two when the configuration
 * in force does. Nobody takes a protection away alone.
 */
export function signersNeeded({
  holdsPolicy,
  replacesPolicy,
}: {
  holdsPolicy: boolean
  replacesPolicy: boolean
}): number {
  return holdsPolicy || replacesPolicy ? SIGNERS_WITH_POLICY : 1
}

/** Why a bundle is not taken. All that apply are told at once. */
export const BUNDLE_PROBLEMS = [
  /** The bytes are not a bundle of a version that is known here, or too many. */
  'shape',
  /** A signature that does not verify. */
  'signature',
  'unknown_key',
  /** A signature of the other realm: a testbed and production do not believe each other. */
  'other_realm',
  /** A signature of the other realm: a testbed and production do not believe each other. */
  'other_realm',
  /** Two signatures of one key: one person does not count twice. */
  'repeated_key',
  /** A signature of another bundle. */
  'other_statement',
  'too_few_signers',
  'not_an_approver',
  /** A file is not the one that was signed, is missing, or is one too many. */
  'file_differs',
  /** The files are another configuration than the signed one. */
  'config_differs',
  /** A file that the configuration does not name. */
  'file_not_named',
  'other_deployment',
  'other_agent',
  'other_program',
  'number_not_above',
  'expired',
  /** A mistake in a file. */
  'mistake',
  /** A key that a running agent cannot change. */
  'needs_restart',
  /** The journal would not take it. */
  'not_journaled',
  /** Activations from afar come too fast: to be asked for again. */
  'rate_limited',
  /** Asked to go back from a bundle that is not in force. */
  'not_in_force',
  /** The people who signed do not let it be taken back, or not any more. */
  'no_way_back',
  /** What was in force before is not there any more as it was. */
  'nothing_before',
  'no_operators',
] as const
export type BundleProblemCode = (typeof BUNDLE_PROBLEMS)[number]

/** One reason, in words; `file`, `line`, `column` and `key` where it is about a place in a file. */
export type BundleProblem = Readonly<{
  code: BundleProblemCode
  found: string
  expected: string
  file?: string
  line?: number
  column?: number
  key?: string
  hint?: string
}>
