import type { Hazard, RigPolicy, Target } from '../../shared/model/actions-policy.ts'
import type { Micros } from '../../shared/units.ts'

/** What a link to a target is opened with: it proves these to its peer, and cannot take them back while it is open. */
export type TargetFacts = Readonly<{
  testbed: boolean
  nonIdempotent: boolean
  /** What losing the permit must do; null when no hazard counts on one. */
  lossEffect: 'de_energise' | 'hold_last' | null
  /** How long one stroke of the dead-man holds its permit; null when no hazard counts on one. */
  permitHoldUs: Micros | null
  /** How often the whole path to it is proved; null: nobody asks for it. */
  proofEveryUs: Micros | null
  /** Rigs that use it. */
  rigs: readonly string[]
}>

/** What the policies of all rigs together say of one target. */
export function targetFacts(target: string, policies: Iterable<RigPolicy>): TargetFacts {
  const about = [...policies].filter(({ targets }) => targets.some(({ name }) => name === target))
  const hazards = about.flatMap((policy) => policy.hazards.filter((hazard) => hazard.target === target))
  return {
    // One rig that is no testbed is enough: its target is never one that only a bench may drive.
    testbed: about.length > 0 && about.every(({ testbed }) => testbed),
    nonIdempotent: about.some(({ targets }) => targets.some((one) => one.name === target && one.nonIdempotent)),
    lossEffect: strictestLoss(hazards),
    permitHoldUs: shortest(about, target, ({ permitHoldUs }) => permitHoldUs),
    proofEveryUs: shortest(about, target, ({ proofEveryUs }) => proofEveryUs),
    rigs: about.map(({ rig }) => rig),
  }
}

/** What the strictest of the rigs that share a target says; null when none says anything. */
function shortest(
  about: readonly RigPolicy[],
  target: string,
  spanOf: (one: Target) => Micros | undefined,
): Micros | null {
  const spans = about.flatMap(({ targets }) =>
    targets.filter(({ name }) => name === target).flatMap((one) => spanOf(one) ?? []),
  )
  return spans.length === 0 ? null : Math.min(...spans)
}

/** What losing the permit must do, of all hazards of a target; null when none of them counts on one. */
function strictestLoss(hazards: readonly Hazard[]): TargetFacts['lossEffect'] {
  const wanted = hazards.map(({ lossOfPermit }) => lossOfPermit)
  if (wanted.includes('de_energise')) return 'de_energise'
  return wanted.includes('hold_last') ? 'hold_last' : null
}
