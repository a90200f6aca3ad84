/** Alarms above WARNING that are named of one rig; of more, the first by name. */
export const SEVERE_NAMED_MAX = 64

export type RigStateSaid = Readonly<{
  rig: string
  mode: string
  /** Of the newest decision; '' before the first. */
  verdict: string
  /** Of the arming; '' without a policy. */
  arm: string
  /** Active alarms above WARNING. */
  severe: readonly string[]
}>

/** Under what an agent runs, and how it is: its own word. */
export type ConfigState = Readonly<{
  /** Digest (hex) of the configuration in force; '' before there is one. */
  config: string
  /** Bundle in force; digest '' and 0: the files of the disk. */
  bundle: Readonly<{ digest: string; number: number; at_us: number }>
  ready: boolean
  /** Why it is not ready. */
  reasons: readonly string[]
  /** Inputs that were not journaled, and damage that was found, since the start. */
  not_journaled: number
  damage: number
  boot_id: string
  rigs: readonly RigStateSaid[]
}>
