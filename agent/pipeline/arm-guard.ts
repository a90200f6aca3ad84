import type { RigPolicy } from '../../shared/model/actions-policy.ts'
import type { Integrity } from './integrity.ts'
import type { Permits } from './permits.ts'
import type { Proofs } from './proofs.ts'
import { type SelfTestParts, type SelfTestResult, selfTest } from './self-test.ts'

export type ArmGuardOptions = Readonly<{
  parts: SelfTestParts
  proofs: Proofs
  integrity: Integrity
  /** Where tokens of the dead-man stay; '' while they come through. */
  deadMan(): string
  permits(): Permits['states']
  policies(): readonly RigPolicy[]
  failed(result: SelfTestResult): void
}>

/**
 * What stands against arming a rig, beside what the kernel has to say (SE-37, SE-40, SE-42). Whatever it is, monitoring goes on.
 */
export class ArmGuard {
  private readonly options: ArmGuardOptions
  /** null until everything was tried. */
  private failures: readonly SelfTestResult[] | null = null
  private readonly reached = new Set<string>()

  constructor(options: ArmGuardOptions) {
    this.options = options
  }

  /** Tries what has to be well at a start. */
  async test(): Promise<void> {
    this.failures = await selfTest(this.options.parts)
    for (const failure of this.failures) this.options.failed(failure)
  }

  /** Whether a target answers. */
  peer(target: string, isThere: boolean): void {
    if (isThere) this.reached.add(target)
    else this.reached.delete(target)
  }

  /** Grounds, as machines read them; empty when people may arm the rig. */
  against(rig: string): string[] {
    const { policies, proofs, integrity } = this.options
    const stage = this.options.deadMan()
    const self = this.failures === null ? ['SELF_TEST:running'] : this.failures.map(({ part }) => `SELF_TEST:${part}`)
    const targets = policies().find((policy) => policy.rig === rig)?.targets ?? []
    // Others answer when they are asked for something; an actuator is there all the time or not at all.
    const away = targets.filter(({ name, executor }) => executor === 'actuator' && !this.reached.has(name))
    return [
      ...self,
      ...(stage === '' ? [] : [`DEAD_MAN:${stage}`]),
      ...away.map(({ name }) => `PEER_DOWN:${name}`),
      ...proofs.against(rig),
      ...(integrity.isBroken(rig) ? ['INTEGRITY:policy'] : []),
    ]
  }

  /**
   * Permits that the policy of a rig asks for and that nobody holds: what an armed rig goes without. It keeps nobody from
   * arming, which is what gives them back. One that was just asked for is held or lost within its hold.
   */
  lacking(rig: string): string[] {
    const states = this.options.permits()
    const targets = this.options.policies().find((policy) => policy.rig === rig)?.targets ?? []
    return targets.flatMap(({ name, permitHoldUs }) => {
      const state = states.find(({ target }) => target === name)?.state
      const isThere = permitHoldUs === undefined || state === 'held' || state === 'asked'
      return isThere ? [] : [`PERMIT_LOST:${name}`]
    })
  }
}
