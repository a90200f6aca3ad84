import type { SafetyChange } from '../core/safety/changes.ts'
import type { SafetyState } from '../core/safety/state.ts'
import type { EvaluatorState } from '../core/state.ts'
import { armDigest, policyDigest, type RigPulse } from './pulse.ts'

export type IntegrityOptions = Readonly<{
  state(): EvaluatorState
  /** What is in memory is not what was put there: the rig is disarmed, and somebody has to look (SE-40). */
  found(rig: string, what: 'policy' | 'arm'): void
  disarm(rig: string, reason: string): void
}>

type ArmChange = Extract<SafetyChange, { kind: 'arm' }>
/** Under which configuration a policy was seen first, and its digest then. */
type Kept = Readonly<{ config: string; policy: string }>

/** Arm records of a rig that nobody armed, and that somebody took out of judging. */
const PASSIVE: SafetyState['arm'] = { state: 'PASSIVE', untilUs: 0, config: '', by: [] }
const OFF: SafetyState['arm'] = { ...PASSIVE, state: 'OFF' }
/** The reason of a disarming begins so; the kernel raises a CRITICAL alarm for it. */
export const INTEGRITY = 'INTEGRITY'

/**
 * Whether policy and arm record are in memory as they were put there (SE-40): the policy as it was when its configuration came
 * into force, the arm record as the kernel said it last. Looked at with a token of the dead-man, where they are in use.
 */
export class Integrity {
  private readonly options: IntegrityOptions
  private readonly policies = new Map<string, Kept>()
  private readonly arms = new Map<string, SafetyState['arm']>()
  private readonly broken = new Set<string>()

  constructor(options: IntegrityOptions) {
    this.options = options
  }

  /** Whether the policy of a rig is not what was put into force. */
  isBroken(rig: string): boolean {
    return this.broken.has(rig)
  }

  /** The kernel says that a rig is armed or no longer. */
  armed(rig: string, { state, untilUs, by }: ArmChange): void {
    const config = this.settingsOf(rig)?.config ?? ''
    if (state === 'ARMED') this.arms.set(rig, { state, untilUs, config, by: [...by] })
    else this.arms.set(rig, state === 'OFF' ? OFF : PASSIVE)
  }

  look(pulses: readonly RigPulse[]): void {
    const { rigs } = this.options.state()
    for (const { rig: index, inForce } of pulses) {
      const id = rigs[index]?.settings.rig
      if (id === undefined || inForce === null) continue
      const isPolicy = this.keptPolicy(id) === inForce.policy
      const kept = this.keptArm(id, inForce.arm)
      const isArm = armDigest(kept) === inForce.arm
      this.say(id, 'policy', isPolicy)
      this.say(id, 'arm', isArm)
      if (!isArm || (!isPolicy && kept.state === 'ARMED'))
        this.options.disarm(id, `${INTEGRITY}:${isPolicy ? 'arm' : 'policy'}`)
    }
  }

  /** Said once, until it is well again. */
  private say(rig: string, what: 'policy' | 'arm', isWell: boolean): void {
    const name = what === 'policy' ? rig : `${rig} ${what}`
    if (isWell) this.broken.delete(name)
    else if (!this.broken.has(name)) {
      this.broken.add(name)
      this.options.found(rig, what)
    }
  }

  /** As the kernel said it last; before it said anything what a start finds, unless that is armed: a start arms nothing. */
  private keptArm(rig: string, digest: string): SafetyState['arm'] {
    const kept = this.arms.get(rig) ?? (digest === armDigest(OFF) ? OFF : PASSIVE)
    this.arms.set(rig, kept)
    return kept
  }

  private keptPolicy(rig: string): string {
    const settings = this.settingsOf(rig)
    if (settings === undefined) return ''
    const kept = this.policies.get(rig)
    if (kept?.config === settings.config) return kept.policy
    const policy = policyDigest(settings.policy)
    this.policies.set(rig, { config: settings.config, policy })
    return policy
  }

  private settingsOf(rig: string) {
    return this.options.state().rigs.find(({ settings }) => settings.rig === rig)?.settings.safety
  }
}
