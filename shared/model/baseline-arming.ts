import { type Action, HARD_ACTIONS } from './action.ts'
import type { BaselineKind } from './baseline.ts'

/** What a certificate rests on, for those who act on it. */
export type CertificateBasis = Readonly<{
  /** What it counts as, not what it says it is: `draft` without its approvals. */
  kind: BaselineKind
  /** Replayed segments, and how many are asked for below which only gentle actions, and for hard ones, are armed. */
  segments: number
  minSegments: number
  hardSegments: number
  /** Confidence of the gate, and what decay has left of it (0–1). */
  confidence: number
  decay: number
  /** Whether it was approved around its gate, for a while. */
  breakGlass: boolean
}>

export type Arming = Readonly<{ allowed: true }> | Readonly<{ allowed: false; reason: ArmingRefusal; text: string }>
export const ARMING_REFUSALS = [
  'baseline_draft',
  'baseline_stale',
  'baseline_no_confidence',
  'baseline_break_glass',
  'baseline_few_segments',
  'baseline_confidence_below_min_for_critical',
] as const
export type ArmingRefusal = (typeof ARMING_REFUSALS)[number]

/**
 * Decides whether a baseline is enough ground for an action. `streams` are the independent streams that say so, never
 * two windows of the same channel. A person may always be told.
 */
export function mayArm(basis: CertificateBasis, action: Action, streams: number): Arming {
  if (action === 'notify') return { allowed: true }
  if (basis.kind === 'draft') return refuse('baseline_draft', 'a draft never arms anything')
  if (!(basis.decay > 0)) return refuse('baseline_stale', 'it is stale: what it says of the rig no longer holds')
  if (!(basis.confidence > 0))
    return refuse('baseline_no_confidence', 'its data gives it no confidence at all, as the inputs of its gate say')
  if (action === 'degrade') return { allowed: true }
  if (basis.breakGlass)
    return refuse(
      'baseline_break_glass',
      'it was approved around its gate, and then only notify and degrade may follow',
    )
  const { segments, minSegments, hardSegments } = basis
  if (!(segments >= minSegments))
    return refuse(
      'baseline_few_segments',
      `${segments} nominal segments were replayed, and from fewer than ${minSegments} only notify and degrade may follow`,
    )
  if (!HARD_ACTIONS.includes(action) || segments >= hardSegments || streams >= 2) return { allowed: true }
  return refuse(
    'baseline_confidence_below_min_for_critical',
    `${segments} nominal segments were replayed; ${action} needs ${hardSegments} of them, or two independent streams`,
  )
}

function refuse(reason: ArmingRefusal, text: string): Arming {
  return { allowed: false, reason, text }
}
