import type { Mode } from './verdict.ts'

/** Who asks for a change of mode, least first: the agent itself, one operator, an operator whose word another one confirms. */
export const MODE_AUTHORITIES = ['agent', 'operator', 'approver'] as const
export type ModeAuthority = (typeof MODE_AUTHORITIES)[number]

/**
 * Every permitted change of mode, and the least authority that may ask for it (decisions 12: style 4.2, and emergency from
 * every mode by the agent).
 *
 * A pair that is absent is forbidden. There is no automatic way out of `emergency` or `maintenance`: a person has to look
 * first.
 */
export const MODE_CHANGES: Readonly<Record<Mode, Partial<Record<Mode, ModeAuthority>>>> = {
  startup: { nominal: 'agent', degraded: 'agent', emergency: 'agent', test: 'operator', maintenance: 'operator' },
  nominal: { degraded: 'agent', fallback: 'agent', emergency: 'agent', test: 'operator', maintenance: 'operator' },
  degraded: { nominal: 'agent', fallback: 'agent', emergency: 'agent', maintenance: 'operator' },
  fallback: { degraded: 'operator', emergency: 'agent', maintenance: 'operator' },
  maintenance: { startup: 'operator', emergency: 'agent' },
  test: { startup: 'operator', emergency: 'agent' },
  emergency: { maintenance: 'approver' },
}

export type ModeChange =
  | Readonly<{ ok: true; from: Mode; to: Mode }>
  | Readonly<{
      ok: false
      from: Mode
      to: Mode
      reason: 'same' | 'forbidden' | 'authority'
      needs: ModeAuthority | null
    }>

/** Decides whether `authority` may move a rig from one mode to another. Changes nothing. */
export function modeChange(from: Mode, to: Mode, authority: ModeAuthority): ModeChange {
  if (from === to) return { ok: false, from, to, reason: 'same', needs: null }
  const needs = MODE_CHANGES[from][to]
  if (needs === undefined) return { ok: false, from, to, reason: 'forbidden', needs: null }
  const isEnough = MODE_AUTHORITIES.indexOf(authority) >= MODE_AUTHORITIES.indexOf(needs)
  return isEnough ? { ok: true, from, to } : { ok: false, from, to, reason: 'authority', needs }
}
