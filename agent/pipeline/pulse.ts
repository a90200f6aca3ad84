import { canonicalBytes } from '../../shared/codec/canonical.ts'
import { DOMAIN, digestOf, equalBytes, hmacSha256, toHex } from '../../shared/crypto/digest.ts'
import type { RigPolicy } from '../../shared/model/actions-policy.ts'
import type { Micros } from '../../shared/units.ts'
import type { SafetyState } from '../core/safety/state.ts'
import type { RigState } from '../core/state.ts'

/**
 * A token of the dead-man on its way through evaluation (SE-33): it is bound to one journaled tick, and only who has it can
 * mark it. `deep` asks what is in force as well (SE-40). Plain data: it crosses threads.
 */
export type Token = Readonly<{ secret: Uint8Array; deep: boolean }>

/**
 * How far one rig is after the tick: event time that its windows are closed through, that the safety kernel has judged through
 * (null: it has no policy), and digests of what is in force, when they were asked for.
 */
export type RigPulse = Readonly<{
  rig: number
  closedUs: Micros
  gateUs: Micros | null
  inForce: Readonly<{ policy: string; arm: string }> | null
}>

/** What one worker says of its rigs, under the secret of the token. */
export type Mark = Readonly<{ rigs: readonly RigPulse[]; mark: Uint8Array }>

/** A token for the tick that is record `seq` of the journal. `key` is of this life of the agent. */
export function mint(key: Uint8Array, seq: number, deep: boolean): Token {
  return { secret: hmacSha256(key, canonicalBytes(['tick', seq])), deep }
}

/** Marks a token after the tick that it came with was evaluated on these rigs. */
export function markOf({ secret, deep }: Token, rigs: readonly (readonly [index: number, rig: RigState])[]): Mark {
  const pulses = rigs.map(([index, rig]): RigPulse => {
    const { closedUs, safety } = rig
    const gateUs = safety === null ? null : (safety.kernel.endUs ?? -1)
    return { rig: index, closedUs, gateUs, inForce: deep ? inForceOf(rig) : null }
  })
  return { rigs: pulses, mark: macOf(secret, pulses) }
}

/** Whether a mark was made with this token and of these pulses. */
export function isMarkOf({ secret }: Token, { rigs, mark }: Mark): boolean {
  return equalBytes(macOf(secret, rigs), mark)
}

function macOf(secret: Uint8Array, rigs: readonly RigPulse[]): Uint8Array {
  const facts = rigs.map(({ rig, closedUs, gateUs, inForce }) => [
    rig,
    closedUs,
    gateUs,
    inForce === null ? null : [inForce.policy, inForce.arm],
  ])
  return hmacSha256(secret, canonicalBytes(facts))
}

/** Digests of the policy and of the arm record of a rig as they are in memory now; null for one without a policy. */
export function inForceOf({ settings, safety }: RigState): RigPulse['inForce'] {
  if (safety === null || settings.safety === undefined) return null
  return { policy: policyDigest(settings.safety.policy), arm: armDigest(safety.kernel.arm) }
}

/** Of every word of a policy. */
export function policyDigest(policy: RigPolicy): string {
  return textDigest(policy)
}

/** Of every word of an arm record, in whatever order it holds them. */
export function armDigest({ state, untilUs, config, by }: SafetyState['arm']): string {
  return textDigest([state, untilUs, config, by])
}

function textDigest(value: unknown): string {
  return toHex(digestOf(DOMAIN.pulse, new TextEncoder().encode(JSON.stringify(value))))
}
